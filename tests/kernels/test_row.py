"""Row kernels: rows along lanes and across them, several row dims, tails, prologues and
epilogues."""

from __future__ import annotations

import numpy as np
import pytest
from kernel_cases import close, exact, fused, layout, random, run_op
from xdsl.dialects.builtin import bf16, f32, i1, i8, i32

from dojocc.dialects.types import tensor
from dojocc.runtime.errors import UnsupportedError

SHAPE = (4, 5, 27)


@pytest.mark.parametrize("name", ("softmax", "log_softmax"))
@pytest.mark.parametrize("axis", (0, 1, 2))
@pytest.mark.parametrize("element, fmt", [(f32, "FP32"), (bf16, "BF16")])
def test_softmax_along_every_axis(name, axis, element, fmt) -> None:
    op = fused([tensor(SHAPE, element)], element, lambda b, x: b(name, x, axis=axis))
    shards = {0 if axis else 1: (("row",), 3)} | ({2: (("col",), 16)} if axis != 2 else {})
    held = layout(SHAPE, fmt, shards)
    outcome = run_op(op, [3 * random(1, *SHAPE)], [held], [held])
    exact(outcome)
    close(outcome, 1e-2 if element == bf16 else 1e-5)


def test_masked_and_scaled_softmax_in_one_kernel() -> None:
    shape = (3, 10, 10)

    def build(b, x, mask):
        scaled = b("multiply", x, b.splat(0.5, x))
        hidden = b("broadcast_in_dim", mask, dims=(1, 2), shape=shape)
        y = b("softmax", b("select", hidden, scaled, b.splat(-1e9, x)), axis=2)
        return b("subtract", b.splat(1.0, y), y)

    op = fused([tensor(shape), tensor((10, 10), i1)], f32, build)
    held, mask = layout(shape, shards={0: (("row",), 2)}), layout((10, 10), "INT32")
    outcome = run_op(op, [random(1, *shape), np.tri(10, dtype=bool)], [held, mask], [held])
    exact(outcome)


@pytest.mark.parametrize("axis", (1, 2))
def test_layer_norm(axis) -> None:
    row = SHAPE[axis:]
    op = fused(
        [tensor(SHAPE, bf16), tensor(row, f32), tensor(row, f32)],
        bf16,
        lambda b, x, s, t: b("layer_norm", x, s, t, axis=axis, epsilon=1e-5),
    )
    held = layout(SHAPE, "BF16", {0: (("row", "col"), 1)})
    arrays = [random(1, *SHAPE), random(2, *row), random(3, *row)]
    outcome = run_op(op, arrays, [held, layout(row), layout(row)], [held])
    exact(outcome)
    close(outcome, 1e-2)


@pytest.mark.parametrize("kind", ("sum", "mean", "max", "min", "prod"))
@pytest.mark.parametrize("dims", [(2,), (1,), (0, 1), (1, 2), (0, 2), (0, 1, 2)])
def test_reduce_over_any_dims(kind, dims) -> None:
    op = fused([tensor(SHAPE)], f32, lambda b, x: b("reduce", x, kind=kind, dims=dims))
    shape = op.results[0].type.get_shape()
    outcome = run_op(op, [random(1, *SHAPE)], [layout(SHAPE)], [layout(shape)])
    exact(outcome)
    close(outcome, 1e-4)


def test_reduced_rows_shared_out() -> None:
    held = layout(SHAPE, shards={0: (("row",), 2), 1: (("col",), 2)})

    def build(b, x):
        y = b("reduce", b("multiply", x, x), kind="sum", dims=(2,))
        return b("add", b("sqrt", y), b.splat(1.0, y))

    op = fused([tensor(SHAPE)], f32, build)
    result = layout((4, 5), shards={0: (("row",), 2), 1: (("col",), 2)})
    exact(run_op(op, [random(1, *SHAPE)], [held], [result]))


def test_mean_over_an_image() -> None:
    shape = (2, 7, 7, 40)
    op = fused([tensor(shape, bf16)], bf16, lambda b, x: b("reduce", x, kind="mean", dims=(1, 2)))
    held = layout(shape, "BF16", {3: (("col",), 16)}, {2: 8})
    exact(run_op(op, [random(1, *shape)], [held], [layout((2, 40), "BF16", {1: (("col",), 16)})]))


@pytest.mark.parametrize("kind", ("sum", "max", "min", "prod"))
@pytest.mark.parametrize("element, fmt", [(i32, "INT32"), (i8, "INT8")])
@pytest.mark.parametrize("dims", [(1,), (0,)])
def test_integer_reductions(kind, element, fmt, dims) -> None:
    op = fused(
        [tensor((5, 21), element)], element, lambda b, x: b("reduce", x, kind=kind, dims=dims)
    )
    x = np.random.default_rng(1).integers(-100, 100, (5, 21))
    shape = op.results[0].type.get_shape()
    exact(run_op(op, [x], [layout((5, 21), fmt)], [layout(shape, fmt)]))


@pytest.mark.parametrize("kind", ("max", "min"))
def test_any_and_all(kind) -> None:
    op = fused([tensor((5, 21), i1)], i1, lambda b, x: b("reduce", x, kind=kind, dims=(1,)))
    x = np.ones((5, 21), bool)
    x[1, 20] = x[3] = False
    held = layout((5, 21), "INT32")
    outcome = run_op(op, [x], [held], [layout((5,), "INT32")])
    np.testing.assert_array_equal(outcome.results[0].astype(bool), outcome.machine[0])


@pytest.mark.parametrize("kind", ("max", "min"))
@pytest.mark.parametrize("axis", (0, 1, 2))
@pytest.mark.parametrize("element, fmt", [(f32, "FP32"), (i32, "INT32")])
def test_index_of_the_first_extreme(kind, axis, element, fmt) -> None:
    x = np.random.default_rng(2).integers(-5, 5, SHAPE).astype(np.float32)
    op = fused([tensor(SHAPE, element)], i32, lambda b, x: b("arg_reduce", x, kind=kind, axis=axis))
    shape = op.results[0].type.get_shape()
    exact(run_op(op, [x], [layout(SHAPE, fmt)], [layout(shape, "INT32")]))


def test_a_row_shared_out_is_refused() -> None:
    op = fused([tensor(SHAPE)], f32, lambda b, x: b("softmax", x, axis=1))
    held = layout(SHAPE, shards={1: (("row",), 3)})
    with pytest.raises(UnsupportedError, match="row dim d1 is shared out"):
        run_op(op, [random(1, *SHAPE)], [held], [held])


@pytest.mark.parametrize("kind", ("max", "min"))
@pytest.mark.parametrize("axis", (0, 1, 2))
def test_arg_reduce_finds_the_first_nan(kind, axis) -> None:
    array = random(1, *SHAPE)
    array[random(2, *SHAPE) > 1.8] = np.nan
    array[0, 0, 0] = array[2, 2, 2] = np.inf if kind == "max" else -np.inf
    assert np.isnan(array).any(axis).any() and not np.isnan(array).any(axis).all()
    op = fused([tensor(SHAPE, f32)], i32, lambda b, x: b("arg_reduce", x, kind=kind, axis=axis))
    left = tuple(size for dim, size in enumerate(SHAPE) if dim != axis)
    exact(run_op(op, [array], [layout(SHAPE)], [layout(left, "INT32")]))
