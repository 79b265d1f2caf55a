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
MOST = 3
"""Flows that are routed again in all, for each node position: the bound on the work, at a
millisecond each."""
LARGE = 8
"""A flow counts as large from this part of the largest on."""
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
        target = self.target
        width, delay = link_properties(target)
        self.shape = (target.rows, target.cols, 4)
        self.cycles = target.mesh.packet_bytes / width
        self.history = delay / delay.min()  # a way round does not go over to the next die and back
        self.alive = link_alive(target).reshape(self.shape)
        self.legs = target.mesh.virtual_channels - 1
        costs = link_costs(target, self.history)
        self.ends, _ = cheapest_legs(target, costs, self.src, self.dst, self.legs, SPARE)
        routes = routes_along(target, self.src, self.ends)
        self.links = np.split(routes.links, routes.start[1:-1])
        weights = np.repeat(self.packets, routes.hops)
        self.loads = np.bincount(routes.links, weights, len(width))

    @property
    def busiest(self) -> float:
        """Cycles that the busiest link needs."""
        return float((self.loads * self.cycles).max(initial=0.0))

    def above(self, goal: float) -> np.ndarray:
        """The flows that cross a link that needs more than `goal` cycles; only large ones if there
        are any: those of rings, of which there are few, before those to all of a line."""
        hot = self.loads * self.cycles > goal
        sizes = [len(links) for links in self.links]
        owner = np.repeat(np.arange(len(sizes)), sizes)
        found = np.unique(owner[hot[np.concatenate(self.links)]])
        large = found[self.packets[found] >= self.packets.max() / LARGE]
        return large if len(large) else found

    def again(self, flow: int, goal: float, steepness: float) -> None:
        """Route one flow again at the prices that the others leave it."""
        np.subtract.at(self.loads, self.links[flow], self.packets[flow])
        self.ends[flow] = self.cheapest(flow, goal, steepness)
        one = slice(flow, flow + 1)
        self.links[flow] = routes_along(self.target, self.src[one], self.ends[one]).links
        np.add.at(self.loads, self.links[flow], self.packets[flow])

    def cheapest(self, flow: int, goal: float, steepness: float) -> np.ndarray:
        """Ends of the legs of one flow's cheapest route near the straight one, [legs]."""
        rows, columns = np.divmod(np.array([self.src[flow], self.dst[flow]]), self.target.cols)
        top, left = (max(int(each.min()) - MARGIN, 0) for each in (rows, columns))
        near = (
            slice(top, int(rows.max()) + MARGIN + 1),
            slice(left, int(columns.max()) + MARGIN + 1),
        )
        loads, cycles, history = (
            each.reshape(self.shape)[near] for each in (self.loads, self.cycles, self.history)
        )
        share = (loads + self.packets[flow]) * cycles / goal
        price = history * (1 + LOAD * share + steepness * np.maximum(share - 1, 0))
        grid = np.where(self.alive[near], price, DEAD)
        width = grid.shape[1]
        ends = (rows - top) * width + columns - left
        sums = prefix_sums(grid)
        legs, _ = cheapest_legs(self.target, sums, ends[:1], ends[1:], self.legs, SPARE)
        row, col = np.divmod(legs[0], width)
        return (row + top) * self.target.cols + col + left


def spread_out(
    target: Target, src: np.ndarray, dst: np.ndarray, packets: np.ndarray, goal: float
) -> tuple[np.ndarray, float]:
    """(ends of legs [flows, legs], cycles of the busiest link) of flows src[i] -> dst[i].

    Flows are different pairs of different nodes that reach each other. Stops where no link needs
    more than `goal` cycles.
    """
    ways = Ways(target, src, dst, packets)
    best, least, left = ways.ends.copy(), ways.busiest, MOST * target.positions
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
