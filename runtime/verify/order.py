"""What comes surely before what: every access to memory as an event with two clocks.

`acquire[t]` is the position of thread t of the memory's node that is surely passed when the event
begins, `release[t]` the first position of thread t at which the event is surely over. Event b comes
before event a when release b <= acquire a for some thread.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dojocc.runtime.program import NO_SEMAPHORE
from dojocc.runtime.verify.clocks import NEVER, THREADS, Started
from dojocc.runtime.verify.lists import entries_of
from dojocc.runtime.verify.sync import Walk

NOTHING, IMAGE, INPUT = range(3)
"""Events that every memory starts with."""


@dataclass(frozen=True)
class Event:
    """Who touches memory: a step (class, thread, position), a list's transfers, or a buffer's
    beginning or end (`step` None); `undefined` when it leaves nothing to read, `writes` for what
    transfers write. `parts` are the events, by number, for which one stands: over when all are."""

    what: str
    step: tuple[int, int, int] | None = None
    undefined: bool = False
    writes: bool = False
    parts: tuple[int, ...] = ()


@dataclass(eq=False)
class Events:
    """Events by number; `release` [events, threads]."""

    items: list[Event] = field(default_factory=list)
    rows: list[np.ndarray] = field(default_factory=list)
    table: np.ndarray = field(default_factory=lambda: np.zeros((0, THREADS), np.int64))
    filled: int = 0

    def add(self, event: Event, release: np.ndarray) -> int:
        self.items.append(event)
        self.rows.append(release)
        return len(self.items) - 1

    @property
    def release(self) -> np.ndarray:
        size = len(self.rows)
        if size > len(self.table):
            room = np.zeros((2 * size, THREADS), np.int64)
            room[: self.filled] = self.table[: self.filled]
            self.table = room
        if size > self.filled:
            self.table[self.filled : size] = self.rows[self.filled :]
            self.filled = size
        return self.table[:size]

    def before(self, acquire: np.ndarray, start: int = 0) -> np.ndarray:
        """[events from `start` on]: which are surely over."""
        return np.asarray((self.release[start:] <= acquire).any(1))

    def leaves(self, number: int) -> set[int]:
        """The events for which one stands, or itself."""
        parts = self.items[number].parts
        return set[int]().union(*map(self.leaves, parts)) if parts else {number}

    def defined(self) -> np.ndarray:
        return np.array([not item.undefined for item in self.items])


class Order:
    """Clocks of positions and transfers, from a finished walk."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.own = [[steady(table) for table in each] for each in walk.learned_own]
        self.all = [[steady(table) for table in each] for each in walk.learned_all]
        for each in self.own:
            for thread, table in enumerate(each):
                table[:, thread] = np.arange(len(table))

    def first_knowing(self, cls: int, thread: int, position: int) -> np.ndarray:
        """By thread of a node, the first position that surely follows `position` of `thread`."""
        found = [first(table[:, thread], position) for table in self.own[cls]]
        return np.array(found, np.int64)

    def first_knowing_all(self, cls: int, other: int, thread: int, position: int) -> np.ndarray:
        """The same for `position` of `thread` of every node of class `other`."""
        found = [first(table[:, other, thread], position) for table in self.all[cls]]
        return np.array(found, np.int64)

    def of_step(self, cls: int, thread: int, position: int) -> tuple[np.ndarray, np.ndarray]:
        """(acquire, release) of an access of a thread."""
        release = self.first_knowing(cls, thread, position + 1)
        return self.own[cls][thread][position], release

    def of_transfer(
        self, started: Started, memory: int, at_home: bool, alone: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """(acquire, release) of a list's transfers on class `memory`: on the nodes that started it,
        or on its peers (`alone`: each is its own peer)."""
        cls, thread, position = started.place
        if at_home or alone:
            acquire = self.own[cls][thread][position]
        else:
            acquire = np.asarray(started.known[memory], np.int64)
        release = np.full(THREADS, NEVER, np.int64)
        home = self.end(started, cls, False)
        if home is not None:
            here = at_home or alone
            known = self.first_knowing(cls, *home) if here else None
            if known is None:
                known = self.first_knowing_all(memory, cls, *home)
            release = np.minimum(release, known)
        for other in started.far:
            far = self.end(started, other, True)
            if far is None:
                continue
            if (not at_home or alone) and other == memory:
                release = np.minimum(release, self.first_knowing(memory, *far))
            elif at_home and len(started.far) == 1:
                release = np.minimum(release, self.first_knowing_all(memory, other, *far))
        return acquire, release

    def end(self, started: Started, cls: int, far: bool) -> tuple[int, int] | None:
        """Where the transfers that raise the far (or home) semaphore are surely over."""
        left = started.left.get((cls, far))
        if left is None or left.any():
            return None
        name = "far_sem" if far else "home_sem"
        entries = entries_of(self.walk.program, started.number, started.place[0])
        if (entries[name] == NO_SEMAPHORE).any():
            return None
        return started.far.get(cls) if far else started.home


def steady(table: np.ndarray) -> np.ndarray:
    """What is known at every position: positions without an entry know what the last one did."""
    known = np.where(table == NEVER, 0, table)
    return np.maximum.accumulate(known, axis=0) if len(known) else known


def first(known: np.ndarray, position: int) -> int:
    """The first place in a rising row that is at least `position`, or never."""
    place = int(np.searchsorted(known, position))
    return place if place < len(known) else NEVER
