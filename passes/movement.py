"""Chains of movement ops behind a value: their ops, their sources, and which elements they take."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue

from dojocc.dialects.mesh import is_zero
from dojocc.dialects.nn.constant import ConstantOp
from dojocc.dialects.numerics import PLAIN
from dojocc.dialects.op import NNOp
from dojocc.passes.solve.traffic import Reading, reading_of
from dojocc.runtime.element_map import NOWHERE, ElementMap, NotClosed


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
    shape = shape_of(base)
    try:
        return reading_of(
            _moved(value, base, lambda: ElementMap.whole(0, 0, shape), ElementMap), shape
        )
    except NotClosed:
        pass

    def numbers() -> np.ndarray:
        return np.arange(prod(shape), dtype=np.int64).reshape(shape)

    array = _moved(value, base, numbers, lambda some: np.full(some, NOWHERE, np.int64))
    return reading_of(array, shape)


def _moved(
    value: SSAValue,
    base: SSAValue,
    numbers: Callable[[], Any],
    nothing: Callable[[tuple[int, ...]], Any],
) -> Any:
    """What the chain makes of the numbers of the base's elements; other sources have none."""
    found: dict[SSAValue, Any] = {base: numbers()}
    for op in movement_ops(value):
        for operand in op.operands:
            if operand not in found:
                found[operand] = nothing(shape_of(operand))
        found[op.results[0]] = op.compute([found[operand] for operand in op.operands], PLAIN)
    return found[value]


def shape_of(value: SSAValue) -> tuple[int, ...]:
    assert isinstance(value.type, TensorType)
    return tuple(value.type.get_shape())
