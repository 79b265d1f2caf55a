"""The way of a flow that no table names: x, then y; where something dead is in the way, two legs.

Routers know the target's fault map, so a program needs no row for such flows. Which node the legs
meet at follows from the flow's ends and the map by the rule of `turning_nodes` (assumed: the
routing rule of the D1 is not published).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, product

import numpy as np

from dojocc.runtime.mesh.routes import clear, runs, straight
from dojocc.runtime.target import Target

FARTHEST = 24
"""Columns beside the source and rows beside the destination, together, that are tried at last, on
a mesh too large to know beforehand that a way is there."""
FEW, AT_ONCE = 1 << 8, 1 << 13
"""Of so few flows several tries are looked at together, about so many in all."""
LAYERS = 3
"""Virtual layers that the mesh must have: one a leg, and the last, kept for longer ways."""
MOST_RUNS = 1 << 12
"""Stretches of rows, or of columns, up to which it is worked out which ends two legs can join."""


@dataclass(frozen=True, eq=False)
class Joined:
    """Which flows one leg or two can take: those with joined[across[src], down[dst]].

    across, down: [positions] the stretch of its row, and of its column, with nothing dead in it
    that a node is in. The longest such way is x-y-x-y: along the source's stretch to one of a
    column, along that to one of a row, and that crosses the destination's stretch of its column.

    senders, receivers: [positions] the ends of flows between live nodes that they cannot take.
    """

    across: np.ndarray
    down: np.ndarray
    joined: np.ndarray
    senders: np.ndarray
    receivers: np.ndarray

    def flows(self, src: np.ndarray, dst: np.ndarray) -> np.ndarray:
        """Boolean [flows]."""
        return self.joined[self.across[src], self.down[dst]]


@lru_cache(maxsize=32)
def two_legs(target: Target) -> Joined | None:
    """Which live nodes two legs can join; None for a mesh of more than MOST_RUNS stretches, or with
    too few virtual layers to turn at all."""
    if target.mesh.virtual_channels < LAYERS:
        return None
    across, down = (np.unique(run, return_inverse=True)[1].reshape(-1) for run in runs(target))
    sizes = int(down.max()) + 1, int(across.max()) + 1
    if max(sizes) > MOST_RUNS:
        return None
    crossing = np.zeros(sizes, np.float32)
    crossing[down, across] = 1
    turned = crossing @ crossing.T > 0
    joined = crossing.T @ turned.astype(np.float32) > 0
    live = target.live().reshape(-1)
    row, column = np.unique(across[live]), np.unique(down[live])
    senders = live & ~np.all(joined[:, column], axis=1)[across]
    receivers = live & ~np.all(joined[row], axis=0)[down]
    return Joined(across, down, joined, senders, receivers)


@dataclass(eq=False)
class Search:
    """The flows that have no node to turn at yet, and where the others turn.

    Flows are (row, col) to (to_row, to_col); `number` is the place in `via` of those left.
    """

    target: Target
    via: np.ndarray
    number: np.ndarray
    row: np.ndarray
    col: np.ndarray
    to_row: np.ndarray
    to_col: np.ndarray
    side: np.ndarray

    def try_at(self, row: np.ndarray, col: np.ndarray) -> None:
        """Turn at these nodes, one a flow, if they are on the mesh and both legs are clear."""
        good = self.good(row, col)
        if good.any():
            self.turn(good, row, col)

    def try_each(self, places: Places) -> None:
        """The same for several tries in order."""
        if len(places[0]) == 1:
            self.try_at(places[0][0], places[1][0])
            return
        good = self.good(*places)
        found = np.logical_or.reduce(good, 0)
        if found.any():
            first = np.argmax(good, 0), np.arange(len(found))
            self.turn(found, *(each[first] for each in places))

    def good(self, row: np.ndarray, col: np.ndarray) -> np.ndarray:
        """Whether flows can turn at these nodes, [flows] or [tries, flows]."""
        rows, cols = self.target.rows, self.target.cols
        good = (row >= 0) & (row < rows) & (col >= 0) & (col < cols)
        row, col = np.clip(row, 0, rows - 1), np.clip(col, 0, cols - 1)
        good &= straight(self.target, self.row, self.col, row, col)
        good &= straight(self.target, row, col, self.to_row, self.to_col)
        good &= (row != self.row) | (col != self.col)
        good &= (row != self.to_row) | (col != self.to_col)
        return good

    def turn(self, found: np.ndarray, row: np.ndarray, col: np.ndarray) -> None:
        """Some flows turn at these nodes; the others are left."""
        self.via[self.number[found]] = (row * self.target.cols + col)[found]
        for name in ("number", "row", "col", "to_row", "to_col", "side"):
            setattr(self, name, getattr(self, name)[~found])


def turning_nodes(target: Target, src: np.ndarray, dst: np.ndarray) -> np.ndarray:
    """[flows] the node where the two legs of src[i] -> dst[i] (physical ids) meet; -1 where one leg
    will do, or two will not, or the mesh has too few virtual layers.

    The first that has nothing dead in either leg, in this order: y, then x; then y-x-y and x-y-x,
    the middle part ever farther from the destination's row (column), first between the ends, then
    outside them; then x-y-x-y with the first part ever farther aside. Flows try the side first
    that the parity of their ends says, so that they do not all crowd into one.
    """
    src, dst = np.asarray(src, np.int64), np.asarray(dst, np.int64)
    via = np.full(len(src), -1, np.int64)
    if target.mesh.virtual_channels < LAYERS:
        return via
    known = two_legs(target)
    hopeful = ~clear(target, src, dst)
    if known is not None:
        hopeful &= known.flows(src, dst)
    number = np.flatnonzero(hopeful)
    ends = (*np.divmod(src[number], target.cols), *np.divmod(dst[number], target.cols))
    row, col, to_row, to_col = (end.astype(np.int32) for end in ends)
    side = np.where((row + col + to_row + to_col) % 2, 1, -1).astype(np.int32)
    left = Search(target, via, number, row, col, to_row, to_col, side)
    left.try_at(left.to_row, left.col)
    sides = product(range(1, max(target.rows, target.cols)), (1, -1))
    for step, sign in sides:
        if not len(left.number):
            return via
        left.try_at(middle(left.row, left.to_row, left.side * np.int32(sign), step), left.col)
        left.try_at(left.to_row, middle(left.col, left.to_col, left.side * np.int32(sign), step))
        if len(left.number) <= FEW:
            break
    for part in batched(sides, left):
        left.try_each(between(left, part))
    farthest = FARTHEST if known is None else target.rows + target.cols
    for part in batched(asides(farthest), left):
        aside, beside = np.array(part, np.int32).T[:, :, None]
        left.try_each((left.to_row + left.side * beside, left.col + left.side * aside))
    return via


Places = tuple[np.ndarray, np.ndarray]
"""Rows and columns of the nodes to turn at, [tries, flows], those tried first in front."""


def between(left: Search, steps: Sequence[tuple[int, int]]) -> Places:
    """Of y-x-y and x-y-x, by how far the middle part is from the end, and to which side."""
    step, sign = np.array(steps, np.int32).T[:, :, None]
    side = left.side * sign
    rows = middle(left.row, left.to_row, side, step), np.broadcast_to(left.to_row, side.shape)
    cols = np.broadcast_to(left.col, side.shape), middle(left.col, left.to_col, side, step)
    row, col = (np.stack(pair, 1).reshape(-1, len(left.row)) for pair in (rows, cols))
    return row, col


def asides(farthest: int) -> Iterator[tuple[int, int]]:
    """(columns beside the source, rows beside the destination) of x-y-x-y, the nearest first."""
    for away in range(2, farthest + 1):
        for aside in range(1, away):
            for one, other in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
                yield one * aside, other * (away - aside)


def batched(every: Iterator[tuple[int, int]], left: Search) -> Iterator[list[tuple[int, int]]]:
    """The tries in parts, larger ones for fewer flows, until no flow is left."""
    while len(left.number) and (part := list(islice(every, 1 + AT_ONCE // len(left.number)))):
        yield part


def middle(here: np.ndarray, there: np.ndarray, side: np.ndarray, step: int) -> np.ndarray:
    """The row (or column) to try: from `there` back towards `here`, then outside of both."""
    away = np.abs(there - here)
    back = there - np.sign(there - here) * np.int32(step)
    outside = np.int32(step) - away
    low, high = np.minimum(here, there), np.maximum(here, there)
    return np.where(step <= away, back, np.where(side > 0, high + outside, low - outside))
