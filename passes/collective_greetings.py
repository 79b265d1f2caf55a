"""Who tells whom that its buffers are free before a collective, in place of a barrier of all nodes.

A push may only start when the node it writes to is through with what it did before. A barrier says
that of all nodes. Where a collective is among all nodes of the grid, each can tell it to those that
will push to it: first to those of the first steps, which are few in a ring, then, while these are
under way, to the others.

No post of a later collective can be taken for one of this: a node is through with a collective only
when it has heard from all, so also from whoever still waits for posts, and what else runs on the
nodes does not raise these semaphores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FEW = 8
"""Nodes to tell before the first step up to which that takes less time than a barrier."""


@dataclass(frozen=True, eq=False)
class Greeting:
    """One round: the nodes that each node tells, a table [nodes] for each, and how many posts each
    waits for."""

    told: tuple[np.ndarray, ...]
    awaited: np.ndarray

    def tables(self) -> list[np.ndarray]:
        return [*self.told, self.awaited]


@dataclass(frozen=True, eq=False)
class Greetings:
    """Before the first list; and, if there are others, after it and before list number `place`."""

    first: Greeting
    others: Greeting | None
    place: int

    def tables(self) -> list[np.ndarray]:
        rest = [] if self.others is None else self.others.tables()
        return [*self.first.tables(), *rest]


def greetings(lists: Sequence[np.ndarray], begun: Sequence[bool], nodes: int) -> Greetings | None:
    """For lists of moves in the order in which they are started, `begun` of those that start
    without waiting for anything; None where a barrier has to do."""
    keys = [np.unique(pairs(moves, nodes)) for moves in lists]
    early = np.unique(np.concatenate([key for key, now in zip(keys, begun, strict=True) if now]))
    every = np.unique(np.concatenate(keys))
    if not joined(every, nodes):
        return None
    late = np.setdiff1d(every, early)
    place = next((n for n, key in enumerate(keys) if np.isin(key, late).any()), len(lists))
    first, others = greeting(early, nodes), greeting(late, nodes)
    if first is None or len(first.told) > FEW or (len(late) and others is None):
        return None
    return Greetings(first, others, place)


def pairs(moves: np.ndarray, nodes: int) -> np.ndarray:
    """Who writes to whom, itself left out."""
    away = moves[moves["src_node"] != moves["dst_node"]]
    return away["dst_node"].astype(np.int64) * nodes + away["src_node"]


def joined(keys: np.ndarray, nodes: int) -> bool:
    """True where all nodes of the grid hear from each other, over others."""
    to, source = np.divmod(keys, nodes)
    return all(reached(*ends, nodes).all() for ends in ((source, to), (to, source)))


def reached(source: np.ndarray, to: np.ndarray, nodes: int) -> np.ndarray:
    """[nodes] which can be reached from the first."""
    found = np.arange(nodes) == 0
    while True:
        more = found.copy()
        more[to[found[source]]] = True
        if (more == found).all():
            return found
        found = more


def greeting(keys: np.ndarray, nodes: int) -> Greeting | None:
    """Each node tells those that write to it; None where some have fewer of these."""
    to, source = np.divmod(keys, nodes)
    counts = np.bincount(to, minlength=nodes)
    if not len(keys) or (counts != counts[0]).any():
        return None
    # In the order of how far behind a node they are, which is the same for most nodes.
    order = np.lexsort(((source - to) % nodes, to))
    told = source[order].reshape(nodes, counts[0])
    return Greeting(tuple(told.T), np.bincount(source, minlength=nodes))
