"""Walks the streams for time alone: scalars and addresses are computed, lanes and memory are
not.
"""

from __future__ import annotations

import numpy as np

from dojocc.runtime.engines.core import Core
from dojocc.runtime.engines.counters import Counters
from dojocc.runtime.engines.machine import Machine
from dojocc.runtime.engines.reference import Reference
from dojocc.runtime.engines.thread import Thread
from dojocc.runtime.engines.tree import Loop, Op
from dojocc.runtime.timing.issue import executed, nest_cycles, nest_shares
from dojocc.runtime.timing.record import RUN, WAIT, Cause, Record, Span
from dojocc.runtime.timing.units import SharedUnits, unit_users

QUICK_UNITS = ("scalar", "address", "control")


class TimingCore(Core):
    """`clock[cls][node, thread]` is when each thread of each node is through with what it has
    done so far; `busy` of it was spent on instructions, `waited` on posts and barriers.
    """

    def __init__(self, machine: Machine, counters: Counters) -> None:
        super().__init__(machine, counters)
        classes = machine.program.classes
        self.clock = [np.zeros((len(c.nodes), 4)) for c in classes]
        self.busy = [np.zeros((len(c.nodes), 4)) for c in classes]
        self.waited = [np.zeros((len(c.nodes), 4)) for c in classes]
        self.record = Record()
        self.by_bytes = Reference(machine, counters)
        self.known: dict[tuple, tuple[int, dict[str, float]]] = {}
        self.units = SharedUnits(unit_users(machine.trees))

    def spend(self, thread: Thread, cycles: float | np.ndarray) -> None:
        """The thread works for `cycles`."""
        clock = self.clock[thread.cls][:, thread.number]
        before = float(clock.max())
        clock[thread.nodes] += cycles
        self.busy[thread.cls][thread.nodes, thread.number] += cycles
        self.note(thread, RUN, before, float(clock.max()))

    def reach(self, thread: Thread, when: np.ndarray, cause: Cause | None) -> None:
        """The thread waits until `when` [nodes], which `cause` ends for the latest."""
        clock = self.clock[thread.cls][:, thread.number]
        before = float(clock.max())
        waits = np.maximum(when - clock[thread.nodes], 0.0)
        self.waited[thread.cls][thread.nodes, thread.number] += waits
        clock[thread.nodes] += waits
        self.note(thread, WAIT, before, float(clock.max()), cause)

    def note(
        self, thread: Thread, kind: str, start: float, end: float, cause: Cause | None = None
    ) -> None:
        """Record what the latest node did."""
        if end > start:
            span = Span(thread.cls, thread.number, kind, thread.mark, start, end, cause)
            self.record.add(span)

    def op(self, op: Op, thread: Thread) -> None:
        quick = op.row.unit in QUICK_UNITS or op.name == "ldx"
        if quick and op.name != "pinb":
            super().op(op, thread)
        else:
            self.tally(op.name, thread)
        self.spend(thread, max(op.row.issue, op.row.latency if op.name == "ldx" else 1))

    def whole(self, loop: Loop, thread: Thread, counts: dict) -> bool:
        key = (thread.cls, loop.word, tuple(int(count) for count in counts.values()))
        if key not in self.known:
            target = self.machine.program.target
            cycles = nest_cycles(loop, target, counts)
            self.known[key] = (cycles, nest_shares(loop, target, counts, cycles))
        self.counters.lifted(executed(loop, counts), len(thread.nodes))
        if not self.units.shared(thread.cls):
            self.spend(thread, self.known[key][0])
            return True
        clock = self.clock[thread.cls]
        end = self.units.run(thread.cls, thread.number, thread.nodes, clock, self.known[key])
        self.spend(thread, end - clock[thread.nodes, thread.number])
        return True

    def scalar_load(self, op: Op, thread: Thread) -> np.ndarray:
        return self.by_bytes.scalar_load(op, thread)
