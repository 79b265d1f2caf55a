"""A run written down: what it did to lanes and memory, in order, to be done again on other data.

Control, scalars and addresses of a program depend on its words and on the scalars it loads from
memory, never on lanes. So a second run with the same loaded scalars does the same things: it plays
the first run's tape, in which every scalar is already known. A load that gives another scalar makes
the tape stale, and the run starts over from the streams.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from dojocc.runtime.engines.thread import LANES, Registers, Scalar, Thread, lanes_at

if TYPE_CHECKING:
    from dojocc.runtime.engines.counters import Counters

LONGEST = 50_000  # events; a run of more is not written down
Place = tuple[int, str, int]  # a lane register: the bank's id, kind, number


class Stale(Exception):
    """The tape is not what this run does."""


@dataclass(eq=False)
class Event:
    """One thing done. `again(live)` does it once more; of the lane registers `writes` only those in
    `live` are needed afterwards. `lasting`: it does more than write registers. `copied`: the bank
    from which it copies those that are needed.
    """

    again: Callable[[Registers], object]
    reads: set[Place] = field(default_factory=set)
    writes: set[Place] = field(default_factory=set)
    lasting: bool = True
    live: Registers = field(default_factory=set)
    copied: int | None = None


def places(thread: Thread, registers: Registers) -> set[Place]:
    """The lane registers among `registers` of a thread."""
    return {(id(thread.v), kind, number) for kind, number in registers if kind in LANES}


class Tape:
    """Events in the order they happened, and the lane registers they work on.

    `counters` is what the run counted, once it has ended with all its events written down.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.banks: dict[int, Thread] = {}
        self.counters: Counters | None = None

    def add(self, event: Event) -> None:
        if len(self.events) < LONGEST:
            self.events.append(event)

    def still(self, thread: Thread, used: Registers) -> Thread:
        """The thread with its scalars as they are, for good; its lanes stay shared."""
        still = copy.copy(thread)
        still.x, still.formats = list(thread.x), list(thread.formats)
        still.counters = list(thread.counters)
        still.a = [g.copy() if ("a", n) in used else g for n, g in enumerate(thread.a)]
        self.banks[id(thread.v)] = still
        return still

    def take(self, thread: Thread, where: np.ndarray, part: Thread) -> None:
        """`part` was taken from `thread`, with the lanes it has now."""
        whole, own = self.still(thread, set()), self.still(part, set())
        kept = {(name, number) for name in LANES for number in getattr(part, name)}

        def again(live: Registers) -> None:
            for name, number in live:
                getattr(own, name)[number] = lanes_at(getattr(whole, name)[number], where)

        self.add(Event(again, set(), places(own, kept), lasting=False, copied=id(whole.v)))

    def put(self, thread: Thread, where: np.ndarray, part: Thread, writes: Registers) -> None:
        """`part` was put back."""
        whole, own = self.still(thread, set()), self.still(part, set())
        reads = places(whole, writes) | places(own, writes)

        def again(live: Registers) -> None:
            whole.put_lanes(where, own, live)

        self.add(Event(again, reads, places(whole, writes), lasting=False))

    def expect(self, value: Scalar, load: Callable[[], Scalar]) -> None:
        """A scalar was loaded that may be another one in another run."""

        def again(_: Registers) -> None:
            if not np.array_equal(load(), value):
                raise Stale

        self.add(Event(again))

    def finish(self, counters: Counters) -> None:
        """The run ended: find the registers read after each event; drop what is for nothing."""
        if len(self.events) == LONGEST:
            self.events, self.banks = [], {}
            return
        self.counters = counters
        live: set[Place] = set()
        kept = []
        for event in reversed(self.events):
            event.live = {(kind, number) for _, kind, number in event.writes & live}
            if event.live or event.lasting:
                live = (live - event.writes) | event.reads
                if event.copied is not None:
                    live |= {(event.copied, kind, number) for kind, number in event.live}
                kept.append(event)
        self.events = kept[::-1]

    def play(self) -> None:
        """Do it all again; raises Stale when a loaded scalar differs."""
        for thread in self.banks.values():
            for name in LANES:
                getattr(thread, name).clear()
        for event in self.events:
            event.again(event.live)
