"""Gradients against central differences of the oracles, in double precision."""

from __future__ import annotations

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
        for c in CASES
        if NN_OPS[c.op].GRADIENT == "rule"
        and all(t.endswith(("f32", "i1")) for t in c.types)
        and c.types[-1].endswith("f32")
        and c.build()[1].result_type.element_type == f32
        and c.op not in ("softmax", "log_softmax")  # their oracle is in FP32; see below
    ]


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
    if found is None:
        assert undifferentiated(case)
        return
    for number, gradient in enumerate(found):
        if gradient is None:
            continue
        direction = random.standard_normal(gradient.shape)
        expected = directional(case, number, direction, upstream)
        scale = np.abs(gradient * direction).sum() + 1e-3
        assert float((gradient * direction).sum()) == pytest.approx(expected, abs=2e-4 * scale)


def undifferentiated(case: Case) -> bool:
    """The forms for which an op with a rule documents that it has none."""
    negative = case.op == "pad" and min(*case.props["low"], *case.props["high"]) < 0
    return negative or (case.op == "reduce" and case.props["kind"] == "prod")


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
