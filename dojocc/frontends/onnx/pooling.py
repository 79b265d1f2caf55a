"""Pooling: windows and whole planes."""

from __future__ import annotations

from functools import reduce

import numpy as np
from xdsl.ir import SSAValue

from dojocc.frontends.build import shape_of
from dojocc.frontends.onnx.node import Node, Refusal, handles
from dojocc.frontends.onnx.windows import ceil_extra, pairs, window_counts


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
        padding = [0, 0, 0, 0]
        for (low, high), extra in zip(self.pads, self.extra, strict=True):
            padding += [low, high + extra]
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
def max_pool(node: Node) -> SSAValue:
    node.need_float()
    node.no_output(1)
    return Window(node).reduce(node, "max", node.x())


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
    """(sum |x|^p)^(1/p) for p of 1 and 2."""
    b, x, order = node.b, node.x(), node.attr("p", 2)
    if order not in (1, 2):
        raise Refusal(f"p={order}; 1 and 2 are supported")
    terms = b.emit("abs", x) if order == 1 else b.emit("multiply", x, x)
    total = Window(node).reduce(node, "sum", terms)
    return total if order == 1 else b.emit("sqrt", total)


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
