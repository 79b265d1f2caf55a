"""Constants as the nn passes see them: what a value is known to hold, and new ones from arrays.

A value is known when everything it comes from is a constant; it is worked out when asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np
from xdsl.dialects.builtin import bf16
from xdsl.ir import Attribute, SSAValue

from dojocc.dialects.nn import (
    BroadcastInDimOp,
    ConstantOp,
    IotaOp,
    TransposeOp,
    constant_properties,
)
from dojocc.dialects.numerics import PLAIN
from dojocc.dialects.op import OpList
from dojocc.dialects.types import dense_of
from dojocc.passes.rewriting import element, made_by, shape

SPREADING = ("broadcast_in_dim", "reshape", "transpose", "convert")
PROBE = 64  # elements looked at before a whole array is compared


def constant_of(value: SSAValue) -> ConstantOp | None:
    """The constant that makes a value, if one does directly."""
    owner = value.owner
    return owner if isinstance(owner, ConstantOp) else None


def is_known(value: SSAValue) -> bool:
    """True where the value comes from constants alone."""
    waiting, seen = [value], set()
    while waiting:
        owner = made_by(waiting.pop())
        if owner is None or owner.regions:
            return False
        if owner not in seen and not isinstance(owner, ConstantOp | IotaOp):
            seen.add(owner)
            waiting += owner.operands
    return True


def known_array(value: SSAValue, resources: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """What a value holds, if it comes from constants alone; broadcasts stay views."""
    if not is_known(value):
        return None
    results: dict[SSAValue, np.ndarray] = {}
    waiting = [value]
    while waiting:
        current = waiting[-1]
        owner = made_by(current)
        assert owner is not None
        missing = [operand for operand in owner.operands if operand not in results]
        if missing:
            waiting += missing
            continue
        waiting.pop()
        if current in results:
            continue
        arrays = [results[operand] for operand in owner.operands]
        if isinstance(owner, ConstantOp):
            results[current] = owner.array(resources)
        elif isinstance(owner, BroadcastInDimOp | TransposeOp):
            results[current] = owner.compute(arrays, PLAIN)
        else:
            results.update(zip(owner.results, owner.reference(arrays, PLAIN), strict=True))
    return results[value]


def splat_value(value: SSAValue, resources: Mapping[str, np.ndarray]) -> float | None:
    """The one number a constant value holds everywhere, looking through what only spreads it."""
    source = value
    while (spread := made_by(source, *SPREADING)) is not None:
        source = spread.operands[0]
    constant = constant_of(source)
    if constant is None:
        return None
    array = constant.array(resources)
    if array.size == 0 or not uniform(array):
        return None
    if source is not value and element(source) != element(value):
        known = known_array(value, resources)
        return None if known is None else float(known.reshape(-1)[0])
    return float(array.reshape(-1)[0])


def uniform(array: np.ndarray) -> bool:
    """True where all elements are equal, bit for bit; most others fail on the first few."""
    flat = array.reshape(-1)
    if not (flat[:PROBE] == flat[0]).all() or not (flat == flat[0]).all():
        return False
    return flat[0] != 0 or len(set(np.signbit(flat).tolist())) == 1


def resource_name(value: SSAValue) -> str:
    """A name for what is made from a value: the resource it comes from, or its hint."""
    source = value
    while (owner := made_by(source)) is not None and not isinstance(owner, ConstantOp):
        if not owner.operands:
            break
        source = owner.operands[0]
    constant = constant_of(source)
    held = constant.p.resource if constant is not None else None
    return held or value.name_hint or "constant"


def make_constant(
    b: OpList,
    array: np.ndarray,
    element_type: Attribute,
    name: str,
    resources: dict[str, np.ndarray],
) -> SSAValue:
    """A constant with an array's values; one scalar and a broadcast where all are equal."""
    if array.size > 1 and uniform(array):
        scalar = b.scalar(array.reshape(-1)[0], element_type)
        return b("broadcast_in_dim", scalar, dims=(), shape=array.shape)
    array = np.asarray(array, order="C")
    properties = constant_properties(array, name, resources)
    if element_type == bf16 and "value" in properties:
        properties = {"value": dense_of(array, bf16)}
    elif element_type == bf16:
        properties["element_type"] = bf16
    return b("constant", **properties)


def grows(value: SSAValue, limit: int) -> bool:
    """True where a value takes more room than the constants it comes from, and than `limit`.

    Spreading ops on the way are views and do not count; the value itself does.
    """
    leaves: set[SSAValue] = set()
    seen: set[SSAValue] = set()
    largest = size(value)
    waiting = [value]
    while waiting:
        current = waiting.pop()
        owner = made_by(current)
        if owner is None or current in seen:
            continue
        seen.add(current)
        if isinstance(owner, ConstantOp):
            leaves.add(current)
        elif owner.short_name not in SPREADING:
            largest = max(largest, size(current))
        waiting += owner.operands
    return largest > max(sum(map(size, leaves)), limit)


def size(value: SSAValue) -> int:
    """How many elements a tensor value has."""
    return prod(shape(value))
