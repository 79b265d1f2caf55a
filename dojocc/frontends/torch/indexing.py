"""Gathers, scatters, order: elements by computed places."""

from __future__ import annotations

from math import prod

import numpy as np
from xdsl.dialects.builtin import i1, i32
from xdsl.ir import SSAValue

from dojocc.frontends.build import BuildError, NotSupported, element_of, shape_of
from dojocc.frontends.composites import indexing, scatter
from dojocc.frontends.composites.indexing import chosen, from_front
from dojocc.frontends.torch.node import Node, handles

REDUCTIONS = {
    "sum": "add",
    "add": "add",
    "prod": "mul",
    "multiply": "mul",
    "amax": "max",
    "amin": "min",
}


def places(node: Node, index: SSAValue, size: int) -> SSAValue:
    """Places that count from the front; known ones are checked and need no arithmetic."""
    known = node.known(index)
    if known is None:
        return from_front(node.b, index, size)
    outside = known[(known < -size) | (known >= size)]
    if outside.size:
        raise BuildError(f"index {outside.flat[0]} is outside a dim of {size}")
    if (known >= 0).all():
        return index
    fixed = np.where(known < 0, known + size, known).astype(np.int32)
    return node.b.constant(fixed, "places")


@handles("embedding")
def embedding(node: Node) -> SSAValue:
    """Rows of the table; its indices are never negative."""
    return node.b.take(node.x("weight"), node.x("indices"), 0)


@handles("index_select")
def index_select(node: Node) -> SSAValue:
    b, x, index = node.b, node.x(), node.x("index")
    if not node.rank():
        return x
    rows = b.reshape(index, (prod(shape_of(index)),))
    return b.take(x, places(node, rows, node.shape()[node.axis()]), node.axis())


@handles("gather")
def gather(node: Node) -> SSAValue:
    x, index = node.x(), node.x("index")
    if not node.rank():
        return node.b.reshape(x, node.result.shape)
    axis = node.axis()
    rows = places(node, index, node.shape()[axis])
    return indexing.gather_elements(node.b, x, rows, axis, node.source.name)


def index_parts(node: Node, values: tuple) -> dict[int, SSAValue]:
    """The given index of each dim; masks of truth values are refused."""
    found = {}
    for axis, reference in enumerate(values):
        if reference is None:
            continue
        index = node.value(reference)
        if element_of(index) == i1:
            raise NotSupported("an index of truth values: the result's size depends on data")
        found[axis] = places(node, index, node.shape()[axis])
    return found


@handles("index", "_unsafe_index")
def index(node: Node) -> SSAValue:
    """Indexed dims go to the front as one; what is picked goes back where they stood together."""
    b, shape = node.b, node.shape()
    parts = index_parts(node, node.raw("indices", ()))
    axes = list(parts)
    if len(axes) == 1:
        return b.take(node.x(), parts[axes[0]], axes[0])
    rows = b.together(*parts.values())
    rest = [axis for axis in range(len(shape)) if axis not in axes]
    flat = indexing.flat_rows(b, list(rows), [shape[axis] for axis in axes])
    moved = b.transpose(node.x(), [*axes, *rest])
    count = prod(shape[axis] for axis in axes)
    picked = b.take(b.reshape(moved, (count, *(shape[axis] for axis in rest))), flat, 0)
    if axes != list(range(axes[0], axes[-1] + 1)):
        return picked  # dims apart: NumPy's rule puts them first
    span, before = len(shape_of(flat)), axes[0]
    order = [*range(span, span + before), *range(span), *range(span + before, span + len(rest))]
    return b.transpose(picked, order)


@handles("index_put", "_unsafe_index_put")
def index_put(node: Node) -> SSAValue:
    """Indexed dims go to the front as rows, of which some are replaced or added to."""
    b, x, shape = node.b, node.x(), node.shape()
    given = node.raw("indices", ())
    values = node.x("values")
    mask = mask_of(node, given)
    if mask is not None:
        if shape_of(values):
            raise NotSupported("values picked by a mask: their number depends on data")
        added = node.raw("accumulate", False)
        values = b.binary("add", x, values) if added else values
        return chosen(b, mask, b.broadcast(values, shape), x)
    parts = index_parts(node, given)
    axes, rest = list(parts), [axis for axis in range(len(shape)) if axis not in parts]
    rows = list(b.together(*parts.values()))
    together = axes == list(range(axes[0], axes[-1] + 1))
    spread = spread_values(node, values, rows[0], axes, rest, together)
    rows, axes, rest, spread = without_whole(node, rows, axes, rest, spread)
    sizes = [shape[axis] for axis in axes]
    flat = indexing.flat_rows(b, rows, sizes)
    count, inner = prod(shape_of(flat)), prod(shape[axis] for axis in rest)
    data = b.reshape(b.transpose(x, [*axes, *rest]), (prod(sizes), inner))
    updates = b.reshape(spread, (count, inner))
    reduction = "add" if node.raw("accumulate", False) else "none"
    result = scatter.scatter_rows(b, data, b.reshape(flat, (count,)), updates, reduction)
    result = b.reshape(result, [shape[axis] for axis in [*axes, *rest]])
    return b.transpose(result, list(np.argsort([*axes, *rest])))


def mask_of(node: Node, given: tuple) -> SSAValue | None:
    """The one index, if it is of truth values; broadcast to the tensor's shape."""
    if len(given) != 1 or given[0] is None:
        return None
    mask = node.value(given[0])
    if element_of(mask) != i1:
        return None
    own = shape_of(mask)
    wide = node.b.reshape(mask, (*own, *[1] * (node.rank() - len(own))))
    return node.b.broadcast(wide, node.shape())


