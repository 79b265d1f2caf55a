"""The cheapest route of at most a given number of legs, for many flows at once.

A leg goes x, then y. From each source the cost of reaching every node with one leg more follows
from that with one leg less by running minima over prefix sums of link costs, along rows and then
columns: exact, and without a queue.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dojocc.runtime.mesh.routes import EAST, NORTH, SOUTH, WEST, link_alive
from dojocc.runtime.target import Target

DEAD = 1e6
"""Cost of a dead link: more than any route over live links may cost."""
BLOCK = 1 << 21  # costs kept at a time


@dataclass(frozen=True, eq=False)
class LinkCosts:
    """Prefix sums [rows, cols] of link costs: from the west, from the east, north and south.

    Going east from column a to b of a row costs east[b] - east[a]; going west west[a] - west[b];
    south and north likewise along a column.
    """

    east: np.ndarray
    west: np.ndarray
    south: np.ndarray
    north: np.ndarray


def hop_costs(target: Target) -> LinkCosts:
    """Every live link costs 1."""
    return link_costs(target, np.ones(target.positions * 4))


def link_costs(target: Target, cost: np.ndarray) -> LinkCosts:
    """Prefix sums of `cost` [links], dead links at cost DEAD; live ones must be positive."""
    grid = np.where(link_alive(target).reshape(-1), cost, DEAD)
    return prefix_sums(grid.reshape(target.rows, target.cols, 4))


def prefix_sums(grid: np.ndarray) -> LinkCosts:
    """Of the costs [..., rows, cols, 4] of the links out of every node of blocks of the mesh."""
    east, west, south, north = (np.zeros(grid.shape[:-1]) for _ in range(4))
    np.cumsum(grid[..., :-1, EAST], -1, out=east[..., 1:])
    np.cumsum(grid[..., 1:, WEST], -1, out=west[..., 1:])
    np.cumsum(grid[..., :-1, :, SOUTH], -2, out=south[..., 1:, :])
    np.cumsum(grid[..., 1:, :, NORTH], -2, out=north[..., 1:, :])
    return LinkCosts(east, west, south, north)


def cheapest_legs(
    target: Target,
    costs: LinkCosts,
    src: np.ndarray,
    dst: np.ndarray,
    legs: int,
    spare: float = np.inf,
) -> tuple[np.ndarray, np.ndarray]:
    """(ends [flows, legs], found [flows]): where the legs of each flow's cheapest route end.

    Of routes that cost at most 1 + `spare` times the least, the one with the fewest legs is taken.
    Routes of fewer legs than `legs` stay at their destination with the last ones.
    """
    ends = np.repeat(dst[:, None], legs, 1)
    found = np.zeros(len(src), bool)
    sources, member = np.unique(src, return_inverse=True)
    block = max(1, BLOCK // target.positions)
    for first in range(0, len(sources), block):
        flows = np.flatnonzero((member >= first) & (member < first + block))
        reach = spread_out(costs, sources[first : first + block], legs)
        number = chosen_legs(reach, member[flows] - first, dst[flows], spare)
        found[flows] = number >= 0
        for leg in range(legs - 1, 0, -1):
            walking = flows[number >= leg]
            source = member[walking] - first
            ends[walking, leg - 1] = leg_starts(costs, reach[leg], source, ends[walking, leg])
    return ends, found


def spread_out(costs: LinkCosts, sources: np.ndarray, legs: int) -> list[np.ndarray]:
    """reach[i]: cost of coming from each source to each node with i legs, [sources, rows, cols]."""
    rows, cols = costs.east.shape
    start = np.full((len(sources), rows * cols), DEAD)
    start[np.arange(len(sources)), sources] = 0
    reach = [start.reshape(-1, rows, cols)]
    for _ in range(legs):
        reach.append(one_leg(costs, reach[-1]))
    return reach


def one_leg(costs: LinkCosts, cost: np.ndarray) -> np.ndarray:
    """The cost of reaching each node with one leg more."""
    return along_columns(costs, along_rows(costs, cost))


def along_rows(costs: LinkCosts, cost: np.ndarray) -> np.ndarray:
    east = np.minimum.accumulate(cost - costs.east, 2) + costs.east
    west = np.minimum.accumulate((cost + costs.west)[:, :, ::-1], 2)[:, :, ::-1] - costs.west
    return np.minimum(east, west)


def along_columns(costs: LinkCosts, cost: np.ndarray) -> np.ndarray:
    south = np.minimum.accumulate(cost - costs.south, 1) + costs.south
    north = np.minimum.accumulate((cost + costs.north)[:, ::-1], 1)[:, ::-1] - costs.north
    return np.minimum(south, north)


def chosen_legs(
    reach: list[np.ndarray], source: np.ndarray, dst: np.ndarray, spare: float
) -> np.ndarray:
    """Index of the last leg of each flow; -1 where no number of legs will do."""
    reached = np.stack([part.reshape(len(part), -1)[source, dst] for part in reach[1:]], 1)
    best = reached.min(1)
    allowed = best * (1 + spare)
    good = (reached <= allowed[:, None]) & (reached < DEAD / 2)
    return np.where(good.any(1), np.argmax(good, 1), -1)


def leg_starts(
    costs: LinkCosts, cost: np.ndarray, source: np.ndarray, end: np.ndarray
) -> np.ndarray:
    """The nodes from which the cheapest legs to `end` start, given the cost of coming to each node.

    cost: [sources, rows, cols]; source: the index into it of each flow.
    """
    rows, cols = costs.east.shape
    row, col = np.divmod(end, cols)
    turned = along_rows(costs, cost)[source, :, col]
    down = costs.south[row, col][:, None] - costs.south[:, col].T
    up = costs.north[:, col].T - costs.north[row, col][:, None]
    above = np.arange(rows) <= row[:, None]
    turn = np.argmin(turned + np.where(above, down, up), 1)
    right = costs.east[turn, col][:, None] - costs.east[turn]
    left = costs.west[turn] - costs.west[turn, col][:, None]
    before = np.arange(cols) <= col[:, None]
    start = np.argmin(cost[source, turn] + np.where(before, right, left), 1)
    return turn * cols + start
