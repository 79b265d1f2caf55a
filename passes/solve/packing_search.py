"""Does a set of buffers fit in so many bytes? Depth-first search with restarts that learn.

Time is cut into columns, one for each maximal set of buffers live together. Every column has a
floor, below which everything is decided. A pit is a run of columns at one level between higher
floors; at each of its columns either some buffer starts at that level or none does, and then the
floor rises to the lowest place any of its buffers can still have. Pits do not see each other, so
the column with the fewest choices is decided first wherever it is. Buffers that fail weigh more.

Idea of canonical placements and sections: M. D. Moffitt, "MiniMalloc: A Lightweight Memory
Allocator for Hardware-Accelerated Machine Learning", ASPLOS 2023; choice by options over learnt
weight: F. Boussemart et al., "Boosting systematic search by weighting constraints", ECAI 2004.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
NEVER = np.int64(1) << 60
"""Above every address."""
FIRST_RUN = 2.0
"""Decisions of the first runs, by buffer: a run without a wrong turn takes one each."""
GROWTH = 1.2
"""The same for the runs of the next round, relative to the last."""
NOISE = (0.0, 0.3, 1.0, 0.1)
"""How much chance there is in the order of a round's buffers."""


@dataclass(frozen=True)
class Answer:
    """Offsets in the order of the buffers, or None; `complete` when no packing can fit. `nodes`
    decisions were made."""

    offsets: list[int] | None
    complete: bool
    nodes: int


class _Component(NamedTuple):
    """Columns [first, last) whose open buffers are live with no open buffer outside; these are
    among the buffers [low, high). `parent` is the decision that cut it off."""

    first: int
    last: int
    low: int
    high: int
    parent: int


@dataclass(frozen=True)
class _Instance:
    """What does not change. Buffers are sorted by their first column."""

    first: Numbers
    last: Numbers
    size: Numbers
    top: Numbers  # the highest offset of each
    members: Numbers  # by column, its buffers, filled up with the number of buffers
    conflicts: NDArray[np.bool_]
    room: Numbers  # by column, what the capacity leaves above its buffers
    twins: list[Numbers]  # the others of the same columns, with as much padding
    width: Numbers  # lifetimes
    reach: int  # doublings up to the longest run of columns
    left: Numbers  # places in the table of range maxima
    right: Numbers


@dataclass
class _State:
    """Floors and rooms by column; by buffer the lowest offset, and whether it is open."""

    floor: Numbers
    room: Numbers
    low: Numbers
    free: NDArray[np.bool_]

    def copy(self) -> _State:
        return _State(self.floor.copy(), self.room.copy(), self.low.copy(), self.free.copy())


@dataclass
class _Frame:
    """A decision: `buffer` was put at its lowest place in `component`; `state` is from before."""

    state: _State
    component: _Component
    agenda: tuple[_Component, ...]
    buffer: int


class _Learnt:
    """Weights by buffer, over all runs, and room for the table of range maxima."""

    def __init__(self, instance: _Instance) -> None:
        count, columns = len(instance.size), len(instance.room)
        self.weight = np.append(np.ones(count), 0.0)
        self.table = np.zeros((instance.reach + 1, columns), np.int64)
        self.placed = np.full(count + 1, NEVER)
        self.random = np.random.default_rng(count)


