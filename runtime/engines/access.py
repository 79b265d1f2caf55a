"""Affine memory accesses: which SRAM bytes one instruction touches over a whole loop nest, read or
written at once.

An `Access` is what an address generator, the counts of the open loops and one memory instruction
add up to. Axes of every array here: (nodes, one per open loop, granules, elements of a granule); an
axis along which nothing changes has length 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import as_strided

from dojocc.runtime.engines.memory import Memory
from dojocc.runtime.engines.thread import NO_LIMIT
from dojocc.runtime.errors import MachineStop

Scalar = int | np.ndarray  # one value for all nodes of the group, or one each


@dataclass(frozen=True, eq=False)
class Bounds:
    """Implicit 2D padding: coordinates of granule g, lane l, and their limits (None = no bound)."""

    y0: Scalar
    x0: Scalar
    y_limit: Scalar | None
    x_limit: Scalar | None
    y_strides: tuple[int, ...]
    x_strides: tuple[int, ...]
    granule_step: int
    lane_step: int
    first: int


@dataclass(frozen=True, eq=False)
class Access:
    """`base` + stride x counter + granule x pitch; `counts[i]` and `strides[i]` belong to open
    loop i.
    """

    base: Scalar
    counts: tuple[int, ...]
    strides: tuple[int, ...]
    granules: int
    pitch: int
    elements: int
    item: int
    bounds: Bounds | None = None

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Axes after the node axis, 1 where the stride is 0."""
        loops = (c if s else 1 for c, s in zip(self.counts, self.strides, strict=True))
        return (*loops, self.granules, self.elements)

    @cached_property
    def steps(self) -> tuple[int, ...]:
        return (*self.strides, self.pitch, self.item)

    def span(self) -> tuple[int, int]:
        """[low, high) of the touched bytes, relative to the base."""
        return self.spans[0]

    @cached_property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Item i: the span of one iteration of the first i open loops."""
        low, high, found = 0, self.item, []
        ends = [(n - 1) * s for n, s in zip(self.shape, self.steps, strict=True)]
        for number, end in enumerate(reversed(ends), 1):
            low, high = low + min(end, 0), high + max(end, 0)
            if number >= 2:
                found.append((low, high))
        return tuple(reversed(found))

    def last(self) -> Access:
        """The same access in the last iteration of the innermost loop."""
        base = self.base + (self.counts[-1] - 1) * self.strides[-1]
        bounds = self.bounds and replace(
            self.bounds,
            y0=self.bounds.y0 + (self.counts[-1] - 1) * self.bounds.y_strides[-1],
            x0=self.bounds.x0 + (self.counts[-1] - 1) * self.bounds.x_strides[-1],
            y_strides=self.bounds.y_strides[:-1],
            x_strides=self.bounds.x_strides[:-1],
        )
        return replace(
            self, base=base, counts=self.counts[:-1], strides=self.strides[:-1], bounds=bounds
        )

    def where(self) -> tuple[int, int]:
        """[low, high) absolute, over all nodes."""
        low, high = self.span()
        if isinstance(self.base, int):
            return self.base + low, self.base + high
        return int(np.min(self.base)) + low, int(np.max(self.base)) + high


def _column(value: Scalar, rank: int) -> np.ndarray:
    array = np.asarray(value, np.int64)
    return (
        array.reshape(array.shape[:1] + (1,) * (rank - 1))
        if array.ndim
        else array.reshape((1,) * rank)
    )


def _coordinate(
    start: Scalar, strides, counts, granule: np.ndarray, lane: np.ndarray
) -> np.ndarray:
    rank = 1 + len(counts) + 2
    value = _column(start, rank)
    for axis, (stride, count) in enumerate(zip(strides, counts, strict=True)):
        if stride:
            steps = np.arange(count, dtype=np.int64) * stride
            value = value + steps.reshape((1,) * (1 + axis) + (count,) + (1,) * (rank - axis - 2))
    return value + granule.reshape(-1, 1) + lane


def _within(value: np.ndarray, limit: Scalar) -> np.ndarray:
    column = _column(limit, value.ndim)
    return (value >= 0) & (value < column) | (column == NO_LIMIT)


def inside(access: Access) -> np.ndarray | None:
    """Which elements are in bounds, broadcastable to (nodes, *shape); None when all are."""
    bounds = access.bounds
    if bounds is None:
        return None
    none = np.zeros(1, np.int64)
    result = None
    if bounds.y_limit is not None:
        y = _coordinate(bounds.y0, bounds.y_strides, access.counts, none, none)
        result = _within(y, bounds.y_limit)
    if bounds.x_limit is not None:
        numbers = bounds.first + np.arange(access.granules, dtype=np.int64)
        granule = numbers * bounds.granule_step if bounds.granule_step else none
        lane = (
            np.arange(access.elements, dtype=np.int64) * bounds.lane_step
            if bounds.lane_step
            else none
        )
        x = _coordinate(bounds.x0, bounds.x_strides, access.counts, granule, lane)
        x_ok = _within(x, bounds.x_limit)
        result = x_ok if result is None else result & x_ok
    if result is None or result.all():
        return None
    return result


def lanes_inside(access: Access) -> np.ndarray:
    """In-bounds lanes [nodes, loops..., 16] of a one-granule access."""
    mask = inside(access)
    if mask is None:
        return np.ones((1,) * (1 + len(access.counts)) + (16,), bool)
    return np.broadcast_to(mask[..., 0, :], (*mask.shape[:-2], 16))


def region(memory: Memory, nodes: np.ndarray, access: Access) -> tuple[np.ndarray, int]:
    """(bytes [nodes, length], offset of the base in them): the touched span of every node, or one
    row where all hold the same; a view where it can be.
    """
    low, high = access.span()
    lowest, highest = int(np.min(access.base)) + low, int(np.max(access.base)) + high
    if access.bounds is None and (lowest < 0 or highest > memory.size):
        raise trap(access, lowest, highest, memory.size)
    if isinstance(access.base, (int, np.integer)):
        return memory.view(nodes, lowest, highest), -low
    bases, which = np.unique(access.base, return_inverse=True)
    whole = np.empty((len(nodes), high - low), np.uint8)
    for number, base in enumerate(bases.tolist()):
        chosen = np.flatnonzero(which == number)
        whole[chosen] = memory.view(nodes[chosen], base + low, base + high)
    return whole, -low


def trap(access: Access, start: int, stop: int, size: int) -> MachineStop:
    """The error for an access outside SRAM."""
    return MachineStop(
        "trap: an access leaves SRAM",
        numbers=f"bytes [{start}, {stop}) of a memory of {size} bytes",
        help="check the address generator's base, strides and the trip counts of the open loops",
    )


def strided(bytes_: np.ndarray, offset: int, access: Access, dtype) -> np.ndarray:
    """View (nodes, *shape) of region bytes, elements of `dtype` (of access.item bytes)."""
    first = bytes_[:, offset : offset + access.item].view(dtype)
    steps = tuple(s if n > 1 else 0 for n, s in zip(access.shape, access.steps, strict=True))
    return as_strided(first, (bytes_.shape[0], *access.shape), (bytes_.strides[0], *steps))


def codes(memory: Memory, nodes: np.ndarray, access: Access) -> np.ndarray:
    """The touched elements as unsigned codes, shape (nodes or 1, *shape); out-of-bounds ones are
    whatever lies there.
    """
    bytes_, offset = region(memory, nodes, access)
    return strided(bytes_, offset, access, np.dtype(f"u{access.item}"))


def injective(access: Access) -> bool:
    """True when no two iterations touch a common byte (sufficient test on sorted strides, else
    enumeration).
    """
    moving = [(abs(s), c) for c, s in zip(access.counts, access.strides, strict=True) if c > 1]
    if any(s == 0 for s, _ in moving):
        return False
    inner = replace(access, counts=(), strides=(), bounds=None)
    low, high = inner.span()
    reach = high - low
    for stride, count in sorted(moving):
        if stride < reach:
            return _injective_exact(access)
        reach = stride * (count - 1) + reach
    return True


def addresses(access: Access) -> np.ndarray:
    """Start offset (relative to the base) of every granule, flat; loops with stride 0 once."""
    value = np.zeros(1, np.int64)
    for count, step in zip(access.shape[:-1], access.steps[:-1], strict=True):
        value = (value[:, None] + np.arange(count, dtype=np.int64) * step).reshape(-1)
    return value


def touched(access: Access) -> np.ndarray:
    """Every byte offset (relative to the base) touched, with repeats."""
    width = access.elements * access.item
    return (addresses(access)[:, None] + np.arange(width)).reshape(-1)


def _injective_exact(access: Access) -> bool:
    every = touched(access)
    return len(np.unique(every)) == len(every)
