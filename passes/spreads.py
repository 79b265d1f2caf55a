"""Seeing through ops that only repeat a value or add dims of size 1."""

from __future__ import annotations

from typing import NamedTuple

from xdsl.ir import SSAValue

from dojocc.dialects.op import NNOp, OpList
from dojocc.passes.rewriting import made_by, shape


class Spread(NamedTuple):
    """A value and, for each of its dims wider than 1, the dim it lies along when spread out."""

    source: SSAValue
    axes: tuple[int, ...]


def wide(value: SSAValue) -> tuple[int, ...]:
    """Dims of size other than 1."""
    return tuple(axis for axis, size in enumerate(shape(value)) if size != 1)


def sources(value: SSAValue) -> list[Spread]:
    """Everything a value is a spread of, itself first."""
    found = [Spread(value, wide(value))]
    while (op := made_by(found[-1].source, "broadcast_in_dim", "reshape")) is not None:
        inner = narrower(op, found[-1].axes)
        if inner is None:
            break
        found.append(inner)
    return found


def narrower(op: NNOp, axes: tuple[int, ...]) -> Spread | None:
    """One step towards the source; None where the op does more than add dims or repeat."""
    source, result = op.operands[0], op.results[0]
    if op.short_name == "reshape":
        sizes, after = shape(source), shape(result)
        same = [sizes[i] for i in wide(source)] == [after[i] for i in wide(result)]
        return Spread(source, axes) if same else None
    place = dict(zip(wide(result), axes, strict=True))
    return Spread(source, tuple(place[op.p.dims[axis]] for axis in wide(source)))


def spread_of(value: SSAValue, *names: str) -> tuple[NNOp, Spread] | None:
    """The nearest op of one of these names that the value is a spread of."""
    for spread in sources(value):
        op = made_by(spread.source, *names)
        if op is not None:
            return op, spread
    return None


def narrowest(value: SSAValue) -> Spread:
    """The smallest thing the value is a spread of."""
    return sources(value)[-1]


def lies_along(value: SSAValue, axes: tuple[int, ...]) -> Spread | None:
    """A source of the value that varies along these dims only."""
    for spread in sources(value):
        if all(axis in axes for axis in spread.axes):
            return spread
    return None


def restated(b: OpList, spread: Spread, first: int, sizes: tuple[int, ...]) -> SSAValue:
    """The source spread over dims first, first + 1, ... of these sizes only."""
    value = spread.source
    narrow = tuple(shape(value)[axis] for axis in wide(value))
    if shape(value) != narrow and shape(value) != sizes:
        value = b("reshape", value, shape=narrow)
    return b.broadcast(value, sizes, [axis - first for axis in spread.axes])


def respread(b: OpList, value: SSAValue, axes: tuple[int, ...], sizes: tuple[int, ...]) -> SSAValue:
    """`value`, its wide dims lying along `axes`, spread to these sizes."""
    return restated(b, Spread(value, axes), 0, sizes)
