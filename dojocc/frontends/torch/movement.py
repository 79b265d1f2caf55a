"""ATen ops that only move elements: reshaping, cutting, joining, repeating, padding."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from xdsl.ir import SSAValue

from dojocc.frontends.build import NotSupported, element_of, normal_axis, shape_of
from dojocc.frontends.composites.indexing import chosen, padded_by_rows
from dojocc.frontends.composites.resize import repeated
from dojocc.frontends.torch.elementwise import converted
from dojocc.frontends.torch.node import Node, handles

FAR = 1 << 60


@handles("view", "_unsafe_view", "unsqueeze", "squeeze")
def reshape(node: Node) -> SSAValue:
    """The result's shape is known from the export."""
    if node.wanted():
        raise NotSupported("a view as another element type")
    return node.b.reshape(node.x(), node.result.shape)


@handles("alias", "detach", "clone")
def same(node: Node) -> SSAValue:
    return node.x()


@handles("permute", "transpose", "t")
def transpose(node: Node) -> SSAValue:
    rank = node.rank()
    order = list(range(rank))
    match node.op:
        case "permute":
            order = [normal_axis(axis, rank) for axis in node.number("dims")]
        case "transpose":
            one, other = (normal_axis(node.number(n), max(rank, 1)) for n in ("dim0", "dim1"))
            if rank:
                order[one], order[other] = order[other], order[one]
        case _:
            order = order[::-1]
    return node.b.transpose(node.x(), order)


@handles("expand")
def expand(node: Node) -> SSAValue:
    return node.b.broadcast(node.x(), node.result.shape)


@handles("repeat", "tile")
def repeat(node: Node) -> SSAValue:
    """Each dim repeated: a new dim before it, broadcast, folded in."""
    b, counts = node.b, list(node.number("repeats" if node.op == "repeat" else "dims"))
    shape = list(node.shape())
    counts = [1] * (len(shape) - len(counts)) + counts
    shape = [1] * (len(counts) - len(shape)) + shape
    if 0 in counts:
        raise NotSupported(f"repeats of {counts} leave no elements")
    x = b.reshape(node.x(), shape)
    if set(counts) <= {1}:
        return x
    wide = [n for count, size in zip(counts, shape, strict=True) for n in (count, size)]
    spread = b.emit("broadcast_in_dim", x, dims=range(1, 2 * len(shape), 2), shape=wide)
    return b.reshape(spread, node.result.shape)


@handles("repeat_interleave")
def repeat_each(node: Node) -> SSAValue:
    """Every element `repeats` times in a row, along a dim or of the flat tensor."""
    count = node.raw("repeats")
    if not isinstance(count, int):
        raise NotSupported("repeats given as a tensor: the result's size depends on it")
    if not node.has("dim"):
        flat = node.b.reshape(node.x(), (prod(node.shape()),))
        return repeated(node.b, flat, 0, count)
    return repeated(node.b, node.x(), node.axis(), count)


def cut(node: Node, x: SSAValue, axis: int, start: int, limit: int, step: int = 1) -> SSAValue:
    """Elements start, start + step, ... below limit along one dim."""
    shape = list(shape_of(x))
    low, high, strides = [0] * len(shape), shape, [1] * len(shape)
    low[axis], high[axis], strides[axis] = start, limit, step
    return node.b.slice(x, low, high, strides)


def bounds(node: Node, size: int) -> tuple[int, int, int]:
    """start, end and step of a slice, within the dim."""
    start, end = node.number("start", 0), node.number("end", FAR)
    row = range(size)[start : min(end, FAR)]
    return row.start, row.stop, node.number("step", 1)


@handles("slice")
def slice_(node: Node) -> SSAValue:
    axis = node.axis(default=0)
    return cut(node, node.x(), axis, *bounds(node, node.shape()[axis]))


@handles("select")
def select(node: Node) -> SSAValue:
    axis = node.axis()
    index = normal_axis(node.number("index"), node.shape()[axis])
    return node.b.reshape(cut(node, node.x(), axis, index, index + 1), node.result.shape)


