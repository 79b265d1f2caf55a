"""SRAM packing: an offset for every buffer so that buffers live at the same time do not overlap.

Plain data in and out. `pack` runs a portfolio of orders and fits, then moves the buffers that make
the peak forward; `lower_bound` says how low any packing could be; `check_packing` judges a result
by a sweep over time that shares no code with `pack`.
"""

from __future__ import annotations

import csv
import io
from bisect import bisect, insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dojocc.runtime.errors import InputError

ALIGNMENT = 64
EFFORT = 200  # placements tried at most
FITS = ("lowest", "tightest", "ends")
COLUMNS = ("id", "lower", "upper", "size")


@dataclass(frozen=True)
class Buffer:
    """`size` bytes, live in the half-open time [lower, upper)."""

    name: str
    lower: int
    upper: int
    size: int

    def __post_init__(self) -> None:
        if self.lower >= self.upper:
            raise ValueError(f"buffer {self.name} is never live: [{self.lower}, {self.upper})")
        if self.size < 0:
            raise ValueError(f"buffer {self.name} has size {self.size}")


@dataclass(frozen=True)
class Packing:
    """Offsets in the order of the buffers, the bytes they reach up to, and the bound for that."""

    offsets: tuple[int, ...]
    peak: int
    lower_bound: int


def pack(
    buffers: Sequence[Buffer],
    alignment: int = ALIGNMENT,
    capacity: int | None = None,
    effort: int = EFFORT,
) -> Packing:
    """The lowest packing found by at most `effort` placements; stops at the bound or `capacity`.

    The result is the same for the same buffers. It may exceed `capacity`: compare `peak`.
    """
    bound = lower_bound(buffers, alignment)
    enough = bound if capacity is None else max(bound, capacity)
    problem = _Problem.of(buffers, alignment)
    ceiling = _aligned(enough, alignment)
    best: _Candidate | None = None
    tried = 0
    for order in _orders(buffers, problem):
        for fit in FITS:
            offsets = _place(problem, order, fit, ceiling)
            peak = problem.peak(offsets)
            tried += 1
            if best is None or peak < best.peak:
                best = _Candidate(peak, offsets, order, fit)
            if best.peak <= enough or tried >= effort:
                return Packing(tuple(best.offsets), best.peak, bound)
    if best is None:
        return Packing((), 0, bound)
    best = _improve(problem, best, ceiling, enough, effort - tried)
    return Packing(tuple(best.offsets), best.peak, bound)


def lower_bound(buffers: Sequence[Buffer], alignment: int = ALIGNMENT) -> int:
    """No packing is lower: buffers live together are stacked, all but the top one padded."""
    bound = 0
    for moment in sorted({buffer.lower for buffer in buffers}):
        live = [b.size for b in buffers if b.lower <= moment < b.upper and b.size]
        padded = [_aligned(size, alignment) for size in live]
        slack = max((p - s for p, s in zip(padded, live, strict=True)), default=0)
        bound = max(bound, sum(padded) - slack)
    return bound


def check_packing(
    buffers: Sequence[Buffer],
    offsets: Sequence[int],
    capacity: int | None = None,
    alignment: int = ALIGNMENT,
) -> list[str]:
    """What is wrong with a packing, one text a problem; empty if it is sound."""
    if len(offsets) != len(buffers):
        return [f"{len(offsets)} offsets for {len(buffers)} buffers"]
    problems = []
    for buffer, offset in zip(buffers, offsets, strict=True):
        if offset < 0 or offset % alignment:
            problems.append(f"{buffer.name} at {offset} is not aligned to {alignment}")
        if capacity is not None and offset + buffer.size > capacity:
            problems.append(f"{buffer.name} ends at {offset + buffer.size}, beyond {capacity}")
    # Ends come before starts at the same time, since lifetimes are half open.
    events = [(buffer.upper, 0, i) for i, buffer in enumerate(buffers) if buffer.size]
    events += [(buffer.lower, 1, i) for i, buffer in enumerate(buffers) if buffer.size]
    active: list[tuple[int, int, int]] = []
    for time, start, i in sorted(events):
        span = (offsets[i], offsets[i] + buffers[i].size, i)
        if not start:
            active.remove(span)
            continue
        place = bisect(active, span)
        insort(active, span)
        for other in active[max(place - 1, 0) : place] + active[place + 1 : place + 2]:
            if span[0] < other[1] and other[0] < span[1]:
                names = f"{buffers[other[2]].name} and {buffers[i].name}"
                problems.append(f"{names} overlap at time {time}")
    return problems


def read_csv(text: str) -> list[Buffer]:
    """Buffers from MiniMalloc's columns id, lower, upper, size (any order)."""
    rows = csv.DictReader(io.StringIO(text))
    missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise InputError(
            f"the buffer table lacks the column {missing[0]!r}",
            where="line 1",
            help=f"columns: {','.join(COLUMNS)}",
        )
    buffers = []
    for number, row in enumerate(rows, 2):
        try:
            numbers = [int(row[name]) for name in COLUMNS[1:]]
            buffers.append(Buffer(row["id"], *numbers))
        except (TypeError, ValueError) as error:
            raise InputError(
                "a row of the buffer table is wrong", where=f"line {number}", numbers=str(error)
            ) from error
    return buffers


