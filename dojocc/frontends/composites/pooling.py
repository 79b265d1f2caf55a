"""Pooling windows: largest, with its place, and sums with what each window averages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from xdsl.dialects.builtin import f32, i32
from xdsl.ir import SSAValue

from dojocc.frontends.build import Builder, element_of, shape_of

MOST_PADDED = 2
"""Padded dims of a window that an access of the machine can leave out by its bounds."""


@dataclass(frozen=True)
class Window:
    """A window over the spatial dims; `extra` is padding that only ceil_mode adds."""

    sizes: Sequence[int]
    kernel: Sequence[int]
    strides: Sequence[int]
    dilations: Sequence[int]
    pads: Sequence[tuple[int, int]]
    extra: Sequence[int]

    @property
    def reach(self) -> list[int]:
        rows = zip(self.kernel, self.dilations, strict=True)
        return [(size - 1) * step + 1 for size, step in rows]

    @property
    def ends(self) -> list[tuple[int, int]]:
        rows = zip(self.pads, self.extra, strict=True)
        return [(low, high + extra) for (low, high), extra in rows]

    def reduce(self, b: Builder, kind: str, x: SSAValue) -> SSAValue:
        """The window over x; with more than two padded dims the pad is made first."""
        pads = self.ends
        if sum(map(any, pads)) > MOST_PADDED:
            zero = b.full(-math.inf if kind == "max" else 0, ())
            low, high = ([0, 0, *side] for side in zip(*pads, strict=True))
            x, pads = b.pad(x, low, high, zero), [(0, 0)] * len(pads)
        return b.emit(
            "reduce_window",
            x,
            kind=kind,
            window=[1, 1, *self.kernel],
            strides=[1, 1, *self.strides],
            padding=[0, 0, 0, 0, *(amount for pair in pads for amount in pair)],
            dilation=[1, 1, *self.dilations],
        )

    def counts(self, padded: bool) -> np.ndarray:
        """Elements averaged by each window, an array over the spatial dims."""
        lines = []
        for dim, size in enumerate(self.sizes):
            pad, extra, reach = self.pads[dim], self.extra[dim], self.reach[dim]
            step, stride = self.dilations[dim], self.strides[dim]
            lines.append(window_counts(size, pad, extra, reach, step, stride, padded))
        return reduce(np.multiply.outer, lines)


def largest_with_places(
    b: Builder, window: Window, x: SSAValue, places: np.ndarray, name: str
) -> tuple[SSAValue, SSAValue]:
    """(largest, its number in `places`) tap by tap, the first of equal ones.

    `places` broadcasts to x.
    """
    low = [0, 0, *(pad[0] for pad in window.pads)]
    high = [0, 0, *(high for _, high in window.ends)]
    floating = element_of(x) == f32
    least = b.full(-math.inf, ()) if floating else b.full(np.iinfo(np.int32).min, (), i32)
    x = b.pad(x, low, high, least)
    wide = np.pad(places, list(zip(low, high, strict=True)))
    best = place = None
    for tap in np.ndindex(*window.kernel):
        first = [0, 0, *(t * d for t, d in zip(tap, window.dilations, strict=True))]
        strides, spans = [1, 1, *window.strides], [1, 1, *window.reach]
        last = [size - (spans[axis] - 1 - first[axis]) for axis, size in enumerate(shape_of(x))]
        part = b.slice(x, first, last, strides)
        cut = zip(first, last, strides, wide.shape, strict=True)
        where = tuple(slice(None) if size == 1 else slice(*row) for *row, size in cut)
        there = b.broadcast(b.constant(wide[where].astype(np.int32), name), shape_of(part))
        if best is None or place is None:
            best, place = part, there
            continue
        more = b.compare("GT", part, best)
        best, place = b.select(more, part, best), b.select(more, there, place)
    assert best is not None and place is not None
    return best, place


def averaged(b: Builder, total: SSAValue, counts: np.ndarray, name: str) -> SSAValue:
    """Each window's sum times one over its count; counts that differ become a constant plane."""
    if counts.min() == counts.max():
        return b.scaled(total, 1 / float(counts.flat[0]))
    return b.binary("multiply", total, b.constant((1 / counts).astype(np.float32), name))


def ceil_extra(size: int, pad: tuple[int, int], reach: int, stride: int) -> int:
    """Padding that ceil_mode adds; a last window counts only if it starts before the end pad."""
    room = size + sum(pad) - reach
    count = -(-room // stride) + 1
    if (count - 1) * stride >= size + pad[0]:
        count -= 1
    return max((count - 1) * stride - room, 0)


def window_counts(
    size: int, pad: tuple[int, int], extra: int, reach: int, step: int, stride: int, padded: bool
) -> np.ndarray:
    """How many elements each window of one dim averages; written padding counts if `padded`."""
    low, high = pad
    starts = np.arange(-low, size + high + extra - reach + 1, stride)
    taps = starts[:, None] + np.arange(0, reach, step)[None, :]
    first, last = (-low, size + high) if padded else (0, size)
    return ((taps >= first) & (taps < last)).sum(1)
