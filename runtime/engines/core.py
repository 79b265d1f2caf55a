"""Runs instructions that cannot block, on one group of nodes: straight-line code and pure loops.

`Core` is the part both engines share; `Reference` and `Vector` differ in how they reach memory and
in whether a loop may run at once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dojocc.runtime.engines.carried import of_loop, of_op
from dojocc.runtime.engines.counters import Counters
from dojocc.runtime.engines.evaluate import arguments, masked, set_generator, uniform
from dojocc.runtime.engines.lift import trip_counts
from dojocc.runtime.engines.machine import Machine
from dojocc.runtime.engines.tape import Event, Tape, places
from dojocc.runtime.engines.thread import Descriptor, Scalar, Thread
from dojocc.runtime.engines.tree import Block, Call, Loop, Op
from dojocc.runtime.errors import MachineStop
from dojocc.runtime.formats import FORMATS


class Plain:
    """Registers of a thread outside any lifted loop."""

    def __init__(self, thread: Thread) -> None:
        self.vector = thread.vector
        self.predicate = thread.predicate
        self.accumulator = thread.accumulator
        self.thread = thread

    def scalar(self, number: int) -> np.ndarray:
        return np.asarray(self.thread.x[number], np.int64).reshape(-1)


class Core:
    """Straight-line execution; subclasses give `memory`, `scalar_load`, `in_bounds` and `whole`."""

    exact = True
    shares_rows = False
    """True where a register that all nodes hold alike may be one row."""

    def __init__(self, machine: Machine, counters: Counters) -> None:
        self.machine = machine
        self.counters = counters
        self.in_loop = 0
        self.tape: Tape | None = None

    def identity(self, thread: Thread) -> np.ndarray:
        """[nodes, 6]: node id, row, column, die, grid row, grid column."""
        return self.machine.identity(thread.cls)[thread.nodes]

    # -- control -----------------------------------------------------------------------------

    def block(self, block: Block, thread: Thread) -> None:
        """Run a pure block."""
        for item in block.items:
            match item:
                case Op():
                    self.op(item, thread)
                case Loop():
                    self.loop(item, thread)
                case Call():
                    self.tally("call", thread)
                    self.block(item.body, thread)
                    self.tally("ret", thread)

    def loop(self, loop: Loop, thread: Thread) -> None:
        """Run a pure loop: nodes whose trip counts differ one group after another."""
        self.machine.watch(len(thread.nodes))
        counts = trip_counts(loop, thread)
        differing = [count for count in counts.values() if isinstance(count, np.ndarray)]
        if differing:
            key = np.stack(differing, 1)
            _, group = np.unique(key, axis=0, return_inverse=True)
            self.in_parts(loop, thread, group.reshape(-1))
            return
        self.tally("loop" if loop.register is None else "loopx", thread)
        if counts[loop] == 0 or self.whole(loop, thread, counts):
            return
        self.step(loop, thread, int(counts[loop]))

    def take(self, thread: Thread, where: np.ndarray) -> Thread:
        """A thread of some of the nodes, to go its own way."""
        part = thread.take(where)
        if self.tape is not None:
            self.tape.take(thread, where, part)
        return part

    def in_parts(self, loop: Loop, thread: Thread, group: np.ndarray) -> None:
        """Run a loop for the nodes of one group after another."""
        uses = of_loop(loop)
        for number in range(int(group.max()) + 1):
            where = np.flatnonzero(group == number)
            part = thread.take(where, uses.writes, set(uses.kinds))
            if self.tape is not None:
                self.tape.take(thread, where, part)
            self.loop(loop, part)
            thread.put(where, part, uses.writes)
            if self.tape is not None:
                self.tape.put(thread, where, part, uses.writes)

    def step(self, loop: Loop, thread: Thread, count: int) -> None:
        """Iteration after iteration."""
        self.in_loop += 1
        for iteration in range(count):
            thread.counters[loop.level] = iteration
            self.block(loop.body, thread)
        thread.counters[loop.level] = 0
        self.in_loop -= 1

    def whole(self, loop: Loop, thread: Thread, counts: dict) -> bool:
        """Run all iterations at once if that is provably the same; False = not done."""
        return False

    def tally(self, name: str, thread: Thread) -> None:
        self.counters.one(name, len(thread.nodes), bool(self.in_loop))

    # -- one instruction ---------------------------------------------------------------------

    def op(self, op: Op, thread: Thread) -> None:
        """Run one instruction that cannot block."""
        self.tally(op.name, thread)
        self.machine.watch(len(thread.nodes))
        row = op.row
        if row.access is not None:
            self.memory(op, thread)
        elif op.name == "ldx":
            self.load_scalar(op, thread)
        elif op.name == "pinb":
            self.set_bounds(op, thread)
            if self.tape is not None:
                self.note(op, thread, self.set_bounds)
        elif op.name == "dset":
            self.set_descriptor(op, thread)
        elif op.name == "mfmt":
            a, b = (thread.formats[int(op.fields[n])] for n in ("a", "b"))
            thread.matrix_formats = (a, b)
        elif op.name == "mark":
            thread.mark = int(op.fields["n"])
        elif op.name == "seed":
            thread.key = thread.x[int(op.fields["a"])]
        elif row.unit == "address":
            set_generator(op, thread.a[int(op.fields["d"])], lambda n: thread.x[int(n)])
        elif row.outputs:
            self.compute(op, thread)
            if self.tape is not None and row.outputs[0].kind != "x":
                self.note(op, thread, self.compute)

    def note(self, op: Op, thread: Thread, again: Callable[[Op, Thread], None]) -> None:
        """Write down an instruction that sets lanes."""
        assert self.tape is not None
        uses = of_op(op)
        still = self.tape.still(thread, uses.exposed)
        reads, writes = places(still, uses.exposed), places(still, uses.writes)
        self.tape.add(Event(lambda _: again(op, still), reads, writes, lasting=False))

    def set_bounds(self, op: Op, thread: Thread) -> None:
        thread.p[int(op.fields["d"])] = self.in_bounds(op, thread)

    def load_scalar(self, op: Op, thread: Thread) -> None:
        value = self.scalar_load(op, thread)
        if self.tape is not None and not self.lasting_scalar(op, thread):
            still = self.tape.still(thread, of_op(op).exposed)
            self.tape.expect(value, lambda: self.scalar_load(op, still))
        self.set_scalar(thread, int(op.fields["d"]), value)

    def lasting_scalar(self, op: Op, thread: Thread) -> bool:
        """True when what `ldx` reads is the same in every run."""
        return False

    def compute(self, op: Op, thread: Thread) -> None:
        """An instruction whose body gives the new value of its destination."""
        registers, row = Plain(thread), op.row
        if op.name == "rdid":
            result = self.identity(thread)[:, int(op.fields["n"])]
        else:
            result = masked(op, op.row.body(*arguments(op, registers, thread)), registers)
        target = row.outputs[0]
        number = int(op.fields[target.name])
        if target.kind == "x":
            self.set_scalar(thread, number, result)
            return
        shape = {"v": (16,), "p": (16,), "m": (8, 8)}[target.kind]
        rows = len(thread.nodes)
        if self.shares_rows and (np.ndim(result) == len(shape) or len(result) == 1):
            rows = 1
        whole = np.array(np.broadcast_to(result, (rows, *shape)))
        if target.kind != "p" or number:
            getattr(thread, target.kind)[number] = whole

    def set_scalar(self, thread: Thread, number: int, value: Scalar) -> None:
        if number:
            thread.x[number] = uniform(value)

    def set_descriptor(self, op: Op, thread: Thread) -> None:
        names, code = list(FORMATS), int(op.fields["code"])
        if code >= len(names):
            raise MachineStop(
                f"trap: no format has number {code}",
                where=f"word {op.word}",
                numbers=f"{len(names)} formats: {', '.join(names)}",
            )
        bias = int(op.fields["bias"])
        row = FORMATS[names[code]]
        chosen = row.checked_bias(bias) if len(row.biases) > 1 else None
        thread.formats[int(op.fields["d"])] = Descriptor(names[code], chosen)

    def memory(self, op: Op, thread: Thread) -> None:
        raise NotImplementedError

    def scalar_load(self, op: Op, thread: Thread) -> np.ndarray:
        raise NotImplementedError

    def in_bounds(self, op: Op, thread: Thread) -> np.ndarray:
        raise NotImplementedError
