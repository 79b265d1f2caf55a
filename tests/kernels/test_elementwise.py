"""Element-wise kernels: every op on vector instructions, broadcasting, tails, empty shards."""

from __future__ import annotations

import numpy as np
import pytest
from kernel_cases import close, exact, fused, layout, random, run_op
from xdsl.dialects.builtin import bf16, f32, i1, i8, i32

from dojocc.dialects.types import tensor

UNARY = (
    "abs",
    "negate",
    "sign",
    "floor",
    "ceil",
    "round_nearest_even",
    "exponential",
    "exponential_minus_one",
    "sine",
    "cosine",
    "tanh",
    "logistic",
    "erf",
)
BINARY = ("add", "subtract", "multiply", "divide", "maximum", "minimum", "power", "remainder")


@pytest.mark.parametrize("name", UNARY)
def test_unary_ops_equal_their_reference(name: str) -> None:
    op = fused([tensor((5, 24))], f32, lambda b, x: b(name, x))
    held = layout((5, 24), shards={0: (("row",), 3)})
    exact(run_op(op, [3 * random(1, 5, 24)], [held], [held]))


@pytest.mark.parametrize("name", ("log", "log_plus_one", "sqrt", "rsqrt"))
def test_unary_ops_of_positive_numbers(name: str) -> None:
    op = fused([tensor((5, 24))], f32, lambda b, x: b(name, x))
    held = layout((5, 24), shards={0: (("row",), 3)})
    exact(run_op(op, [np.abs(random(1, 5, 24))], [held], [held]))


@pytest.mark.parametrize("name", BINARY)
def test_binary_ops_equal_their_reference(name: str) -> None:
    op = fused([tensor((7, 5))] * 2, f32, lambda b, x, y: b(name, x, y))
    held = layout((7, 5), shards={0: (("row", "col"), 2)})
    arrays = [4 * random(1, 7, 5), random(2, 7, 5)]
    arrays[1][0] = (2, 3, -1, 0, 1)
    exact(run_op(op, arrays, [held, held], [held]))


@pytest.mark.parametrize("name", ("add", "subtract", "multiply", "divide", "maximum", "remainder"))
@pytest.mark.parametrize("kind", (i32, i8))
def test_integer_ops_equal_their_reference(name: str, kind: object) -> None:
    low, high = (-128, 128) if kind == i8 else (-(2**31) + 1, 2**31)
    rng = np.random.default_rng(3)
    x, y = (rng.integers(low, high, (6, 33)) for _ in range(2))
    y[0, :20] = rng.integers(-9, 9, 20)
    held = layout((6, 33), "INT8" if kind == i8 else "INT32")
    op = fused([tensor((6, 33), kind)] * 2, kind, lambda b, x, y: b(name, x, y))
    exact(run_op(op, [x, y], [held, held], [held]))


@pytest.mark.parametrize("direction", ("EQ", "NE", "LT", "LE", "GT", "GE"))
def test_comparison_and_selection(direction: str) -> None:
    shape = (3, 20)

    def build(b, x, y):
        chosen = b("compare", x, y, direction=direction)
        return b("select", b("not", chosen), x, b("negate", y))

    held = layout(shape, shards={1: (("col",), 16)})
    x, y = random(1, *shape).round(), random(2, *shape).round()
    exact(run_op(fused([tensor(shape)] * 2, f32, build), [x, y], [held, held], [held]))


def test_booleans_are_stored_as_zero_and_one() -> None:
    shape = (4, 5)

    def build(b, x, y):
        low = b("compare", x, y, direction="LT")
        return b("xor", low, b("is_finite", b("log", x)))

    held, bits = layout(shape), layout(shape, "INT32")
    op = fused([tensor(shape)] * 2, i1, build)
    outcome = run_op(op, [random(1, *shape), random(2, *shape)], [held, held], [bits])
    np.testing.assert_array_equal(outcome.results[0], outcome.machine[0].astype(np.int32))


