"""The list parser: carries out transfer lists for all nodes of a group at once.

A list is taken apart once into spans of its targets (`Job`). How a span is made depends on which
nodes hold alike what it reads (`exchange.recipe`); that is remembered too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from dojocc.runtime.engines.covered import Received
from dojocc.runtime.engines.exchange import (
    FIELDS,
    Covered,
    Moves,
    Recipe,
    carry_out,
    covered_nodes,
    hulls,
    recipe,
)
from dojocc.runtime.engines.memory import NOT_FIXED, Memory, Part
from dojocc.runtime.errors import MachineStop
from dojocc.runtime.program import DRAM_LOAD, DRAM_STORE, NO_SEMAPHORE, PULL, PUSH
from dojocc.runtime.segments import reach

if TYPE_CHECKING:
    from dojocc.runtime.engines.machine import Machine
    from dojocc.runtime.engines.thread import Thread

KINDS = {"push": PUSH, "pull": PULL, "dld": DRAM_LOAD, "dst": DRAM_STORE}


@dataclass(eq=False)
class Made:
    """A recipe, and, where all it reads is the same in every run, what came of it."""

    recipe: Recipe
    content: int
    buffer: np.ndarray | None = None


@dataclass(eq=False)
class Job:
    """Entries of a list that write one span of `target`, and the spans of `source` they read."""

    source: Memory
    target: Memory
    moves: Moves
    reads: list[tuple[int, int]]
    covered: Covered | None = None
    made: dict[tuple, Made] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything one list does: jobs, then posts (class, nodes, semaphores, how many), and bytes
    moved.
    """

    jobs: tuple[Job, ...]
    posts: tuple[tuple[int, np.ndarray, np.ndarray, np.ndarray], ...]
    bytes: int