def spread_values(
    node: Node, values: SSAValue, rows: SSAValue, axes: list[int], rest: list[int], together: bool
) -> SSAValue:
    """The values as [rows..., rest...], broadcast."""
    b, shape, span = node.b, node.shape(), shape_of(rows)
    before = [axis for axis in rest if axis < axes[0]] if together else []
    behind = [axis for axis in rest if axis not in before]
    own = [*(shape[a] for a in before), *span, *(shape[a] for a in behind)]
    wide = b.broadcast(b.convert(values, element_of(node.x())), own)
    first, count = len(before), len(span)
    order = [*range(first, first + count), *range(first), *range(first + count, len(own))]
    return b.transpose(wide, order)


def without_whole(
    node: Node, rows: list[SSAValue], axes: list[int], rest: list[int], values: SSAValue
) -> tuple[list[SSAValue], list[int], list[int], SSAValue]:
    """An index that counts through a whole dim picks nothing: its dim becomes one of the rest.

    It must be known, vary along one dim of the rows, and no other index may vary along that.
    """
    b, shape = node.b, node.shape()
    known = [node.known(row) for row in rows]
    for number, array in enumerate(known):
        if array is None or len(rows) == 1:
            continue
        varying = [
            a for a in range(array.ndim) if array.shape[a] > 1 and np.ptp(array, axis=a).any()
        ]
        if len(varying) != 1 or array.shape[varying[0]] != shape[axes[number]]:
            continue
        along = varying[0]
        line = np.moveaxis(array, along, 0).reshape(array.shape[along], -1)[:, 0]
        others = [row for i, row in enumerate(rows) if i != number]
        if not np.array_equal(line, np.arange(len(line))) or not all(
            constant_along(row, along) for row in others
        ):
            continue
        low = [0] * array.ndim
        high = [1 if a == along else size for a, size in enumerate(array.shape)]
        cut = [
            b.reshape(b.slice(row, low, high), high[:along] + high[along + 1 :]) for row in others
        ]
        span, total = array.ndim, len(shape_of(values))
        order = [a for a in range(span) if a != along] + [along, *range(span, total)]
        axis = axes[number]
        fewer = [a for a in axes if a != axis]
        return without_whole(node, cut, fewer, [axis, *rest], b.transpose(values, order))
    return rows, axes, rest, values


def constant_along(row: SSAValue, axis: int) -> bool:
    """True if a broadcast spreads the value along a dim."""
    owner = row.owner
    if getattr(owner, "name", "") != "nn.broadcast_in_dim":
        return shape_of(row)[axis] == 1
    source, dims = shape_of(owner.operands[0]), owner.p.dims  # pyright: ignore
    return axis not in dims or source[dims.index(axis)] == 1


@handles("index_copy", "index_add", "index_fill")
def index_rows(node: Node) -> SSAValue:
    """Rows of one dim replaced, added to or filled; a scalar is one row."""
    b, shape = node.b, node.shape() or (1,)
    x, axis = b.reshape(node.x(), shape), node.axis() if node.shape() else 0
    index = places(node, b.reshape(node.x("index"), (prod(node.shape("index")),)), shape[axis])
    count, rest = shape_of(index)[0], [a for a in range(len(shape)) if a != axis]
    inner = prod(shape[a] for a in rest)
    if node.op == "index_fill":
        updates = b.broadcast(node.like("value", element_of(x)), (count, inner))
    else:
        source = b.convert(node.x("source"), element_of(x))
        source = b.reshape(source, (*shape[:axis], count, *shape[axis + 1 :]))
        source = b.scaled(source, node.number("alpha", 1)) if node.op == "index_add" else source
        updates = b.reshape(b.transpose(source, [axis, *rest]), (count, inner))
    data = b.reshape(b.transpose(x, [axis, *rest]), (shape[axis], inner))
    reduction = "add" if node.op == "index_add" else "none"
    result = scatter.scatter_rows(b, data, index, updates, reduction)
    result = b.reshape(result, [shape[a] for a in (axis, *rest)])
    return b.reshape(b.transpose(result, list(np.argsort([axis, *rest]))), node.shape())


@handles("scatter", "scatter_add", "scatter_reduce")
def scatter_elements(node: Node) -> SSAValue:
    b, x, index = node.b, node.x(), node.x("index")
    axis = node.axis()
    reduction = "none"
    if node.op == "scatter_add":
        reduction = "add"
    elif node.has("reduce"):
        word = node.raw("reduce")
        if word not in REDUCTIONS or not node.raw("include_self", True):
            raise NotSupported(f"reduce={word!r}, include_self={node.raw('include_self')}")
        reduction = REDUCTIONS[word]
    rows = places(node, index, node.shape()[axis])
    if node.is_tensor("src"):
        updates = b.slice(node.x("src"), [0] * node.rank(), shape_of(rows))
    else:
        updates = b.broadcast(node.like("value", element_of(x)), shape_of(rows))
    return scatter.scatter_elements(b, x, rows, updates, axis, reduction)


@handles("topk")
def top_k(node: Node) -> tuple[SSAValue, SSAValue]:
    axis, largest = node.axis(default=-1), bool(node.raw("largest", True))
    return scatter.top_k(node.b, node.x(), node.number("k"), axis, largest)


@handles("sort", "argsort")
def sort(node: Node) -> tuple[SSAValue, SSAValue] | SSAValue:
    """All elements by rank."""
    axis, largest = node.axis(default=-1), bool(node.raw("descending", False))
    values, order = scatter.top_k(node.b, node.x(), node.shape()[axis], axis, largest)
    return order if node.op == "argsort" else (values, order)


@handles("one_hot")
def one_hot(node: Node) -> SSAValue:
    depth = node.result.shape[-1]
    return node.b.convert(indexing.one_hot(node.b, node.x(), depth, node.rank()), i32)
