"""Scatters, top-k and running products: by comparing every place with every index.

The work is (places x indices), all of it dense; nothing depends on data but the values.
"""

from __future__ import annotations

from math import prod

import numpy as np
from xdsl.dialects.builtin import f32, i1, i32
from xdsl.ir import SSAValue

from dojocc.frontends.build import Builder, element_of, normal_axis, shape_of
from dojocc.frontends.onnx.indexing import wrapped
from dojocc.frontends.onnx.node import Node, Refusal, handles

REDUCTIONS = {"add": ("sum", "add"), "mul": ("prod", "multiply"), "max": ("max", "maximum")}
REDUCTIONS["min"] = ("min", "minimum")


def counted(b: Builder, size: int, shape: list[int]) -> SSAValue:
    """0, 1, ... as a tensor of this shape."""
    return b.constant(np.arange(size, dtype=np.int32).reshape(shape), "places")


def last_hit(b: Builder, hit: SSAValue, axis: int) -> SSAValue:
    """The last index along an axis at which `hit` holds, -1 for none."""
    shape = shape_of(hit)
    steps = counted(b, shape[axis], [-1 if i == axis else 1 for i in range(len(shape))])
    return b.reduce("max", b.select(hit, steps, b.full(-1, (), i32)), [axis], keep=False)


def neutral(b: Builder, reduction: str, like: SSAValue) -> SSAValue:
    limits = np.iinfo(np.int32)
    ends = {f32: (-np.inf, np.inf), i32: (limits.min, limits.max)}[element_of(like)]
    return b.like(like, {"add": 0, "mul": 1, "max": ends[0], "min": ends[1]}[reduction])


def merged(
    node: Node, data: SSAValue, hit: SSAValue, updates: SSAValue, axis: int, reduction: str
) -> SSAValue:
    """`data` reduced with those updates along `axis` that hit."""
    b = node.b
    if reduction not in REDUCTIONS:
        raise Refusal(f"reduction={reduction!r} is not known")
    kind, combine = REDUCTIONS[reduction]
    wide = b.broadcast(updates, np.broadcast_shapes(shape_of(hit), shape_of(updates)))
    hit = b.broadcast(hit, shape_of(wide))
    if element_of(data) == i1:
        raise Refusal("reductions of truth values are not supported")
    chosen = b.emit("select", hit, wide, neutral(b, reduction, wide))
    return b.emit(combine, data, b.reduce(kind, chosen, [axis], keep=False))


@handles("ScatterElements", "Scatter")
def scatter_elements(node: Node) -> SSAValue:
    """With the axis last: [..., place, index] says which update goes where; the last one wins."""
    b, shape, wanted = node.b, node.shape(), node.shape(1)
    axis = normal_axis(node.attr("axis", 0), len(shape))
    order = [i for i in range(len(shape)) if i != axis] + [axis]
    back = [order.index(i) for i in range(len(shape))]
    whole = node.x()
    region = [shape[i] if i == axis else wanted[i] for i in range(len(shape))]
    data = b.transpose(b.slice(whole, [0] * len(shape), region), order)
    index, updates = (b.transpose(x, order) for x in (wrapped(node, 1, shape[axis]), node.x(2)))
    column = b.reshape(index, (*shape_of(index)[:-1], 1, wanted[axis]))
    hit = b.compare("EQ", column, counted(b, shape[axis], [-1, 1]))
    reduction = node.attr("reduction", "none")
    rank = len(shape)
    if reduction == "none":
        winner = last_hit(b, hit, rank)
        result = choose_update(b, winner, updates, data)
    else:
        row = b.reshape(updates, (*shape_of(updates)[:-1], 1, wanted[axis]))
        result = merged(node, data, hit, row, rank, reduction)
    result = b.transpose(result, back)
    if region == list(shape):
        return result
    grown = [size - part for size, part in zip(shape, region, strict=True)]
    inside = np.zeros(shape, np.bool_)
    inside[tuple(slice(0, part) for part in region)] = True
    wide = b.pad(result, [0] * rank, grown, b.full(0, (), element_of(result)))
    return chosen(b, b.constant(inside, "inside"), wide, whole)


def chosen(b: Builder, condition: SSAValue, yes: SSAValue, no: SSAValue) -> SSAValue:
    """select, for truth values too."""
    if element_of(yes) != i1:
        return b.select(condition, yes, no)
    condition, yes, no = b.together(condition, yes, no)
    kept = b.emit("and", condition, yes)
    return b.emit("or", kept, b.emit("and", b.emit("not", condition), no))


