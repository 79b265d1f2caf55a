"""The token walk: all threads of all nodes run their traces, semaphores and barriers only.

Each semaphore has one thread that waits on it, so what one does never keeps another from going on:
every order ends alike, and one walk decides on deadlock and balance. See clocks.py for the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dojocc.runtime.program import PULL, Program
from dojocc.runtime.verify.clocks import SEMAPHORES, THREADS, Place, Started
from dojocc.runtime.verify.findings import Finding, Report, code_place, node_names
from dojocc.runtime.verify.lists import each_peer, entries_of
from dojocc.runtime.verify.tokens import Tokens
from dojocc.runtime.verify.trace import Step


@dataclass(eq=False)
class Walk(Tokens):
    """One walk, from start to end."""

    # -- running ---------------------------------------------------------------------------------

    def run(self) -> None:
        """Until no thread can go on."""
        moved = True
        while moved:
            moved = False
            for cls, each in enumerate(self.traces):
                for thread, steps in enumerate(each):
                    if steps:
                        moved |= self.thread(cls, thread, steps)
        for each in (each for some in self.questions.values() for each in some):
            if each.holds(self.started.get(each.before)):
                self.follows.add((each.before, each.after))
        self.finish()

    def thread(self, cls: int, thread: int, steps: list[Step]) -> bool:
        """All nodes of a class go on in one thread, as far as they can."""
        position, moved = self.position[cls][:, thread], False
        waiting = np.zeros(len(position), bool)
        while True:
            going = np.flatnonzero(~waiting & (position < len(steps)))
            if not len(going):
                return moved
            place = int(position[going].min())
            nodes = going[position[going] == place]
            stop = int(self.stops[cls][thread][place])
            if stop > place:
                self.go_to(cls, thread, nodes, stop)
                moved = True
                continue
            ready = self.ready(cls, thread, steps[stop], nodes)
            waiting[nodes[~ready]] = True
            if ready.any():
                self.carry_out(cls, thread, stop, steps[stop], nodes[ready])
                self.go_to(cls, thread, nodes[ready], stop + 1)
                moved = True

    def carry_out(self, cls: int, thread: int, place: int, step: Step, nodes: np.ndarray) -> None:
        match step.name:
            case "post":
                amount = self.needs(step, nodes)
                self.post(cls, thread, cls, nodes, nodes, step.number, amount)
            case "rpost":
                self.remote_post(cls, thread, place, step, nodes)
            case "wait" | "waitx":
                self.wait(cls, thread, place, step, nodes)
            case "nbar":
                members = [t for t in range(THREADS) if step.number >> t & 1]
                if members:
                    self.meet(cls, thread, members, nodes)
            case "rbar":
                self.region(cls, thread)
            case _:
                self.start(cls, thread, place, step, nodes)

    # -- lists -----------------------------------------------------------------------------------

    def start(self, cls: int, thread: int, place: int, step: Step, nodes: np.ndarray) -> None:
        """The posts of a list: they carry the clock of the thread that starts it."""
        key = (cls, thread, place)
        started = self.started.setdefault(key, Started(key, step.number))
        for each in self.questions.get(key, ()):
            each.start(nodes, self.clocks[cls])
        there = np.zeros(len(self.program.classes[cls].nodes), bool)
        there[nodes] = True
        for batch in self.batches(step.number, cls):
            mine = there[batch.source]
            source, target = batch.source[mine], batch.node[mine]
            raised = batch.semaphore[mine]
            ordered = batch.far and step.name == "push"
            for semaphore in np.unique(raised).tolist():
                some = raised == semaphore
                ones = np.ones(int(some.sum()), np.int64)
                ends = source[some], target[some], semaphore, ones
                self.post(cls, thread, batch.cls, *ends, key, batch.far, ordered)
            size = (len(self.program.classes[batch.cls].nodes), SEMAPHORES)
            left = started.left.setdefault((batch.cls, batch.far), np.zeros(size, bool))
            left[target, raised] = True
        for other, (source, target) in self.ends(step.number, cls).items():
            mine = there[source]
            known = self.carried(cls, thread, other, source[mine], target[mine]).own
            if len(known):
                least = known.min(0)
                if other in started.known:
                    least = np.minimum(started.known[other], least)
                started.known[other] = least

    def ends(self, number: int, cls: int) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """By class of peers: (node, peer) of a list's transfers between different nodes."""
        key = (number, cls)
        if key not in self.pairs_of:
            entries = entries_of(self.program, number, cls)
            entry, peer = each_peer(entries)
            node, other = entries["node"].astype(np.int64)[entry], entries["peer_cls"][entry]
            away = (entries["kind"][entry] <= PULL) & ((other != cls) | (peer != node))
            self.pairs_of[key] = {
                int(each): (node[away & (other == each)], peer[away & (other == each)])
                for each in np.unique(other[away])
            }
        return self.pairs_of[key]

    # -- the end ---------------------------------------------------------------------------------

    def finish(self) -> None:
        """Deadlock and balance."""
        if self.again:
            return
        for cls, waiters in enumerate(self.waiters):
            for semaphore in sorted(s for s, threads in waiters.items() if len(threads) > 1):
                self.report.add(
                    Finding(
                        "deadlock",
                        f"two threads of a node wait on semaphore {semaphore}, and the one that a"
                        " post is for may not get it",
                        f"class {self.program.classes[cls].name}",
                        f"threads {sorted(waiters[semaphore])}",
                    )
                )
        stuck = False
        for cls, each in enumerate(self.traces):
            for thread, steps in enumerate(each):
                position = self.position[cls][:, thread]
                for place in np.unique(position[position < len(steps)]).tolist():
                    stuck = True
                    self.stuck(cls, thread, steps[place], np.flatnonzero(position == place))
        if stuck:
            return
        for cls, value in enumerate(self.value):
            for semaphore in np.flatnonzero(value.any(0)).tolist():
                nodes = np.flatnonzero(value[:, semaphore])
                self.report.add(
                    Finding(
                        "balance",
                        f"semaphore {semaphore} is left raised at the end",
                        f"class {self.program.classes[cls].name},"
                        f" nodes {node_names(self.program, cls, nodes)}",
                        f"{int(value[nodes[0], semaphore])} posts more than waits take",
                    )
                )

    def stuck(self, cls: int, thread: int, step: Step, nodes: np.ndarray) -> None:
        numbers = "not all the threads that it joins come to it"
        if step.name in ("wait", "waitx"):
            held, need = self.value[cls][nodes, step.number], self.needs(step, nodes)
            worst = int(np.argmax(need - held))
            numbers = f"semaphore {step.number} has {held[worst]}, needs {need[worst]}"
        self.report.add(
            Finding(
                "deadlock",
                f"`{step.name}` can never be passed",
                code_place(self.program, cls, thread, step.word, step.call)
                + f", nodes {node_names(self.program, cls, nodes)}",
                numbers,
            )
        )


def walk(
    program: Program,
    traces: list[list[list[Step]]],
    report: Report,
    exact: bool = False,
    asked: frozenset[tuple[Place, Place]] = frozenset(),
) -> Walk:
    """The last walk: repeated until no further wait turns out ambiguous."""
    ambiguous: set[tuple[int, int, int, int]] = set()
    while True:
        found = Walk(program, traces, report, ambiguous, exact, asked)
        found.run()
        if not found.again:
            return found