def write_csv(buffers: Sequence[Buffer], offsets: Sequence[int]) -> str:
    """The same columns, and the offset."""
    lines = [",".join((*COLUMNS, "offset"))]
    for b, offset in zip(buffers, offsets, strict=True):
        lines.append(f"{b.name},{b.lower},{b.upper},{b.size},{offset}")
    return "\n".join(lines) + "\n"


def _aligned(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment


@dataclass(frozen=True)
class _Problem:
    """Sizes, padded sizes, and for each buffer the others that are live together with it."""

    sizes: list[int]
    padded: list[int]
    conflicts: list[list[int]]

    @classmethod
    def of(cls, buffers: Sequence[Buffer], alignment: int) -> _Problem:
        lower = np.array([b.lower for b in buffers], np.int64)
        upper = np.array([b.upper for b in buffers], np.int64)
        together = (lower[:, None] < upper[None, :]) & (lower[None, :] < upper[:, None])
        np.fill_diagonal(together, False)
        sizes = [b.size for b in buffers]
        return cls(
            sizes,
            [_aligned(size, alignment) for size in sizes],
            [np.flatnonzero(row).tolist() for row in together],
        )

    def peak(self, offsets: Iterable[int]) -> int:
        spans = zip(offsets, self.sizes, strict=True)
        return max((offset + size for offset, size in spans if size), default=0)


@dataclass(frozen=True)
class _Candidate:
    peak: int
    offsets: list[int]
    order: list[int]
    fit: str


def _orders(buffers: Sequence[Buffer], problem: _Problem) -> list[list[int]]:
    """Different orders worth trying, the usually best first; ties go by position."""
    span = [b.upper - b.lower for b in buffers]
    crowd = [sum(problem.padded[j] for j in row) for row in problem.conflicts]
    keys: list[Callable[[int], tuple[int, ...]]] = [
        lambda i: (-problem.padded[i], -span[i]),
        lambda i: (-problem.padded[i] * span[i],),
        lambda i: (-crowd[i] - problem.padded[i], -problem.padded[i]),
        lambda i: (-span[i], -problem.padded[i]),
        lambda i: (buffers[i].lower, -problem.padded[i]),
        lambda i: (-buffers[i].upper, -problem.padded[i]),
        lambda i: (-len(problem.conflicts[i]), -problem.padded[i]),
    ]
    count = range(len(buffers))
    orders = [sorted(count, key=lambda i, key=key: (*key(i), i)) for key in keys]
    return list({tuple(order): order for order in orders}.values())


def _place(problem: _Problem, order: Sequence[int], fit: str, ceiling: int) -> list[int]:
    """Offsets when buffers are placed one after another.

    Each goes into a gap between those that are live with it and already placed, or above them all:
    the lowest gap, the tightest, or (ends) by turns the bottom of the lowest and the top of the
    highest gap below the ceiling. By turns a chain of layers reaches the bound.
    """
    offsets = [-1] * len(order)
    for turn, i in enumerate(order):
        need = problem.padded[i]
        if not need:
            offsets[i] = 0  # no bytes: inside any memory
            continue
        taken = sorted(
            (offsets[j], offsets[j] + problem.padded[j])
            for j in problem.conflicts[i]
            if offsets[j] >= 0 and problem.padded[j]
        )
        level, gaps = 0, []
        for first, end in taken:
            if first - level >= need:
                gaps.append((first - level, level))
            level = max(level, end)
        if ceiling - level >= need and fit == "ends":
            gaps.append((ceiling - level, level))
        if not gaps:
            offsets[i] = level
        elif fit == "tightest":
            offsets[i] = min(gaps)[1]
        elif fit == "ends" and turn % 2:
            offsets[i] = sum(gaps[-1]) - need
        else:
            offsets[i] = gaps[0][1]
    return offsets


def _improve(
    problem: _Problem, best: _Candidate, ceiling: int, enough: int, effort: int
) -> _Candidate:
    """Move the buffers that reach the peak (or those live with them) forward in the order.

    A move that does not raise the peak is kept, since the next one may gain from it. Positions come
    from a fixed generator: the same buffers always give the same packing.
    """
    current = best
    draw = np.random.default_rng(len(best.order))
    for _ in range(effort):
        if best.peak <= enough:
            break
        ends = [o + s if s else 0 for o, s in zip(current.offsets, problem.sizes, strict=True)]
        top = [i for i in current.order if ends[i] == current.peak]
        moved = top[int(draw.integers(len(top)))]
        rivals = [j for j in problem.conflicts[moved] if problem.sizes[j]]
        if rivals and draw.random() < 0.5:
            moved = rivals[int(draw.integers(len(rivals)))]
        place = current.order.index(moved)
        order = [*current.order[:place], *current.order[place + 1 :]]
        order.insert(int(draw.integers(place + 1)), moved)
        offsets = _place(problem, order, current.fit, ceiling)
        peak = problem.peak(offsets)
        if peak <= current.peak:
            current = _Candidate(peak, offsets, order, current.fit)
        if peak < best.peak:
            best = current
    return best
