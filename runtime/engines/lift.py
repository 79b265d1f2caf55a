"""Lifting: a whole loop nest run as array expressions, one per instruction.

Takes a thread at a loop whose trip counts all its nodes share; leaves registers, memory and
counters as the machine would, or says why not (`NotLiftable`) with nothing changed. Values carry
the axes (nodes, one per open loop, lanes); an axis along which a value does not change has length
1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from dojocc.runtime.engines.access import Access, lanes_inside
from dojocc.runtime.engines.blocks import block_product
from dojocc.runtime.engines.carried import all_loops, of_loop
from dojocc.runtime.engines.evaluate import arguments, lanes_as, masked, uniform
from dojocc.runtime.engines.exchange import spans
from dojocc.runtime.engines.hazards import Touch, apart, conflict, narrowed
from dojocc.runtime.engines.loads import Load, affine, gather, load_values, store_values
from dojocc.runtime.engines.products import product_reduction
from dojocc.runtime.engines.reductions import fold
from dojocc.runtime.engines.thread import Thread
from dojocc.runtime.engines.tree import Block, Call, Loop, Op

if TYPE_CHECKING:
    from dojocc.runtime.engines.vector import Vector


class NotLiftable(Exception):
    """Why a nest must run step by step."""


@dataclass(eq=False)
class Slot:
    """A register's value inside the nest: an array, or a load not yet carried out; `depth` open
    loops.
    """

    value: np.ndarray | Load
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
    """One attempt to run a loop nest at once, on `nodes` of the class that `memory` belongs to."""

    def __init__(self, engine: Vector, thread: Thread, counts: dict[Loop, int]) -> None:
        self.engine = engine
        self.thread = thread
        self.memory = engine.machine.memory[thread.cls]
        self.nodes = thread.nodes
        self.counts = counts
        self.path: list[Loop] = []
        self.slots: dict[tuple[str, int], Slot] = {}
        self.pending: dict[str, int] = {}
        self.aliased: set[int] = set()
        self.stepped: set[Loop] = set()
        self.stored: list[tuple[int, int]] = []
        self.products: dict[int, np.ndarray] = {}

    # -- proof -------------------------------------------------------------------------------

    def check(self, loop: Loop) -> None:
        """Raise NotLiftable unless both halves of the proof hold."""
        uses = of_loop(loop)
        reason = uses.why_not(self.engine.exact)
        if reason is None:
            for inner in all_loops(loop):
                if inner.register is not None and ("x", inner.register) in uses.writes:
                    reason = "a trip count changes inside the nest"
                elif inner is not loop and of_loop(inner).why_not(self.engine.exact):
                    self.stepped.add(inner)
        if reason is None and any(kind == "a" for kind, _ in uses.writes):
            reason = "an address generator changes inside the nest"
        if reason is None:
            reason = self.memory_conflict(loop)
        if reason is not None:
            raise NotLiftable(reason)

    def memory_conflict(self, loop: Loop) -> str | None:
        """The hazard test, remembered by the addresses it was made for."""
        touches = self.touches(loop)
        key = tuple((fingerprint(t.access), fingerprint(t.lanes)) for t in touches)
        self.stored = [t.access.where() for t in touches if t.stores and t.access is not None]
        known = loop.cache.setdefault("hazards", {})
        if key not in known:
            reason = conflict(touches)
            known[key] = (reason, self.loads_met(touches))
        reason, self.aliased = known[key]
        return reason

    def loads_met(self, touches: list[Touch]) -> set[int]:
        """Words of loads that read bytes the nest stores: their values are copied when loaded."""
        stores = [t.access for t in touches if t.stores and t.access is not None]
        return {
            touch.op.word
            for touch in touches
            if not touch.stores
            and touch.access is not None
            and not all(apart(store, touch.access) for store in stores)
        }

    def touches(self, loop: Loop) -> list[Touch]:
        """Every memory instruction that will run, in program order.

        `limits` are the predicates as a `pinb` earlier in the same iteration left them.
        """
        found: list[Touch] = []
        limits: dict[int, Access] = {}

        def visit(item: Op | Loop | Call, path: tuple[Loop, ...]) -> None:
            match item:
                case Op() if item.row.access is not None:
                    indexed = item.access.indexed
                    access = None if indexed else self.access(item, path)
                    if indexed and item.access.kind == "store":
                        raise NotLiftable(f"`{item.name}` stores to addresses from data")
                    mask = item.row.mask
                    lanes = None
                    if mask is not None and item.access.kind == "store":
                        lanes = limits.get(int(item.fields[mask.name]))
                    if lanes is not None and access is not None:
                        access = narrowed(access, lanes)
                    found.append(Touch(item, path, access, lanes))
                case Op():
                    for target in item.row.outputs:
                        if target.kind == "p":
                            limits.pop(int(item.fields[target.name]), None)
                    if item.name == "pinb" and item.fields["d"]:
                        limits[int(item.fields["d"])] = self.access(item, path)
                case Loop() if self.counts[item]:
                    limits.clear()
                    for part in item.body.items:
                        visit(part, (*path, item))
                    limits.clear()
                case Call():
                    for part in item.body.items:
                        visit(part, path)
                case _:
                    pass

        visit(loop, ())
        return found

    def access(self, op: Op, path: tuple[Loop, ...]) -> Access:
        levels = tuple(loop.level for loop in path)
        counts = tuple(self.counts[loop] for loop in path)
        found = affine(op, self.thread, levels, counts)
        if found is None:
            raise NotLiftable(f"`{op.name}` at word {op.word}: strides differ by node")
        return found

    # -- values ------------------------------------------------------------------------------

    @property
    def depth(self) -> int:
        return len(self.path)

    def slot(self, kind: str, number: int, whole: np.ndarray) -> np.ndarray:
        """Value of a register with one axis per open loop; `whole` [nodes, ...] if the nest has
        not set it.
        """
        slot = self.slots.get((kind, number))
        if slot is None:
            value, depth = whole, 0
        else:
            if isinstance(slot.value, Load):
                slot.value = load_values(self, slot.value)
            value, depth = slot.value, slot.depth
        tail = 2 if kind == "m" else 1 if kind in ("v", "p") else 0
        missing = self.depth - depth
        return value.reshape(
            *value.shape[: value.ndim - tail], *(1,) * missing, *value.shape[value.ndim - tail :]
        )

    def vector(self, number: int) -> np.ndarray:
        return self.slot("v", number, self.thread.vector(number))

    def predicate(self, number: int) -> np.ndarray:
        return self.slot("p", number, self.thread.predicate(number))

    def accumulator(self, number: int) -> np.ndarray:
        return self.slot("m", number, self.thread.accumulator(number))

    def scalar(self, number: int) -> np.ndarray:
        value = np.asarray(self.thread.x[number], np.int64).reshape(-1)
        return self.slot("x", number, value)

    def load_of(self, number: int) -> Load | None:
        """The pending load in vector register `number`, if it was made at this depth."""
        slot = self.slots.get(("v", number))
        return (
            slot.value
            if slot and isinstance(slot.value, Load) and slot.depth == self.depth
            else None
        )

    # -- running -----------------------------------------------------------------------------

    def run(self, loop: Loop) -> None:
        """Run the nest; afterwards the thread holds what the last iteration left."""
        self.check(loop)
        self.prepare()
        outside = list(self.thread.counters)
        try:
            if self.counts[loop]:
                self.loop(loop)
        finally:
            self.thread.counters[:] = outside
        for (kind, number), slot in self.slots.items():
            self.settle(kind, number, slot)
        self.engine.counters.lifted(self.pending, len(self.thread.nodes))

    def prepare(self) -> None:
        """Rows of their own for the spans that will be stored to, each span once."""
        wanted = [(a, b) for a, b in self.stored if a >= 0 and b <= self.memory.size]
        if wanted:
            low, high = np.array(wanted).T
            for start, stop in spans(low, high)[1]:
                self.memory.exclusive(start, stop)

    def settle(self, kind: str, number: int, slot: Slot) -> None:
        """Write a register's final value back to the thread."""
        value = load_values(self, slot.value) if isinstance(slot.value, Load) else slot.value
        count = len(self.thread.nodes)
        if kind == "x":
            self.thread.x[number] = uniform(value)
            return
        store = getattr(self.thread, kind)
        store[number] = np.array(np.broadcast_to(value, (count, *value.shape[1:])))

    def loop(self, loop: Loop) -> None:
        """Run a loop: all iterations at once, or, if it carries registers, one after another."""
        if loop in self.stepped:
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
        for iteration in range(self.counts[loop]):
            self.thread.counters[loop.level] = iteration
            self.block(loop.body)
        self.thread.counters[loop.level] = 0

    def leave(self, kind: str, slot: Slot) -> Slot:
        """The value of the last iteration of the innermost open loop."""
        if isinstance(slot.value, Load):
            return Slot(replace(slot.value, access=slot.value.access.last()), slot.depth - 1)
        axis = slot.depth
        return Slot(np.take(slot.value, -1, axis=axis), slot.depth - 1)

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
        times = prod(self.counts[loop] for loop in self.path)
        self.pending[name] = self.pending.get(name, 0) + times

    def op(self, op: Op) -> None:
        """Run one instruction for all iterations of the open loops."""
        row = op.row
        if row.access is not None:
            self.touch(op)
        elif op.name == "pinb":
            access = self.access(op, tuple(self.path))
            self.write("p", int(op.fields["d"]), lanes_inside(access))
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
        else:
            result = masked(op, op.row.body(*arguments(op, self, self.thread)), self)
        target = op.row.outputs[0]
        self.write(target.kind, int(op.fields[target.name]), np.asarray(result))

    def write(self, kind: str, number: int, value: np.ndarray | Load) -> None:
        if kind in ("x", "p") and number == 0:
            return
        if isinstance(value, np.ndarray):
            rank = 1 + self.depth + (2 if kind == "m" else 1 if kind in ("v", "p") else 0)
            value = value.reshape((1,) * (rank - value.ndim) + value.shape)
        self.slots[(kind, number)] = Slot(value, self.depth)

    def touch(self, op: Op) -> None:
        """A load becomes a pending `Load`; a store is carried out."""
        if op.access.indexed:
            result = masked(op, gather(self, op), self)
            self.write("v", int(op.fields["d"]), result)
            return
        access = self.access(op, tuple(self.path))
        if op.access.kind == "store":
            store_values(self, op, access)
            return
        load = Load(op, access)
        mask = op.row.mask
        if op.word in self.aliased or (mask is not None and int(op.fields[mask.name])):
            self.write("v", int(op.fields["d"]), masked(op, load_values(self, load).copy(), self))
        else:
            self.write("v", int(op.fields["d"]), load)

    def check_gather(self, low: int, high: int) -> None:
        """Addresses from data may not meet what this nest stores (stores come later: see
        hazards).
        """
        if any(low < end and start < high for start, end in self.stored):
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
        self.slots[(target.kind, number)] = Slot(result, self.depth - carried)

    def start(self, kind: str, number: int, carried: int, view: str) -> np.ndarray:
        """The destination before the carried loops: [nodes, free loops, lanes or 8 x 8]."""
        inner = self.path[self.depth - carried :]
        del self.path[self.depth - carried :]
        value = self.accumulator(number) if kind == "m" else lanes_as(self.vector(number), view)
        self.path += inner
        return value


def fingerprint(access: Access | None) -> tuple:
    """What the hazard test depends on, hashable."""
    if access is None:
        return ()
    bounds = access.bounds
    parts = [
        access.base,
        access.counts,
        access.strides,
        access.granules,
        access.pitch,
        access.elements,
        access.item,
    ]
    if bounds is not None:
        parts += [
            bounds.y0,
            bounds.x0,
            bounds.y_limit,
            bounds.x_limit,
            bounds.y_strides,
            bounds.x_strides,
        ]
        parts += [bounds.granule_step, bounds.lane_step, bounds.first]
    return tuple(p.tobytes() if isinstance(p, np.ndarray) else p for p in parts)
