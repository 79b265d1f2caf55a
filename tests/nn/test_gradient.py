"""Gradients against central differences of the oracles, in double precision."""

from __future__ import annotations

import nn_oracles as oracles
import numpy as np
import pytest
from nn_cases import CASES, REGION_OPS, Case
from xdsl.dialects.builtin import f32
from xdsl.ir import Block, SSAValue

from dojocc.dialects.nn import NN_OPS, OpList, build, evaluate
from dojocc.dialects.numerics import PLAIN
from dojocc.dialects.types import same_type

STEP = 1e-4


def differentiable() -> list[Case]:
    """Cases of ops with a rule, on floats all through, with an oracle in double precision."""
    return [
        c
        for c in (*CASES, *FURTHER)
        if NN_OPS[c.op].GRADIENT == "rule"
        and all(t.endswith(("f32", "i1")) for t in c.types)
        and c.types[-1].endswith("f32")
        and c.build()[1].result_type.element_type == f32
        and c.op not in ("softmax", "log_softmax", "softplus")  # their oracle is in FP32; see below
    ]


def convolution(
    x: str, w: str, padding: list[int], layout: str, groups: int = 1, **changes: list[int]
) -> Case:
    props = {"strides": [1, 1], "lhs_dilation": [1, 1], "rhs_dilation": [1, 1]} | changes
    props |= {"padding": padding, "groups": groups, "layout": layout}  # pyright: ignore
    return Case("convolution", (x, w), oracles.convolution(**props), props)


def pool(kind: str, window: list[int], strides: list[int], padding: list[int], type: str) -> Case:
    props = dict(kind=kind, window=window, strides=strides, padding=padding, dilation=[1] * 4)
    return Case("reduce_window", (type,), oracles.reduce_window(**props), props)


FURTHER = [
    convolution("2x4x7x6xf32", "6x2x3x2xf32", [1, 0, 2, 1], "nchw", 2, strides=[2, 3]),
    convolution("2x7x6x4xf32", "3x2x2x6xf32", [1, 0, 0, 1], "nhwc", 2, rhs_dilation=[2, 3]),
    convolution("2x6x7x4xf32", "3x3x1x4xf32", [1, 1, 1, 1], "nhwc", 4, strides=[2, 2]),
    convolution("1x2x5x4xf32", "3x2x3x3xf32", [2, 2, 1, 3], "nchw", 1, lhs_dilation=[3, 2]),
    convolution("2x3x9x8xf32", "2x3x1x1xf32", [0, 0, 0, 0], "nchw", 1, strides=[3, 2]),
    convolution("1x8x9x2xf32", "3x3x2x2xf32", [-1, 0, 2, -2], "nhwc", 1, strides=[2, 1]),
    convolution("2x4x5x5xf32", "2x4x5x5xf32", [0, 0, 0, 0], "nchw"),
    pool("sum", [1, 1, 3, 2], [1, 1, 2, 3], [0] * 4 + [1, 0, 0, 1], "2x2x6x7xf32"),
    pool("max", [1, 3, 3, 1], [1, 2, 2, 1], [0, 0, 1, 1, 1, 1, 0, 0], "2x7x6x3xf32"),
    pool("max", [1, 2, 2, 1], [1, 2, 2, 1], [0] * 8, "1x5x4x2xf32"),
    Case("take", ("4x3xf32", "i32"), lambda d, i: np.take(d, i, 1), {"axis": 1}, (0, 2)),
    Case("take", ("3x4x2xf32", "2x3xi32"), lambda d, i: np.take(d, i, 1), {"axis": 1}, (0, 3)),
    Case("reduce", ("2x5x3xf32",), lambda x: x.prod((0, 2)), {"kind": "prod", "dims": [0, 2]}),
]
"""Forms beside those every op is tested on: what makes a gradient hard and nothing else."""


def gradients(case: Case, upstream: np.ndarray) -> list[np.ndarray | None] | None:
    """The op's own gradient ops, run."""
    types = [*case.operand_types(), case.build()[1].result_type]
    block = Block(arg_types=types)
    operands: list[SSAValue] = list(block.args[:-1])
    op = build(NN_OPS[case.op], operands, location="forward", **case.props)
    b = OpList("backward")
    found = op.gradient(b, block.args[-1])
    if found is None:
        return None
    arrays = case.arrays()
    environment: dict[SSAValue, np.ndarray] = dict(
        zip(block.args, [*arrays, upstream], strict=True)
    )
    for made in (op, *b.ops):
        made.verify()
        values = [environment[operand] for operand in made.operands]
        environment.update(zip(made.results, evaluate(made, values, PLAIN, {}), strict=True))
    assert len(found) == len(operands)
    for value, operand in zip(found, operands, strict=True):
        assert value is None or same_type(value.type, operand.type)
    return [None if value is None else environment[value] for value in found]