def test_conversions_truncate_and_saturate() -> None:
    shape = (2, 16)
    op = fused([tensor(shape)], i8, lambda b, x: b("convert", x, element_type=i8))
    x = np.linspace(-200, 200, 32, dtype=np.float32).reshape(shape)
    exact(run_op(op, [x], [layout(shape)], [layout(shape, "INT8")]))


@pytest.mark.parametrize(
    "small, dims",
    [
        ((24,), (2,)),
        ((5,), (1,)),
        ((3,), (0,)),
        ((3, 24), (0, 2)),
        ((1, 5, 1), (0, 1, 2)),
        ((), ()),
    ],
)
def test_broadcast_operands_are_read_in_place(
    small: tuple[int, ...], dims: tuple[int, ...]
) -> None:
    shape = (3, 5, 24)

    def build(b, x, y):
        wide = b("broadcast_in_dim", b("exponential", y), dims=dims, shape=shape)
        return b("add", b("multiply", x, wide), b.splat(0.5, x))

    held = layout(shape, shards={1: (("row",), 3), 2: (("col",), 16)})
    shards = {
        axis: held_dim
        for axis, big in enumerate(dims)
        if small[axis] > 1
        for held_dim in [{1: (("row",), 3), 2: (("col",), 16)}.get(big)]
        if held_dim
    }
    op = fused([tensor(shape), tensor(small)], f32, build)
    outcome = run_op(
        op, [random(1, *shape), random(2, *small)], [held, layout(small, shards=shards)], [held]
    )
    exact(outcome)


def test_operand_broadcast_against_its_order() -> None:
    op = fused(
        [tensor((5, 24)), tensor((24, 5))],
        f32,
        lambda b, x, y: b("add", x, b("transpose", y, permutation=(1, 0))),
    )
    outcome = run_op(
        op,
        [random(1, 5, 24), random(2, 24, 5)],
        [layout((5, 24)), layout((24, 5))],
        [layout((5, 24))],
    )
    exact(outcome)


def test_bfloat16_results_round_once() -> None:
    shape = (9, 40)
    kind = tensor(shape, bf16)

    def build(b, x, y):
        return b("gelu", b("add", b("multiply", x, y), y), approximate="none")

    held = layout(shape, "BF16", {0: (("row",), 5), 1: (("col",), 16)})
    outcome = run_op(
        fused([kind, kind], bf16, build),
        [random(1, *shape), random(2, *shape)],
        [held, held],
        [held],
    )
    exact(outcome)


def test_nodes_without_rows_do_nothing() -> None:
    shape = (2, 16)
    held = layout(shape, shards={0: (("row", "col"), 1)})
    op = fused([tensor(shape)], f32, lambda b, x: b("exponential", x))
    exact(run_op(op, [random(1, *shape)], [held], [held]))


def test_contiguous_dims_become_one_loop() -> None:
    shape = (2, 3, 4, 5, 2, 2, 2, 32)
    held = layout(shape)
    op = fused([tensor(shape)], f32, lambda b, x: b("negate", x))
    outcome = run_op(op, [random(1, *shape)], [held], [held])
    exact(outcome)
    assert outcome.kernels == 1


def test_too_many_loops_become_repeated_calls_of_one_kernel() -> None:
    shape = (2, 2, 2, 2, 2, 2, 2, 5)
    held = layout(shape)
    small = (2, 1, 2, 1, 2, 1, 2, 1)

    def build(b, x, y):
        return b("add", x, b("broadcast_in_dim", y, dims=tuple(range(8)), shape=shape))

    outcome = run_op(
        fused([tensor(shape), tensor(small)], f32, build),
        [random(1, *shape), random(2, *small)],
        [held, layout(small)],
        [held],
    )
    exact(outcome)
    assert outcome.kernels == 1


def test_two_results_share_a_kernel() -> None:
    shape = (4, 24)
    held = layout(shape, shards={0: (("row",), 2)})
    op = fused([tensor(shape)], (f32, bf16), lambda b, x: (b("tanh", x), b("multiply", x, x)))
    rounded = layout(shape, "BF16", {0: (("row",), 2)})
    outcome = run_op(op, [random(1, *shape)], [held], [held, rounded])
    exact(outcome)
    close(outcome, 1e-2)
    assert outcome.kernels == 1
