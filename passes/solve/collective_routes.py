"""Routes of a collective's flows: round what is dead, with the load beside it spread out.

A collective sends along the same few ways step after step, so what counts is how much each link
carries in all. Next to a dead node plain detours put two or three flows on one link, and every ring
through it waits. Flows on such links are routed again, at prices that rise steeply above the goal,
until no link carries much more than the busiest port. Flows at the same prices would crowd into the
same gap, so of each block of the mesh, as large as a die, one is routed at a time; those of all
blocks go together, and where all dies are alike they get about the same routes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dojocc.passes.solve.collective_windows import Windows, cheapest_in_windows
from dojocc.passes.solve.routing import rows_of
from dojocc.passes.solve.routing_choice import longer_than_one_leg
from dojocc.passes.solve.routing_legs import DEAD
from dojocc.passes.solve.routing_negotiate import routes_along
from dojocc.runtime.mesh.fair_flows import cut_bound
from dojocc.runtime.mesh.routes import FlowSet, link_alive, link_properties, loaded
from dojocc.runtime.mesh.tables import ROUTE_DTYPE, RouteTable, table_routes
from dojocc.runtime.target import Target

GOAL = 1.02
"""Load of the busiest link over that of the busiest port at which routes are good enough."""
ROUNDS, PATIENCE = 24, 12
"""Rounds in all, and without a better result."""
MOST = 1200
"""Sets of flows, one of each block, that are routed again in all: the bound on the work, at half a
millisecond to a millisecond each."""
LARGE = 8
"""A flow counts as large from this part of the largest on."""
LOAD, STEEPNESS, SPARE = 0.1, 4.0, 0.02
"""How prices rise with a link's load, and above the goal; how much dearer fewer legs may be."""


@dataclass(eq=False)
class Ways:
    """The present way of each flow, what they load onto links, and what links have learnt.

    links: by flow. ends: of the legs of flows that have been routed again (`changed`).
    """

    target: Target
    flows: FlowSet

    def __post_init__(self) -> None:
        target, routes = self.target, self.flows.routes
        self.src, self.dst, self.packets = routes.src, routes.dst, self.flows.packets
        width, delay = link_properties(target)
        self.cycles = target.mesh.packet_bytes / width
        self.history = delay / delay.min()  # a way round does not go over to the next die and back
        self.alive = link_alive(target)
        self.ends = np.repeat(self.dst[:, None], target.mesh.virtual_channels - 1, 1)
        self.changed = np.zeros(len(self.src), bool)
        self.links = np.split(routes.links, routes.start[1:-1])
        self.loads = self.flows.loads.copy()
        self.windows = Windows(target, self.src, self.dst)
        owner = np.repeat(np.arange(len(self.src)), routes.hops)
        for some in self.windows.together(np.unique(owner[routes.layers > 0])):
            self.again(some, np.inf, 0.0)

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

    def again(self, flows: np.ndarray, goal: float, steepness: float) -> None:
        """Route flows with windows of one shape again, each at the prices that the others leave."""
        self.load(flows, -1)
        place, inside = self.windows.places(flows)
        loads, cycles, history, alive = (
            each.reshape(-1, 4)[place]
            for each in (self.loads, self.cycles, self.history, self.alive)
        )
        share = (loads + self.packets[flows, None, None, None]) * cycles / goal
        price = history * (1 + LOAD * share + steepness * np.maximum(share - 1, 0))
        prices = np.where(alive & inside[..., None], price, DEAD)
        src, dst = (self.windows.local(flows, end[flows]) for end in (self.src, self.dst))
        legs, found = cheapest_in_windows(prices, src, dst, self.ends.shape[1], SPARE)
        self.take(flows[found], self.windows.nodes(flows, legs)[found])
        self.load(flows, 1)

    def take(self, flows: np.ndarray, ends: np.ndarray) -> None:
        """Flows go along legs with these ends from now on."""
        self.ends[flows], self.changed[flows] = ends, True
        routes = routes_along(self.target, self.src[flows], ends)
        each = np.split(routes.links, routes.start[1:-1])
        for flow, links in zip(flows.tolist(), each, strict=False):
            self.links[flow] = links

    def load(self, flows: np.ndarray, sign: int) -> None:
        """Put flows on their links, or take them off."""
        links = [self.links[flow] for flow in flows.tolist()]
        packets = np.repeat(sign * self.packets[flows], [len(each) for each in links])
        np.add.at(self.loads, np.concatenate(links), packets)

    def rows(self) -> np.ndarray:
        """The legs of all flows that have been routed again, as rows of a table."""
        some = self.changed
        return rows_of(self.src[some], self.dst[some], self.ends[some])


def spread_out(target: Target, flows: FlowSet, goal: float) -> tuple[np.ndarray, float]:
    """(rows of the flows that are routed again, cycles that the busiest link then needs).

    Flows are different pairs of different nodes. Stops where no link needs more than `goal` cycles.
    """
    ways = Ways(target, flows)
    best, least, left, waited = ways.rows(), ways.busiest, MOST, 0
    for number in range(ROUNDS):
        sets = ways.windows.one_a_block(ways.above(goal))[:left]
        if not sets or waited == PATIENCE:
            break
        left -= len(sets)
        ways.history += np.maximum(ways.loads * ways.cycles / goal - 1, 0)
        for some in sets:
            ways.again(some, goal, STEEPNESS + number)
        waited += 1
        if ways.busiest < least:
            best, least, waited = ways.rows(), ways.busiest, 0
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
    stage = stages(target, src, dst)
    parts = [
        better_rows(target, table, src[stage == each], dst[stage == each], amount[stage == each])
        for each in np.unique(stage).tolist()
    ]
    rows = np.concatenate(parts)
    if not len(rows):
        return table
    again = rows["src"].astype(np.int64) * target.positions + rows["dst"]
    old = table.legs
    key = old["src"].astype(np.int64) * target.positions + old["dst"]
    kept = old[(old["set"] > 0) | ~np.isin(key, again)]
    legs = np.concatenate([kept, *map(longer_than_one_leg, parts)])
    order = np.lexsort((np.arange(len(legs)), legs["dst"], legs["src"], legs["set"]))
    return RouteTable(legs[order], table.lists)


def stages(target: Target, src: np.ndarray, dst: np.ndarray) -> np.ndarray:
    """[flows] which flows are under way together: those inside dies, those to the dies of the same
    column, and the others. A collective goes along one axis of dies after another, and inside them
    before or after (solve/collective_choice.py)."""
    ends = [np.divmod(end, target.cols) for end in (src, dst)]
    (row, col), (to_row, to_col) = ((r // target.die.rows, c // target.die.cols) for r, c in ends)
    return np.where(col != to_col, 2, (row != to_row).astype(np.int64))


def better_rows(
    target: Target, table: RouteTable, src: np.ndarray, dst: np.ndarray, packets: np.ndarray
) -> np.ndarray:
    """Rows of better routes for some of the flows of one stage; none where there are none."""
    none = np.zeros(0, ROUTE_DTYPE)
    plain = loaded(table_routes(target, table, src, dst), packets)
    goal = GOAL * max(plain.busiest_port, cut_bound(target, src, dst, packets))
    if plain.busiest_link <= goal or uses_last_layer(target, plain):
        return none
    rows, busiest = spread_out(target, plain, goal)
    return rows if busiest < plain.busiest_link else none


def uses_last_layer(target: Target, flows: FlowSet) -> bool:
    """True where a flow needs the spanning order, which no legs replace."""
    return bool(flows.routes.layers.max(initial=0) >= target.mesh.virtual_channels - 1)