def directional(case: Case, number: int, direction: np.ndarray, upstream: np.ndarray) -> float:
    """d/dt of <upstream, oracle(x + t direction)>."""
    ends = []
    for sign in (1, -1):
        arrays = [a.astype(np.float64) if a.dtype == np.float32 else a for a in case.arrays()]
        arrays[number] = arrays[number] + sign * STEP * direction
        ends.append(float((np.asarray(case.oracle(*arrays), np.float64) * upstream).sum()))
    return (ends[0] - ends[1]) / (2 * STEP)


@pytest.mark.parametrize("case", differentiable(), ids=lambda case: case.id)
def test_gradient_is_the_derivative(case: Case) -> None:
    _, op = case.build()
    random = np.random.default_rng(3)
    upstream = random.standard_normal(op.result_type.get_shape()).astype(np.float32)
    found = gradients(case, upstream)
    assert found is not None
    for number, gradient in enumerate(found):
        if gradient is None:
            continue
        direction = random.standard_normal(gradient.shape)
        expected = directional(case, number, direction, upstream)
        scale = np.abs(gradient * direction).sum() + 1e-3
        assert float((gradient * direction).sum()) == pytest.approx(expected, abs=2e-4 * scale)


@pytest.mark.parametrize("op", ["softmax", "log_softmax"])
def test_gradient_of_row_ops_is_the_derivative(op: str) -> None:
    case = next(c for c in CASES if c.op == op)

    def double(x: np.ndarray) -> np.ndarray:
        power = np.exp(x - x.max(case.props["axis"], keepdims=True))
        soft = power / power.sum(case.props["axis"], keepdims=True)
        return soft if op == "softmax" else np.log(soft)

    test_gradient_is_the_derivative(Case(op, case.types, double, case.props, case.span))


@pytest.mark.parametrize("name", [n for n in NN_OPS if n not in REGION_OPS])
def test_ops_without_a_rule_give_none(name: str) -> None:
    """The registry says `rule` exactly where a rule is written."""
    cases = [c for c in CASES if c.op == name]
    written = any(c.build()[1].gradient(OpList(), _upstream(c)) is not None for c in cases)
    assert written == (NN_OPS[name].GRADIENT == "rule")


def _upstream(case: Case) -> SSAValue:
    return Block(arg_types=[case.build()[1].result_type]).args[0]


@pytest.mark.parametrize("name", [n for n in NN_OPS if NN_OPS[n].GRADIENT == "decompose"])
def test_differentiated_by_decomposition_means_it_can_be(name: str) -> None:
    """Every op of the decomposition has a rule, is constant, or comes apart itself."""
    op = next(c for c in CASES if c.op == name).build()[1]
    b = OpList("forward")
    assert op.decompose(b) is not None
    assert {made.name for made in b.ops if made.GRADIENT == "not yet"} == set()  # pyright: ignore


def test_gradient_of_softplus_is_the_derivative() -> None:
    case = next(c for c in CASES if c.op == "softplus")
    double = Case("softplus", case.types, lambda x: np.log1p(np.exp(x)), {}, case.span)
    test_gradient_is_the_derivative(double)


def test_only_regions_have_no_gradient() -> None:
    assert [name for name in NN_OPS if NN_OPS[name].GRADIENT == "not yet"] == ["fused"]


def test_product_of_elements_that_are_zero() -> None:
    """One zero: only its own place has a gradient; two: none has."""
    props = {"kind": "prod", "dims": [1]}
    x = np.array([[2.0, 0.0, 5.0], [0.0, 3.0, 0.0]], np.float32)

    class Fixed(Case):
        def arrays(self, seed: int = 7, floats: object = None) -> list[np.ndarray]:
            return [x]

    case = Fixed("reduce", ("2x3xf32",), lambda x: x.prod(1), props)
    found = gradients(case, np.array([1.0, 1.0], np.float32))
    assert found is not None
    np.testing.assert_array_equal(found[0], [[0, 10, 0], [0, 0, 0]])


def test_equal_elements_of_a_window_send_their_gradient_to_the_first() -> None:
    props = dict(kind="max", window=[2], strides=[1], padding=[0, 0], dilation=[1])

    class Fixed(Case):
        def arrays(self, seed: int = 7, floats: object = None) -> list[np.ndarray]:
            return [np.array([3.0, 3.0, 1.0, 3.0], np.float32)]

    case = Fixed("reduce_window", ("4xf32",), lambda x: x, props)
    found = gradients(case, np.array([1.0, 2.0, 4.0], np.float32))
    assert found is not None
    np.testing.assert_array_equal(found[0], [1, 2, 0, 4])
