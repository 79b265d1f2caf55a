"""Routes along a spanning order: a way between any two nodes that reach each other, without rings.

Nodes are ordered by their distance from a root in the middle. A route first only goes up (to nodes
earlier in the order), then only down. A ring of waiting links would have to turn from down to up
somewhere, which no route does.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from dojocc.runtime.mesh.routes import DIRECTIONS, components, link_alive
from dojocc.runtime.target import Target


def tree_legs(target: Target, src: int, dst: int) -> list[int]:
    """The nodes at which the straight parts of the shortest up-then-down walk end."""
    order = spanning_order(target, int(components(target)[src]))
    walk = up_then_down(target, order, src, dst)
    turns = [
        here
        for before, here, after in zip(walk, walk[1:], walk[2:], strict=False)
        if here - before != after - here
    ]
    return [*turns, dst]


@lru_cache(maxsize=8)
def spanning_order(target: Target, label: int) -> np.ndarray:
    """Rank of every node of a component, breadth first from its middle; -1 for other nodes."""
    members = np.flatnonzero(components(target) == label)
    row, col = np.divmod(members, target.cols)
    away = np.abs(row - np.median(row)) + np.abs(col - np.median(col))
    rank = np.full(target.positions, -1, np.int64)
    queue = [int(members[np.argmin(away)])]
    rank[queue[0]] = 0
    for here in queue:
        for there in neighbours(target, here):
            if rank[there] < 0:
                rank[there] = len(queue)
                queue.append(there)
    return rank


def up_then_down(target: Target, order: np.ndarray, src: int, dst: int) -> list[int]:
    """Breadth first over (node, has gone down); from the root there is a way down to every node."""
    came: dict[tuple[int, bool], tuple[int, bool] | None] = {(src, False): None}
    queue = [(src, False)]
    for here, down in queue:
        if here == dst:
            break
        for there in neighbours(target, here):
            falls = bool(order[there] > order[here])
            step = (there, falls)
            if (falls or not down) and step not in came:
                came[step] = (here, down)
                queue.append(step)
    state: tuple[int, bool] | None = next(step for step in queue if step[0] == dst)
    walk = []
    while state is not None:
        walk.append(state[0])
        state = came[state]
    return walk[::-1]


def neighbours(target: Target, node: int) -> list[int]:
    """Nodes that a live link joins to this one."""
    alive = link_alive(target)[node]
    moves = (down * target.cols + right for down, right in DIRECTIONS)
    return [node + move for move, works in zip(moves, alive, strict=True) if works]