def choose_update(b: Builder, winner: SSAValue, updates: SSAValue, data: SSAValue) -> SSAValue:
    """updates[..., winner[..., place]] where there is a winner, else data."""
    count = shape_of(updates)[-1]
    rows = prod(shape_of(updates)[:-1])
    base = np.arange(rows, dtype=np.int32).reshape(*shape_of(updates)[:-1], 1) * count
    place = b.binary("add", b.emit("maximum", winner, b.like(winner, 0)), b.constant(base))
    picked = b.take(b.reshape(updates, (rows * count,)), place, 0)
    return chosen(b, b.compare("GE", winner, b.like(winner, 0)), picked, data)


@handles("ScatterND")
def scatter_nd(node: Node) -> SSAValue:
    """Rows of the flattened leading dims; the last update of a row wins."""
    b, shape, wanted = node.b, node.shape(), node.shape(1)
    depth = wanted[-1]
    sizes = b.constant(np.array(shape[:depth], np.int32))
    strides = np.array([prod(shape[i + 1 : depth]) for i in range(depth)], np.int32)
    flat = b.binary("multiply", wrapped(node, 1, sizes), b.constant(strides))
    flat = b.reduce("sum", flat, [len(wanted) - 1], keep=False)
    count, rows, inner = prod(wanted[:-1]), prod(shape[:depth]), prod(shape[depth:])
    data = b.reshape(node.x(), (rows, inner))
    updates = b.reshape(node.x(2), (count, inner))
    hit = b.compare("EQ", b.reshape(flat, (1, count)), counted(b, rows, [-1, 1]))
    reduction = node.attr("reduction", "none")
    if reduction == "none":
        winner = last_hit(b, hit, 1)
        picked = b.take(updates, b.emit("maximum", winner, b.like(winner, 0)), 0)
        there = b.reshape(b.compare("GE", winner, b.like(winner, 0)), (rows, 1))
        return b.reshape(chosen(b, there, picked, data), shape)
    hit = b.reshape(hit, (rows, count, 1))
    result = merged(node, data, hit, b.reshape(updates, (1, count, inner)), 1, reduction)
    return b.reshape(result, shape)


@handles("TensorScatter")
def tensor_scatter(node: Node) -> SSAValue:
    """Place p of a cache takes row p - write_index of the update, if that has such a row."""
    b, shape, part = node.b, node.shape(), node.shape(1)
    axis = normal_axis(node.attr("axis", -2), len(shape))
    size, rows, batch = shape[axis], part[axis], shape[0]
    first = node.x(2) if node.has(2) else b.full(0, (batch,), i32)
    step = b.binary("subtract", counted(b, size, [1, -1]), b.reshape(first, (batch, 1)))
    if node.attr("mode", "linear") == "circular":
        below = b.compare("LT", step, b.like(step, 0))
        step = b.select(below, b.plus(step, size), step)
    last = b.compare("LT", step, b.like(step, rows))
    there = b.emit("and", b.compare("GE", step, b.like(step, 0)), last)
    order = [0, axis, *(i for i in range(1, len(shape)) if i != axis)]
    moved = b.transpose(node.x(1), order)
    flat = b.reshape(moved, (batch * rows, *shape_of(moved)[2:]))
    base = b.constant(np.arange(batch, dtype=np.int32).reshape(-1, 1) * rows)
    inside = b.emit("minimum", b.emit("maximum", step, b.like(step, 0)), b.like(step, rows - 1))
    picked = b.take(flat, b.binary("add", inside, base), 0)
    picked = b.transpose(picked, [order.index(i) for i in range(len(shape))])
    wide = [batch if i == 0 else size if i == axis else 1 for i in range(len(shape))]
    return chosen(b, b.reshape(there, wide), picked, node.x())


@handles("TopK")
def top_k(node: Node) -> tuple[SSAValue, SSAValue]:
    """Each element's rank is how many go before it; result k holds the element of rank k.

    Of equal elements the first goes first. Compares all pairs of the axis.
    """
    b, shape = node.b, node.shape()
    count = node.integers(1, "k")[0] if node.opset >= 10 else node.attr("k")
    axis = normal_axis(node.attr("axis", -1), len(shape))
    order = [i for i in range(len(shape)) if i != axis] + [axis]
    x = b.transpose(node.x(), order)
    rows, size = prod(shape_of(x)[:-1]), shape[axis]
    x = b.reshape(x, (rows, size))
    mine, other = b.reshape(x, (rows, size, 1)), b.reshape(x, (rows, 1, size))
    before = b.compare("GT" if node.attr("largest", 1) else "LT", other, mine)
    earlier = b.constant(np.tri(size, k=-1, dtype=np.bool_), "earlier")
    tied = b.binary("and", b.compare("EQ", other, mine), earlier)
    rank = b.reduce("sum", b.convert(b.emit("or", before, tied), i32), [2], keep=False)
    hit = b.compare("EQ", b.reshape(rank, (rows, 1, size)), counted(b, count, [-1, 1]))
    place = last_hit(b, hit, 2)
    base = b.constant(np.arange(rows, dtype=np.int32).reshape(-1, 1) * size)
    values = b.take(b.reshape(x, (rows * size,)), b.binary("add", place, base), 0)
    back = [order.index(i) for i in range(len(shape))]
    wide = [*(shape[i] for i in order[:-1]), count]
    both = (b.transpose(b.reshape(each, wide), back) for each in (values, place))
    found = tuple(both)
    return found[0], found[1]


