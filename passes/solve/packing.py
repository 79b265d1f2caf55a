"""SRAM packing: an offset for every buffer so that buffers live at the same time do not overlap.

Plain data in and out. `pack` divides the problem, tries quick greedy placements
(packing_greedy.py) and, where they stay above what is wanted, searches (packing_search.py).
`lower_bound` says how low any packing could be; packing_check.py judges a result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dojocc.passes.solve.packing_greedy import Problem, placements
from dojocc.passes.solve.packing_search import search

ALIGNMENT = 64
EFFORT = 60_000
"""Decisions of the search at most; one takes 0.2 to 1 ms for some hundred buffers."""
TRIES = 8
"""A search for less than what was found, but more than what could not be found, takes one of so
many parts of the effort."""
CLOSE = 0.002
"""Nothing is searched for between two peaks that differ by no more than this share."""

Numbers = NDArray[np.int64]


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
    """Offsets in the order of the buffers, the bytes they reach up to, and the bound for that.

    `refuted`: the search was complete and found no packing within that many bytes, 0 if it never
    was. `nodes`: decisions made in searching; 0 where greedy placement was good enough.
    """

    offsets: tuple[int, ...]
    peak: int
    lower_bound: int
    refuted: int = 0
    nodes: int = 0

    @property
    def gap(self) -> float:
        """How far the peak is above the bound, relative to it."""
        return self.peak / self.lower_bound - 1 if self.lower_bound else 0.0


def pack(
    buffers: Sequence[Buffer],
    alignment: int = ALIGNMENT,
    capacity: int | None = None,
    effort: int = EFFORT,
    stop: Callable[[], bool] = lambda: False,
) -> Packing:
    """The lowest packing found by at most `effort` decisions; stops at the bound or `capacity`.

    The result is the same for the same buffers, unless `stop`, asked at every decision, ends the
    search. It may exceed `capacity`: compare `peak`. Above the bound no search is made.
    """
    lower = np.array([b.lower for b in buffers], np.int64)
    upper = np.array([b.upper for b in buffers], np.int64)
    size = np.array([b.size for b in buffers], np.int64)
    bound = lower_bound(buffers, alignment)
    hopeless = capacity is not None and bound > capacity
    enough = bound if capacity is None else max(bound, capacity)
    work = _Work(alignment, 0 if hopeless else effort, stop)
    offsets = np.zeros(len(buffers), np.int64)
    for part in _parts(lower, upper, size, alignment):
        which = part.buffers
        found = _solve(work, lower[which], upper[which], size[which], enough - part.base, part.base)
        offsets[which] = part.base + found
    peak = int((offsets + size)[size > 0].max(initial=0))
    return Packing(tuple(offsets.tolist()), peak, bound, work.refuted, work.nodes)


def lower_bound(buffers: Sequence[Buffer], alignment: int = ALIGNMENT) -> int:
    """No packing is lower: buffers live together are stacked, all but the top one padded."""
    lower = np.array([b.lower for b in buffers], np.int64)
    upper = np.array([b.upper for b in buffers], np.int64)
    size = np.array([b.size for b in buffers], np.int64)
    padded = _aligned(size, alignment)
    bound = 0
    for moment in np.unique(lower):
        live = (lower <= moment) & (moment < upper)
        slack = (padded - size)[live].max()
        bound = max(bound, int(padded[live].sum() - slack))
    return bound


@dataclass
class _Work:
    """What the search may still do, and what it found out."""

    alignment: int
    effort: int
    stop: Callable[[], bool]
    nodes: int = 0
    refuted: int = 0

    def goes_on(self) -> bool:
        """True while effort is left and nobody says stop."""
        return self.nodes < self.effort and not self.stop()

    def search(
        self, lower: Numbers, upper: Numbers, size: Numbers, capacity: int, effort: int
    ) -> tuple[Numbers | None, bool]:
        """Offsets within the capacity, or None; and whether there are none for sure."""
        effort = max(1, min(effort, self.effort - self.nodes))
        answer = search(lower, upper, size, capacity, self.alignment, effort, self.stop)
        self.nodes += answer.nodes
        found = None if answer.offsets is None else np.array(answer.offsets, np.int64)
        return found, answer.complete


@dataclass(frozen=True)
class _Part:
    """Buffers that are packed by themselves, above `base`."""

    buffers: Numbers
    base: int


def _parts(lower: Numbers, upper: Numbers, size: Numbers, alignment: int) -> list[_Part]:
    """Divide a problem: times without a buffer in common are apart; what is live with everything
    else may as well lie below everything else. Empty buffers are left out."""
    parts: list[_Part] = []
    todo = [_Part(np.flatnonzero(size), 0)]
    while todo:
        part = todo.pop()
        for group in _apart(part.buffers, lower, upper):
            always = (lower[group] < upper[group].min()) & (upper[group] > lower[group].max())
            always &= size[group] % alignment == 0
            base = part.base
            for buffer in group[always]:
                parts.append(_Part(np.array([buffer]), base))
                base += int(size[buffer])
            if always.any():
                todo.append(_Part(group[~always], base))
            else:
                parts.append(_Part(group, base))
    return parts


def _apart(which: Numbers, lower: Numbers, upper: Numbers) -> list[Numbers]:
    """Groups of buffers that are never live together with one of another group."""
    if not len(which):
        return []
    which = which[np.argsort(lower[which], kind="stable")]
    ends = np.maximum.accumulate(upper[which])
    cuts = np.flatnonzero(lower[which[1:]] >= ends[:-1]) + 1
    return [np.sort(group) for group in np.split(which, cuts)]


def _solve(
    work: _Work, lower: Numbers, upper: Numbers, size: Numbers, enough: int, base: int
) -> Numbers:
    """Offsets of one part, no higher than `enough` if that is found."""
    problem = Problem.of(lower, upper, size, work.alignment)
    found = _placed(problem, enough, int(_aligned(enough, work.alignment)))
    best = int((found + size).max())
    # Half the effort goes to what is wanted, the rest to halving what is then still between.
    too_low, target, effort = -1, enough, work.effort // 2
    least = max(work.alignment, int(enough * CLOSE))
    while best > enough and best - too_low > least and work.goes_on():
        better, none = work.search(lower, upper, size, target, effort)
        if better is not None:
            found, best = better, int((better + size).max())
        else:
            too_low = target
            work.refuted = max(work.refuted, base + target if none else 0)
        target, effort = (too_low + best) // 2, work.effort // TRIES
    return found


def _placed(problem: Problem, enough: int, ceiling: int) -> Numbers:
    """The lowest of the greedy placements; the first that is low enough."""
    lowest: tuple[int, list[int]] | None = None
    for offsets in placements(problem, ceiling):
        peak = problem.peak(offsets)
        if lowest is None or peak < lowest[0]:
            lowest = peak, offsets
        if peak <= enough:
            break
    assert lowest is not None, "a part has buffers"
    return np.array(lowest[1], np.int64)


def _aligned(size: Numbers | int, alignment: int) -> Numbers:
    return -(-np.asarray(size) // alignment) * alignment
