"""Which bytes an access touches: boxes of strides and counts become sorted runs of equal length.

A run table is relative to the access's base, so that nodes and calls that differ only in their base
share it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

Dims = tuple[tuple[int, int], ...]
"""(count, stride in bytes) of every axis along which an access moves."""


@dataclass(frozen=True)
class Window:
    """The coordinates of padding: start, steps along the access's axes, limit, steps a granule and
    a lane. An element is touched where 0 <= coordinate < limit."""

    start: int
    steps: tuple[int, ...]
    limit: int
    granule_step: int
    lane_step: int


@dataclass(frozen=True)
class Box:
    """count x ... granules of `elements` x `item` bytes, `pitch` apart; `windows` bound them."""

    counts: tuple[int, ...]
    strides: tuple[int, ...]
    granules: int
    pitch: int
    elements: int
    item: int
    first: int = 0
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True, eq=False)
class Runs:
    """Sorted, disjoint and not touching: [starts[i], ends[i]) relative to a base."""

    starts: np.ndarray
    ends: np.ndarray

    @property
    def size(self) -> int:
        return int((self.ends - self.starts).sum())

    @property
    def span(self) -> tuple[int, int]:
        return (int(self.starts[0]), int(self.ends[-1])) if len(self.starts) else (0, 0)


def joined(starts: np.ndarray, ends: np.ndarray) -> Runs:
    """Runs of any intervals: sorted, overlapping and touching ones united."""
    keep = ends > starts
    starts, ends = starts[keep], ends[keep]
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.maximum.accumulate(ends[order]) if len(order) else ends
    opens = np.ones(len(starts), bool)
    opens[1:] = starts[1:] > ends[:-1]
    first = np.flatnonzero(opens)
    last = np.append(first[1:], len(starts)) - 1
    return Runs(starts[first], ends[last] if len(first) else ends)


@lru_cache(maxsize=4096)
def strided_runs(width: int, dims: Dims) -> Runs:
    """Runs of pieces of `width` bytes repeated along `dims`."""
    shift, length = 0, width
    outer: list[tuple[int, int]] = []
    for count, stride in sorted(dims, key=lambda dim: abs(dim[1])):
        if count == 0 or length == 0:
            return Runs(np.zeros(0, np.int64), np.zeros(0, np.int64))
        if count == 1 or stride == 0:
            continue
        shift += min(stride, 0) * (count - 1)
        stride = abs(stride)
        if not outer and stride <= length:
            length += stride * (count - 1)
        else:
            outer.append((count, stride))
    starts = np.array([shift], np.int64)
    for count, stride in outer:
        starts = (starts[None, :] + (np.arange(count) * stride)[:, None]).reshape(-1)
    return joined(starts, starts + length)


@lru_cache(maxsize=4096)
def box_runs(box: Box) -> Runs:
    """Runs of a box; elements outside its windows are not touched."""
    if not box.windows:
        dims = tuple(zip(box.counts, box.strides, strict=True))
        granule = box.elements * box.item
        return strided_runs(granule, (*dims, (box.granules, box.pitch)))
    moving = [
        axis
        for axis, (count, stride) in enumerate(zip(box.counts, box.strides, strict=True))
        if count != 1 and (stride or any(window.steps[axis] for window in box.windows))
    ]
    if any(count == 0 for count in box.counts):
        return Runs(np.zeros(0, np.int64), np.zeros(0, np.int64))
    axes = [np.arange(box.counts[axis]) for axis in moving]
    grid = np.meshgrid(*axes, indexing="ij") if axes else []
    shape = [box.counts[axis] for axis in moving]
    place = sum(
        (g * box.strides[a] for g, a in zip(grid, moving, strict=True)), np.zeros(shape, int)
    )
    granule, element = np.arange(box.granules), np.arange(box.elements)
    inner = granule[:, None] * box.pitch + element * box.item
    inside = np.ones((*shape, box.granules, box.elements), bool)
    for window in box.windows:
        at = sum(
            (g * window.steps[a] for g, a in zip(grid, moving, strict=True)), np.zeros(shape, int)
        )
        number = (box.first + granule) * window.granule_step
        lanes = number[:, None] + element * window.lane_step
        value = window.start + at[..., None, None] + lanes
        inside &= (value >= 0) & (value < window.limit)
    starts = (place[..., None, None] + inner)[inside]
    return joined(starts, starts + box.item)
