"""Sampling at computed places: whole coordinates around them, gathered and weighted."""

from __future__ import annotations

from functools import reduce
from itertools import product
from math import prod

import numpy as np
from xdsl.dialects.builtin import i32
from xdsl.ir import SSAValue

from dojocc.frontends.build import Builder, NotSupported, shape_of

Tap = tuple[SSAValue, SSAValue]  # a whole FP32 coordinate, and its weight
CUBIC = -0.75


def grid_sample(
    b: Builder, x: SSAValue, grid: SSAValue, mode: str, padding: str, aligned: bool
) -> SSAValue:
    """The grid holds places from -1 to 1, last dim first; taps of each dim are multiplied out."""
    if mode not in ("nearest", "linear", "cubic"):
        raise NotSupported(f"mode={mode!r} is not known")
    batch, channels, *sizes = shape_of(x)
    places = shape_of(grid)[1:-1]
    flat = b.reshape(grid, (batch, prod(places), len(sizes)))
    taps = []
    for dim, size in enumerate(sizes):
        column = len(sizes) - 1 - dim
        low, high = [0, 0, column], [batch, prod(places), column + 1]
        place = b.reshape(b.slice(flat, low, high), (batch, prod(places)))
        place = unnormalised(b, place, size, aligned)
        if mode != "cubic":
            place = padded(b, place, size, aligned, padding)
        taps.append(taps_of(b, place, mode))
    data = b.transpose(x, (0, *range(2, 2 + len(sizes)), 1))
    data = b.reshape(data, (batch * prod(sizes), channels))
    base = b.constant(np.arange(batch, dtype=np.int32).reshape(-1, 1) * prod(sizes))
    parts = []
    for corner in product(*taps):
        whole = [place for place, _ in corner]
        if mode == "cubic":
            whole = [
                padded(b, place, size, aligned, padding)
                for place, size in zip(whole, sizes, strict=True)
            ]
        weights = [weight for _, weight in corner]
        parts.append(sample(b, data, base, sizes, whole, weights))
    total = reduce(lambda left, right: b.emit("add", left, right), parts)
    result = b.reshape(total, (batch, *places, channels))
    return b.transpose(result, (0, len(places) + 1, *range(1, len(places) + 1)))


def unnormalised(b: Builder, place: SSAValue, size: int, aligned: bool) -> SSAValue:
    """-1 and 1 are the centres of the end elements if aligned, else their outer edges."""
    if aligned:
        return b.scaled(b.plus(place, 1), (size - 1) / 2)
    return b.plus(b.scaled(b.plus(place, 1), size / 2), -0.5)


def padded(b: Builder, place: SSAValue, size: int, aligned: bool, padding: str) -> SSAValue:
    """Places brought inside: to the border, or mirrored; `zeros` leaves them."""
    match padding:
        case "zeros":
            return place
        case "border":
            return limited(b, place, 0, size - 1)
        case "reflection":
            low, high = (0.0, size - 1.0) if aligned else (-0.5, size - 0.5)
            span = high - low
            if span == 0:
                return b.like(place, 0)
            away = b.emit("abs", b.plus(place, -low))
            turns = b.emit("floor", b.scaled(away, 1 / span))
            rest = b.emit("subtract", away, b.scaled(turns, span))
            half = b.scaled(turns, 0.5)
            even = b.compare("EQ", b.emit("floor", half), half)
            back = b.emit("subtract", b.like(rest, high), rest)
            return limited(b, b.select(even, b.plus(rest, low), back), 0, size - 1)
        case other:
            raise NotSupported(f"padding_mode={other!r} is not known")


def limited(b: Builder, x: SSAValue, low: float, high: float) -> SSAValue:
    return b.emit("minimum", b.emit("maximum", x, b.like(x, low)), b.like(x, high))


def taps_of(b: Builder, place: SSAValue, mode: str) -> list[Tap]:
    """The whole coordinates around a place, with their weights."""
    if mode == "nearest":
        return [(b.emit("round_nearest_even", place), b.like(place, 1))]
    first = b.emit("floor", place)
    part = b.emit("subtract", place, first)
    rest = b.emit("subtract", b.like(part, 1), part)
    if mode == "linear":
        return [(first, rest), (b.plus(first, 1), part)]
    near = (part, rest)
    weights = [far_weight(b, b.plus(part, 1)), near_weight(b, near[0])]
    weights += [near_weight(b, near[1]), far_weight(b, b.plus(rest, 1))]
    return [(b.plus(first, step - 1), weight) for step, weight in enumerate(weights)]


def polynomial(b: Builder, x: SSAValue, numbers: tuple[float, ...]) -> SSAValue:
    """Horner's rule, the highest power first."""
    start = b.like(x, numbers[0])
    return reduce(lambda total, n: b.plus(b.emit("multiply", total, x), n), numbers[1:], start)


def near_weight(b: Builder, x: SSAValue) -> SSAValue:
    return polynomial(b, x, (CUBIC + 2, -(CUBIC + 3), 0, 1))


def far_weight(b: Builder, x: SSAValue) -> SSAValue:
    return polynomial(b, x, (CUBIC, -5 * CUBIC, 8 * CUBIC, -4 * CUBIC))


def sample(
    b: Builder,
    data: SSAValue,
    base: SSAValue,
    sizes: list[int],
    places: list[SSAValue],
    weights: list[SSAValue],
) -> SSAValue:
    """Rows of `data` [batch x sizes, channels] at whole places, times their weights; 0 outside."""
    flat, inside = None, None
    for place, size in zip(places, sizes, strict=True):
        low = b.compare("GE", place, b.like(place, 0))
        there = b.emit("and", low, b.compare("LE", place, b.like(place, size - 1)))
        inside = there if inside is None else b.emit("and", inside, there)
        index = b.convert(limited(b, place, 0, size - 1), i32)
        flat = index if flat is None else b.emit("add", b.scaled(flat, size), index)
    assert flat is not None and inside is not None
    weight = reduce(lambda left, right: b.emit("multiply", left, right), weights)
    weight = b.select(inside, weight, b.like(weight, 0))
    rows = b.take(data, b.binary("add", flat, base), 0)
    return b.binary("multiply", rows, b.reshape(weight, (*shape_of(weight), 1)))
