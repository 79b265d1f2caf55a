"""Pooling: windows and whole planes."""

from __future__ import annotations

import math
from functools import reduce

import numpy as np
from xdsl.dialects.builtin import f32, i32
from xdsl.ir import SSAValue

from dojocc.frontends.build import shape_of
from dojocc.frontends.onnx.kinds import BITS
from dojocc.frontends.onnx.narrow import integer_range
from dojocc.frontends.onnx.node import Node, Refusal, handles, type_name
from dojocc.frontends.onnx.windows import ceil_extra, pairs, window_counts

MOST_PADDED = 2
"""Padded dims of a window that an access of the machine can leave out by its bounds."""


class Window:
    """The window of a pooling node, by spatial dim."""

    def __init__(self, node: Node) -> None:
        self.sizes = node.shape()[2:]
        self.kernel = list(node.attr("kernel_shape"))
        ones = [1] * len(self.kernel)
        if len(self.kernel) != len(self.sizes):
            raise Refusal(f"kernel_shape {self.kernel} on {len(self.sizes)} spatial dims")
        self.strides = list(node.attr("strides") or ones)
        self.dilations = list(node.attr("dilations") or ones)
        self.pads = pairs(node, self.sizes, self.kernel, self.strides, self.dilations)
        rows = zip(self.kernel, self.dilations, strict=True)
        self.reach = [(size - 1) * step + 1 for size, step in rows]
        self.extra = [0] * len(self.kernel)
        if node.attr("ceil_mode", 0):
            rows = zip(self.sizes, self.pads, self.reach, self.strides, strict=True)
            self.extra = [ceil_extra(*row) for row in rows]

    def reduce(self, node: Node, kind: str, x: SSAValue) -> SSAValue:
        """The window over x; with more than two padded dims the pad is made first."""
        ends = zip(self.pads, self.extra, strict=True)
        pads = [(low, high + extra) for (low, high), extra in ends]
        if sum(map(any, pads)) > MOST_PADDED:
            zero = node.b.full(-math.inf if kind == "max" else 0, ())
            low, high = ([0, 0, *side] for side in zip(*pads, strict=True))
            x, pads = node.b.pad(x, low, high, zero), [(0, 0)] * len(pads)
        padding = [0, 0, 0, 0, *(amount for pair in pads for amount in pair)]
        return node.b.emit(
            "reduce_window",
            x,
            kind=kind,
            window=[1, 1, *self.kernel],
            strides=[1, 1, *self.strides],
            padding=padding,
            dilation=[1, 1, *self.dilations],
        )

    def counts(self, padded: bool) -> np.ndarray:
        """Elements averaged by each window, an array over the spatial dims."""
        lines = [
            window_counts(
                size,
                self.pads[dim],
                self.extra[dim],
                self.reach[dim],
                self.dilations[dim],
                self.strides[dim],
                padded,
            )
            for dim, size in enumerate(self.sizes)
        ]
        return reduce(np.multiply.outer, lines)


@handles("MaxPool")
def max_pool(node: Node) -> SSAValue | tuple[SSAValue, SSAValue]:
    """Integers of a byte are exact in FP32. With places, tap by tap."""
    window, b = Window(node), node.b
    if node.uses(1):
        return max_with_places(node, window)
    if node.is_float():
        return window.reduce(node, "max", node.x())
    if node.kind() not in BITS:
        raise Refusal(f"{type_name(node.kind())} is not supported")
    result = window.reduce(node, "max", b.convert(node.x(), f32))
    return b.convert(b.emit("maximum", result, b.like(result, integer_range(node.kind())[0])), i32)


def max_with_places(node: Node, window: Window) -> tuple[SSAValue, SSAValue]:
    """(largest, its flat place in the tensor), the first of equal ones."""
    b, shape = node.b, node.shape()
    spatial = list(range(2, len(shape)))
    order = [0, 1, *reversed(spatial)] if node.attr("storage_order", 0) else range(len(shape))
    turned = np.arange(np.prod(shape)).reshape([shape[i] for i in order])
    places = turned.transpose(np.argsort(list(order))).astype(np.int32)
    low = [0, 0, *(pad[0] for pad in window.pads)]
    ends = zip(window.pads, window.extra, strict=True)
    high = [0, 0, *(pad[1] + extra for pad, extra in ends)]
    least = b.full(-math.inf, ()) if node.is_float() else b.full(np.iinfo(np.int32).min, (), i32)
    x = b.pad(node.x(), low, high, least)
    pairs = list(zip(low, high, strict=True))
    wide = np.pad(places, pairs)
    best = place = None
    for tap in np.ndindex(*window.kernel):
        first = [0, 0, *(t * d for t, d in zip(tap, window.dilations, strict=True))]
        strides = [1, 1, *window.strides]
        spans = [0, 0, *window.reach]
        last = [
            size - (0 if axis < 2 else spans[axis] - 1 - first[axis])
            for axis, size in enumerate(shape_of(x))
        ]
        part = b.slice(x, first, last, strides)
        where = tuple(map(slice, first, last, strides))
        there = b.constant(wide[where], f"{node.proto.output[1]}.places")
        if best is None or place is None:
            best, place = part, there
            continue
        more = b.compare("GT", part, best)
        best, place = b.select(more, part, best), b.select(more, there, place)
    assert best is not None and place is not None
    return best, place


@handles("AveragePool")
def average_pool(node: Node) -> SSAValue:
    node.need_float()
    window = Window(node)
    total = window.reduce(node, "sum", node.x())
    return averaged(node, total, window.counts(bool(node.attr("count_include_pad", 0))))


def averaged(node: Node, total: SSAValue, counts: np.ndarray) -> SSAValue:
    """Each window's sum times one over its count; counts that differ become a constant plane."""
    if counts.min() == counts.max():
        return node.b.scaled(total, 1 / float(counts.flat[0]))
    shares = node.b.constant((1 / counts).astype(np.float32), f"{node.proto.output[0]}.shares")
    return node.b.binary("multiply", total, shares)


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
    total = Window(node).reduce(node, "sum", terms)
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
