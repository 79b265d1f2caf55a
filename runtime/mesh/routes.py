"""Links and routes of a target's mesh, and what a set of flows loads onto the links.

A leg is a walk along x (a row), then along y (a column). A route is one leg or several, each on a
virtual layer of the links. Flows that a program says nothing about take one leg on layer 0; the
routes that go round what is dead, or round crowded links, stand in the program
(`runtime/mesh/tables.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dojocc.runtime.errors import InputError
from dojocc.runtime.target import Target

# Directions out of a node. Link id = node * 4 + direction.
DIRECTIONS = ((0, 1), (0, -1), (1, 0), (-1, 0))
EAST, WEST, SOUTH, NORTH = range(4)


@dataclass(frozen=True, eq=False)
class Routes:
    """Routes of F flows: flow f takes links[start[f] : start[f + 1]], in order.

    layers: the virtual layer of each of `links`, which has buffers of its own on that link.
    """

    target: Target
    src: np.ndarray
    dst: np.ndarray
    start: np.ndarray
    links: np.ndarray
    layers: np.ndarray

    @property
    def hops(self) -> np.ndarray:
        """Number of links of every flow."""
        return np.diff(self.start)

    def nodes(self, flow: int) -> np.ndarray:
        """Ids of the nodes that one flow visits, from source to destination."""
        links = self.links[self.start[flow] : self.start[flow + 1]]
        return np.concatenate([links // 4, self.dst[flow : flow + 1]])


Router = Callable[[np.ndarray, np.ndarray], Routes] | None


@dataclass(frozen=True, eq=False)
class FlowSet:
    """Flows merged by (source, destination), and the load they make together.

    loads: packets through each link. bottleneck: cycles that the busiest link of a flow needs for
    all its packets. latency: cycles from source to destination without any load.
    sent, received: packets at each node's mesh ports.
    """

    routes: Routes
    packets: np.ndarray
    loads: np.ndarray
    bottleneck: np.ndarray
    latency: np.ndarray
    sent: np.ndarray
    received: np.ndarray

    @property
    def src(self) -> np.ndarray:
        return self.routes.src

    @property
    def dst(self) -> np.ndarray:
        return self.routes.dst

    @property
    def hops(self) -> np.ndarray:
        return self.routes.hops

    @property
    def busiest_link(self) -> float:
        """Cycles that the busiest link needs."""
        return float(self.bottleneck.max(initial=0.0))

    @property
    def busiest_port(self) -> float:
        """Cycles that the busiest mesh read or write port needs, one packet a cycle and port."""
        node = self.routes.target.node
        reading = self.sent.max(initial=0) / node.mesh_read_ports
        return float(max(reading, self.received.max(initial=0) / node.mesh_write_ports))

    @property
    def lower_bound(self) -> float:
        """No schedule of these flows takes fewer cycles: ports, and each flow's packets and way."""
        alone = np.where(self.packets > 0, self.latency + self.packets - 1, 0)
        return float(max(self.busiest_port, alone.max(initial=0)))


def flow_set(
    target: Target, src: np.ndarray, dst: np.ndarray, packets: np.ndarray, route: Router = None
) -> FlowSet:
    """Route flows src[i] -> dst[i] of packets[i] packets, and sum their loads on the links.

    `route(src, dst)` gives the routes of merged flows; without it they go x, then y.
    """
    src, dst = np.asarray(src, np.int64), np.asarray(dst, np.int64)
    pairs, member = np.unique(src * target.positions + dst, return_inverse=True)
    amount = np.bincount(member.reshape(-1), np.asarray(packets, np.float64), len(pairs))
    ends = np.divmod(pairs, target.positions)
    return loaded(route(*ends) if route else route_flows(target, *ends), amount)


def loaded(routes: Routes, packets: np.ndarray) -> FlowSet:
    """The loads of routed flows, each pair (source, destination) at most once."""
    target = routes.target
    loads = np.bincount(routes.links, np.repeat(packets, routes.hops), target.positions * 4)
    width, delay = link_properties(target)
    cycles = loads * (target.mesh.packet_bytes / width)
    away = routes.src != routes.dst
    return FlowSet(
        routes=routes,
        packets=packets,
        loads=loads,
        bottleneck=_reduce(np.maximum, cycles[routes.links], routes.start),
        latency=_reduce(np.add, delay[routes.links], routes.start),
        sent=np.bincount(routes.src[away], packets[away], target.positions),
        received=np.bincount(routes.dst[away], packets[away], target.positions),
    )


