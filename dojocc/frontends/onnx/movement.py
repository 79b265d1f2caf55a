"""Reshaping, moving, repeating, cutting and padding."""

from __future__ import annotations

from math import prod

import numpy as np
from xdsl.dialects.builtin import i32
from xdsl.ir import SSAValue

from dojocc.frontends.build import common_shape, element_of, normal_axes, normal_axis, shape_of
from dojocc.frontends.composites.indexing import padded_by_rows
from dojocc.frontends.onnx.node import Node, Refusal, Value, handles

SLICE_FAR = 1 << 60


@handles("Reshape")
def reshape(node: Node) -> SSAValue:
    """0 copies a size (unless allowzero), -1 takes what is left."""
    shape = node.shape()
    wanted = node.integers(1, "the shape")
    if not node.attr("allowzero", 0):
        wanted = [shape[i] if n == 0 and i < len(shape) else n for i, n in enumerate(wanted)]
    if -1 in wanted:
        rest = prod(n for n in wanted if n != -1)
        wanted[wanted.index(-1)] = prod(shape) // max(rest, 1)
    return node.b.reshape(node.x(), wanted)


@handles("Flatten")
def flatten(node: Node) -> SSAValue:
    shape = node.shape()
    axis = node.attr("axis", 1)
    axis = axis + len(shape) if axis < 0 else axis
    return node.b.reshape(node.x(), (prod(shape[:axis]), prod(shape[axis:])))


def listed_axes(node: Node) -> list[int] | None:
    """Axes are an attribute before opset 13, an input since."""
    if node.opset < 13:
        return node.attr("axes")
    return node.integers(1, "axes") if node.has(1) else None


@handles("Squeeze")
def squeeze(node: Node) -> SSAValue:
    shape = node.shape()
    axes = listed_axes(node)
    if axes is None:
        axes = [i for i, size in enumerate(shape) if size == 1]
    gone = normal_axes(axes, len(shape))
    wide = [i for i in gone if shape[i] != 1]
    if wide:
        raise Refusal(f"dim {wide[0]} of {list(shape)} has size {shape[wide[0]]}, not 1")
    return node.b.reshape(node.x(), [size for i, size in enumerate(shape) if i not in gone])


@handles("Unsqueeze")
def unsqueeze(node: Node) -> SSAValue:
    axes = listed_axes(node)
    if axes is None:
        raise Refusal("axes are missing")
    rank = node.rank() + len(axes)
    new = normal_axes(axes, rank)
    sizes = iter(node.shape())
    return node.b.reshape(node.x(), [1 if i in new else next(sizes) for i in range(rank)])


@handles("Transpose")
def transpose(node: Node) -> SSAValue:
    return node.b.transpose(node.x(), node.attr("perm") or range(node.rank())[::-1])


@handles("Concat")
def concat(node: Node) -> SSAValue:
    """Empty tensors (exporters leave some) are dropped."""
    full = [i for i in range(node.count) if prod(node.shape(i))]
    return node.b.concatenate([node.x(i) for i in full], node.attr("axis", 1))


