"""Reductions over dims, extremes with their places, running sums."""

from __future__ import annotations

import math
from collections.abc import Sequence
from math import prod

from xdsl.dialects.builtin import f32, i1, i32
from xdsl.ir import SSAValue

from dojocc.frontends.build import element_of, shape_of
from dojocc.frontends.composites import scatter
from dojocc.frontends.composites.arithmetic import counting
from dojocc.frontends.torch.elementwise import larger
from dojocc.frontends.torch.node import Node, as_float, handles

KINDS = {"sum": "sum", "mean": "mean", "amax": "max", "amin": "min", "prod": "prod"}
EXTREMES = {"max": "max", "min": "min"}


def keep(node: Node) -> bool:
    return bool(node.raw("keepdim", False))


@handles(*KINDS)
def reduce(node: Node) -> SSAValue:
    x = node.like("self", node.element_type)
    return reduced(node, KINDS[node.op], x, node.axes())


def reduced(node: Node, kind: str, x: SSAValue, axes: Sequence[int]) -> SSAValue:
    """Truth values are reduced as numbers."""
    if element_of(x) == i1:
        return node.b.convert(reduced(node, kind, counting(node.b, x), axes), i1)
    return node.b.reduce(kind, x, axes, keep(node))


@handles("any", "all")
def any_or_all(node: Node) -> SSAValue:
    """The largest or smallest of truth values."""
    kind = "max" if node.op == "any" else "min"
    result = reduced(node, kind, node.b.convert(node.x(), i1), node.axes())
    return node.b.convert(result, node.element_type)


@handles("max", "min")
def extreme(node: Node) -> SSAValue | tuple[SSAValue, SSAValue]:
    """Of all elements, along one dim with places, or of two tensors."""
    if node.has("other"):
        return larger(node, node.op == "max")
    if not node.has("dim"):
        return reduced(node, node.op, node.x(), list(range(node.rank())))
    if not node.rank():
        return node.x(), node.b.full(0, (), i32)
    axis = node.axis()
    return reduced(node, node.op, node.x(), [axis]), place(node, node.op, axis)


def place(node: Node, kind: str, axis: int) -> SSAValue:
    """The first place of the extreme along a dim."""
    x, shape = node.x(), node.shape()
    x = counting(node.b, x) if element_of(x) == i1 else x
    result = node.b.emit("arg_reduce", x, kind=kind, axis=axis)
    if not keep(node):
        return result
    return node.b.reshape(result, [1 if i == axis else size for i, size in enumerate(shape)])


@handles("argmax", "argmin")
def arg_reduce(node: Node) -> SSAValue:
    """Without a dim, a place of the flat tensor."""
    kind, b = node.op[3:], node.b
    if node.has("dim") and node.rank():
        return place(node, kind, node.axis())
    flat = b.reshape(node.x(), (prod(node.shape()),))
    return b.reshape(b.emit("arg_reduce", flat, kind=kind, axis=0), node.result.shape)


@handles("cumsum", "cumprod")
def running(node: Node) -> SSAValue:
    x = node.like("self", node.element_type)
    if not node.rank():
        return x
    return scatter.running(node.b, x, node.axis(), node.op[3:])


def deviation(node: Node) -> tuple[SSAValue, SSAValue]:
    """Variance and mean: squares of what is left without the mean, over count - correction."""
    b, axes = node.b, node.axes()
    x = as_float(node.x(), b)
    mean = b.reduce("mean", x, axes)
    shifted = b.binary("subtract", x, mean)
    squares = b.emit("multiply", shifted, shifted)
    count = prod(shape_of(x)[axis] for axis in axes)
    correction = node.raw("correction", 1)
    if node.raw("unbiased") is not None:
        correction = int(node.raw("unbiased"))
    total = b.reduce("sum", squares, axes, keep(node))
    if not keep(node):
        mean = b.reshape(mean, shape_of(total))
    rest = count - correction
    return b.scaled(total, 1 / rest if rest > 0 else math.nan), mean


@handles("var", "std")
def variance(node: Node) -> SSAValue:
    value = deviation(node)[0]
    return node.b.emit("sqrt", value) if node.op == "std" else value


@handles("var_mean", "std_mean")
def variance_and_mean(node: Node) -> tuple[SSAValue, SSAValue]:
    value, mean = deviation(node)
    return (node.b.emit("sqrt", value) if node.op == "std_mean" else value), mean


@handles("linalg_vector_norm", "norm")
def vector_norm(node: Node) -> SSAValue:
    """(sum |x|^p)^(1/p); p of infinity, 0, 1 and 2 by their own forms."""
    b, axes = node.b, node.axes()
    order = float(node.number("ord", node.number("p", 2)))
    size = b.emit("abs", as_float(node.x(), b))
    if math.isinf(order):
        return b.reduce("max" if order > 0 else "min", size, axes, keep(node))
    if order == 0:
        return b.reduce(
            "sum", b.convert(b.compare("NE", size, b.like(size, 0)), f32), axes, keep(node)
        )
    if order == 1:
        return b.reduce("sum", size, axes, keep(node))
    if order == 2:
        total = b.reduce("sum", b.emit("multiply", size, size), axes, keep(node))
        return b.emit("sqrt", total)
    total = b.reduce("sum", b.emit("power", size, b.like(size, order)), axes, keep(node))
    return b.emit("power", total, b.like(total, 1 / order))


@handles("logsumexp")
def log_sum_exp(node: Node) -> SSAValue:
    """max + log(sum(exp(x - max)))."""
    b, axes = node.b, node.axes()
    x = as_float(node.x(), b)
    top = b.reduce("max", x, axes)
    total = b.reduce("sum", b.emit("exponential", b.binary("subtract", x, top)), axes)
    return b.reshape(b.emit("add", b.emit("log", total), top), node.result.shape)


@handles("count_nonzero")
def count_nonzero(node: Node) -> SSAValue:
    truth = node.b.convert(node.x(), i1)
    return node.b.reduce("sum", counting(node.b, truth), node.axes(), keep=False)
