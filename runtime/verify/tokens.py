"""The state of a token walk: positions, semaphores with the posts that wait in them, clocks.

How posts, waits and barriers change it; sync.py walks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dojocc.runtime.program import Program
from dojocc.runtime.verify.asked import Question, question
from dojocc.runtime.verify.clocks import (
    NEVER,
    NOBODY,
    SEMAPHORES,
    SEVERAL,
    SYNC,
    THREADS,
    Clocks,
    Place,
    Posts,
    Started,
    later,
)
from dojocc.runtime.verify.findings import Finding, Report, code_place
from dojocc.runtime.verify.lists import Batch, batches, entries_of
from dojocc.runtime.verify.trace import Step


@dataclass(eq=False)
class Tokens:
    """One walk; `ambiguous` holds (class, semaphore, thread, position) of waits that teach
    nothing."""

    program: Program
    traces: list[list[list[Step]]]
    report: Report
    ambiguous: set[tuple[int, int, int, int]]
    exact: bool = False
    asked: frozenset[tuple[Place, Place]] = frozenset()
    again: bool = False

    def __post_init__(self) -> None:
        counts = [len(item.nodes) for item in self.program.classes]
        classes = len(counts)
        self.position = [np.zeros((n, THREADS), np.int64) for n in counts]
        seen = [n if self.exact else 0 for n in counts]
        longest = max((len(steps) for each in self.traces for steps in each), default=0)
        self.kind = np.int16 if longest < np.iinfo(np.int16).max else np.int32
        self.clocks = [
            Clocks.new((n, THREADS), classes, m, self.kind)
            for n, m in zip(counts, seen, strict=True)
        ]
        self.queues: list[dict[int, list[Posts]]] = [{} for _ in counts]
        self.source = [np.full((n, SEMAPHORES), NOBODY, np.int64) for n in counts]
        self.value = [np.zeros((n, SEMAPHORES), np.int64) for n in counts]
        self.consumed = [np.zeros((n, SEMAPHORES), np.int64) for n in counts]
        self.passed = [np.zeros((n, SEMAPHORES), np.int64) for n in counts]
        self.arrived = {
            name: [np.zeros((n, THREADS), np.int64) for n in counts] for name in ("nbar", "rbar")
        }
        self.standing = [np.full((n, THREADS), -1, np.int64) for n in counts]
        self.started: dict[tuple[int, int, int], Started] = {}
        self.follows: set[tuple[Place, Place]] = set()
        self.questions: dict[Place, list[Question]] = {}
        for before, after in sorted(self.asked) if self.exact else ():
            asked = question(self.program, self.traces, before, after)
            if asked is not None:
                self.questions.setdefault(after, []).append(asked)
        self.order: list[tuple[int, int, int, int, np.ndarray]] = []
        self.posts: dict[tuple[int, int], list[Batch]] = {}
        self.pairs_of: dict[tuple[int, int], dict[int, tuple[np.ndarray, np.ndarray]]] = {}
        self.stops = [[self.stops_of(steps) for steps in each] for each in self.traces]
        self.learned_own = [
            [np.full((len(steps) + 1, THREADS), NEVER, np.int64) for steps in each]
            for each in self.traces
        ]
        self.learned_all = [
            [np.full((len(steps) + 1, classes, THREADS), NEVER, np.int64) for steps in each]
            for each in self.traces
        ]
        self.roles()

    def stops_of(self, steps: list[Step]) -> np.ndarray:
        """By position, the next one that synchronises (or the end)."""
        following, found = len(steps), np.zeros(len(steps) + 1, np.int64)
        found[-1] = following
        for place in range(len(steps) - 1, -1, -1):
            if steps[place].name in SYNC:
                following = place
            found[place] = following
        return found

    def roles(self) -> None:
        """Which threads wait on each semaphore of each class."""
        self.waiters: list[dict[int, set[int]]] = [{} for _ in self.traces]
        for cls, each in enumerate(self.traces):
            for thread, steps in enumerate(each):
                for step in steps:
                    if step.name in ("wait", "waitx"):
                        self.waiters[cls].setdefault(step.number, set()).add(thread)

    def batches(self, number: int, cls: int) -> list[Batch]:
        key = (number, cls)
        if key not in self.posts:
            self.posts[key] = batches(entries_of(self.program, number, cls), cls)
        return self.posts[key]

    def go_to(self, cls: int, thread: int, nodes: np.ndarray, place: int) -> None:
        """The nodes stand at `place`: their clocks say so, and what they know there is noted."""
        first = int(self.position[cls][nodes[0], thread])
        self.order.append((cls, thread, first, place, nodes))
        self.position[cls][nodes, thread] = place
        clocks = self.clocks[cls]
        clocks.own[nodes, thread, thread] = place
        if self.exact:
            clocks.pairs[nodes, thread, nodes, thread] = place
        own, every = self.learned_own[cls][thread], self.learned_all[cls][thread]
        own[place] = np.minimum(own[place], clocks.own[nodes, thread].min(0))
        every[place] = np.minimum(every[place], clocks.all[nodes, thread].min(0))

    def ready(self, cls: int, thread: int, step: Step, nodes: np.ndarray) -> np.ndarray:
        if step.name in ("wait", "waitx"):
            return self.value[cls][nodes, step.number] >= self.needs(step, nodes)
        if step.name in ("nbar", "rbar"):
            counts, standing = self.arrived[step.name][cls], self.standing[cls]
            fresh = nodes[standing[nodes, thread] != self.position[cls][nodes, thread]]
            counts[fresh, thread] += 1
            standing[fresh, thread] = self.position[cls][fresh, thread]
            if step.name == "rbar":
                return counts[nodes, thread] <= counts[:, thread].min()
            members = [t for t in range(THREADS) if step.number >> t & 1]
            return np.asarray((counts[nodes][:, members] >= counts[nodes, thread, None]).all(1))
        return np.ones(len(nodes), bool)

    def needs(self, step: Step, nodes: np.ndarray) -> np.ndarray:
        value = np.asarray(step.value, np.int64)
        return value[nodes] if value.ndim else np.full(len(nodes), value)

    # -- posts and waits -------------------------------------------------------------------------

    def post(
        self,
        cls: int,
        thread: int,
        other: int,
        source: np.ndarray,
        target: np.ndarray,
        semaphore: int,
        amount: np.ndarray,
        place: tuple[int, int, int] | None = None,
        far: bool = False,
        ordered: bool = True,
    ) -> None:
        """Threads (cls, source, thread) raise a semaphore of nodes `target` of class `other`."""
        carried = self.carried(cls, thread, other, source, target)
        self.check_early(cls, thread, other, source, target, semaphore, carried, ordered)
        nodes = len(self.program.classes[other].nodes)
        joined = Clocks.new((nodes,), len(self.traces), carried.pairs.shape[1], self.kind)
        order = np.argsort(target, kind="stable")
        first = np.flatnonzero(np.diff(target[order], prepend=-1))
        for whole, part in zip(
            (joined.own, joined.all, joined.pairs),
            (carried.own, carried.all, carried.pairs),
            strict=True,
        ):
            if len(first) == len(target):
                whole[target] = part
            else:
                whole[target[order][first]] = np.maximum.reduceat(part[order], first)
        value, consumed = self.value[other], self.consumed[other]
        np.add.at(value[:, semaphore], target, amount)
        count = np.full(nodes, -1, np.int64)
        count[target] = (value[:, semaphore] + consumed[:, semaphore])[target]
        queue = self.queues[other].setdefault(semaphore, [])
        queue.append(Posts(count, joined, place, far))

    def carried(
        self, cls: int, thread: int, other: int, source: np.ndarray, target: np.ndarray
    ) -> Clocks:
        """What the posters know; `own` becomes what they know of the node that they post to."""
        found = self.clocks[cls].at((source, thread))
        own = found.all[:, other].copy()
        pairs = found.pairs
        if cls == other and self.exact:
            own = np.maximum(own, pairs[np.arange(len(source)), target])
        if cls != other:
            nodes = len(self.program.classes[other].nodes) if self.exact else 0
            pairs = np.zeros((len(source), nodes, THREADS), self.kind)
        same = (source == target) & (other == cls)
        own[same] = np.maximum(own[same], found.own[same])
        return Clocks(own, found.all, pairs)

    def check_early(
        self,
        cls: int,
        thread: int,
        other: int,
        source: np.ndarray,
        target: np.ndarray,
        semaphore: int,
        carried: Clocks,
        ordered: bool,
    ) -> None:
        """Doubt the waits that this post could come before, unless all posts are of one thread."""
        waiters = self.waiters[other].get(semaphore, set())
        if len(waiters) != 1:
            return
        (waiter,) = waiters
        passed = self.passed[other][target, semaphore]
        early = (carried.own[:, waiter] < passed) & (passed > 0)
        who = (cls * THREADS + thread) << 32 | source
        before = self.source[other][:, semaphore]
        fresh = ~early & (self.value[other][target, semaphore] == 0)
        self.source[other][target[fresh], semaphore] = NOBODY
        mixed = (before[target] != NOBODY) & (before[target] != who)
        # Several posts at once: those to one node from several sources are mixed as well.
        first = np.full(len(before), NOBODY, np.int64)
        first[target] = who
        mixed |= (first[target] != who) | (not ordered)
        now = before.copy()
        now[target] = who
        now[target[mixed]] = SEVERAL
        self.source[other][:, semaphore] = now
        wrong = early & (now[target] == SEVERAL)
        if wrong.any():
            low, high = carried.own[wrong, waiter].min(), passed[wrong].max()
            self.doubt(other, semaphore, waiter, int(low), int(high))

    def doubt(self, cls: int, semaphore: int, thread: int, first: int, last: int) -> None:
        """A post may come before the waits at positions [first, last), which did not need it."""
        for place in range(first, last):
            step = self.traces[cls][thread][place]
            key = (cls, semaphore, thread, place)
            if step.name in ("wait", "waitx") and step.number == semaphore:
                self.again |= key not in self.ambiguous
                self.ambiguous.add(key)

    def remote_post(self, cls: int, thread: int, place: int, step: Step, nodes: np.ndarray) -> None:
        target = self.needs(step, nodes)
        inside = (target >= 0) & (target < len(self.program.classes[cls].nodes))
        if not inside.all():
            self.report.add(
                Finding(
                    "code",
                    "a remote post names a node that is not in the class",
                    code_place(self.program, cls, thread, step.word, step.call),
                    f"node {int(target[~inside][0])}",
                )
            )
        ones = np.ones(int(inside.sum()), np.int64)
        self.post(cls, thread, cls, nodes[inside], target[inside], step.number, ones)

    def wait(self, cls: int, thread: int, place: int, step: Step, nodes: np.ndarray) -> None:
        semaphore, need = step.number, self.needs(step, nodes)
        nodes, need = nodes[need > 0], need[need > 0]
        value, consumed = self.value[cls], self.consumed[cls]
        value[nodes, semaphore] -= need
        consumed[nodes, semaphore] += need
        self.passed[cls][nodes, semaphore] = place + 1
        if len(self.waiters[cls][semaphore]) > 1 or not len(nodes):
            return
        sure = value[nodes, semaphore] == 0
        sure &= (cls, semaphore, thread, place) not in self.ambiguous
        in_order = self.source[cls][nodes, semaphore] >= 0
        taken = consumed[:, semaphore]
        queue, known = self.queues[cls].get(semaphore, []), nodes[sure | in_order]
        reached = np.full(len(taken), -1, np.int64)
        for posts in queue:
            here = known[(posts.count[known] >= 0) & (reached[known] < taken[known])]
            if not len(here):
                continue
            reached[here] = posts.count[here]
            self.learn(cls, thread, here, posts.clocks.at(here))
            whole = here[posts.count[here] <= taken[here]]
            self.ended(cls, thread, place, semaphore, whole, posts)
            posts.count[whole] = -1
        self.queues[cls][semaphore] = [posts for posts in queue if (posts.count >= 0).any()]

    def learn(self, cls: int, thread: int, nodes: np.ndarray, told: Clocks) -> None:
        """The threads know all that they are told; floors and pairs of their own node as well."""
        clocks = self.clocks[cls]
        known = np.maximum(clocks.all[nodes, thread], told.all)
        clocks.all[nodes, thread] = known
        own = np.maximum(clocks.own[nodes, thread], np.maximum(told.own, known[:, cls]))
        if self.exact:
            pairs = np.maximum(clocks.pairs[nodes, thread], told.pairs)
            pairs[np.arange(len(nodes)), nodes] = own
            clocks.pairs[nodes, thread] = pairs
        clocks.own[nodes, thread] = own

    # -- barriers --------------------------------------------------------------------------------

    def meet(self, cls: int, thread: int, members: list[int], nodes: np.ndarray) -> None:
        clocks = self.clocks[cls]
        joined = [*members, thread]
        every = (clocks.own, clocks.all, clocks.pairs)
        told = Clocks(*(part[nodes][:, joined].max(1) for part in every))
        self.learn(cls, thread, nodes, told)

    def region(self, cls: int, thread: int) -> None:
        """All nodes of the class meet in one thread: what any knows, all know."""
        clocks = self.clocks[cls]
        every = clocks.all[:, thread].max(0)
        every[cls] = np.maximum(every[cls], clocks.own[:, thread].min(0))
        nodes = np.arange(len(clocks.own))
        pairs = clocks.pairs[:, thread].max(0, initial=0)
        if self.exact:
            pairs = np.maximum(pairs, clocks.own[:, thread])
        told = Clocks(
            np.zeros((len(nodes), THREADS), self.kind),
            np.broadcast_to(every, (len(nodes), *every.shape)),
            np.broadcast_to(pairs, (len(nodes), *pairs.shape)),
        )
        if self.exact:
            told.own = pairs.copy()
        self.learn(cls, thread, nodes, told)

    def ended(
        self, cls: int, thread: int, place: int, semaphore: int, nodes: np.ndarray, posts: Posts
    ) -> None:
        """The list whose posts these are is over on these nodes."""
        if posts.place is None or not len(nodes):
            return
        started = self.started[posts.place]
        started.left[cls, posts.far][nodes, semaphore] = False
        sure = (thread, place + 1)
        if posts.far:
            started.far[cls] = later(started.far.get(cls), sure)
        else:
            started.home = later(started.home, sure)
