"""Runs all threads of all nodes: groups in step, semaphores, barriers, transfers; deadlock reports.

Nodes of a class that stand at the same place in the same stream are one group. A group goes on
while all its nodes can; only if no group can go on as a whole is one split. The order is fixed, so
runs repeat.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dojocc.runtime.engines.core import Core
from dojocc.runtime.engines.machine import Machine
from dojocc.runtime.engines.tape import Event
from dojocc.runtime.engines.thread import Thread
from dojocc.runtime.engines.tree import Block, Call, Loop, Op
from dojocc.runtime.errors import MachineStop

SHOWN = 12  # waiting nodes named in a deadlock report


@dataclass
class Frame:
    """A block being run: next item, and for loops how many iterations are left."""

    block: Block
    index: int = 0
    loop: Loop | None = None
    left: int = 1


@dataclass(eq=False)
class Group:
    """Nodes in step: their registers and where they stand."""

    thread: Thread
    stack: list[Frame]
    arrived: bool = False
    waiting: Op | None = None
    done: bool = False

    def split(self, thread: Thread) -> Group:
        """A group of `thread`, some of the nodes; the caller shrinks this one."""
        stack = [Frame(f.block, f.index, f.loop, f.left) for f in self.stack]
        return Group(thread, stack, self.arrived, self.waiting)


@dataclass(eq=False)
class Scheduler:
    """`run` ends when every thread has halted, or raises MachineStop."""

    machine: Machine
    core: Core
    groups: list[Group] = field(default_factory=list)

    def start(self) -> None:
        for cls, tree in enumerate(self.machine.trees):
            count = len(self.machine.program.classes[cls].nodes)
            for number, block in enumerate(tree.threads):
                if block is not None:
                    thread = Thread(cls, number, np.arange(count))
                    self.groups.append(Group(thread, [Frame(block)]))

    def run(self) -> None:
        self.start()
        while True:
            progress = False
            for group in list(self.groups):
                if not group.done:
                    progress |= self.advance(group)
            if all(group.done for group in self.groups):
                return
            if not progress and not self.split_one():
                raise self.deadlock()

    # -- one group ---------------------------------------------------------------------------

    def advance(self, group: Group) -> bool:
        """Run a group until it must wait; True if it moved."""
        moved = False
        while group.stack:
            frame = group.stack[-1]
            if frame.index >= len(frame.block.items):
                self.close(group, frame)
                continue
            item = frame.block.items[frame.index]
            if isinstance(item, Op) and not self.try_op(item, group):
                group.waiting = item
                return moved
            frame.index += 1
            moved = True
            if isinstance(item, Loop):
                self.enter(item, group)
            elif isinstance(item, Call):
                self.core.tally("call", group.thread)
                group.stack.append(Frame(item.body))
        group.done = True
        return True

    def close(self, group: Group, frame: Frame) -> None:
        """The end of a block: the next iteration, or out."""
        frame.left -= 1
        if frame.loop is not None and frame.left > 0:
            group.thread.counters[frame.loop.level] += 1
            frame.index = 0
            return
        if frame.loop is not None:
            group.thread.counters[frame.loop.level] = 0
        group.stack.pop()

    def enter(self, loop: Loop, group: Group) -> None:
        """Run a pure loop at once; open any other one (splitting groups whose counts differ)."""
        if loop.body.pure:
            self.core.loop(loop, group.thread)
            return
        count = loop.trips(group.thread.x)
        if isinstance(count, np.ndarray):
            where = np.flatnonzero(count == count[0])
            rest = np.flatnonzero(count != count[0])
            other = group.split(self.core.take(group.thread, rest))
            other.stack[-1].index -= 1
            self.groups.append(other)
            group.thread = self.core.take(group.thread, where)
            count = int(count[0])
        if count > 0:
            group.thread.counters[loop.level] = 0
            group.stack.append(Frame(loop.body, 0, loop, int(count)))

    def try_op(self, op: Op, group: Group) -> bool:
        """Run one instruction of the stream; False if some node must wait."""
        if op.row.unit == "sync":
            ready = self.ready(op, group)
            if not ready.all():
                return False
            self.core.tally(op.name, group.thread)
            self.pass_(op, group)
            group.waiting, group.arrived = None, False
        elif op.row.unit == "network":
            self.core.tally(op.name, group.thread)
            self.transfer(op, group)
        else:
            self.core.op(op, group.thread)
        return True

    def transfer(self, op: Op, group: Group) -> None:
        """Carry out a transfer list."""
        plan = self.machine.parser.run(op.name, int(op.fields["n"]), group.thread)
        self.core.counters.bytes_moved += plan.bytes
        if self.core.tape is not None:
            self.core.tape.add(Event(lambda _: self.machine.parser.move(plan)))

    # -- synchronisation ---------------------------------------------------------------------

    def need(self, op: Op, group: Group) -> np.ndarray:
        """How much each node of the group waits for."""
        value = op.fields["n"] if op.name == "wait" else group.thread.x[int(op.fields["a"])]
        return np.broadcast_to(np.asarray(value, np.int64), (len(group.thread.nodes),))

    def ready(self, op: Op, group: Group) -> np.ndarray:
        """Which nodes of the group may pass."""
        thread = group.thread
        if op.name in ("wait", "waitx"):
            held = self.machine.semaphores[thread.cls][thread.nodes, int(op.fields["s"])]
            return held >= self.need(op, group)
        if op.name in ("nbar", "rbar"):
            return self.machine.barriers.ready(op, group)
        return np.ones(len(thread.nodes), bool)

    def pass_(self, op: Op, group: Group) -> None:
        """Carry out a synchronising instruction whose condition holds."""
        thread = group.thread
        semaphores = self.machine.semaphores[thread.cls]
        if op.name in ("wait", "waitx"):
            semaphores[thread.nodes, int(op.fields["s"])] -= self.need(op, group)
        elif op.name == "post":
            semaphores[thread.nodes, int(op.fields["s"])] += int(op.fields["n"])
        elif op.name == "rpost":
            peers = np.broadcast_to(thread.x[int(op.fields["a"])], (len(thread.nodes),))
            if ((peers < 0) | (peers >= len(semaphores))).any():
                raise MachineStop(
                    "trap: remote post to a node that is not in the class",
                    where=self.place(op, thread),
                    numbers=f"peer {int(peers.max())} of {len(semaphores)} nodes",
                )
            np.add.at(semaphores[:, int(op.fields["s"])], peers, 1)

    # -- splitting and deadlock --------------------------------------------------------------

    def split_one(self) -> bool:
        """Split off the nodes that can go on from the first group that has some."""
        for group in self.groups:
            if group.done or group.waiting is None:
                continue
            ready = self.ready(group.waiting, group)
            if ready.any():
                other = group.split(self.core.take(group.thread, np.flatnonzero(ready)))
                other.waiting = None
                group.thread = self.core.take(group.thread, np.flatnonzero(~ready))
                self.groups.append(other)
                return True
        return False

    def place(self, op: Op, thread: Thread) -> str:
        """Class, thread, word and source op, for messages."""
        program = self.machine.program
        where = f"class {program.classes[thread.cls].name}, thread {thread.number}, word {op.word}"
        if 0 <= thread.mark < len(program.marks):
            mark = program.marks[thread.mark]
            where += f", in {mark.op}" + (f" ({mark.source})" if mark.source else "")
        return where

    def deadlock(self) -> MachineStop:
        """Every waiting node: where it stands, what it waits for and what it has."""
        lines, waiting = [], 0
        for group in self.groups:
            if group.done or group.waiting is None:
                continue
            thread, op = group.thread, group.waiting
            nodes = self.machine.program.classes[thread.cls].nodes[thread.nodes]
            waiting += len(nodes)
            names = ", ".join(self.machine.node_name(int(n)) for n in nodes[:SHOWN])
            more = f" and {len(nodes) - SHOWN} more" if len(nodes) > SHOWN else ""
            lines.append(
                f"{self.place(op, thread)}: `{op.name}`{self.holds(op, group)}; nodes {names}{more}"
            )
        return MachineStop(
            f"deadlock: no thread can go on, {waiting} node threads wait",
            where="\n         ".join(lines),
            help="each wait needs a post, by the node or by a transfer that names the semaphore",
        )

    def holds(self, op: Op, group: Group) -> str:
        if op.name not in ("wait", "waitx"):
            missing = self.machine.barriers.missing(op, group)
            return f" has seen all but {missing} of the threads it waits for"
        thread, number = group.thread, int(op.fields["s"])
        held = self.machine.semaphores[thread.cls][thread.nodes, number]
        need = self.need(op, group)
        low = int(np.argmax(need - held))
        return f" on semaphore {number} has {int(held[low])}, needs {int(need[low])}"
