"""Reductions, windows, extremes with their places, sorting."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from xdsl.dialects.builtin import f32, i1, i32
from xdsl.ir import SSAValue

from dojocc.frontends.build import Builder, NotSupported, element_of, shape_of
from dojocc.frontends.composites import indexing, scatter
from dojocc.frontends.stablehlo.node import Node, handles
from dojocc.frontends.stablehlo.probe import reduction_kind, tried

COMBINE = {"sum": "add", "prod": "multiply", "max": "maximum", "min": "minimum"}
TRUTH = {"or": "max", "and": "min", "sum": "max", "max": "max", "min": "min", "prod": "min"}
MOST_PADDED = 2
"""Padded dims of a window that an access of the machine can leave out by its bounds."""


@handles("reduce")
def reduce(node: Node) -> SSAValue | Sequence[SSAValue]:
    """One value by a known function; a value and its place by a body that picks."""
    dims = node.require("dimensions")
    if len(node.operands) == 4:
        return picked(node, dims)
    kind = reduction_kind(node.op)
    if len(node.operands) != 2 or kind is None or kind == "last":
        raise NotSupported("the function it applies; sum, product, min, max, and, or are supported")
    return started(node, kind, reduced(node.b, kind, node.x(), dims), node.x(1))


def reduced(b: Builder, kind: str, x: SSAValue, dims: Sequence[int]) -> SSAValue:
    if element_of(x) == i1:
        numbers = b.reduce(TRUTH[kind], b.convert(x, i32), dims, keep=False)
        return b.convert(numbers, i1)
    if kind not in COMBINE:
        raise NotSupported(f"bitwise {kind} of numbers along a dim")
    return b.reduce(kind, x, dims, keep=False)


def neutral_number(kind: str, element_type) -> float:
    limits = np.iinfo(np.int32)
    low, high = (-math.inf, math.inf) if element_type == f32 else (limits.min, limits.max)
    return {"sum": 0, "prod": 1, "max": low, "min": high, "or": 0, "and": 1}[kind]


def started(node: Node, kind: str, value: SSAValue, start: SSAValue) -> SSAValue:
    """The start taken in, unless it changes nothing."""
    b, known = node.b, node.b.number(start)
    kind_of_value = element_of(value)
    if kind_of_value == i1:
        word = {"max": "or", "min": "and"}[TRUTH[kind]]
        if known is not None and bool(known.reshape(())) == (word == "and"):
            return value
        return b.emit(word, value, b.broadcast(start, shape_of(value)))
    if known is not None and float(known.reshape(())) == neutral_number(kind, kind_of_value):
        return value
    return b.emit(COMBINE[kind], value, b.broadcast(start, shape_of(value)))


def picked(node: Node, dims: Sequence[int]) -> list[SSAValue]:
    """The largest or smallest and its place: what the body does with pairs of numbers says which.

    The second operand must count along the reduced dim.
    """
    block = node.op.regions[0].block if node.op.regions else None
    kind = None
    if block is not None and len(dims) == 1:
        greater, less = tried(block, (1, 0, 2, 1)), tried(block, (2, 0, 1, 1))
        first = tried(block, (1, 0, 1, 1)) == [1, 0] == tried(block, (1, 1, 1, 0))
        if first and greater == [2, 1] and less == [2, 0]:
            kind = "max"
        elif first and greater == [1, 0] and less == [1, 1]:
            kind = "min"
    if kind is None:
        raise NotSupported("a reduction of two values that is not the first extreme and its place")
    axis, b = dims[0], node.b
    places = node.known(1)
    line = np.arange(node.shape()[axis]).reshape([-1] + [1] * (len(node.shape()) - 1 - axis))
    if places is None or not (places == line).all():
        raise NotSupported("the second value of a reduction does not count along the dim")
    value = b.reduce(kind, node.x(), [axis], keep=False)
    return [value, b.emit("arg_reduce", node.x(), kind=kind, axis=axis)]


@handles("reduce_window")
def reduce_window(node: Node) -> SSAValue:
    """Sums and extremes; a window that reaches back over a whole dim is a running reduction."""
    kind = reduction_kind(node.op)
    if len(node.operands) != 2 or kind not in COMBINE:
        raise NotSupported("the function it applies; sum, product, min and max are supported")
    rank = len(node.shape())
    window = node.require("window_dimensions")
    ones = [1] * rank
    strides, spread, inner = (
        node.raw(name) or ones for name in ("window_strides", "base_dilations", "window_dilations")
    )
    padding = node.raw("padding") or [[0, 0]] * rank
    running = running_axis(node, window, padding, (strides, spread, inner))
    if running is not None:
        axis, reverse = running
        result = scatter.running(node.b, node.x(), axis, kind, reverse=reverse)
        return started(node, kind, result, node.x(1))
    b, x = node.b, node.x()
    element_type = element_of(x)
    if kind == "prod":
        raise NotSupported("products over windows")
    if kind == "min":
        x = b.emit("negate", x)
    name = "sum" if kind == "sum" else "max"
    empty = b.full(neutral_number(name, element_type), (), element_type)
    if any(step != 1 for step in spread) or sum(map(any, padding)) > MOST_PADDED:
        low, high = ([max(pair[i], 0) for pair in padding] for i in (0, 1))
        x = b.emit("pad", x, empty, low=low, high=high, interior=[step - 1 for step in spread])
        padding = [[0, 0]] * rank
    flat = [amount for pair in padding for amount in pair]
    result = b.emit(
        "reduce_window",
        x,
        kind=name,
        window=window,
        strides=strides,
        padding=flat,
        dilation=inner,
    )
    if kind == "min":
        result = b.emit("negate", result)
    return started(node, kind, result, node.x(1))


def running_axis(
    node: Node, window: Sequence[int], padding: Sequence[Sequence[int]], steps: Sequence
) -> tuple[int, bool] | None:
    """(dim, reversed) where the window of each place is all up to it, or all from it on."""
    wide = [axis for axis, size in enumerate(window) if size != 1]
    if len(wide) != 1 or any(step != 1 for row in steps for step in row):
        return None
    axis, size = wide[0], node.shape()[wide[0]]
    if window[axis] != size or any(any(pair) for i, pair in enumerate(padding) if i != axis):
        return None
    return {(size - 1, 0): (axis, False), (0, size - 1): (axis, True)}.get(
        (padding[axis][0], padding[axis][1])
    )


@handles("sort")
def sort(node: Node) -> list[SSAValue]:
    """All operands in the order of one of them, which the comparator is tried for."""
    raw = node.raw("dimension")
    axis = len(node.shape()) - 1 if raw is None else raw % len(node.shape())
    key, descending = sort_key(node)
    b, size = node.b, node.shape()[axis]
    values, order = scatter.top_k(b, node.x(key), size, axis, descending)
    found = []
    for number in range(len(node.operands)):
        if number == key:
            found.append(values)
        else:
            found.append(indexing.gather_elements(b, node.x(number), order, axis))
    return found


def sort_key(node: Node) -> tuple[int, bool]:
    """(which operand decides, whether the largest comes first); others must decide nothing."""
    block, count = node.op.regions[0].block, len(node.operands)
    found: list[tuple[int, bool]] = []
    for number in range(count):
        below, above = [1.0] * (2 * count), [1.0] * (2 * count)
        below[2 * number + 1], above[2 * number] = 2.0, 2.0
        answers = (tried(block, below), tried(block, above))
        if answers == ([1.0], [0.0]):
            found.append((number, False))
        elif answers == ([0.0], [1.0]):
            found.append((number, True))
        elif answers != ([0.0], [0.0]):
            raise NotSupported("its comparator is not understood")
    if len(found) != 1:
        raise NotSupported(f"{len(found)} operands decide the order; one is supported")
    return found[0]


@handles("chlo.top_k")
def top_k(node: Node) -> Sequence[SSAValue]:
    return scatter.top_k(node.b, node.x(), node.require("k"), len(node.shape()) - 1, True)