def route_flows(target: Target, src: np.ndarray, dst: np.ndarray) -> Routes:
    """One leg on layer 0 for every flow; InputError where something dead is in its way."""
    src, dst = np.asarray(src, np.int64).reshape(-1), np.asarray(dst, np.int64).reshape(-1)
    return route_legs(target, src, dst, np.ones(len(src), np.int64), dst, np.zeros(len(src)))


def route_legs(
    target: Target,
    src: np.ndarray,
    dst: np.ndarray,
    legs: np.ndarray,
    end: np.ndarray,
    layer: np.ndarray,
) -> Routes:
    """The routes of flows that take legs[f] legs each, one after another in `end` and `layer`.

    InputError when a leg crosses a dead link or a route ends elsewhere than its flow.
    """
    check_ends(target, np.concatenate([src, dst]))
    first = offsets(legs)
    if len(src) and (end[first[1:] - 1] != dst).any():
        raise InputError("a route does not end where its flow does")
    begin = np.concatenate([src[:1], end[:-1]]).astype(np.int64)
    begin[first[:-1]] = src
    blocked = ~clear(target, begin, end)
    if blocked.any():
        flow = int(np.searchsorted(first, np.argmax(blocked), side="right")) - 1
        raise InputError(
            f"the route from node {src[flow]} to node {dst[flow]} meets a dead link",
            where=f"row, column {target.position(src[flow])} to {target.position(dst[flow])}"
            f" of target {target.name}",
            help="compile for the target with these defects: a program holds the routes that go"
            " round them",
        )
    start, links = _straight(target, begin, end)
    layers = np.repeat(np.asarray(layer, np.uint8), np.diff(start))
    return Routes(target, src, dst, start[first], links, layers)


def clear(target: Target, src: np.ndarray, dst: np.ndarray) -> np.ndarray:
    """Boolean [flows]: no dead link on the leg from each source to its destination."""
    return straight(target, *np.divmod(src, target.cols), *np.divmod(dst, target.cols))


def straight(
    target: Target, row: np.ndarray, col: np.ndarray, to_row: np.ndarray, to_col: np.ndarray
) -> np.ndarray:
    """The same for legs between rows and columns."""
    along, across = _dead_before(target)
    begin, end = row * target.cols, to_row * target.cols
    clear_row = along[begin + col] == along[begin + to_col]
    return clear_row & (across[begin + to_col] == across[end + to_col])


def runs(target: Target) -> tuple[np.ndarray, np.ndarray]:
    """[positions] the stretch of its row with nothing dead in it that a node is in, and that of its
    column: a number that all nodes of one, and no others, have."""
    along, across = _dead_before(target)
    row, col = np.divmod(np.arange(target.positions), target.cols)
    return row * (target.cols + 1) + along, col * (target.rows + 1) + across


@lru_cache(maxsize=32)
def link_alive(target: Target) -> np.ndarray:
    """Boolean [positions, 4]: which links out of each node can be used."""
    live = target.live()
    alive = np.zeros((target.rows, target.cols, 4), bool)
    for number, (down, right) in enumerate(DIRECTIONS):
        here, there = _shifted(down, right)
        alive[(*here, number)] = live[here] & live[there]
    alive = alive.reshape(-1, 4)
    for (row, col), (other_row, other_col) in target.defect_links:
        forth = DIRECTIONS.index((other_row - row, other_col - col))
        back = DIRECTIONS.index((row - other_row, col - other_col))
        alive[target.node_id(row, col), forth] = False
        alive[target.node_id(other_row, other_col), back] = False
    alive.setflags(write=False)
    return alive


@lru_cache(maxsize=32)
def components(target: Target) -> np.ndarray:
    """[positions]: the least id of the nodes that a node reaches; -1 for a dead one."""
    alive = link_alive(target).reshape(target.rows, target.cols, 4)
    ids = np.arange(target.positions).reshape(target.rows, target.cols)
    label = np.where(target.live(), ids, -1)
    before = None
    while before is None or (before != label).any():
        before = label.copy()
        for number, (down, right) in enumerate(DIRECTIONS):
            here, there = _shifted(down, right)
            both = alive[(*here, number)]
            label[here] = np.where(both, np.minimum(label[here], label[there]), label[here])
    label.setflags(write=False)
    return label.reshape(-1)


def connected(target: Target) -> np.ndarray:
    """Boolean [rows, cols]: the largest set of live nodes that reach each other."""
    label = components(target)
    sizes = np.bincount(label[label >= 0], minlength=target.positions)
    return (label == np.argmax(sizes)).reshape(target.rows, target.cols)


