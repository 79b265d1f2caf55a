"""The scheduler of the engines on one clock with the mesh.

Threads run until all must wait; then the mesh goes on to its next end of a group of flows, whose
posts may let threads go on. So a list can only start at or after the time that the mesh stands at,
but for nodes whose group waited for later ones: their transfers share links as if they started then
and still take as long from their own start on, or longer where lists before are in their way. A
group whose nodes cannot all go on is split only when nothing is under way.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dojocc.runtime.engines.scheduler import Group, Scheduler
from dojocc.runtime.engines.tree import Op
from dojocc.runtime.mesh.fair import Fluid
from dojocc.runtime.mesh.fair_flows import capacities
from dojocc.runtime.mesh.routes import link_properties
from dojocc.runtime.mesh.tables import program_routes
from dojocc.runtime.timing.backlog import Backlog
from dojocc.runtime.timing.band import kind
from dojocc.runtime.timing.core import TimingCore
from dojocc.runtime.timing.network import ListPlan, list_plan
from dojocc.runtime.timing.posts import Posts
from dojocc.runtime.timing.record import EXCHANGE, RUN, Cause, Exchange


@dataclass(frozen=True, eq=False)
class Sent:
    """A list under way: each node's start, when its flows began to share the mesh, and before
    which time [transfers] earlier lists of the stream do not let its transfers through."""

    plan: ListPlan
    start: np.ndarray
    release: float
    ready: np.ndarray


@dataclass(eq=False)
class TimedScheduler(Scheduler):
    """Adds clocks to every synchronising step; the core is a TimingCore.

    work: packets through every resource of the mesh so far.
    """

    core: TimingCore
    fluid: Fluid = field(init=False)
    work: np.ndarray = field(init=False)
    posts: dict[tuple[int, int], Posts] = field(default_factory=dict)
    arrivals: dict[tuple, tuple[float, Cause]] = field(default_factory=dict)
    causes: list[Cause] = field(default_factory=list)
    sent: dict[int, Sent] = field(default_factory=dict)
    plans: dict[tuple, ListPlan] = field(default_factory=dict)
    backlogs: dict[int, Backlog] = field(default_factory=dict)
    bytes_moved: int = 0

    def __post_init__(self) -> None:
        self.fluid = Fluid(capacities(self.machine.program.target))
        self.work = np.zeros(len(self.fluid.capacity))

    def run(self) -> None:
        self.start()
        while True:
            progress = False
            for group in list(self.groups):
                if not group.done:
                    progress |= self.advance(group)
            if progress:
                continue
            if self.fluid.busy:
                for number, part, time in self.fluid.step():
                    self.deliver(number, part, time)
            elif all(group.done for group in self.groups):
                return
            elif not self.split_one():
                raise self.deadlock()

    def clock(self, group: Group) -> np.ndarray:
        thread = group.thread
        return self.core.clock[thread.cls][thread.nodes, thread.number]

    def events(self, cls: int, semaphore: int) -> Posts:
        return self.posts.setdefault((cls, semaphore), Posts())

    def cause(self, cause: Cause) -> int:
        """The number of a cause that posts refer to."""
        self.causes.append(cause)
        return len(self.causes) - 1

    def own_cause(self, group: Group) -> Cause:
        thread = group.thread
        return (RUN, thread.cls, thread.number, float(self.clock(group).max()))

    # -- synchronisation ---------------------------------------------------------------------

    def ready(self, op: Op, group: Group) -> np.ndarray:
        fresh = not group.arrived
        ready = super().ready(op, group)
        if op.name in ("nbar", "rbar") and fresh:
            key = self.barrier(op, group)
            mine = self.own_cause(group)
            self.arrivals[key] = max(
                self.arrivals.get(key, (0.0, mine)), (mine[3], mine), key=lambda item: item[0]
            )
        return ready

    def barrier(self, op: Op, group: Group) -> tuple:
        """The barrier's generation (the same for all nodes of a group)."""
        thread = group.thread
        counts = self.machine.barriers.node if op.name == "nbar" else self.machine.barriers.region
        number = int(counts[thread.cls][thread.nodes[0], thread.number])
        return (op.name, thread.cls, thread.number if op.name == "rbar" else -1, number)

    def pass_(self, op: Op, group: Group) -> None:
        thread, target = group.thread, self.machine.program.target
        semaphore = int(op.fields.get("s", 0))
        if op.name in ("wait", "waitx"):
            when, causes = self.events(thread.cls, semaphore).take(
                thread.nodes, self.need(op, group)
            )
            number = int(causes[int(np.argmax(when))]) if len(when) else -1
            self.core.reach(thread, when, self.causes[number] if number >= 0 else None)
        elif op.name == "post":
            number = self.cause(self.own_cause(group))
            for _ in range(int(op.fields["n"])):
                self.events(thread.cls, semaphore).add(thread.nodes, self.clock(group), number)
        elif op.name == "rpost":
            peers = np.broadcast_to(thread.x[int(op.fields["a"])], (len(thread.nodes),))
            way = self.way(thread.cls, thread.nodes, peers)
            when = self.clock(group) + target.sync.semaphore_cycles + way
            number = self.cause(self.own_cause(group))
            self.events(thread.cls, semaphore).add(peers, when, number)
        else:
            region = op.name == "rbar"
            extra = target.sync.region_barrier_cycles if region else target.sync.node_barrier_cycles
            when, cause = self.arrivals[self.barrier(op, group)]
            self.core.reach(thread, np.full(len(thread.nodes), when + extra), cause)
        super().pass_(op, group)
        self.core.spend(thread, op.row.issue)

    def way(self, cls: int, nodes: np.ndarray, peers: np.ndarray) -> np.ndarray:
        """[nodes] cycles of the mesh's way from nodes of a class to others of it, without load."""
        program = self.machine.program
        place = np.asarray(program.classes[cls].nodes)
        routes = program_routes(program, place[nodes], place[peers])
        _, delay = link_properties(program.target)
        owner = np.repeat(np.arange(len(nodes)), routes.hops)
        return np.bincount(owner, delay[routes.links], len(nodes))

    # -- transfers ---------------------------------------------------------------------------

    def transfer(self, op: Op, group: Group) -> None:
        """Start a list: its flows join those under way."""
        thread, machine = group.thread, self.machine
        plan = self.plan(int(op.fields["n"]), group)
        if len(plan.node):
            start = np.zeros(len(machine.program.classes[thread.cls].nodes))
            start[thread.nodes] = self.clock(group)
            first = float(start[plan.node].min())
            number = len(self.core.record.exchanges)
            release = self.fluid.add(plan.flows.groups, first, number)
            ready = self.ready_after(plan, start, thread.number)
            self.sent[number] = Sent(plan, start, release, ready)
            self.work += plan.flows.work
            self.bytes_moved += plan.bytes
            self.core.record.exchanges.append(
                Exchange(
                    number=int(op.fields["n"]),
                    kind=plan.kind,
                    cls=thread.cls,
                    thread=thread.number,
                    mark=thread.mark,
                    nodes=len(thread.nodes),
                    flows=len(plan.flows.packets),
                    bytes=plan.bytes,
                    bounds=plan.flows.bounds,
                    start=first,
                    end=first,
                    calibration=kind(machine.program.target.mesh.pace, plan.lock_step),
                )
            )
        self.core.spend(thread, op.row.latency)

    def ready_after(self, plan: ListPlan, start: np.ndarray, stream: int) -> np.ndarray:
        """[transfers] when those before in the stream let each through."""
        backlog = self.backlogs.setdefault(stream, Backlog(self.fluid.capacity))
        begin = np.full(len(plan.flows.packets), np.inf)
        np.minimum.at(begin, plan.flows.pair, start[plan.node])
        return backlog.take(plan.flows, begin)[plan.flows.pair]

    def plan(self, number: int, group: Group) -> ListPlan:
        """The plan of a list for the group's nodes; kept for whole classes."""
        thread, machine = group.thread, self.machine
        whole = len(thread.nodes) == len(machine.program.classes[thread.cls].nodes)
        key = (number, thread.cls)
        if whole and key in self.plans:
            return self.plans[key]
        entries = machine.parser.entries(number, thread.cls, thread.nodes)
        plan = list_plan(machine.program, number, entries, thread.cls)
        if whole:
            self.plans[key] = plan
        return plan

    def deliver(self, number: int, part: int, time: float) -> None:
        """A group of an exchange's flows has ended: its transfers arrive and post."""
        sent, exchange = self.sent[number], self.core.record.exchanges[number]
        plan = sent.plan
        lasted = np.maximum(time - sent.release, plan.earliest)
        when = np.maximum(sent.start[plan.node] + lasted, sent.ready) + plan.after
        mine = when[plan.group == part] if len(plan.flows.groups) > 1 else when
        exchange.end = max(exchange.end, float(mine.max(initial=0.0)))
        cause = self.cause((EXCHANGE, number, 0, 0.0))
        for post in plan.posts[part]:
            self.events(post.cls, post.semaphore).add(post.node, when[post.transfer], cause)
            semaphores = self.machine.semaphores[post.cls][:, post.semaphore]
            np.add.at(semaphores, post.node, 1)