@handles("CumProd", "CumSum")
def running(node: Node) -> SSAValue:
    """Each element with those before it (behind it in reverse): a masked reduction."""
    b, x = node.b, node.x()
    axis = normal_axis(node.integers(1, "axis")[0], node.rank())
    size = shape_of(x)[axis]
    reach = np.tri(size, k=-1 if node.attr("exclusive", 0) else 0)
    reach = reach.T if node.attr("reverse", 0) else reach
    last = node.rank() - 1
    back = [*range(axis), last, *range(axis, last)]
    if node.op == "CumSum" and node.is_float():
        table = b.constant(reach.astype(np.float32), f"{node.proto.output[0]}.reach")
        return b.transpose(b.dot_general(x, table, ([axis], [1])), back)
    order = [i for i in range(node.rank()) if i != axis] + [axis]
    moved = b.transpose(x, order)
    row = b.reshape(moved, (*shape_of(moved)[:-1], 1, size))
    wide = b.broadcast(row, (*shape_of(moved)[:-1], size, size))
    mask = b.broadcast(b.constant(reach.astype(np.bool_), "reach"), shape_of(wide))
    kind, empty = ("sum", 0) if node.op == "CumSum" else ("prod", 1)
    kept = b.emit("select", mask, wide, b.like(wide, empty))
    return b.transpose(b.reduce(kind, kept, [node.rank()], keep=False), back)


@handles("MaxUnpool")
def unpool(node: Node) -> SSAValue:
    """Numbers put back to their flat places, zero elsewhere."""
    b, shape = node.b, node.shape()
    kernel = node.attr("kernel_shape")
    strides = node.attr("strides") or [1] * len(kernel)
    pads = node.attr("pads") or [0] * 2 * len(kernel)
    rank = len(kernel)
    spatial = [
        (shape[2 + i] - 1) * strides[i] + kernel[i] - pads[i] - pads[i + rank] for i in range(rank)
    ]
    natural = [*shape[:2], *spatial]
    wanted = node.integers(2, "output_shape") if node.has(2) else natural
    count, places = prod(shape), prod(natural)
    index = b.reshape(node.x(1), (1, count))
    winner = last_hit(b, b.compare("EQ", index, counted(b, places, [-1, 1])), 1)
    data = b.full(0, (places,), element_of(node.x()))
    flat = choose_update(b, winner, b.reshape(node.x(), (count,)), data)
    result = b.reshape(flat, natural)
    grown = [want - have for want, have in zip(wanted, natural, strict=True)]
    return b.pad(result, [0] * len(grown), grown, b.full(0, (), element_of(result)))


@handles("Col2Im")
def columns_to_image(node: Node) -> SSAValue:
    """Each tap of the block is spread by the strides, shifted to its place, and all are added."""
    b = node.b
    image, block = node.integers(1, "image_shape"), node.integers(2, "block_shape")
    rank = len(image)
    strides = node.attr("strides") or [1] * rank
    dilations = node.attr("dilations") or [1] * rank
    pads = node.attr("pads") or [0] * 2 * rank
    batch, rows, _ = node.shape()
    taps = prod(block)
    full = [image[i] + pads[i] + pads[i + rank] for i in range(rank)]
    reach = [(size - 1) * step + 1 for size, step in zip(block, dilations, strict=True)]
    steps = [(full[i] - reach[i]) // strides[i] + 1 for i in range(rank)]
    x = b.reshape(node.x(), (batch, rows // taps, taps, *steps))
    zero, total = b.full(0, (), element_of(x)), None
    for number, tap in enumerate(np.ndindex(*block)):
        part = b.slice(x, [0, 0, number, *[0] * rank], [batch, rows // taps, number + 1, *steps])
        part = b.reshape(part, (batch, rows // taps, *steps))
        low = [place * step for place, step in zip(tap, dilations, strict=True)]
        spans = [(steps[i] - 1) * strides[i] + 1 for i in range(rank)]
        high = [full[i] - low[i] - spans[i] for i in range(rank)]
        inner = [step - 1 for step in strides]
        part = b.emit(
            "pad", part, zero, low=[0, 0, *low], high=[0, 0, *high], interior=[0, 0, *inner]
        )
        total = part if total is None else b.emit("add", total, part)
    assert total is not None
    end = [pads[i] + image[i] for i in range(rank)]
    return b.slice(total, [0, 0, *pads[:rank]], [batch, rows // taps, *end])