@handles("Split")
def split(node: Node) -> tuple[Value, ...]:
    """Sizes are an attribute before opset 13, an input since; else equal, the last smaller."""
    shape = node.shape()
    axis = normal_axis(node.attr("axis", 0), len(shape))
    count = node.attr("num_outputs", len(node.proto.output))
    if node.opset < 13:
        sizes = node.attr("split")
    else:
        sizes = node.integers(1, "split") if node.has(1) else None
    if sizes is None:
        part = -(-shape[axis] // count)
        sizes = [min(part, shape[axis] - i * part) for i in range(count)]
    parts, at = [], 0
    for size in sizes:
        start, limit = [0] * len(shape), list(shape)
        start[axis], limit[axis] = at, at + size
        if size == 0:
            parts.append(node.empty([size if i == axis else n for i, n in enumerate(shape)]))
        else:
            parts.append(node.b.slice(node.x(), start, limit))
        at += size
    return tuple(parts)


@handles("Slice")
def slice_(node: Node) -> Value:
    """Python's slices on some axes. A negative step reads the reversed tensor."""
    shape = node.shape()
    if node.opset < 10:
        starts, ends, axes, steps = (
            node.attr(name) for name in ("starts", "ends", "axes", "steps")
        )
    else:
        names = ("starts", "ends", "axes", "steps")
        rows = [node.integers(i, name) if node.has(i) else None for i, name in enumerate(names, 1)]
        starts, ends, axes, steps = rows
    assert starts is not None and ends is not None
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    low, high, stride = [0] * len(shape), list(shape), [1] * len(shape)
    turned = []
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis = normal_axis(axis, len(shape))
        row = range(shape[axis])[_bounded(start) : _bounded(end) : step]
        if len(row) == 0:
            return node.empty([0 if i == axis else size for i, size in enumerate(shape)])
        first, last = (row[0], row[-1]) if step > 0 else (row[-1], row[0])
        low[axis], high[axis], stride[axis] = first, last + 1, abs(step)
        turned += [axis] if step < 0 and len(row) > 1 else []
    result = node.b.slice(node.x(), low, high, stride)
    return node.b.emit("reverse", result, dims=sorted(turned)) if turned else result


def _bounded(index: int) -> int:
    return max(min(index, SLICE_FAR), -SLICE_FAR)


@handles("Pad")
def pad(node: Node) -> SSAValue:
    """Amounts and value are attributes before opset 11. Modes but `constant` pick existing rows."""
    b, rank = node.b, node.rank()
    if node.opset < 11:
        amounts, axes = list(node.attr("pads")), list(range(rank))
        value = b.full(node.attr("value", 0.0), ())
    else:
        amounts = node.integers(1, "pads")
        axes = node.integers(3, "axes") if node.has(3) else range(rank)
        value = b.reshape(node.x(2), ()) if node.has(2) else b.full(0, (), element_of(node.x()))
    axes = [normal_axis(axis, rank) for axis in axes]
    low, high = [0] * rank, [0] * rank
    for place, axis in enumerate(axes):
        low[axis], high[axis] = amounts[place], amounts[place + len(axes)]
    mode = node.attr("mode", "constant")
    if mode == "constant":
        return b.pad(node.x(), low, high, value)
    if mode not in ("edge", "reflect", "wrap"):
        raise Refusal(f"mode={mode!r} is not known")
    return padded_by_rows(b, node.x(), low, high, mode)


@handles("Expand")
def expand(node: Node) -> SSAValue:
    wanted = node.integers(1, "the shape")
    return node.b.broadcast(node.x(), common_shape(node.shape(), wanted))


@handles("Tile")
def tile(node: Node) -> SSAValue:
    """Each dim repeated: a new dim before it, broadcast, folded in."""
    b, shape, repeats = node.b, node.shape(), node.integers(1, "repeats")
    if set(repeats) <= {1}:
        return node.x()
    if len(repeats) != len(shape):
        raise Refusal(f"{len(repeats)} repeats for rank {len(shape)}")
    wide = [n for repeat, size in zip(repeats, shape, strict=True) for n in (repeat, size)]
    dims = range(1, 2 * len(shape), 2)
    spread = b.emit("broadcast_in_dim", node.x(), dims=dims, shape=wide)
    return b.reshape(spread, [repeat * size for repeat, size in zip(repeats, shape, strict=True)])


@handles("DepthToSpace")
def depth_to_space(node: Node) -> SSAValue:
    b, block = node.b, node.attr("blocksize")
    count, depth, height, width = node.shape()
    inner = depth // (block * block)
    if node.attr("mode", "DCR") == "DCR":
        split, order = (count, block, block, inner, height, width), (0, 3, 4, 1, 5, 2)
    else:
        split, order = (count, inner, block, block, height, width), (0, 1, 4, 2, 5, 3)
    moved = b.transpose(b.reshape(node.x(), split), order)
    return b.reshape(moved, (count, inner, height * block, width * block))


@handles("SpaceToDepth")
def space_to_depth(node: Node) -> SSAValue:
    b, block = node.b, node.attr("blocksize")
    count, depth, height, width = node.shape()
    small = (height // block, width // block)
    split = (count, depth, small[0], block, small[1], block)
    order = (0, 3, 5, 1, 2, 4) if node.attr("mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    moved = b.transpose(b.reshape(node.x(), split), order)
    return b.reshape(moved, (count, depth * block * block, *small))


@handles("Trilu")
def triangle(node: Node) -> SSAValue:
    """Zero below (or above) the k-th diagonal of the last two dims."""
    b, x = node.b, node.x()
    shape = shape_of(x)
    offset = node.integers(1, "k")[0] if node.has(1) else 0
    ones = np.ones(shape[-2:], np.bool_)
    kept = np.triu(ones, offset) if node.attr("upper", 1) else np.tril(ones, offset)
    mask = b.constant(kept, f"{node.proto.output[0]}.triangle")
    if node.is_bool():
        return b.binary("and", mask, x)
    return b.select(mask, x, b.like(x, 0))


@handles("ReverseSequence")
def reverse_sequence(node: Node) -> SSAValue:
    """The first lengths[i] entries of row i of the batch turned round: a take at those places."""
    b, shape = node.b, node.shape()
    time, batch = node.attr("time_axis", 0), node.attr("batch_axis", 1)
    size, rows = shape[time], shape[batch]
    lengths = b.reshape(b.convert(node.x(1), i32), (rows, 1))
    place = b.constant(np.arange(size, dtype=np.int32).reshape(1, size))
    mirrored = b.plus(b.binary("subtract", lengths, place), -1)
    source = b.select(b.compare("LT", place, lengths), mirrored, place)
    base = b.constant(np.arange(rows, dtype=np.int32).reshape(rows, 1) * size)
    order = [batch, time, *(i for i in range(len(shape)) if i not in (batch, time))]
    moved = b.transpose(node.x(), order)
    flat = b.reshape(moved, (rows * size, *shape_of(moved)[2:]))
    picked = b.take(flat, b.binary("add", source, base), 0)
    return b.transpose(picked, [order.index(i) for i in range(len(shape))])
