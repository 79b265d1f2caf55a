"""Questions about two events node by node: what a list writes on a node may be what that node's own
instructions, or an earlier list, still use there. Does the node that pushes know that they do not?

The clocks of order.py are floors over all nodes of a class: of all who push in a list, what the
least knowing one knows of its peer. But one may push a part of a buffer that its peer used long
ago, and another one a part that was used just before. So of each two events that seem to meet, only
those nodes are asked of which the bytes do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dojocc.runtime.program import PUSH, Program
from dojocc.runtime.verify.clocks import THREADS, Clocks, Place, Started
from dojocc.runtime.verify.footprint import box_runs
from dojocc.runtime.verify.lists import Spans, entries_of, spans
from dojocc.runtime.verify.trace import Step


@dataclass(eq=False)
class Question:
    """Does list start `after` come behind `before` wherever both touch the same bytes?

    writer, knows: the nodes that push what meets, and those that have to be through with it: who
    executed the instruction `before`, or who got what list `before` read. `told` [pairs, threads]
    is what each writer knows of that node when it starts its list.
    """

    before: Place
    after: Place
    step: bool
    writer: np.ndarray
    through: np.ndarray
    told: np.ndarray

    def start(self, nodes: np.ndarray, clocks: Clocks) -> None:
        """These nodes start the list now."""
        mine = np.isin(self.writer, nodes)
        thread = self.after[1]
        self.told[mine] = clocks.pairs[self.writer[mine], thread, self.through[mine]]

    def holds(self, earlier: Started | None) -> bool:
        """True where every writer knows; asked when all lists have started and ended."""
        if self.step:
            return bool((self.told[:, self.before[1]] > self.before[2]).all())
        if earlier is None:
            return False
        left, sure = earlier.left.get((self.after[0], True)), earlier.far.get(self.after[0])
        if left is None or left.any() or sure is None:
            return False
        return bool((self.told[:, sure[0]] >= sure[1]).all())


def question(
    program: Program, traces: list[list[list[Step]]], before: Place, after: Place
) -> Question | None:
    """The question about two events of one class, or None where they are of another kind."""
    cls, thread, position = before
    first, second = traces[cls][thread][position], traces[after[0]][after[1]][after[2]]
    if cls != after[0] or second.name != "push":
        return None
    pushes = entries_of(program, second.number, cls)
    if not inside(pushes, cls):
        return None
    writes = spans(pushes, "dst")
    if first.touches:
        used = touched(first)
    elif first.name == "push":
        sent = entries_of(program, first.number, cls)
        if not inside(sent, cls):
            return None
        used = spans(sent, "src")
    else:
        return None
    writer, through = meeting(used, writes)
    told = np.zeros((len(writer), THREADS), np.int64)
    return Question(before, after, bool(first.touches), writer, through, told)


def inside(entries: np.ndarray, cls: int) -> bool:
    """True where all of a list is pushes within the class."""
    return bool(((entries["kind"] == PUSH) & (entries["peer_cls"] == cls)).all())


def touched(step: Step) -> Spans:
    """The bytes between the first and last that an instruction touches on each node."""
    nodes, low, high = [], [], []
    for touch in step.touches:
        first, last = box_runs(touch.box).span
        nodes.append(touch.nodes)
        low.append(touch.bases + first)
        high.append(touch.bases + last)
    every = np.concatenate(nodes)
    return Spans(every, every, np.concatenate(low), np.concatenate(high))


def meeting(used: Spans, writes: Spans) -> tuple[np.ndarray, np.ndarray]:
    """(writer, who has to be through) of every two spans on one node that share bytes, once."""
    order, turn = np.argsort(used.near, kind="stable"), np.argsort(writes.far, kind="stable")
    nodes = np.unique(used.near)
    mine = np.searchsorted(used.near[order], [nodes, nodes + 1])
    theirs = np.searchsorted(writes.far[turn], [nodes, nodes + 1])
    pairs = [np.zeros((2, 0), np.int64)]
    for ours, others in zip(mine.T.tolist(), theirs.T.tolist(), strict=True):
        reads, pushed = used.of(order[slice(*ours)]), writes.of(turn[slice(*others)])
        meet = (reads.low[:, None] < pushed.high) & (pushed.low < reads.high[:, None])
        one, other = np.nonzero(meet)
        pairs.append(np.stack([pushed.near[other], reads.far[one]]))
    return tuple(np.unique(np.concatenate(pairs, 1), axis=1))
