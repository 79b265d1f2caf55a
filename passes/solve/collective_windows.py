"""The cheapest routes of many flows at once, each at prices of its own in a window round its ends.

As in routing_legs.py, but there all flows see one mesh at one set of prices; here each has the part
of the mesh beside its ends to itself, so that a flow can see the prices that all others leave it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dojocc.passes.solve.routing_legs import (
    DEAD,
    LinkCosts,
    along_rows,
    chosen_legs,
    one_leg,
    prefix_sums,
)
from dojocc.runtime.target import Target

MARGIN = 5
"""Rows and columns round a flow's ends among which its routes are looked for."""
GRAIN = 4
"""Windows have as many rows and columns more as the next multiple: few shapes, so that flows go
together."""
BLOCK = 20
"""Rows and columns of a block at most; one is as large as a die where that is smaller."""
CELLS = 1 << 18
"""Places in the windows that are looked at together."""


@dataclass(eq=False)
class Windows:
    """The windows of flows src[i] -> dst[i]: `corner` and `shape` [2, flows] in rows and columns.

    `form` numbers shapes, `block` the part of the mesh that a flow starts in.
    """

    target: Target
    src: np.ndarray
    dst: np.ndarray

    def __post_init__(self) -> None:
        target = self.target
        here, there = (np.stack(np.divmod(end, target.cols)) for end in (self.src, self.dst))
        low, high = np.minimum(here, there), np.maximum(here, there)
        self.corner = low - MARGIN
        self.shape = -(-(high - low + 1) // GRAIN) * GRAIN + 2 * MARGIN
        self.form = self.shape[0] * (2 * target.cols + 4 * MARGIN) + self.shape[1]
        rows, cols = min(target.die.rows, BLOCK), min(target.die.cols, BLOCK)
        self.block = here[0] // rows * target.cols + here[1] // cols

    def one_a_block(self, flows: np.ndarray) -> list[np.ndarray]:
        """Sorted flows in sets with windows of one shape, each of at most one flow a block."""
        order = np.lexsort((flows, self.block[flows], self.form[flows]))
        block, form = self.block[flows][order], self.form[flows][order]
        changes = np.diff(block, prepend=-1).astype(bool) | np.diff(form, prepend=-1).astype(bool)
        opens = np.flatnonzero(changes)
        turn = np.arange(len(flows)) - np.repeat(opens, np.diff(opens, append=len(flows)))
        return self.sets(flows[order], turn)

    def together(self, flows: np.ndarray) -> list[np.ndarray]:
        """Sorted flows in sets with windows of one shape."""
        return self.sets(flows, np.zeros(len(flows), np.int64))

    def sets(self, flows: np.ndarray, turn: np.ndarray) -> list[np.ndarray]:
        """Flows in sets of one turn, with windows of one shape and few enough to look at."""
        order = np.lexsort((flows, turn, self.form[flows]))
        flows, turn = flows[order], turn[order]
        form = self.form[flows]
        changes = np.diff(turn, prepend=-1).astype(bool) | np.diff(form, prepend=-1).astype(bool)
        found = []
        for some in np.split(flows, np.flatnonzero(changes)[1:]):
            if len(some):
                most = max(1, CELLS // int(self.shape[:, some[0]].prod()))
                found += [some[first : first + most] for first in range(0, len(some), most)]
        return found

    def places(self, flows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """[flows, rows, cols] the node at each place of windows of one shape, and whether there is
        one."""
        target, (rows, cols) = self.target, self.shape[:, flows[0]]
        row, col = self.corner[:, flows]
        row, col = row[:, None] + np.arange(rows), col[:, None] + np.arange(cols)
        inside = ((row >= 0) & (row < target.rows))[:, :, None]
        inside = inside & ((col >= 0) & (col < target.cols))[:, None]
        return np.where(inside, row[:, :, None] * target.cols + col[:, None], 0), inside

    def local(self, flows: np.ndarray, nodes: np.ndarray) -> np.ndarray:
        """[flows] nodes as places in the flows' windows."""
        row, col = np.divmod(nodes, self.target.cols) - self.corner[:, flows]
        return row * self.shape[1, flows] + col

    def nodes(self, flows: np.ndarray, places: np.ndarray) -> np.ndarray:
        """[flows, any] places in the flows' windows as nodes."""
        row, col = np.divmod(places, self.shape[1, flows, None])
        top, left = self.corner[:, flows, None]
        return (row + top) * self.target.cols + col + left


def cheapest_in_windows(
    prices: np.ndarray, src: np.ndarray, dst: np.ndarray, legs: int, spare: float
) -> tuple[np.ndarray, np.ndarray]:
    """(ends [flows, legs], found [flows]): where the legs of each flow's cheapest route end.

    prices: [flows, rows, cols, 4] of the links out of every place of each flow's window, at least
    DEAD for those that cannot be used; src, dst and ends are places in it, row * cols + col. Of
    routes that cost at most 1 + `spare` times the least, the one with the fewest legs is taken.
    """
    flows, rows, cols = prices.shape[:3]
    each = np.arange(flows)
    costs = prefix_sums(prices)
    start = np.full((flows, rows * cols), DEAD)
    start[each, src] = 0
    reach = [start.reshape(flows, rows, cols)]
    for _ in range(legs):
        reach.append(one_leg(costs, reach[-1]))
    number = chosen_legs(reach, each, dst, spare)
    ends = np.repeat(dst[:, None], legs, 1)
    for leg in range(legs - 1, 0, -1):
        walking = number >= leg
        if walking.any():
            begins = leg_begins(costs, reach[leg], ends[:, leg])
            ends[walking, leg - 1] = begins[walking]
    return ends, number >= 0


def leg_begins(costs: LinkCosts, cost: np.ndarray, end: np.ndarray) -> np.ndarray:
    """[flows] places from which the cheapest legs to `end` start, given the cost [flows, rows,
    cols] of coming to each place."""
    flows, rows, cols = cost.shape
    each, (row, col) = np.arange(flows), np.divmod(end, cols)
    turned = along_rows(costs, cost)[each, :, col]
    south, north = costs.south[each, :, col], costs.north[each, :, col]
    down, up = south[each, row, None] - south, north - north[each, row, None]
    turn = np.argmin(turned + np.where(np.arange(rows) <= row[:, None], down, up), 1)
    east, west = costs.east[each, turn], costs.west[each, turn]
    right, left = east[each, col, None] - east, west - west[each, col, None]
    start = np.argmin(cost[each, turn] + np.where(np.arange(cols) <= col[:, None], right, left), 1)
    return turn * cols + start
