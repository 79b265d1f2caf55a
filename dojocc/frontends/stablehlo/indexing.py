"""StableHLO's gather and scatter: places of slices in some dims, the other dims whole.

Indexed dims are flattened to rows: a slice longer than one element becomes that many rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from xdsl.ir import SSAValue

from dojocc.frontends.build import Builder, NotSupported, shape_of
from dojocc.frontends.composites.indexing import flat_rows
from dojocc.frontends.composites.scatter import scatter_rows
from dojocc.frontends.stablehlo.node import Node, handles
from dojocc.frontends.stablehlo.plain import fields
from dojocc.frontends.stablehlo.probe import reduction_kind

REDUCTIONS = {"last": "none", "sum": "add", "prod": "mul", "max": "max", "min": "min"}


@dataclass(frozen=True)
class Slices:
    """Which dims of the operand are indexed, by which batch dims, and how long a slice is there.

    `shape` is the operand's; `batch` that of the index tensor without the dim that holds the
    vectors. `indexed` in the operand's order; `by_position`: a dim -> the batch dim that counts
    through it.
    """

    shape: tuple[int, ...]
    batch: tuple[int, ...]
    sizes: tuple[int, ...]
    indexed: tuple[int, ...]
    by_position: dict[int, int]

    @property
    def rest(self) -> list[int]:
        return [axis for axis in range(len(self.shape)) if axis not in self.indexed]

    @property
    def lengths(self) -> list[int]:
        """Slice sizes of the indexed dims."""
        return [self.sizes[axis] for axis in self.indexed]


def starts(b: Builder, indices: SSAValue, vector: int, mapped: list[int]) -> dict[int, SSAValue]:
    """Start of each mapped dim, as tensors of the batch shape."""
    shape = shape_of(indices)
    if vector == len(shape):
        return {mapped[0]: indices}
    found = {}
    for place, axis in enumerate(mapped):
        low, high = [0] * len(shape), list(shape)
        low[vector], high[vector] = place, place + 1
        cut = b.slice(indices, low, high)
        found[axis] = b.reshape(cut, shape[:vector] + shape[vector + 1 :])
    return found


def batch_shape(indices: SSAValue, vector: int) -> tuple[int, ...]:
    shape = shape_of(indices)
    return shape[:vector] + shape[vector + 1 :]


def places(b: Builder, slices: Slices, given: dict[int, SSAValue]) -> list[SSAValue]:
    """The place of every row in each indexed dim, over batch and slice dims."""
    wide = (*slices.batch, *slices.lengths)
    found = []
    for number, axis in enumerate(slices.indexed):
        length = slices.sizes[axis]
        if axis in given:
            start = given[axis]
        else:
            along = slices.by_position[axis]
            line = np.arange(slices.shape[axis], dtype=np.int32)
            ones = [1] * (len(slices.batch) - 1 - along)
            start = b.broadcast(b.constant(line.reshape(-1, *ones), "places"), slices.batch)
        dims = tuple(range(len(slices.batch)))
        row = (
            b.emit("broadcast_in_dim", start, dims=dims, shape=wide)
            if wide != slices.batch
            else start
        )
        if length > 1:
            ones = [1] * (len(slices.indexed) - 1 - number)
            steps = b.constant(np.arange(length, dtype=np.int32).reshape(-1, *ones), "steps")
            row = b.binary("add", row, steps)
        found.append(row)
    return found


def clamped(b: Builder, start: SSAValue, most: int) -> SSAValue:
    low = b.emit("maximum", start, b.like(start, 0))
    return b.emit("minimum", low, b.like(start, most))


@handles("gather")
def gather(node: Node) -> SSAValue:
    """Starts past an end are moved in."""
    b, x, numbers = node.b, node.x(), fields(node.require("dimension_numbers"))
    sizes = tuple(node.require("slice_sizes"))
    shape, vector = node.shape(), numbers.get("index_vector_dim", 0)
    mapped = numbers.get("start_index_map", [])
    batching = numbers.get("operand_batching_dims", [])
    given = {
        axis: clamped(b, start, shape[axis] - sizes[axis])
        for axis, start in starts(b, node.x(1), vector, mapped).items()
        if sizes[axis] != shape[axis]
    }
    slices = slices_of(node, vector, batching, numbers, sizes, list(given))
    gone = {*numbers.get("collapsed_slice_dims", []), *batching}
    if not slices.indexed:
        return placed(node, b.broadcast(x, (*slices.batch, *shape)), slices, gone, numbers)
    flat = flat_rows(b, places(b, slices, given), [shape[axis] for axis in slices.indexed])
    if len(slices.indexed) == 1:
        picked = b.take(x, flat, slices.indexed[0])  # rest before it, rows, rest behind it
        before, span = slices.indexed[0], len(shape_of(flat))
        rest = list(range(span + before, span + len(slices.rest)))
        order = [*range(before, before + span), *range(before), *rest]
        return placed(node, b.transpose(picked, order), slices, gone, numbers)
    moved = b.transpose(x, [*slices.indexed, *slices.rest])
    count = prod(shape[axis] for axis in slices.indexed)
    rows = b.reshape(moved, (count, *(shape[axis] for axis in slices.rest)))
    return placed(node, b.take(rows, flat, 0), slices, gone, numbers)


def slices_of(
    node: Node,
    vector: int,
    batching: list[int],
    numbers: dict,
    sizes: tuple[int, ...],
    given: list[int],
) -> Slices:
    by = numbers.get(
        "start_indices_batching_dims", numbers.get("scatter_indices_batching_dims", [])
    )
    by_position = {axis: along - (along > vector) for axis, along in zip(batching, by, strict=True)}
    indexed = tuple(sorted({*given, *batching}))
    return Slices(node.shape(), batch_shape(node.x(1), vector), sizes, indexed, by_position)


def placed(node: Node, x: SSAValue, slices: Slices, gone: set[int], numbers: dict) -> SSAValue:
    """[batch, indexed dims, rest] to the result: collapsed dims go, batch dims take what is not
    an offset dim.
    """
    b, axes = node.b, [*slices.indexed, *slices.rest]
    kept = [axis for axis in axes if axis not in gone]
    for axis in slices.rest:
        if slices.sizes[axis] != slices.shape[axis] and slices.indexed:
            raise NotSupported(
                f"a slice of {slices.sizes[axis]} of dim {axis}, which is not indexed"
            )
    count = len(slices.batch)
    x = b.reshape(x, (*slices.batch, *(slices.sizes[axis] for axis in kept)))
    offsets = numbers.get("offset_dims", [])
    rank = count + len(kept)
    batch = iter(range(count))
    window = iter(count + kept.index(axis) for axis in sorted(kept))
    return b.transpose(x, [next(window) if i in offsets else next(batch) for i in range(rank)])


@handles("scatter")
def scatter(node: Node) -> SSAValue:
    """Updates that reach past an end are dropped whole: their rows get place -1."""
    kind = reduction_kind(node.op)
    if len(node.operands) != 3 or kind not in REDUCTIONS:
        raise NotSupported("the function it applies; sum, product, min, max and the last value are")
    b, x, shape = node.b, node.x(), node.shape()
    numbers = fields(node.require("scatter_dimension_numbers"))
    vector, updates = numbers.get("index_vector_dim", 0), node.x(2)
    window = numbers.get("update_window_dims", [])
    batching = numbers.get("input_batching_dims", [])
    mapped = numbers.get("scatter_dims_to_operand_dims", [])
    missing = {*numbers.get("inserted_window_dims", []), *batching}
    extents = iter([node.shape(2)[axis] for axis in window])
    sizes = tuple(1 if axis in missing else next(extents) for axis in range(len(shape)))
    found = starts(b, node.x(1), vector, mapped)
    given = {a: start for a, start in found.items() if sizes[a] != shape[a] or a in missing}
    slices = slices_of(node, vector, batching, numbers, sizes, list(given))
    if any(slices.sizes[axis] != shape[axis] for axis in slices.rest):
        raise NotSupported("windows smaller than a dim that is not indexed")
    flat = flat_rows(b, places(b, slices, given), [shape[axis] for axis in slices.indexed])
    inside = None
    for axis, start in found.items():
        last = b.like(start, shape[axis] - sizes[axis])
        there = b.emit(
            "and", b.compare("GE", start, b.like(start, 0)), b.compare("LE", start, last)
        )
        inside = there if inside is None else b.emit("and", inside, there)
    if inside is not None:
        dims = tuple(range(len(slices.batch)))
        inside = b.emit("broadcast_in_dim", inside, dims=dims, shape=shape_of(flat))
        flat = b.select(inside, flat, b.like(flat, -1))
    rows = prod(shape[axis] for axis in slices.indexed)
    inner = prod(shape[axis] for axis in slices.rest)
    order = [*slices.indexed, *slices.rest]
    data = b.reshape(b.transpose(x, order), (rows, inner))
    result = scatter_rows(
        b,
        data,
        b.reshape(flat, (prod(shape_of(flat)),)),
        arranged(b, updates, window, missing, slices),
        REDUCTIONS[kind],
    )
    result = b.reshape(result, [shape[axis] for axis in order])
    return b.transpose(result, [order.index(axis) for axis in range(len(shape))])


def arranged(
    b: Builder, updates: SSAValue, window: list[int], missing: set[int], slices: Slices
) -> SSAValue:
    """Updates as [batch and slices, rest]."""
    held = [axis for axis in range(len(slices.shape)) if axis not in missing]
    place = dict(zip(held, window, strict=True))
    batch = [axis for axis in range(len(shape_of(updates))) if axis not in window]
    axes = [axis for axis in (*slices.indexed, *slices.rest) if axis in place]
    moved = b.transpose(updates, [*batch, *(place[axis] for axis in axes)])
    count = prod(slices.batch) * prod(slices.lengths)
    return b.reshape(moved, (count, prod(shape_of(moved)) // count))
