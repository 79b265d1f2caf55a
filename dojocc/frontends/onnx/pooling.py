"""Pooling: windows and whole planes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from xdsl.dialects.builtin import f32, i32
from xdsl.ir import SSAValue

from dojocc.frontends.build import shape_of
from dojocc.frontends.composites.pooling import (
    Window,
    averaged,
    ceil_extra,
    largest_with_places,
)
from dojocc.frontends.onnx.kinds import BITS
from dojocc.frontends.onnx.narrow import integer_range
from dojocc.frontends.onnx.node import Node, Refusal, handles, type_name
from dojocc.frontends.onnx.windows import pairs


def window_of(node: Node) -> Window:
    """The window of a pooling node, by spatial dim."""
    sizes, kernel = node.shape()[2:], list(node.attr("kernel_shape"))
    ones = [1] * len(kernel)
    if len(kernel) != len(sizes):
        raise Refusal(f"kernel_shape {kernel} on {len(sizes)} spatial dims")
    strides, dilations = (list(node.attr(n) or ones) for n in ("strides", "dilations"))
    pads = pairs(node, sizes, kernel, strides, dilations)
    plain = Window(sizes, kernel, strides, dilations, pads, [0] * len(kernel))
    if not node.attr("ceil_mode", 0):
        return plain
    rows = zip(sizes, pads, plain.reach, strides, strict=True)
    return replace(plain, extra=[ceil_extra(*row) for row in rows])


@handles("MaxPool")
def max_pool(node: Node) -> SSAValue | tuple[SSAValue, SSAValue]:
    """Integers of a byte are exact in FP32. With places, tap by tap."""
    window, b = window_of(node), node.b
    if node.uses(1):
        return max_with_places(node, window)
    if node.is_float():
        return window.reduce(b, "max", node.x())
    if node.kind() not in BITS:
        raise Refusal(f"{type_name(node.kind())} is not supported")
    result = window.reduce(b, "max", b.convert(node.x(), f32))
    return b.convert(b.emit("maximum", result, b.like(result, integer_range(node.kind())[0])), i32)


def max_with_places(node: Node, window: Window) -> tuple[SSAValue, SSAValue]:
    """(largest, its flat place in the tensor), the first of equal ones."""
    b, shape = node.b, node.shape()
    spatial = list(range(2, len(shape)))
    order = [0, 1, *reversed(spatial)] if node.attr("storage_order", 0) else range(len(shape))
    turned = np.arange(np.prod(shape)).reshape([shape[i] for i in order])
    places = turned.transpose(np.argsort(list(order))).astype(np.int32)
    return largest_with_places(b, window, node.x(), places, f"{node.proto.output[1]}.places")


@handles("AveragePool")
def average_pool(node: Node) -> SSAValue:
    node.need_float()
    window = window_of(node)
    total = window.reduce(node.b, "sum", node.x())
    counts = window.counts(bool(node.attr("count_include_pad", 0)))
    return averaged(node.b, total, counts, f"{node.proto.output[0]}.shares")


@handles("LpPool")
def norm_pool(node: Node) -> SSAValue:
    """(sum |x|^p)^(1/p)."""
    b, x, order = node.b, node.x(), node.attr("p", 2)
    size = b.emit("abs", x)
    match order:
        case 1:
            terms = size
        case 2:
            terms = b.emit("multiply", x, x)
        case _:
            terms = b.emit("power", size, b.like(size, order))
    total = window_of(node).reduce(b, "sum", terms)
    if order == 1:
        return total
    return b.emit("sqrt", total) if order == 2 else b.emit("power", total, b.like(total, 1 / order))


@handles("GlobalAveragePool", "GlobalMaxPool")
def global_pool(node: Node) -> SSAValue:
    node.need_float()
    kind = "mean" if node.op == "GlobalAveragePool" else "max"
    return node.b.reduce(kind, node.x(), range(2, node.rank()))


@handles("LRN")
def local_response(node: Node) -> SSAValue:
    """x / (bias + alpha / size * sum over near channels of x^2)^beta."""
    b, x, size = node.b, node.x(), node.attr("size")
    rank = node.rank()
    low = (size - 1) // 2
    total = b.emit(
        "reduce_window",
        b.emit("multiply", x, x),
        kind="sum",
        window=[1, size, *[1] * (rank - 2)],
        strides=[1] * rank,
        padding=[0, 0, low, size - 1 - low, *[0] * 2 * (rank - 2)],
        dilation=[1] * rank,
    )
    base = b.plus(b.scaled(total, node.attr("alpha", 1e-4) / size), node.attr("bias", 1.0))
    exponent = b.full(node.attr("beta", 0.75), shape_of(x))
    return b.emit("divide", x, b.emit("power", base, exponent))