@lru_cache(maxsize=32)
def link_properties(target: Target) -> tuple[np.ndarray, np.ndarray]:
    """(bytes a cycle, cycles) of every link; those between dies and training tiles cost more."""
    link, hop = float(target.mesh.link_bytes), float(target.mesh.hop_cycles)
    width = np.full((target.rows, target.cols, 4), link)
    delay = np.full((target.rows, target.cols, 4), hop)
    die, system, clock = target.die, target.system, target.node.clock_hz
    tile_edge = system.training_tile_edge_bytes_per_s
    borders = [(system.die_rows * die.rows, system.die_cols * die.cols, tile_edge)]
    if not die.uniform_border:
        borders.insert(0, (die.rows, die.cols, die.edge_bytes_per_s))
    crossing = max(hop, die.edge_ns * 1e-9 * clock)
    for rows, cols, bytes_per_s in borders:
        east, west = slice(cols - 1, None, cols), slice(0, None, cols)
        south, north = slice(rows - 1, None, rows), slice(0, None, rows)
        width[:, east, EAST] = width[:, west, WEST] = min(link, bytes_per_s / clock / rows)
        width[south, :, SOUTH] = width[north, :, NORTH] = min(link, bytes_per_s / clock / cols)
        delay[:, east, EAST] = delay[:, west, WEST] = crossing
        delay[south, :, SOUTH] = delay[north, :, NORTH] = crossing
    for array in (width, delay):
        array.setflags(write=False)
    return width.reshape(-1), delay.reshape(-1)


@lru_cache(maxsize=32)
def _dead_before(target: Target) -> tuple[np.ndarray, np.ndarray]:
    """Dead links west of each node in its row, and north of it in its column: [positions] each."""
    alive = link_alive(target).reshape(target.rows, target.cols, 4)
    along = np.cumsum(~alive[:, :, WEST], 1)
    across = np.cumsum(~alive[:, :, NORTH], 0)
    return along.reshape(-1).astype(np.int32), across.reshape(-1).astype(np.int32)


def check_ends(target: Target, ends: np.ndarray) -> None:
    """InputError if one of these nodes is dead or outside the target."""
    outside = (ends < 0) | (ends >= target.positions)
    if outside.any():
        raise InputError(
            f"a flow ends outside target {target.name}",
            numbers=f"node {ends[outside][0]} of {target.positions}",
        )
    dead = ~target.live().reshape(-1)[ends]
    if dead.any():
        node = int(ends[dead][0])
        raise InputError(
            f"a flow ends at dead node {node}",
            where=f"row, column {target.position(node)} of target {target.name}",
        )


def _straight(target: Target, src: np.ndarray, dst: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(start, links) of x-then-y walks, whatever is dead."""
    row, col = np.divmod(src, target.cols)
    down, right = dst // target.cols - row, dst % target.cols - col
    along, across = np.abs(right), np.abs(down)
    start = offsets(along + across)
    step = np.arange(start[-1]) - np.repeat(start[:-1], along + across)
    flow = np.repeat(np.arange(len(src)), along + across)
    in_x = step < along[flow]
    x = col[flow] + np.sign(right)[flow] * np.minimum(step, along[flow])
    y = row[flow] + np.sign(down)[flow] * np.maximum(step - along[flow], 0)
    east_west = np.where(right > 0, EAST, WEST)[flow]
    south_north = np.where(down > 0, SOUTH, NORTH)[flow]
    return start, (y * target.cols + x) * 4 + np.where(in_x, east_west, south_north)


def _shifted(down: int, right: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Slices of (a node, its neighbour in that direction) over a grid."""
    here = {1: slice(None, -1), -1: slice(1, None), 0: slice(None)}
    there = {1: slice(1, None), -1: slice(None, -1), 0: slice(None)}
    return (here[down], here[right]), (there[down], there[right])


def offsets(sizes: np.ndarray) -> np.ndarray:
    """0, sizes[0], sizes[0] + sizes[1], ...: where each of many runs starts, and the end."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _reduce(function: np.ufunc, values: np.ndarray, start: np.ndarray) -> np.ndarray:
    """`function` over values[start[i] : start[i + 1]]; 0 where that is empty."""
    result = np.zeros(len(start) - 1, values.dtype)
    filled = np.diff(start) > 0
    if filled.any():
        result[filled] = function.reduceat(values, start[:-1][filled])
    return result
