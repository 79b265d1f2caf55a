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
from dojocc.runtime.timing.issue import executed, nest_cycles

QUICK_UNITS = ("scalar", "address", "control")


class TimingCore(Core):
    """`clock[cls][node, thread]` is when each thread of each node is through with what it has
    done so far.
    """

    def __init__(self, machine: Machine, counters: Counters) -> None:
        super().__init__(machine, counters)
        classes = machine.program.classes
        self.clock = [np.zeros((len(c.nodes), 4)) for c in classes]
        self.busy = [np.zeros((len(c.nodes), 4)) for c in classes]
        self.by_bytes = Reference(machine, counters)
        self.known: dict[tuple, int] = {}
        self.by_mark: dict[int, float] = {}

    def spend(self, thread: Thread, cycles: float) -> None:
        """The thread works for `cycles`."""
        before = self.clock[thread.cls][:, thread.number].max()
        self.clock[thread.cls][thread.nodes, thread.number] += cycles
        self.busy[thread.cls][thread.nodes, thread.number] += cycles
        if thread.number == 0:
            self.charge(thread, self.clock[thread.cls][:, 0].max() - before)

    def charge(self, thread: Thread, cycles: float) -> None:
        """Book progress of the latest node of thread 0 on the current mark."""
        self.by_mark[thread.mark] = self.by_mark.get(thread.mark, 0.0) + float(cycles)

    def reach(self, thread: Thread, when: np.ndarray) -> None:
        """The thread waits until `when` [nodes]."""
        clock = self.clock[thread.cls]
        before = clock[:, thread.number].max()
        clock[thread.nodes, thread.number] = np.maximum(clock[thread.nodes, thread.number], when)
        if thread.number == 0:
            self.charge(thread, clock[:, 0].max() - before)

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
            self.known[key] = nest_cycles(loop, self.machine.program.target, counts)
        self.counters.lifted(executed(loop, counts), len(thread.nodes))
        self.spend(thread, self.known[key])
        return True

    def scalar_load(self, op: Op, thread: Thread) -> np.ndarray:
        return self.by_bytes.scalar_load(op, thread)