def search(
    lower: Numbers,
    upper: Numbers,
    size: Numbers,
    capacity: int,
    alignment: int,
    nodes: int,
    stop: Callable[[], bool] = lambda: False,
) -> Answer:
    """Offsets, multiples of `alignment`, with no buffer's end above `capacity` bytes.

    The same arguments give the same answer, unless `stop`, asked at every decision, ends it.
    """
    instance, order = _instance(lower, upper, size, capacity, alignment)
    learnt = _Learnt(instance)
    spent = run = 0
    while spent < nodes and not stop():
        rank = _rank(instance, learnt, run)
        limit = int(FIRST_RUN * len(size) * GROWTH ** (run // 3)) + 1
        answer = _run(instance, learnt, rank, min(limit, nodes - spent), stop)
        spent += answer.nodes
        run += 1
        if answer.offsets is not None:
            offsets = np.empty(len(size), np.int64)
            offsets[order] = answer.offsets
            return Answer(offsets.tolist(), False, spent)
        if answer.complete:
            return Answer(None, True, spent)
    return Answer(None, False, spent)


def columns_of(lower: Numbers, upper: Numbers) -> Numbers:
    """Times of the maximal sets of buffers live together: starts that an end follows first."""
    times = np.concatenate([lower, upper])
    starts = np.concatenate([np.ones(len(lower), bool), np.zeros(len(upper), bool)])
    order = np.lexsort((starts, times))  # at one time ends come first
    times, starts = times[order], starts[order]
    return times[:-1][starts[:-1] & ~starts[1:]]


def _instance(
    lower: Numbers, upper: Numbers, size: Numbers, capacity: int, alignment: int
) -> tuple[_Instance, Numbers]:
    times = columns_of(lower, upper)
    order = np.lexsort((upper, lower))
    lower, upper, exact = lower[order], upper[order], size[order]
    padded = -(-exact // alignment) * alignment
    first = np.searchsorted(times, lower).astype(np.int64)
    last = np.searchsorted(times, upper).astype(np.int64)
    columns = np.arange(len(times))[:, None]
    covers = (first <= columns) & (columns < last)
    depth = int(covers.sum(1).max())
    members = np.full((len(times), depth), len(size), np.int64)
    for column, row in enumerate(covers):
        found = np.flatnonzero(row)
        members[column, : len(found)] = found
    conflicts = (first[:, None] < last) & (first < last[:, None])
    np.fill_diagonal(conflicts, False)
    alike = np.stack([first, last, padded - exact], 1)
    same = (alike[:, None] == alike).all(2)
    np.fill_diagonal(same, False)
    twins = [np.flatnonzero(row) for row in same]
    level = np.array([int(n).bit_length() - 1 for n in last - first], np.int64)
    room = -(-capacity // alignment) * alignment - covers @ padded
    top = (capacity - exact) // alignment * alignment
    left = level * len(times) + first
    right = level * len(times) + last - (1 << level)
    instance = _Instance(
        *(first, last, padded, top, members, conflicts, room, twins),
        *(upper - lower, int(level.max()), left, right),
    )
    return instance, order


def _rank(instance: _Instance, learnt: _Learnt, run: int) -> Numbers:
    """By buffer a number of its own; the highest goes first where several can: the longest, the
    largest, the heaviest by turns, with some chance from the second round on."""
    by_turns = (
        instance.width,
        instance.size,
        learnt.weight[:-1] * (instance.last - instance.first),
    )
    noise = 1 + NOISE[run // 3 % len(NOISE)] * learnt.random.random(len(instance.size))
    order = np.argsort(-by_turns[run % 3] * noise, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order), 0, -1)
    return rank


def _run(
    instance: _Instance,
    learnt: _Learnt,
    rank: Numbers,
    limit: int,
    stop: Callable[[], bool],
) -> Answer:
    """One descent, with at most `limit` decisions."""
    count = len(instance.size)
    state = _State(
        np.zeros(len(instance.room), np.int64),
        instance.room.copy(),
        np.zeros(count, np.int64),
        np.ones(count, bool),
    )
    whole = _Component(0, len(instance.room), 0, count, -1)
    if _settle(instance, learnt, state, whole) is None:
        return Answer(None, True, 1)
    agenda = tuple(_split(instance, state, whole, -1))
    frames: list[_Frame] = []
    for node in range(1, limit + 1):
        if not agenda:
            return Answer(state.low.tolist(), False, node)
        if stop():
            return Answer(None, False, node)
        component, agenda = agenda[-1], agenda[:-1]
        lowest = _settle(instance, learnt, state, component)
        assert lowest is not None, "a settled state stays settled"
        buffer = _choose(instance, learnt, state, component, lowest, rank)
        frames.append(_Frame(state.copy(), component, agenda, buffer))
        fine = not _swapped(instance, state, rank, buffer)
        _put(instance, state, buffer)
        if fine and _settle(instance, learnt, state, component) is not None:
            agenda += tuple(_split(instance, state, component, len(frames) - 1))
            continue
        back = _back(instance, learnt, frames)
        if back is None:
            return Answer(None, True, node)
        state, agenda = back
    return Answer(None, False, limit)


def _back(
    instance: _Instance, learnt: _Learnt, frames: list[_Frame]
) -> tuple[_State, tuple[_Component, ...]] | None:
    """The state after the last decision that can be taken back: its buffer is not there.

    Where that fails too, the component has no packing, and the decision that cut it off was wrong:
    whatever other components were decided since is not to blame.
    """
    while frames:
        frame = frames.pop()
        state, component = frame.state, frame.component
        if _bar(instance, state, frame.buffer):
            if _settle(instance, learnt, state, component) is not None:
                return state, (*frame.agenda, component)
        else:
            learnt.weight[frame.buffer] += 1
        if component.parent < 0:
            return None
        del frames[component.parent + 1 :]
    return None


def _swapped(instance: _Instance, state: _State, rank: Numbers, buffer: int) -> bool:
    """True where the buffer would lie right on one of the same columns that should lie on it."""
    twins = instance.twins[buffer]
    below = ~state.free[twins] & (state.low[twins] + instance.size[twins] == state.low[buffer])
    return bool((rank[twins[below]] < rank[buffer]).any())


def _put(instance: _Instance, state: _State, buffer: int) -> None:
    columns = slice(instance.first[buffer], instance.last[buffer])
    state.floor[columns] = state.low[buffer] + instance.size[buffer]
    state.room[columns] += instance.size[buffer]
    state.free[buffer] = False


def _bar(instance: _Instance, state: _State, buffer: int) -> bool:
    """Keep a buffer from its lowest place. It will then rest on another one: on the lowest top that
    any live with it has or can have."""
    tops = (state.low + instance.size)[instance.conflicts[buffer]]
    above = tops[tops > state.low[buffer]]
    if not len(above):
        return False
    state.low[buffer] = above.min()
    return bool(state.low[buffer] <= instance.top[buffer])


def _settle(
    instance: _Instance, learnt: _Learnt, state: _State, component: _Component
) -> Numbers | None:
    """Raise offsets to the floors below them and floors to the offsets above them, until nothing
    changes; None when something then reaches too high.

    Returns, by column of the component, the lowest offsets of its open buffers.
    """
    columns = slice(component.first, component.last)
    buffers = slice(component.low, component.high)
    floor, low, free = state.floor[columns], state.low[buffers], state.free[buffers]
    members = instance.members[columns]
    while True:
        support = _highest(instance, learnt, state, component)
        np.maximum(low, support, out=low, where=free)
        high = low > instance.top[buffers]
        if high.any():
            learnt.weight[component.low + int(high.argmax())] += 1
            return None
        learnt.placed[:-1] = np.where(state.free, state.low, NEVER)
        lowest = learnt.placed[members]
        level = lowest.min(1)
        if np.array_equal(level, floor):
            return lowest
        np.copyto(floor, level)
        high = (floor > state.room[columns]) & (floor < NEVER)
        if high.any():
            full = members[int(high.argmax())]
            blamed = full[learnt.placed[full] < NEVER]
            learnt.weight[blamed] += 1 / (full < len(state.free)).sum()
            return None


def _highest(instance: _Instance, learnt: _Learnt, state: _State, component: _Component) -> Numbers:
    """The highest floor below each buffer, from maxima over runs of 1, 2, 4... columns."""
    first, last = component.first, component.last
    table = learnt.table
    table[0, first:last] = state.floor[first:last]
    for level in range(1, instance.reach + 1):
        half, end = 1 << (level - 1), last - (1 << level) + 1
        if end <= first:
            break
        below = table[level - 1]
        np.maximum(below[first:end], below[first + half : end + half], out=table[level, first:end])
    buffers = slice(component.low, component.high)
    flat = table.reshape(-1)
    return np.maximum(flat[instance.left[buffers]], flat[instance.right[buffers]])


def _choose(
    instance: _Instance,
    learnt: _Learnt,
    state: _State,
    component: _Component,
    lowest: Numbers,
    rank: Numbers,
) -> int:
    """The buffer to put next: at the column of a pit with the fewest choices for its weight."""
    floor = state.floor[component.first : component.last]
    cuts = np.flatnonzero(floor[1:] != floor[:-1]) + 1
    starts = np.concatenate([[0], cuts])
    levels = np.concatenate([[NEVER], floor[starts], [NEVER]])
    pit = (levels[1:-1] < levels[:-2]) & (levels[1:-1] < levels[2:])
    columns = np.flatnonzero(np.repeat(pit, np.diff(np.append(starts, len(floor)))))
    here = lowest[columns] == floor[columns, None]
    members = instance.members[component.first + columns]
    choices = here.sum(1) + (floor[columns] < state.room[component.first + columns])
    weight = np.where(lowest[columns] < NEVER, learnt.weight[members], 0).sum(1)
    chosen = int((choices / weight).argmin())
    candidates = members[chosen][here[chosen]]
    return int(candidates[rank[candidates].argmax()])


def _split(
    instance: _Instance, state: _State, component: _Component, parent: int
) -> list[_Component]:
    """The parts of a component that no open buffer joins; the one to be done next stands last."""
    free = component.low + np.flatnonzero(state.free[component.low : component.high])
    if not len(free):
        return []
    ends = np.maximum.accumulate(instance.last[free])
    cuts = np.flatnonzero(instance.first[free[1:]] >= ends[:-1]) + 1
    starts = [0, *cuts.tolist(), len(free)]
    parts = [
        _Component(
            int(instance.first[free[start]]),
            int(ends[end - 1]),
            int(free[start]),
            int(free[end - 1]) + 1,
            parent,
        )
        for start, end in zip(starts[:-1], starts[1:], strict=True)
    ]
    return sorted(parts, key=lambda part: (part.low - part.high, part.first))
