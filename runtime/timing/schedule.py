"""The scheduler of the engines, with times: when posts happen, when waits and barriers end."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dojocc.runtime.engines.scheduler import Group, Scheduler
from dojocc.runtime.engines.tree import Op
from dojocc.runtime.program import DRAM_LOAD, DRAM_STORE, NO_SEMAPHORE, PUSH
from dojocc.runtime.timing.core import TimingCore
from dojocc.runtime.timing.network import ListTime, list_time


@dataclass(eq=False)
class Posts:
    """All posts so far to one semaphore of one class: (node, time), and how many each node has
    used up.
    """

    nodes: list[np.ndarray] = field(default_factory=list)
    times: list[np.ndarray] = field(default_factory=list)
    used: np.ndarray | None = None

    def add(self, nodes: np.ndarray, times: np.ndarray) -> None:
        self.nodes.append(np.asarray(nodes, np.int64))
        self.times.append(np.asarray(times, np.float64))

    def take(self, nodes: np.ndarray, need: np.ndarray, count: int) -> np.ndarray:
        """Time at which each node has had `need` more posts."""
        if self.used is None:
            self.used = np.zeros(count, np.int64)
        every, when = np.concatenate(self.nodes or [[]]), np.concatenate(self.times or [[]])
        order = np.lexsort((when, every))
        start = np.searchsorted(every[order], nodes)
        last = start + self.used[nodes] + need - 1
        self.used[nodes] += need
        moment = np.zeros(len(nodes))
        waits = need > 0
        moment[waits] = when[order][last[waits]]
        return moment


@dataclass(eq=False)
class MeshTurns:
    """Lists have the mesh one after another: the next starts when the last of one has arrived.

    Flows of two lists would share links; serving them in turn never takes less than that (an upper
    estimate). Groups of nodes that start the same list share its turn.
    """

    number: int = -1
    nodes: set[int] = field(default_factory=set)
    free: float = 0.0
    next_free: float = 0.0

    def turn(self, number: int, nodes: np.ndarray) -> float:
        """When these nodes may start a list."""
        starting = set(nodes.tolist())
        if number != self.number or self.nodes & starting:
            self.number, self.nodes, self.free = number, set(), self.next_free
        self.nodes |= starting
        return self.free

    def carries(self, until: float) -> None:
        """The list that has its turn has the mesh up to a time."""
        self.next_free = max(self.next_free, until)


@dataclass(eq=False)
class TimedScheduler(Scheduler):
    """Adds clocks to every synchronising step; the core is a TimingCore."""

    core: TimingCore
    posts: dict[tuple[int, int], Posts] = field(default_factory=dict)
    arrivals: dict[tuple, float] = field(default_factory=dict)
    bytes_moved: int = 0
    bound: float = 0.0
    lists: dict[tuple, ListTime] = field(default_factory=dict)
    mesh: MeshTurns = field(default_factory=MeshTurns)

    def clock(self, group: Group) -> np.ndarray:
        thread = group.thread
        return self.core.clock[thread.cls][thread.nodes, thread.number]

    def events(self, cls: int, semaphore: int) -> Posts:
        return self.posts.setdefault((cls, semaphore), Posts())

    def ready(self, op: Op, group: Group) -> np.ndarray:
        fresh = not group.arrived
        ready = super().ready(op, group)
        if op.name in ("nbar", "rbar") and fresh:
            key = self.barrier(op, group)
            when = float(self.clock(group).max())
            self.arrivals[key] = max(self.arrivals.get(key, 0.0), when)
        return ready

    def barrier(self, op: Op, group: Group) -> tuple:
        """The barrier's generation (the same for all nodes of a group)."""
        thread = group.thread
        counts = self.machine.barriers.node if op.name == "nbar" else self.machine.barriers.region
        number = int(counts[thread.cls][thread.nodes[0], thread.number])
        return (op.name, thread.cls, thread.number if op.name == "rbar" else -1, number)

    def pass_(self, op: Op, group: Group) -> None:
        thread, target = group.thread, self.machine.program.target
        count = len(self.machine.program.classes[thread.cls].nodes)
        semaphore = int(op.fields.get("s", 0))
        if op.name in ("wait", "waitx"):
            need = self.need(op, group)
            when = self.events(thread.cls, semaphore).take(thread.nodes, need, count)
            self.core.reach(thread, when)
        elif op.name == "post":
            for _ in range(int(op.fields["n"])):
                self.events(thread.cls, semaphore).add(thread.nodes, self.clock(group))
        elif op.name == "rpost":
            peers = np.broadcast_to(thread.x[int(op.fields["a"])], (len(thread.nodes),))
            when = self.clock(group) + target.sync.semaphore_cycles
            self.events(thread.cls, semaphore).add(peers, when)
        else:
            region = op.name == "rbar"
            extra = target.sync.region_barrier_cycles if region else target.sync.node_barrier_cycles
            when = self.arrivals[self.barrier(op, group)] + extra
            self.core.reach(thread, np.full(len(thread.nodes), when))
        super().pass_(op, group)
        self.core.spend(thread, op.row.issue)

    def transfer(self, op: Op, group: Group) -> None:
        """Start a list: its posts happen when its entries arrive."""
        thread, machine = group.thread, self.machine
        number = int(op.fields["n"])
        key = (number, thread.cls, len(thread.nodes))
        if key not in self.lists:
            entries = machine.parser.entries(number, thread.cls, thread.nodes)
            self.lists[key] = list_time(
                machine.program, machine.program.target, entries, thread.cls
            )
        timed = self.lists[key]
        start = np.zeros(len(machine.program.classes[thread.cls].nodes))
        free = self.mesh.turn(number, thread.nodes)
        start[thread.nodes] = np.maximum(self.clock(group), free)
        entries = timed.entries
        when = start[entries["node"]] + timed.cycles
        self.mesh.carries(float(when.max(initial=0.0)) - machine.program.target.mesh.message_cycles)
        self.bytes_moved += timed.bytes
        self.bound += timed.bound
        for name, at_target in (("far_sem", True), ("home_sem", False)):
            self.post_entries(entries, when, thread.cls, name, at_target)
        self.core.spend(thread, op.row.latency)

    def post_entries(
        self, entries: np.ndarray, when: np.ndarray, cls: int, name: str, at_target: bool
    ) -> None:
        """Post one of an entry's semaphores, in the timing record and in the machine."""
        chosen = entries[name] != NO_SEMAPHORE
        at_peer = (entries["kind"] == PUSH) == at_target
        dram = np.isin(entries["kind"], (DRAM_LOAD, DRAM_STORE))
        chosen &= ~(at_peer & dram)
        owner = np.where(at_peer, entries["peer_cls"], cls)
        node = np.where(at_peer, entries["peer"], entries["node"]).astype(np.int64)
        for other, semaphore in {
            (int(c), int(s)) for c, s in zip(owner[chosen], entries[name][chosen], strict=True)
        }:
            part = chosen & (owner == other) & (entries[name] == semaphore)
            self.events(other, semaphore).add(node[part], when[part])
            np.add.at(self.machine.semaphores[other][:, semaphore], node[part], 1)
