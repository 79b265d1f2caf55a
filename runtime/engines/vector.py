"""The vector engine (default): all nodes of a class at once, and all iterations of a nest where
provable.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dojocc.runtime.engines.access import Access, codes
from dojocc.runtime.engines.carried import as_it_runs, of_loop, of_op
from dojocc.runtime.engines.core import Core
from dojocc.runtime.engines.counters import Counters
from dojocc.runtime.engines.lift import Nest, NotLiftable, Script, lanes_inside
from dojocc.runtime.engines.loads import outside_loops
from dojocc.runtime.engines.machine import Machine
from dojocc.runtime.engines.reference import Reference
from dojocc.runtime.engines.tape import Event, places
from dojocc.runtime.engines.thread import LANES, Registers, Thread
from dojocc.runtime.engines.tree import Loop, Op


class Vector(Core):
    """`exact` keeps the machine's order of FP32 additions; otherwise the BLAS chooses it."""

    shares_rows = True

    def __init__(self, machine: Machine, counters: Counters, exact: bool) -> None:
        super().__init__(machine, counters)
        self.exact = exact
        self.footprints = machine.footprints
        self.by_bytes = Reference(machine, counters)

    def whole(self, loop: Loop, thread: Thread, counts: dict) -> bool:
        still = None if self.tape is None else self.tape.still(thread, of_loop(loop).exposed)
        nest = Nest(self, thread, counts)
        try:
            nest.run(loop)
        except NotLiftable as reason:
            self.counters.refused(str(reason))
            return False
        self.counters.lifted(nest.pending, len(thread.nodes))
        if self.tape is not None and still is not None:
            reads = places(still, as_it_runs(loop, counts).exposed)
            writes = places(still, set(nest.slots))

            repeat, proof = nest.repeat, nest.proof

            def again(live: Registers) -> None:
                other = Nest(self, still, counts, nest.script)
                if live or not repeat.able:
                    other.run(loop, live)
                    return
                other.proof = proof
                repeat.run(other)

            self.tape.add(Event(again, reads, writes))
        return True

    def memory(self, op: Op, thread: Thread) -> None:
        uses = of_op(op)
        still = None if self.tape is None else self.tape.still(thread, uses.exposed)
        script = self.one(op, thread, None)
        if self.tape is not None and still is not None:
            reads, writes = places(still, uses.exposed), places(still, uses.writes)
            lasting = op.access.indexed or op.access.kind == "store"
            self.tape.add(Event(lambda _: self.one(op, still, script), reads, writes, lasting))

    def one(self, op: Op, thread: Thread, script: Script | None) -> Script:
        """A memory instruction by itself."""
        if op.access.indexed and op.access.kind == "store":
            self.scatter(op, thread)
            return {}
        nest = Nest(self, thread, {}, script)
        nest.op(op)
        nest.settle_all()
        return nest.script

    def lasting_scalar(self, op: Op, thread: Thread) -> bool:
        low, high = self.word(op, thread).where()
        return self.machine.memory[thread.cls].fixed(low, high) is not None

    def word(self, op: Op, thread: Thread) -> Access:
        """What `ldx` reads."""
        place = outside_loops(op, thread)
        base = place.base + 4 * int(op.fields["n"])
        return replace(place, base=base, elements=1, item=4, bounds=None)

    def scatter(self, op: Op, thread: Thread) -> None:
        """vsca: lane after lane, so that of two lanes with one index the higher wins."""
        for kind, number in of_op(op).exposed:
            if kind in LANES and len(found := getattr(thread, kind).get(number, "")) == 1:
                shape = (len(thread.nodes), *found.shape[1:])
                getattr(thread, kind)[number] = np.broadcast_to(found, shape)
        self.by_bytes.indexed(op, thread)

    def scalar_load(self, op: Op, thread: Thread) -> np.ndarray:
        found = codes(self.machine.memory[thread.cls], thread.nodes, self.word(op, thread))
        return found.reshape(-1).view(np.int32).astype(np.int64)

    def in_bounds(self, op: Op, thread: Thread) -> np.ndarray:
        mask = lanes_inside(outside_loops(op, thread))
        return np.array(np.broadcast_to(mask, (len(thread.nodes), 16)))
