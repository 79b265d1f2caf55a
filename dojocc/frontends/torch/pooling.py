"""Pooling: windows, and parts of a plane whose sizes follow from the result's."""

from __future__ import annotations

import math

import numpy as np
from xdsl.ir import SSAValue

from dojocc.frontends.build import Builder, NotSupported, shape_of
from dojocc.frontends.composites.pooling import (
    Window,
    averaged,
    ceil_extra,
    largest_with_places,
)
from dojocc.frontends.composites.resize import weighted
from dojocc.frontends.torch.contraction import unbatched
from dojocc.frontends.torch.node import Node, handles


def spatial(node: Node) -> int:
    """How many dims a window has: the digit in the op's name."""
    return int(next(letter for letter in node.op if letter.isdigit()))


def batched(node: Node, rank: int) -> SSAValue:
    """The input as [batch, channels, ...]; PyTorch lets one leave the batch out."""
    x = node.x()
    return x if len(shape_of(x)) == rank + 2 else node.b.reshape(x, (1, *shape_of(x)))


def window_of(node: Node, x: SSAValue, rank: int) -> Window:
    sizes = shape_of(x)[2:]
    kernel = node.spread("kernel_size", rank)
    given = node.number("stride", ())
    strides = kernel if given == () else node.spread("stride", rank)
    dilations, amounts = node.spread("dilation", rank, 1), node.spread("padding", rank, 0)
    pads = [(amount, amount) for amount in amounts]
    plain = Window(sizes, kernel, strides, dilations, pads, [0] * rank)
    if not node.raw("ceil_mode", False):
        return plain
    rows = zip(sizes, pads, plain.reach, strides, strict=True)
    return Window(sizes, kernel, strides, dilations, pads, [ceil_extra(*row) for row in rows])


@handles("max_pool1d", "max_pool2d", "max_pool3d")
def max_pool(node: Node) -> SSAValue:
    node.need_float()
    rank = spatial(node)
    x = batched(node, rank)
    return unbatched(node, window_of(node, x, rank).reduce(node.b, "max", x))


@handles(*(f"max_pool{rank}d_with_indices" for rank in (1, 2, 3)))
def max_pool_with_places(node: Node) -> tuple[SSAValue, SSAValue]:
    """Places count within one channel's plane."""
    node.need_float()
    rank = spatial(node)
    x = batched(node, rank)
    window, sizes = window_of(node, x, rank), shape_of(x)[2:]
    places = np.arange(np.prod(sizes)).reshape(1, 1, *sizes)
    best, place = largest_with_places(node.b, window, x, places, f"{node.source.name}.places")
    return unbatched(node, best), unbatched(node, place)


@handles("avg_pool1d", "avg_pool2d", "avg_pool3d")
def average_pool(node: Node) -> SSAValue:
    node.need_float()
    rank = spatial(node)
    x = batched(node, rank)
    window = window_of(node, x, rank)
    total = window.reduce(node.b, "sum", x)
    divisor = node.number("divisor_override")
    counts = window.counts(bool(node.raw("count_include_pad", True)))
    if divisor:
        counts = np.full_like(counts, divisor)
    return unbatched(node, averaged(node.b, total, counts, f"{node.source.name}.shares"))


ADAPTIVE = [f"adaptive_avg_pool{rank}d" for rank in (1, 2, 3)]


@handles(*ADAPTIVE, *(f"_{name}" for name in ADAPTIVE[1:]))
def adaptive_average(node: Node) -> SSAValue:
    """Result place i averages from floor(i n / m) to ceil((i + 1) n / m) of n elements."""
    node.need_float()
    b, rank = node.b, spatial(node)
    x = batched(node, rank)
    wanted = list(node.result.shape[-rank:])
    if set(wanted) == {1}:
        return unbatched(node, b.reduce("mean", x, range(2, 2 + rank)))
    sizes = shape_of(x)[2:]
    if all(size % out == 0 for size, out in zip(sizes, wanted, strict=True)):
        kernel = [size // out for size, out in zip(sizes, wanted, strict=True)]
        none = [(0, 0)] * rank
        window = Window(sizes, kernel, kernel, [1] * rank, none, [0] * rank)
        return unbatched(node, b.scaled(window.reduce(b, "sum", x), 1 / math.prod(kernel)))
    for number, (size, out) in enumerate(zip(sizes, wanted, strict=True)):
        x = shared_out(b, x, number + 2, size, out, node.source.name)
    return unbatched(node, x)


def ranges(size: int, out: int) -> list[tuple[int, int]]:
    return [(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]


def shared_out(b: Builder, x: SSAValue, axis: int, size: int, out: int, name: str) -> SSAValue:
    if size == out:
        return x
    table = np.zeros((out, size))
    for row, (low, high) in enumerate(ranges(size, out)):
        table[row, low:high] = 1 / (high - low)
    return weighted(b, x, axis, table, f"{name}.shares{axis}")


@handles("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d")
def adaptive_largest(node: Node) -> tuple[SSAValue, SSAValue]:
    """Only where the parts are equal."""
    node.need_float()
    rank = spatial(node)
    x = batched(node, rank)
    sizes, wanted = shape_of(x)[2:], list(node.result.shape[-rank:])
    if any(size % out for size, out in zip(sizes, wanted, strict=True)):
        raise NotSupported(f"{list(sizes)} elements do not divide into {wanted} equal parts")
    kernel = [size // out for size, out in zip(sizes, wanted, strict=True)]
    window = Window(sizes, kernel, kernel, [1] * rank, [(0, 0)] * rank, [0] * rank)
    places = np.arange(np.prod(sizes)).reshape(1, 1, *sizes)
    best, place = largest_with_places(node.b, window, x, places, f"{node.source.name}.places")
    return unbatched(node, best), unbatched(node, place)
