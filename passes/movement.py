"""Chains of movement ops behind a value: their ops, their sources, and which elements they take."""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue

from dojocc.dialects.mesh import is_zero
from dojocc.dialects.nn.constant import ConstantOp
from dojocc.dialects.numerics import PLAIN
from dojocc.dialects.op import NNOp
from dojocc.passes.solve.traffic import Reading, reading_of

ELSEWHERE = -1


def is_movement(op: object) -> bool:
    return isinstance(op, NNOp) and op.FUSIBLE == "movement"


def is_kernel(op: object) -> bool:
    """An op that computes: neither movement nor a constant."""
    return isinstance(op, NNOp) and op.FUSIBLE != "movement" and not isinstance(op, ConstantOp)


def movement_ops(value: SSAValue) -> list[NNOp]:
    """The movement ops behind a value, operands first."""
    order: dict[NNOp, None] = {}

    def visit(each: SSAValue) -> None:
        op = each.owner
        if isinstance(op, NNOp) and is_movement(op) and op not in order:
            for operand in op.operands:
                visit(operand)
            order[op] = None

    visit(value)
    return list(order)


def movement_sources(value: SSAValue) -> list[SSAValue]:
    """The values a movement chain takes elements from, each once; zeros for padding left out."""
    found: dict[SSAValue, None] = {}
    for op in movement_ops(value):
        for operand in op.operands:
            if not is_movement(operand.owner) and not is_zero(operand.owner):
                found[operand] = None
    return list(found)


def reading_from(value: SSAValue, base: SSAValue) -> Reading | None:
    """How a chain's result takes elements from one of its sources."""
    found: dict[SSAValue, np.ndarray] = {}

    def index_of(each: SSAValue) -> np.ndarray:
        if each not in found:
            assert isinstance(each.type, TensorType)
            shape = tuple(each.type.get_shape())
            whole = each is base
            found[each] = np.arange(np.prod(shape)) if whole else np.full(shape, ELSEWHERE)
        return found[each].reshape(each.type.get_shape())  # pyright: ignore

    for op in movement_ops(value):
        arrays = [index_of(operand) for operand in op.operands]
        found[op.results[0]] = np.asarray(op.compute(arrays, PLAIN))
    assert isinstance(base.type, TensorType)
    return reading_of(found[value], tuple(base.type.get_shape()))