def parts(node: Node, axis: int, sizes: Sequence[int]) -> tuple[SSAValue, ...]:
    found, at = [], 0
    for size in sizes:
        found.append(cut(node, node.x(), axis, at, at + size))
        at += size
    return tuple(found)


@handles("split", "split_with_sizes", "unbind")
def split(node: Node) -> tuple[SSAValue, ...]:
    """The sizes of the parts are known from the export."""
    axis = node.axis(default=0)
    shapes = [meta.shape for meta in node.source.results if meta is not None]
    if node.op == "unbind":
        rows = parts(node, axis, [1] * len(shapes))
        return tuple(node.b.reshape(row, shapes[0]) for row in rows)
    return parts(node, axis, [shape[axis] for shape in shapes])


@handles("cat", "concatenate")
def concatenate(node: Node) -> SSAValue:
    """Empty tensors are dropped."""
    values = [node.b.convert(x, node.element_type) for x in node.tensors("tensors")]
    full = [x for x in values if prod(shape_of(x))]
    return node.b.concatenate(full, node.number("dim", 0))


@handles("stack")
def stack(node: Node) -> SSAValue:
    values = [node.b.convert(x, node.element_type) for x in node.tensors("tensors")]
    shape = list(shape_of(values[0]))
    axis = normal_axis(node.number("dim", 0), len(shape) + 1)
    wide = [*shape[:axis], 1, *shape[axis:]]
    return node.b.concatenate([node.b.reshape(x, wide) for x in values], axis)


@handles("flip")
def flip(node: Node) -> SSAValue:
    dims = sorted(normal_axis(axis, node.rank()) for axis in node.number("dims"))
    return node.b.emit("reverse", node.x(), dims=dims) if dims else node.x()


@handles("roll")
def roll(node: Node) -> SSAValue:
    """The end of each dim put before its start."""
    b, x, dims = node.b, node.x(), node.number("dims", ())
    shifts = node.spread("shifts", 1)
    flat = not dims
    if flat:
        x, dims = b.reshape(x, (prod(node.shape()),)), (0,)
    for shift, dim in zip(shifts, dims, strict=True):
        axis = normal_axis(dim, len(shape_of(x)))
        size = shape_of(x)[axis]
        if shift % size:
            at = size - shift % size
            ends = cut(node, x, axis, at, size), cut(node, x, axis, 0, at)
            x = b.concatenate(ends, axis)
    return b.reshape(x, node.result.shape)


