"""StableHLO ops that only move elements, by known and by computed places."""

from __future__ import annotations

import numpy as np
from xdsl.ir import SSAValue

from dojocc.dialects.types import dtype_of
from dojocc.frontends.build import Builder, NotSupported, shape_of
from dojocc.frontends.composites.indexing import chosen
from dojocc.frontends.stablehlo.node import Node, handles


@handles("reshape")
def reshape(node: Node) -> SSAValue:
    return node.b.reshape(node.x(), node.wanted)


@handles("transpose")
def transpose(node: Node) -> SSAValue:
    return node.b.transpose(node.x(), node.require("permutation"))


@handles("broadcast_in_dim")
def broadcast(node: Node) -> SSAValue:
    """Dims that do not ascend are transposed first, as nn wants them."""
    dims = list(node.raw("broadcast_dimensions") or [])
    x, shape = node.x(), node.wanted
    if shape_of(x) == shape and dims == sorted(dims):
        return x
    order = list(np.argsort(dims))
    x = node.b.transpose(x, order)
    return node.b.emit("broadcast_in_dim", x, dims=[dims[i] for i in order], shape=shape)


@handles("slice")
def slice_(node: Node) -> SSAValue:
    names = ("start_indices", "limit_indices", "strides")
    return node.b.slice(node.x(), *(node.require(name) for name in names))


@handles("concatenate")
def concatenate(node: Node) -> SSAValue:
    full = [x for x in node.operands if 0 not in shape_of(x)]
    return node.b.concatenate(full, node.require("dimension"))


@handles("pad")
def pad(node: Node) -> SSAValue:
    low, high, interior = (
        node.require(name) for name in ("edge_padding_low", "edge_padding_high", "interior_padding")
    )
    if not any(interior):
        return node.b.pad(node.x(), low, high, node.x(1))
    grown = [max(amount, 0) for amount in low], [max(amount, 0) for amount in high]
    wide = node.b.emit("pad", node.x(), node.x(1), low=grown[0], high=grown[1], interior=interior)
    zero = [0] * len(low)
    cut = [min(amount, 0) for amount in low], [min(amount, 0) for amount in high]
    return node.b.pad(wide, cut[0], cut[1], node.x(1)) if cut != (zero, zero) else wide


@handles("reverse")
def reverse(node: Node) -> SSAValue:
    return node.b.emit("reverse", node.x(), dims=sorted(node.require("dimensions")))


@handles("iota")
def iota(node: Node) -> SSAValue:
    shape, axis = node.wanted, node.require("iota_dimension")
    line = np.arange(shape[axis]).astype(dtype_of(node.element_type))
    row = node.b.constant(line, "iota")
    return node.b.emit("broadcast_in_dim", row, dims=[axis], shape=shape) if len(shape) > 1 else row


def starts_of(node: Node, first: int, room: list[int]) -> list[int | SSAValue]:
    """Start of each dim, within [0, room]; numbers where they are known."""
    found: list[int | SSAValue] = []
    for axis, most in enumerate(room):
        known = node.known(first + axis)
        if known is not None:
            found.append(int(np.clip(known.reshape(()), 0, most)))
        elif most == 0:
            found.append(0)
        else:
            b, start = node.b, node.x(first + axis)
            start = b.emit("maximum", start, b.like(start, 0))
            found.append(b.emit("minimum", start, b.like(start, most)))
    return found


def counted(b: Builder, size: int) -> SSAValue:
    return b.constant(np.arange(size, dtype=np.int32), "places")


@handles("dynamic_slice")
def dynamic_slice(node: Node) -> SSAValue:
    """Known starts cut; a computed start takes the rows from it on."""
    b, x, sizes = node.b, node.x(), list(node.require("slice_sizes"))
    room = [have - size for have, size in zip(node.shape(), sizes, strict=True)]
    starts = starts_of(node, 1, room)
    low = [start if isinstance(start, int) else 0 for start in starts]
    high = [
        start + size if isinstance(start, int) else have
        for start, size, have in zip(starts, sizes, node.shape(), strict=True)
    ]
    x = b.slice(x, low, high)
    for axis, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        if not isinstance(start, int):
            x = b.take(x, b.binary("add", start, counted(b, size)), axis)
    return x


@handles("dynamic_update_slice")
def dynamic_update_slice(node: Node) -> SSAValue:
    """One dim at known places: pieces put together; else the update spread out and chosen."""
    b, x, update = node.b, node.x(), node.x(1)
    shape, part = node.shape(), node.shape(1)
    room = [have - size for have, size in zip(shape, part, strict=True)]
    starts = starts_of(node, 2, room)
    narrow = [axis for axis, most in enumerate(room) if most]
    if not narrow:
        return update
    if len(narrow) == 1 and isinstance(starts[narrow[0]], int):
        return replaced(b, x, update, narrow[0], starts[narrow[0]])
    inside = None
    for axis in narrow:
        places = counted(b, shape[axis])
        start = starts[axis]
        start = b.constant(np.array(start, np.int32)) if isinstance(start, int) else start
        offset = b.binary("subtract", places, start)
        last = b.like(offset, part[axis] - 1)
        there = b.emit(
            "and", b.compare("GE", offset, b.like(offset, 0)), b.compare("LE", offset, last)
        )
        row = b.emit("minimum", b.emit("maximum", offset, b.like(offset, 0)), last)
        update = b.take(update, row, axis)
        mask = b.emit("broadcast_in_dim", there, dims=[axis], shape=shape)
        inside = mask if inside is None else b.emit("and", inside, mask)
    if inside is None:
        raise NotSupported("an update without a place")
    return chosen(b, inside, update, x)


def replaced(
    b: Builder, x: SSAValue, update: SSAValue, axis: int, start: int | SSAValue
) -> SSAValue:
    """x with rows of one dim from a known start on replaced."""
    assert isinstance(start, int)
    shape, count = list(shape_of(x)), shape_of(update)[axis]
    pieces = []
    for first, last in ((0, start), (start + count, shape[axis])):
        low, high = [0] * len(shape), list(shape)
        low[axis], high[axis] = first, last
        if first < last:
            pieces.append(b.slice(x, low, high))
    pieces.insert(1 if start else 0, update)
    return b.concatenate(pieces, axis)
