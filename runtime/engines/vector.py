"""The vector engine (default): all nodes of a class at once, and all iterations of a nest where
provable.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dojocc.runtime.engines.access import codes
from dojocc.runtime.engines.core import Core
from dojocc.runtime.engines.counters import Counters
from dojocc.runtime.engines.lift import Nest, NotLiftable, lanes_inside
from dojocc.runtime.engines.loads import outside_loops
from dojocc.runtime.engines.machine import Machine
from dojocc.runtime.engines.reference import Reference
from dojocc.runtime.engines.thread import Thread
from dojocc.runtime.engines.tree import Loop, Op


class Vector(Core):
    """`exact` keeps the machine's order of FP32 additions; otherwise the BLAS chooses it."""

    def __init__(self, machine: Machine, counters: Counters, exact: bool) -> None:
        super().__init__(machine, counters)
        self.exact = exact
        self.footprints = machine.footprints
        self.by_bytes = Reference(machine, counters)

    def whole(self, loop: Loop, thread: Thread, counts: dict) -> bool:
        try:
            Nest(self, thread, counts).run(loop)
        except NotLiftable as reason:
            self.counters.refused(str(reason))
            return False
        return True

    def memory(self, op: Op, thread: Thread) -> None:
        if op.access.indexed and op.access.kind == "store":
            self.scatter(op, thread)
            return
        nest = Nest(self, thread, {})
        nest.op(op)
        for (kind, number), slot in nest.slots.items():
            nest.settle(kind, number, slot)

    def scatter(self, op: Op, thread: Thread) -> None:
        """vsca: lane after lane, so that of two lanes with one index the higher wins."""
        self.by_bytes.indexed(op, thread)

    def scalar_load(self, op: Op, thread: Thread) -> np.ndarray:
        place = outside_loops(op, thread)
        word = replace(
            place, base=place.base + 4 * int(op.fields["n"]), elements=1, item=4, bounds=None
        )
        return (
            codes(self.machine.memory[thread.cls], thread.nodes, word)
            .reshape(-1)
            .view(np.int32)
            .astype(np.int64)
        )

    def in_bounds(self, op: Op, thread: Thread) -> np.ndarray:
        mask = lanes_inside(outside_loops(op, thread))
        return np.array(np.broadcast_to(mask, (len(thread.nodes), 16)))
