"""Lifting: a whole loop nest run as array expressions, one per instruction.

Takes a thread at a loop whose trip counts all its nodes share; leaves registers, memory and
counters as the machine would, or says why not (`NotLiftable`) with nothing changed. Values carry
the axes (nodes, one per open loop, lanes); an axis along which a value does not change has length
1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from dojocc.runtime.engines.access import Access, lanes_inside
from dojocc.runtime.engines.blocks import block_product
from dojocc.runtime.engines.carried import all_loops, of_loop
from dojocc.runtime.engines.evaluate import arguments, lanes_as, masked, uniform
from dojocc.runtime.engines.fused import Pending, carry_out_all
from dojocc.runtime.engines.lazy import Last, Lazy, LiveIn, Product, Ref, deferred, whole
from dojocc.runtime.engines.loads import Load, descriptor, gather, load_values, store_values
from dojocc.runtime.engines.products import product_reduction
from dojocc.runtime.engines.proof import NotLiftable, Proof, access_of, prove
from dojocc.runtime.engines.reductions import fold
from dojocc.runtime.engines.repeat import Repeat
from dojocc.runtime.engines.thread import Registers, Thread
from dojocc.runtime.engines.tree import Block, Call, Loop, Op

if TYPE_CHECKING:
    from dojocc.runtime.engines.vector import Vector


TAILS = {"m": 2, "v": 1, "p": 1, "x": 0}  # axes of a register's value behind nodes and loops

Script = dict[tuple[tuple[str, int] | None, int], Any]


@dataclass(eq=False)
class Slot:
    """A register's value inside the nest: an array, or a load not yet carried out; `depth` open
    loops.
    """

    value: np.ndarray | Load | Lazy | Product | Last
    depth: int


def trip_counts(loop: Loop, thread: Thread) -> dict[Loop, int | np.ndarray]:
    """Trip count of every loop of the nest as things stand; arrays where nodes differ."""
    counts: dict[Loop, int | np.ndarray] = {}
    for inner in all_loops(loop):
        count = inner.trips(thread.x)
        counts[inner] = (
            np.maximum(count, 0) if isinstance(count, np.ndarray) else max(int(count), 0)
        )
    return counts


class Nest:
    """One attempt to run a loop nest at once, on `nodes` of the class that `memory` belongs to.

    `script`: what an earlier run with the same scalars found out, by stage (while running, or the
    register being written back) and the order in which it asked.
    """

    def __init__(
        self, engine: Vector, thread: Thread, counts: dict[Loop, int], script: Script | None = None
    ) -> None:
        self.engine = engine
        self.thread = thread
        self.memory = engine.machine.memory[thread.cls]
        self.nodes = thread.nodes
        self.counts = counts
        self.script: Script = {} if script is None else script
        self.known = script is not None
        self.stage: tuple[str, int] | None = None
        self.asked = 0
        self.path: list[Loop] = []
        self.slots: dict[tuple[str, int], Slot] = {}
        self.pending: dict[str, int] = {}
        self.products: dict[int, np.ndarray] = {}
        self.proof = Proof()
        self.stepping, self.flushing = 0, False
        self.queue: list[Pending] = []
        self.known_values: dict[int, np.ndarray] | None = None
        self.live_ins: dict[tuple[str, int], LiveIn] = {}
        self.repeat = Repeat()

    def once(self, find: Callable[..., Any], *given: Any) -> Any:
        """`find(*given)`, which depends on scalars alone: remembered for the next run, but while
        stores are carried out (what is asked then may depend on which nodes hold the same).
        """
        if self.flushing:
            return find(*given)
        self.asked += 1
        key = (self.stage, self.asked)
        if self.known:
            return self.script[key]
        found = self.script[key] = find(*given)
        return found

    def place(self, op: Op) -> Access:
        """The access of an instruction under the open loops."""
        return self.once(access_of, op, self.thread, tuple(self.path), self.counts)

    # -- values ------------------------------------------------------------------------------

    @property
    def depth(self) -> int:
        return len(self.path)

    def slot(self, kind: str, number: int, whole: Callable[[int], np.ndarray]) -> np.ndarray:
        """Value of a register with one axis per open loop; `whole(number)` [nodes, ...] if the nest
        has not set it.
        """
        slot = self.slots.get((kind, number))
        if slot is None:
            if kind != "x" and (kind, number) != ("p", 0):
                self.repeat.able = False
            value, depth = whole(number), 0
        else:
            value, depth = self.whole(kind, slot), slot.depth
        tail = TAILS[kind]
        missing = self.depth - depth
        if missing == 0:
            return value
        return value.reshape(
            *value.shape[: value.ndim - tail], *(1,) * missing, *value.shape[value.ndim - tail :]
        )

    def whole(self, kind: str, slot: Slot) -> np.ndarray:
        """A register's value, computed now if it is not yet."""
        if not isinstance(slot.value, np.ndarray):
            self.repeat.able &= self.known_values is not None
            slot.value = whole(self, Ref(slot.value, slot.depth, TAILS[kind]), self.known_values)
        return slot.value

    def ref(self, kind: str, number: int) -> Ref:
        """What a register holds, computed or not."""
        slot = self.slots.get((kind, number))
        if slot is not None:
            return Ref(slot.value, slot.depth, TAILS[kind])
        if (kind, number) == ("p", 0):
            return Ref(self.thread.predicate(0), 0)
        live_in = self.live_ins.setdefault((kind, number), LiveIn(kind, number))
        return Ref(live_in, 0, TAILS[kind])

    @property
    def defers(self) -> bool:
        """True while results may be left to be computed when they are stored."""
        return not self.stepping

    def flush(self) -> None:
        """Carry out the stores that wait."""
        queue, self.queue = self.queue, []
        if queue:
            self.flushing = True
            carry_out_all(self, queue)
            self.flushing = False

    def vector(self, number: int) -> np.ndarray:
        return self.slot("v", number, self.thread.vector)

    def predicate(self, number: int) -> np.ndarray:
        return self.slot("p", number, self.thread.predicate)

    def accumulator(self, number: int) -> np.ndarray:
        return self.slot("m", number, self.thread.accumulator)

    def scalar(self, number: int) -> np.ndarray:
        def whole(number: int) -> np.ndarray:
            return np.asarray(self.thread.x[number], np.int64).reshape(-1)

        return self.slot("x", number, whole)

    def load_of(self, number: int) -> Load | None:
        """The pending load in vector register `number`, if it was made at this depth."""
        slot = self.slots.get(("v", number))
        return (
            slot.value
            if slot and isinstance(slot.value, Load) and slot.depth == self.depth
            else None
        )

    # -- running -----------------------------------------------------------------------------

    def run(self, loop: Loop, live: Registers | None = None) -> None:
        """Run the nest; afterwards the thread holds what the last iteration left (of the lanes at
        least `live`).
        """
        given = (self.thread, self.counts, self.engine.exact, self.memory.size)
        self.proof = self.once(prove, loop, *given)
        for start, stop in self.proof.spans:
            self.memory.exclusive(start, stop)
        outside = list(self.thread.counters)
        try:
            if self.counts[loop]:
                self.loop(loop)
            self.flush()
        finally:
            self.thread.counters[:] = outside
        self.settle_all(live)

    def settle_all(self, live: Registers | None = None) -> None:
        """Write back what the nest left in registers; when only repeating, no scalars."""
        for (kind, number), slot in self.slots.items():
            if not self.known or (kind != "x" and (live is None or (kind, number) in live)):
                self.stage, self.asked = (kind, number), 0
                self.known_values = {}
                self.settle(kind, number, slot)

    def settle(self, kind: str, number: int, slot: Slot) -> None:
        """Write a register's final value back to the thread."""
        value = self.whole(kind, slot)
        count = len(self.thread.nodes)
        if kind == "x":
            self.thread.x[number] = uniform(value)
            return
        store = getattr(self.thread, kind)
        store[number] = np.array(np.broadcast_to(value, (count, *value.shape[1:])))

    def loop(self, loop: Loop) -> None:
        """Run a loop: all iterations at once, or, if it carries registers, one after another."""
        if loop in self.proof.stepped:
            self.step(loop)
            return
        self.path.append(loop)
        self.block(loop.body)
        for key in of_loop(loop).writes:
            slot = self.slots.get(key)
            if slot is not None and slot.depth == self.depth:
                self.slots[key] = self.leave(key[0], slot)
        self.path.pop()

    def step(self, loop: Loop) -> None:
        """An inner loop in the machine's order, each iteration for all outer ones at once."""
        self.flush()
        self.repeat.able = False
        self.stepping += 1
        for iteration in range(self.counts[loop]):
            self.thread.counters[loop.level] = iteration
            self.block(loop.body)
        self.thread.counters[loop.level] = 0
        self.stepping -= 1

    def leave(self, kind: str, slot: Slot) -> Slot:
        """The value of the last iteration of the innermost open loop."""
        if isinstance(slot.value, Load):
            return Slot(replace(slot.value, access=slot.value.access.last()), slot.depth - 1)
        if not isinstance(slot.value, np.ndarray):
            return Slot(Last(slot.value, slot.depth), slot.depth - 1)
        last = (slice(None),) * slot.depth + (-1,)
        return Slot(slot.value[last], slot.depth - 1)

    def block(self, block: Block) -> None:
        for item in block.items:
            match item:
                case Op():
                    self.count(item.name)
                    self.op(item)
                case Loop():
                    self.count("loop" if item.register is None else "loopx")
                    if self.counts[item]:
                        self.loop(item)
                case Call():
                    self.count("call")
                    self.block(item.body)
                    self.count("ret")

    def count(self, name: str) -> None:
        if self.known:
            return
        times = prod(self.counts[loop] for loop in self.path)
        self.pending[name] = self.pending.get(name, 0) + times

    def op(self, op: Op) -> None:
        """Run one instruction for all iterations of the open loops."""
        row = op.row
        if row.access is not None:
            self.touch(op)
        elif op.name == "pinb":
            self.write("p", int(op.fields["d"]), self.once(lanes_inside, self.place(op)))
        elif op.name in ("nop", "mark"):
            pass
        elif row.reduces is not None and self.reduced(op):
            self.reduce(op, self.reduced(op))
        else:
            self.plain(op)

    def plain(self, op: Op) -> None:
        if op.name == "rdid":
            result = self.engine.identity(self.thread)[:, int(op.fields["n"])]
            result = result.reshape(-1, *(1,) * self.depth)
        elif self.defers and (lazy := deferred(self, op)) is not None:
            target = op.row.outputs[0]
            self.write(target.kind, int(op.fields[target.name]), lazy)
            return
        else:
            result = masked(op, op.row.body(*arguments(op, self, self.thread)), self)
        target = op.row.outputs[0]
        self.write(target.kind, int(op.fields[target.name]), np.asarray(result))

    def write(self, kind: str, number: int, value: np.ndarray | Load | Lazy) -> None:
        if kind in ("x", "p") and number == 0:
            return
        if isinstance(value, np.ndarray):
            rank = 1 + self.depth + (2 if kind == "m" else 1 if kind in ("v", "p") else 0)
            if rank > value.ndim:
                value = value.reshape((1,) * (rank - value.ndim) + value.shape)
        self.slots[(kind, number)] = Slot(value, self.depth)

    def touch(self, op: Op) -> None:
        """A load becomes a pending `Load`; a store is carried out."""
        if op.access.indexed:
            self.repeat.able = False
            result = masked(op, gather(self, op), self)
            self.write("v", int(op.fields["d"]), result)
            return
        access = self.place(op)
        if op.access.kind == "store":
            self.store(op, access)
            return
        load = Load(op, access)
        mask = op.row.mask
        if op.word in self.proof.aliased or (mask is not None and int(op.fields[mask.name])):
            self.flush()
            self.repeat.able = False
            self.write("v", int(op.fields["d"]), masked(op, load_values(self, load).copy(), self))
        else:
            self.write("v", int(op.fields["d"]), load)

    def store(self, op: Op, access: Access) -> None:
        """Store now, or, where the value is still to be computed, with others later."""
        value = self.ref("v", int(op.fields["v"]))
        if isinstance(value.value, np.ndarray | Load | LiveIn) or isinstance(
            access.base, np.ndarray
        ):
            self.flush()
            self.repeat.able = False
            store_values(self, op, access)
            return
        keep = self.ref("p", int(op.fields["p"])) if int(op.fields["p"]) else None
        fmt, pad = descriptor(op, self.thread), self.thread.a[int(op.fields["a"])].pad
        self.queue.append(Pending(op, access, value, keep, fmt, pad, self.depth))

    def check_gather(self, low: int, high: int) -> None:
        """Addresses from data may not meet what this nest stores (stores come later: see
        hazards).
        """
        if any(low < end and start < high for start, end in self.proof.stored):
            raise NotLiftable("addresses from data meet a store of the nest")

    def reduced(self, op: Op) -> int:
        """How many of the innermost open loops carry the destination of reducing `op`."""
        target = op.row.outputs[0]
        register = (target.kind, int(op.fields[target.name]))
        carried = 0
        for loop in reversed(self.path):
            if register not in of_loop(loop).carried():
                break
            carried += 1
        return carried

    def reduce(self, op: Op, carried: int) -> None:
        """Fold the iterations of the `carried` innermost loops into the destination."""
        target = op.row.outputs[0]
        number = int(op.fields[target.name])
        counts = tuple(self.counts[loop] for loop in self.path)
        result = block_product(self, op, counts, carried)
        if result is None:
            start = self.start(target.kind, number, carried, op.row.lanes)
            result = product_reduction(self, op, counts, carried, start) if op.row.product else None
            if result is None:
                result = fold(self, op, counts, carried, start)
        self.repeat.able &= isinstance(result, Product)
        self.slots[(target.kind, number)] = Slot(result, self.depth - carried)

    def start(self, kind: str, number: int, carried: int, view: str) -> np.ndarray:
        """The destination before the carried loops: [nodes, free loops, lanes or 8 x 8]."""
        inner = self.path[self.depth - carried :]
        del self.path[self.depth - carried :]
        value = self.accumulator(number) if kind == "m" else lanes_as(self.vector(number), view)
        self.path += inner
        return value