def ends_of(node: Node, name: str) -> tuple[list[int], list[int]]:
    """Low and high amounts of every dim; PyTorch lists them from the last dim on."""
    amounts, rank = node.number(name), node.rank()
    low, high = [0] * rank, [0] * rank
    for place in range(len(amounts) // 2):
        low[rank - 1 - place], high[rank - 1 - place] = amounts[2 * place : 2 * place + 2]
    return low, high


@handles("constant_pad_nd")
def constant_pad(node: Node) -> SSAValue:
    value = node.full(node.number("value", 0), ())
    return node.b.pad(node.x(), *ends_of(node, "pad"), value)


MODES = {"reflection": "reflect", "replication": "edge"}


@handles(*(f"{mode}_pad{rank}d" for mode in MODES for rank in (1, 2, 3)))
def mirrored_pad(node: Node) -> SSAValue:
    """Rows of the tensor itself, in another order."""
    low, high = ends_of(node, "padding")
    return padded_by_rows(node.b, node.x(), low, high, MODES[node.op.split("_")[0]])


@handles("diagonal")
def diagonal(node: Node) -> SSAValue:
    """Known places of the two dims flattened to one, which comes last."""
    b, shape = node.b, node.shape()
    one, other = (
        normal_axis(node.number(n, i), len(shape)) for i, n in enumerate(("dim1", "dim2"))
    )
    table = np.arange(shape[one] * shape[other]).reshape(shape[one], shape[other])
    places = np.diagonal(table, node.number("offset", 0)).astype(np.int32)
    rest = [axis for axis in range(len(shape)) if axis not in (one, other)]
    moved = b.transpose(node.x(), [*rest, one, other])
    flat = b.reshape(moved, (*shape_of(moved)[:-2], table.size))
    return b.take(flat, b.constant(places, "diagonal"), len(rest))


@handles("tril", "triu")
def triangle(node: Node) -> SSAValue:
    """Zero above (or below) a diagonal of the last two dims."""
    x, offset = node.x(), node.number("diagonal", 0)
    ones = np.ones(node.shape()[-2:], np.bool_)
    kept = np.tril(ones, offset) if node.op == "tril" else np.triu(ones, offset)
    mask = node.b.constant(kept, "triangle")
    return chosen(node.b, mask, x, node.b.like(x, 0))


@handles("slice_scatter", "select_scatter")
def put_back(node: Node) -> SSAValue:
    """The tensor with a slice of it replaced by `src`."""
    b, x, shape = node.b, node.x(), node.shape()
    axis = node.axis(default=0)
    src = b.convert(node.x("src"), element_of(x))
    if node.op == "select_scatter":
        start = normal_axis(node.number("index"), shape[axis])
        limit, step = start + 1, 1
        src = b.reshape(src, [1 if i == axis else size for i, size in enumerate(shape)])
    else:
        start, limit, step = bounds(node, shape[axis])
    if step != 1:
        rows = np.full(shape[axis], -1)
        rows[start:limit:step] = np.arange(len(range(start, limit, step)))
        picked = b.reorder(src, np.maximum(rows, 0), axis)
        ones = [1] * (len(shape) - 1 - axis)
        return chosen(b, b.constant((rows >= 0).reshape(-1, *ones), "rows"), picked, x)
    pieces = [cut(node, x, axis, 0, start)] if start else []
    pieces.append(src)
    pieces += [cut(node, x, axis, limit, shape[axis])] if limit < shape[axis] else []
    return b.concatenate(pieces, axis)


@handles("copy")
def copy(node: Node) -> SSAValue:
    """src in the shape and type of self."""
    src = converted(node, node.x("src"), node.result.dtype, "src")
    return node.b.broadcast(src, node.result.shape)


@handles("as_strided")
def as_strided(node: Node) -> SSAValue:
    """Known places of the flat tensor, which must lie in memory as it counts."""
    size, stride = node.number("size"), node.number("stride")
    first = node.number("storage_offset", 0) or 0
    grid = np.indices(size) if size else np.zeros((0,), int)
    rows = (grid[i] * step for i, step in enumerate(stride))
    places = sum(rows, np.full(size, first))
    total = prod(node.shape())
    if places.max() >= total:
        raise NotSupported("a view of memory that lies outside the tensor")
    flat = node.b.reshape(node.x(), (total,))
    if np.array_equal(places.reshape(-1), np.arange(total)):
        return node.b.reshape(flat, size)
    return node.b.take(flat, node.b.constant(places.astype(np.int32), "places"), 0)


@handles("pixel_shuffle", "pixel_unshuffle")
def pixel_shuffle(node: Node) -> SSAValue:
    """Channels become blocks of pixels, or back."""
    b, shape, out = node.b, node.shape(), node.result.shape
    lead = tuple(range(len(shape) - 3))
    at = len(lead)
    if node.op == "pixel_shuffle":
        r = node.number("upscale_factor")
        split = (*shape[:-3], out[-3], r, r, *shape[-2:])
        order = (*lead, at, at + 3, at + 1, at + 4, at + 2)
    else:
        r = node.number("downscale_factor")
        split = (*shape[:-2], out[-2], r, out[-1], r)
        order = (*lead, at, at + 2, at + 4, at + 1, at + 3)
    return b.reshape(b.transpose(b.reshape(node.x(), split), order), out)


@handles("channel_shuffle", "native_channel_shuffle")
def channel_shuffle(node: Node) -> SSAValue:
    b, shape, groups = node.b, node.shape(), node.number("groups")
    split = b.reshape(node.x(), (shape[0], groups, shape[1] // groups, *shape[2:]))
    swapped = b.transpose(split, (0, 2, 1, *range(3, len(shape) + 1)))
    return b.reshape(swapped, shape)
