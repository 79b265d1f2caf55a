"""Scatters, top-k and running products: the forms that ONNX gives them."""

from __future__ import annotations

from math import prod

import numpy as np
from xdsl.dialects.builtin import i32
from xdsl.ir import SSAValue

from dojocc.frontends.build import element_of, normal_axis, shape_of
from dojocc.frontends.composites import scatter
from dojocc.frontends.composites.indexing import chosen
from dojocc.frontends.composites.scatter import choose_update, counted, last_hit
from dojocc.frontends.onnx.indexing import wrapped
from dojocc.frontends.onnx.node import Node, handles


@handles("ScatterElements", "Scatter")
def scatter_elements(node: Node) -> SSAValue:
    axis = normal_axis(node.attr("axis", 0), node.rank())
    index = wrapped(node, 1, node.shape()[axis])
    reduction = node.attr("reduction", "none")
    return scatter.scatter_elements(node.b, node.x(), index, node.x(2), axis, reduction)


@handles("ScatterND")
def scatter_nd(node: Node) -> SSAValue:
    """Rows of the flattened leading dims."""
    b, shape, wanted = node.b, node.shape(), node.shape(1)
    depth = wanted[-1]
    sizes = b.constant(np.array(shape[:depth], np.int32))
    strides = np.array([prod(shape[i + 1 : depth]) for i in range(depth)], np.int32)
    flat = b.binary("multiply", wrapped(node, 1, sizes), b.constant(strides))
    flat = b.reduce("sum", flat, [len(wanted) - 1], keep=False)
    count, rows, inner = prod(wanted[:-1]), prod(shape[:depth]), prod(shape[depth:])
    data = b.reshape(node.x(), (rows, inner))
    updates = b.reshape(node.x(2), (count, inner))
    flat = b.reshape(flat, (count,))
    result = scatter.scatter_rows(b, data, flat, updates, node.attr("reduction", "none"))
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
    count = node.integers(1, "k")[0] if node.opset >= 10 else node.attr("k")
    axis = normal_axis(node.attr("axis", -1), node.rank())
    return scatter.top_k(node.b, node.x(), count, axis, bool(node.attr("largest", 1)))


@handles("CumProd", "CumSum")
def running(node: Node) -> SSAValue:
    axis = normal_axis(node.integers(1, "axis")[0], node.rank())
    kind = "sum" if node.op == "CumSum" else "prod"
    exclusive, reverse = (bool(node.attr(name, 0)) for name in ("exclusive", "reverse"))
    return scatter.running(node.b, node.x(), axis, kind, exclusive, reverse)


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
