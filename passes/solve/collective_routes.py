"""Routes of a collective's flows: round what is dead, with the load beside it spread out.

A collective sends along the same few ways step after step, so what counts is how much each link
carries in all. Next to a dead node plain detours put two or three flows on one link, and every ring
through it waits. Flows on such links are routed again, one at a time, at prices that rise steeply
above the goal, until no link carries much more than the busiest port.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dojocc.passes.solve.routing import rows_of
from dojocc.passes.solve.routing_choice import longer_than_one_leg
from dojocc.passes.solve.routing_legs import DEAD, cheapest_legs, link_costs, prefix_sums
from dojocc.passes.solve.routing_negotiate import routes_along
from dojocc.runtime.mesh.routes import FlowSet, link_alive, link_properties, loaded
from dojocc.runtime.mesh.tables import RouteTable, table_routes
from dojocc.runtime.target import Target

GOAL = 1.02
"""Load of the busiest link over that of the busiest port at which routes are good enough."""
ROUNDS = 24
MOST = 6000
"""Flows that are routed again in all: the bound on the work, a few seconds."""
MARGIN = 8
"""Rows and columns round a flow's ends among which its other routes are looked for."""
LOAD, STEEPNESS, SPARE = 0.1, 4.0, 0.02
"""How prices rise with a link's load, and above the goal; how much dearer fewer legs may be."""


@dataclass(eq=False)
class Ways:
    """The present legs of each flow, what they load onto links, and what links have learnt."""

    target: Target
    src: np.ndarray
    dst: np.ndarray
    packets: np.ndarray

    def __post_init__(self) -> None:
        width, _ = link_properties(self.target)
        self.cycles = self.target.mesh.packet_bytes / width
        self.history = np.ones(len(width))
        self.legs = self.target.mesh.virtual_channels - 1
        costs = link_costs(self.target, self.history)
        self.ends, _ = cheapest_legs(self.target, costs, self.src, self.dst, self.legs, SPARE)
        self.alive = link_alive(self.target).reshape(self.target.rows, self.target.cols, 4)
        self.loads = self.loads_of(np.arange(len(self.src)))

    @property
    def busiest(self) -> float:
        """Cycles that the busiest link needs."""
        return float((self.loads * self.cycles).max(initial=0.0))

    def cheapest(self, flow: int, price: np.ndarray) -> np.ndarray:
        """Ends of the legs of one flow's cheapest route near the straight one, [1, legs]."""
        cols = self.target.cols
        rows, columns = np.divmod(np.array([self.src[flow], self.dst[flow]]), cols)
        top, left = (max(int(each.min()) - MARGIN, 0) for each in (rows, columns))
        near = (
            slice(top, int(rows.max()) + MARGIN + 1),
            slice(left, int(columns.max()) + MARGIN + 1),
        )
        grid = np.where(self.alive[near], price.reshape(*self.alive.shape)[near], DEAD)
        width = grid.shape[1]
        src, dst = (rows - top) * width + columns - left
        one = np.array([src]), np.array([dst])
        ends, _ = cheapest_legs(self.target, prefix_sums(grid), *one, self.legs, SPARE)
        row, col = np.divmod(ends, width)
        return (row + top) * cols + col + left

    def loads_of(self, flows: np.ndarray) -> np.ndarray:
        """Packets that some flows put on every link."""
        routes = routes_along(self.target, self.src[flows], self.ends[flows])
        weights = np.repeat(self.packets[flows], routes.hops)
        return np.bincount(routes.links, weights, len(self.cycles))

    def above(self, goal: float) -> np.ndarray:
        """The flows that cross a link that needs more than `goal` cycles."""
        routes = routes_along(self.target, self.src, self.ends)
        hot = np.append((self.loads * self.cycles)[routes.links] > goal, False)
        return np.flatnonzero(np.logical_or.reduceat(hot, routes.start[:-1]))

    def again(self, flow: int, goal: float, steepness: float) -> None:
        """Route one flow again at the prices that the others leave it."""
        one = np.array([flow])
        others = self.loads - self.loads_of(one)
        share = (others + self.packets[flow]) * self.cycles / goal
        price = self.history * (1 + LOAD * share + steepness * np.maximum(share - 1, 0))
        self.ends[one] = self.cheapest(flow, price)
        self.loads = others + self.loads_of(one)


def spread_out(
    target: Target, src: np.ndarray, dst: np.ndarray, packets: np.ndarray, goal: float
) -> tuple[np.ndarray, float]:
    """(ends of legs [flows, legs], cycles of the busiest link) of flows src[i] -> dst[i].

    Flows are different pairs of different nodes that reach each other. Stops where no link needs
    more than `goal` cycles.
    """
    ways = Ways(target, src, dst, packets)
    best, least, left = ways.ends.copy(), ways.busiest, MOST
    for number in range(ROUNDS):
        flows = ways.above(goal)[:left]
        if not len(flows):
            break
        left -= len(flows)
        ways.history += np.maximum(ways.loads * ways.cycles / goal - 1, 0)
        for flow in flows.tolist():
            ways.again(flow, goal, STEEPNESS + number)
        if ways.busiest < least:
            best, least = ways.ends.copy(), ways.busiest
    return best, least


def collective_routes(
    target: Target, table: RouteTable, src: np.ndarray, dst: np.ndarray, packets: np.ndarray
) -> RouteTable:
    """The table with better routes in set 0 for the flows of collectives (packets of all steps).

    The same table where links are not what sets the time, or no other routes load them less.
    """
    away = src != dst
    if target.mesh.virtual_channels < 3 or not away.any():
        return table
    pairs, member = np.unique(src[away] * target.positions + dst[away], return_inverse=True)
    amount = np.bincount(member.reshape(-1), packets[away], len(pairs))
    src, dst = np.divmod(pairs, target.positions)
    plain = loaded(table_routes(target, table, src, dst), amount)
    goal = GOAL * plain.busiest_port
    if plain.busiest_link <= goal or uses_last_layer(target, plain):
        return table
    ends, busiest = spread_out(target, src, dst, amount, goal)
    if busiest >= plain.busiest_link:
        return table
    rows = longer_than_one_leg(rows_of(src, dst, ends))
    old = table.legs
    key = old["src"].astype(np.int64) * target.positions + old["dst"]
    kept = old[(old["set"] > 0) | ~np.isin(key, pairs)]
    legs = np.concatenate([kept, rows])
    order = np.lexsort((np.arange(len(legs)), legs["dst"], legs["src"], legs["set"]))
    return RouteTable(legs[order], table.lists)


def uses_last_layer(target: Target, flows: FlowSet) -> bool:
    """True where a flow needs the spanning order, which no legs replace."""
    return bool(flows.routes.layers.max(initial=0) >= target.mesh.virtual_channels - 1)
