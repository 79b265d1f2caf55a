"""Negotiated routes (PathFinder) for flows that crowd a few links when they go x, then y.

The flows on links that carry more than the goal are routed again and again, each by the cheapest
legs at the present prices of the links. A link is dearer the more it carries, steeply so above the
goal, and stays dearer for having been above it before; so flows that have another way leave it to
those that have not. Each direction of a link has its own price: a node's port in and its port out
are different things. When a goal is met it is set lower.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dojocc.passes.solve.routing_legs import cheapest_legs, link_costs
from dojocc.runtime.mesh.routes import (
    EAST,
    NORTH,
    SOUTH,
    WEST,
    Routes,
    link_properties,
    route_legs,
)
from dojocc.runtime.target import Target

ROUNDS = 60
PATIENCE, MORE = 12, 0.5
"""Rounds without a better result after which the goal is given up; and more parts, as a share of
those that came before the last result that was better by `NOTABLE`."""
NOTABLE, FEWEST_PARTS = 0.98, 200
TOGETHER = 3
"""Flows that are routed at the same prices; more of them would all crowd into the same gap."""
MOST_PARTS = 1500
"""Sets of such flows that are routed in all: the bound on the work, about a second on a die."""
FILL, HISTORY, GROWTH, STEEPEST = 0.2, 0.5, 1.3, 64.0
SPARE = 0.02
"""How much dearer a route may be that needs fewer legs."""
STEP = 0.93
"""The next goal as a share of the busiest link so far."""


@dataclass(frozen=True, eq=False)
class Negotiated:
    """Ends of each flow's legs [flows, legs], and the cycles that the busiest link needs."""

    ends: np.ndarray
    busiest: float


def negotiate(
    target: Target, src: np.ndarray, dst: np.ndarray, packets: np.ndarray, enough: float
) -> Negotiated:
    """Routes of flows src[i] -> dst[i] of packets[i] packets with a low load on the busiest link.

    Flows must be distinct pairs of different nodes, sorted, that reach each other; the result then
    depends on nothing else. `enough`: cycles of the busiest link below which nothing is gained.
    """
    state = Prices(target, src, dst, packets)
    best = Negotiated(state.ends.copy(), state.busiest())
    goal, waited, steepness = best.busiest * STEP, 0, 1.0
    notable, most = best.busiest, MOST_PARTS
    for _ in range(ROUNDS):
        state.round(goal, steepness)
        found = state.busiest()
        steepness = min(steepness * GROWTH, STEEPEST)
        waited += 1
        if found < best.busiest * 0.999:
            best, waited = Negotiated(state.ends.copy(), found), 0
            goal = min(goal, found * STEP)
        if found < notable * NOTABLE:
            notable, most = found, min(MOST_PARTS, state.parts * (1 + MORE) + FEWEST_PARTS)
        if best.busiest <= enough or waited > PATIENCE or state.parts > most:
            break
    return best


class Prices:
    """The present routes, what they load onto the links, and what the links have learnt."""

    def __init__(
        self, target: Target, src: np.ndarray, dst: np.ndarray, packets: np.ndarray
    ) -> None:
        self.target, self.src, self.dst = target, src, dst
        width, delay = link_properties(target)
        self.packets = packets
        self.cycles = target.mesh.packet_bytes / width  # of a packet on each link
        self.base = delay / delay.min()
        self.history = np.zeros(len(width))
        self.legs = target.mesh.virtual_channels - 1
        self.parts = 0
        costs = link_costs(target, self.base)
        self.ends, _ = cheapest_legs(target, costs, src, dst, self.legs)
        self.loads = self.loads_of(np.arange(len(src)))

    def busiest(self) -> float:
        return float((self.loads * self.cycles).max(initial=0.0))

    def loads_of(self, flows: np.ndarray) -> np.ndarray:
        """Packets that some flows put on every link."""
        cols = self.target.cols
        loads = np.zeros((self.target.rows, cols, 4))
        for flow in flows.tolist():
            packets = self.packets[flow]
            row, col = divmod(int(self.src[flow]), cols)
            for end in self.ends[flow].tolist():
                to_row, to_col = divmod(end, cols)
                if to_col > col:
                    loads[row, col:to_col, EAST] += packets
                elif to_col < col:
                    loads[row, to_col + 1 : col + 1, WEST] += packets
                if to_row > row:
                    loads[row:to_row, to_col, SOUTH] += packets
                elif to_row < row:
                    loads[to_row + 1 : row + 1, to_col, NORTH] += packets
                row, col = to_row, to_col
        return loads.reshape(-1)

    def round(self, goal: float, steepness: float) -> None:
        """Route the flows on links above the goal again, then remember which still are."""
        crowded = self.crowded(goal)
        parts = min(-(-len(crowded) // TOGETHER), max(MOST_PARTS - self.parts, 1))
        self.parts += parts
        for part in range(parts):
            flows = crowded[part::parts]
            others = self.loads - self.loads_of(flows)
            share = (others + float(self.packets[flows].mean())) * self.cycles / goal
            price = 1 + FILL * share**2 + steepness * np.maximum(share - 1, 0)
            costs = link_costs(self.target, (self.base + self.history) * price)
            self.ends[flows], _ = cheapest_legs(
                self.target, costs, self.src[flows], self.dst[flows], self.legs, SPARE
            )
            self.loads = others + self.loads_of(flows)
        self.history += HISTORY * np.maximum(self.loads * self.cycles / goal - 1, 0)

    def crowded(self, goal: float) -> np.ndarray:
        """The flows that cross a link above the goal."""
        routes = routes_along(self.target, self.src, self.ends)
        above = np.append((self.loads * self.cycles)[routes.links] > goal, False)
        return np.flatnonzero(np.logical_or.reduceat(above, routes.start[:-1]))


def routes_along(target: Target, src: np.ndarray, ends: np.ndarray) -> Routes:
    """The routes of flows with leg ends [flows, legs]."""
    flows, legs = ends.shape
    return route_legs(
        target, src, ends[:, -1], np.full(flows, legs), ends.reshape(-1), np.zeros(flows * legs)
    )
