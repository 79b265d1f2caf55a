"""What a small body of scalars does, found by its form or by trying it on numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, FloatAttr, IntegerAttr
from xdsl.ir import Block, Operation, SSAValue

from dojocc.dialects.nn.elementwise import DIRECTIONS
from dojocc.frontends.stablehlo.plain import plain

KINDS = {
    "add": "sum",
    "multiply": "prod",
    "maximum": "max",
    "minimum": "min",
    "and": "and",
    "or": "or",
}
BINARY = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}


def reduction_kind(op: Operation) -> str | None:
    """`sum`, `max`, ... where the body is one op of its two arguments; `last` where it gives the
    second argument; None otherwise."""
    applied = op.properties.get("applies")
    if applied is not None:
        return KINDS.get(str(plain(applied)).split(".")[-1])
    if len(op.regions) != 1:
        return None
    block = op.regions[0].block
    ops = list(block.ops)
    returned = ops[-1].operands[0]
    if len(ops) == 1 and returned is block.args[1]:
        return "last"
    if len(ops) != 2 or returned is not ops[0].results[0]:
        return None
    if set(ops[0].operands) != set(block.args):
        return None
    return KINDS.get(ops[0].name.split(".")[1])


def tried(block: Block, numbers: Sequence[float]) -> list[float] | None:
    """The body's results for scalar arguments; None where it has an op that is not known here."""
    values: dict[SSAValue, np.ndarray] = {
        argument: np.array(number) for argument, number in zip(block.args, numbers, strict=True)
    }
    for op in block.ops:
        if op.name.endswith("return"):
            return [float(values[each]) for each in op.operands]
        result = scalar_result(op, [held(each, values) for each in op.operands])
        if result is None:
            return None
        values[op.results[0]] = result
    return None


def held(value: SSAValue, values: dict[SSAValue, np.ndarray]) -> np.ndarray | None:
    """A value of the body, or a constant that stands before it."""
    if value not in values and isinstance(value.owner, Operation):
        return scalar_result(value.owner, []) if value.owner.name.endswith(".constant") else None
    return values.get(value)


def scalar_result(op: Operation, given: list[np.ndarray | None]) -> np.ndarray | None:
    name = op.name.split(".")[-1]
    if name == "constant":
        value = op.properties.get("value")
        if isinstance(value, DenseIntOrFPElementsAttr):
            return np.array(list(value.get_values())[0])
        return np.array(plain(value)) if isinstance(value, FloatAttr | IntegerAttr) else None
    arrays = [each for each in given if each is not None]
    if len(arrays) != len(given):
        return None
    match name:
        case "compare":
            return DIRECTIONS[plain(op.properties["comparison_direction"])](*arrays)
        case "select":
            return arrays[1] if arrays[0] else arrays[2]
        case "not":
            return np.logical_not(arrays[0])
        case _ if name in BINARY:
            return BINARY[name](*arrays)
    return None