def each_peer(entries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Entries repeated once for each of their peers, and that peer."""
    count = entries["peers"].astype(np.int64)
    number = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    every = np.repeat(entries, count)
    return every, every["peer"].astype(np.int64) + number * every["peer_stride"]


class ListParser:
    """Carries out lists over a machine's memories."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.plans: dict[tuple, Plan] = {}
        self.lists = machine.program.entries
        numbers = self.lists["list"]
        opens = np.flatnonzero(numbers[1:] != numbers[:-1]) + 1
        edges = [0, *opens.tolist(), len(numbers)] if len(numbers) else [0]
        self.spans = {int(numbers[first]): (first, last) for first, last in pairwise(edges)}

    def entries(self, number: int, cls: int, nodes: np.ndarray) -> np.ndarray:
        """The entries of list `number` for these nodes of the class."""
        first, last = self.spans.get(number, (0, 0))
        part = self.lists[first:last]
        part = part[part["cls"] == cls]
        if len(nodes) == len(self.machine.program.classes[cls].nodes):
            return part
        return part[np.isin(part["node"], nodes)]

    def run(self, name: str, number: int, thread: Thread) -> Plan:
        """Carry out a list for the thread's nodes; gives what was done."""
        key = (number, thread.cls, name, thread.nodes.tobytes())
        plan = self.plans.get(key)
        if plan is None:
            entries = self.entries(number, thread.cls, thread.nodes)
            if len(entries) and (entries["kind"] != KINDS[name]).any():
                raise MachineStop(
                    f"trap: `{name}` started list {number}, which holds entries of another kind",
                    where=f"class {self.machine.program.classes[thread.cls].name}",
                )
            plan = self.plans[key] = self.plan(entries, thread.cls)
        self.move(plan)
        for cls, nodes, semaphores, times in plan.posts:
            self.machine.semaphores[cls][nodes, semaphores] += times
        return plan

    # -- bytes -------------------------------------------------------------------------------

    def move(self, plan: Plan) -> None:
        """All jobs of a list: everything is read before anything is written in place."""
        placed, later = [], []
        for job in plan.jobs:
            part, writes = self.result(job)
            placed.append((job.target, part))
            later += writes
        for target, part in placed:
            if part is not None:
                target.put(part)
        for memory, low, high, place, where, content in later:
            memory.forget(low, high)
            memory.unsure(low, high)
            place[where] = content

    def result(self, job: Job) -> tuple[Part | None, list[tuple]]:
        """The part a job makes, or the writes in place that remain to be done."""
        sources = [job.source.read(low, high) for low, high in job.reads]
        start, stop = job.moves.start, job.moves.stop
        if job.covered is None:
            job.covered = covered_nodes(job.moves, job.target.nodes)
        old = [] if job.covered.nodes.all() else job.target.covering(start, stop)
        key = (*(part.signature for part in sources), *(part.signature for part in old))
        made = job.made.get(key)
        if made is None:
            steps = recipe(job.moves, sources, job.covered, old, job.target.groupings)
            made = job.made[key] = Made(steps, self.content(job, steps, sources, old))
        steps, buffer = made.recipe, made.buffer
        if buffer is None:
            buffer, later = carry_out(steps, sources, job.target)
            if steps.in_place:
                return None, [(job.target, start, stop, *write) for write in later]
            if made.content != NOT_FIXED:
                made.buffer = buffer
        owned = made.content == NOT_FIXED
        origin = steps.origin
        received = Received(steps.signature, job.covered)
        part = Part(start, stop, origin, buffer, steps.grouping, owned, made.content, received)
        return part, []

    def content(self, job: Job, steps: Recipe, sources: list[Part], old: list[Part]) -> int:
        """What stands for the result, if all it is made of is the same in every run."""
        if steps.in_place or any(p.content == NOT_FIXED for p in (*sources, *old)):
            return NOT_FIXED
        return self.machine.contents.new(steps.grouping.count * (steps.stop - steps.start))

    # -- plans -------------------------------------------------------------------------------

    def plan(self, entries: np.ndarray, cls: int) -> Plan:
        """A list's jobs and posts, by the memories its entries join."""
        jobs, posts, moved = [], [], 0
        key = np.stack([entries["kind"].astype(np.int64), entries["peer_cls"].astype(np.int64)], 1)
        dram = np.isin(entries["kind"], (DRAM_LOAD, DRAM_STORE))
        key[:, 1] = np.where(dram, 0, key[:, 1])
        for kind, other in np.unique(key, axis=0):
            part = entries[(key == (kind, other)).all(1)]
            size = part["bytes"].astype(np.int64) * part["count0"] * part["count1"] * part["peers"]
            moved += int(size.sum())
            jobs += self.jobs(part[size > 0], int(kind), int(other), cls)
            posts += self.posts(part, int(kind), int(other), cls)
        return Plan(tuple(jobs), tuple(posts), moved)

    def jobs(self, part: np.ndarray, kind: int, other: int, cls: int) -> list[Job]:
        """The jobs of entries of one kind between two memories."""
        if not len(part):
            return []
        here = self.machine.memory[cls]
        home, far = (part[name].astype(np.int64) for name in ("node", "peer"))
        if kind in (DRAM_LOAD, DRAM_STORE):
            there, far = self.machine.dram.memory, self.machine.dram.place(far)
        else:
            there = self.machine.memory[other]
        outward = kind in (PUSH, DRAM_STORE)
        source, target = (here, there) if outward else (there, here)
        ones = np.ones(len(part), np.int64)
        peers, stride = (part[n].astype(np.int64) for n in ("peers", "peer_stride"))
        if kind != PUSH:
            peers, stride = ones, ones
        read_at, write_at = (home, far) if outward else (far, home)
        fields = {name: part[name].astype(np.int64) for name in FIELDS}
        found = []
        span, targets = hulls(*reach(fields, "dst"))
        for number, (start, stop) in enumerate(targets):
            own = np.flatnonzero(span == number)
            chosen = {name: column[own] for name, column in fields.items()}
            which, reads = hulls(*reach(chosen, "src"))
            node, peer = read_at[own], write_at[own]
            moves = Moves(chosen, node, peer, peers[own], stride[own], which, start, stop)
            found.append(Job(source, target, moves, reads))
        return found

    def posts(self, part: np.ndarray, kind: int, other: int, cls: int) -> list[tuple]:
        found = []
        for name, far in (("far_sem", True), ("home_sem", False)):
            chosen = part[part[name] != NO_SEMAPHORE]
            at_peer = far != (kind == PULL)
            if not len(chosen) or (at_peer and kind in (DRAM_LOAD, DRAM_STORE)):
                continue
            chosen, peers = each_peer(chosen)
            nodes = peers if at_peer else chosen["node"].astype(np.int64)
            place = nodes * 64 + chosen[name].astype(np.int64)
            every, times = np.unique(place, return_counts=True)
            found.append((other if at_peer else cls, every // 64, every % 64, times))
        return found
