"""Routes between live nodes of a target, and what a set of flows loads onto the links.

A route is the shortest walk over live nodes and links that goes along x (its row) as long as it
can, then along y: plain x-then-y where nothing dead is in the way, a fixed detour where there is.
Plain x-then-y routes cannot deadlock. Detours take turns from y to x, so with dead nodes a set of
routes may close a cycle of waiting links, which needs a second virtual channel for the detoured
flows: `channel_cycle` finds such a cycle if there is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import networkx as nx
import numpy as np

from dojocc.runtime.errors import InputError
from dojocc.runtime.target import Target

# Directions out of a node, in the order a route prefers them. Link id = node * 4 + direction.
DIRECTIONS = ((0, 1), (0, -1), (1, 0), (-1, 0))
EAST, WEST, SOUTH, NORTH = range(4)
FAR = np.iinfo(np.int32).max
BLOCK = 1 << 22  # distances kept at a time


@dataclass(frozen=True, eq=False)
class Routes:
    """Routes of F flows: flow f takes links[start[f] : start[f + 1]], in order."""

    target: Target
    src: np.ndarray
    dst: np.ndarray
    start: np.ndarray
    links: np.ndarray

    @property
    def hops(self) -> np.ndarray:
        """Number of links of every flow."""
        return np.diff(self.start)

    def nodes(self, flow: int) -> np.ndarray:
        """Ids of the nodes that one flow visits, from source to destination."""
        links = self.links[self.start[flow] : self.start[flow + 1]]
        return np.concatenate([links // 4, self.dst[flow : flow + 1]])


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


def flow_set(target: Target, src: np.ndarray, dst: np.ndarray, packets: np.ndarray) -> FlowSet:
    """Route flows src[i] -> dst[i] of packets[i] packets, and sum their loads on the links."""
    src, dst = np.asarray(src, np.int64), np.asarray(dst, np.int64)
    pairs, member = np.unique(src * target.positions + dst, return_inverse=True)
    amount = np.bincount(member.reshape(-1), np.asarray(packets, np.float64), len(pairs))
    routes = route_flows(target, *np.divmod(pairs, target.positions))
    loads = np.bincount(routes.links, np.repeat(amount, routes.hops), target.positions * 4)
    width, delay = link_properties(target)
    cycles = loads * (target.mesh.packet_bytes / width)
    away = routes.src != routes.dst
    return FlowSet(
        routes=routes,
        packets=amount,
        loads=loads,
        bottleneck=_reduce(np.maximum, cycles[routes.links], routes.start),
        latency=_reduce(np.add, delay[routes.links], routes.start),
        sent=np.bincount(routes.src[away], amount[away], target.positions),
        received=np.bincount(routes.dst[away], amount[away], target.positions),
    )


def route_flows(target: Target, src: np.ndarray, dst: np.ndarray) -> Routes:
    """The routes of many flows at once."""
    src, dst = np.asarray(src, np.int64).reshape(-1), np.asarray(dst, np.int64).reshape(-1)
    _check_ends(target, np.concatenate([src, dst]))
    start, links = _straight(target, src, dst)
    blocked = _reduce(np.maximum, ~link_alive(target).reshape(-1)[links], start) > 0
    if not blocked.any():
        return Routes(target, src, dst, start, links)
    detours = np.flatnonzero(blocked)
    _check_reach(target, src[detours], dst[detours])
    lengths, detoured = _detours(target, src[detours], dst[detours])
    sizes = np.diff(start)
    sizes[detours] = lengths
    merged_start = _offsets(sizes)
    merged = np.empty(merged_start[-1], np.int64)
    keep = ~blocked
    merged[_positions(merged_start[:-1][keep], sizes[keep])] = links[
        np.repeat(keep, np.diff(start))
    ]
    merged[_positions(merged_start[:-1][detours], lengths)] = detoured
    return Routes(target, src, dst, merged_start, merged)


def route(target: Target, src: int, dst: int) -> list[int]:
    """Ids of the nodes on the way from `src` to `dst`, both included."""
    return route_flows(target, np.array([src]), np.array([dst])).nodes(0).tolist()


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


def channel_cycle(routes: Routes) -> list[int]:
    """Links that wait for each other in a ring if every flow holds its links; empty if none do."""
    same_flow = np.ones(max(len(routes.links) - 1, 0), bool)
    borders = routes.start[1:-1]  # between the last link of a flow and the first of the next
    same_flow[borders[(borders > 0) & (borders < len(routes.links))] - 1] = False
    pairs = np.stack([routes.links[:-1][same_flow], routes.links[1:][same_flow]], 1)
    graph = nx.DiGraph(np.unique(pairs, axis=0).tolist())
    try:
        return [int(edge[0]) for edge in nx.find_cycle(graph)]
    except nx.NetworkXNoCycle:
        return []


def _check_ends(target: Target, ends: np.ndarray) -> None:
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


def _check_reach(target: Target, src: np.ndarray, dst: np.ndarray) -> None:
    label = components(target)
    cut_off = label[src] != label[dst]
    if cut_off.any():
        raise InputError(
            f"no route from node {src[cut_off][0]} to node {dst[cut_off][0]}",
            where=f"target {target.name}",
            help="dead nodes and links cut the machine in two; use the larger part",
        )


def _straight(target: Target, src: np.ndarray, dst: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(start, links) of x-then-y walks, whatever is dead."""
    row, col = np.divmod(src, target.cols)
    down, right = dst // target.cols - row, dst % target.cols - col
    along, across = np.abs(right), np.abs(down)
    start = _offsets(along + across)
    step = np.arange(start[-1]) - np.repeat(start[:-1], along + across)
    flow = np.repeat(np.arange(len(src)), along + across)
    in_x = step < along[flow]
    x = col[flow] + np.sign(right)[flow] * np.minimum(step, along[flow])
    y = row[flow] + np.sign(down)[flow] * np.maximum(step - along[flow], 0)
    east_west = np.where(right > 0, EAST, WEST)[flow]
    south_north = np.where(down > 0, SOUTH, NORTH)[flow]
    return start, (y * target.cols + x) * 4 + np.where(in_x, east_west, south_north)


def _detours(target: Target, src: np.ndarray, dst: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(lengths, links of all flows one after another) of shortest walks that prefer x."""
    ends, group = np.unique(dst, return_inverse=True)
    group = group.reshape(-1)
    lengths = np.empty(len(src), np.int64)
    taken: list[tuple[np.ndarray, int, np.ndarray]] = []
    size = max(1, BLOCK // target.positions)
    for first in range(0, len(ends), size):
        distance = _distances(target, ends[first : first + size])
        flows = np.flatnonzero((group >= first) & (group < first + size))
        lengths[flows] = distance[group[flows] - first, src[flows]]
        taken += _walk(target, distance, flows, src[flows], group[flows] - first)
    start = _offsets(lengths)
    links = np.empty(start[-1], np.int64)
    for flows, step, link in taken:
        links[start[flows] + step] = link
    return lengths, links


def _walk(
    target: Target, distance: np.ndarray, flows: np.ndarray, node: np.ndarray, end: np.ndarray
) -> list[tuple[np.ndarray, int, np.ndarray]]:
    """All flows step by step: (flows, step number, links taken), always nearer, x before y."""
    alive = link_alive(target)
    moves = _moves(target)
    result: list[tuple[np.ndarray, int, np.ndarray]] = []
    for step in range(target.positions):
        going = distance[end, node] > 0
        flows, node, end = flows[going], node[going], end[going]
        if not len(flows):
            break
        there = np.where(alive[node], node[:, None] + moves, node[:, None])
        nearer = distance[end[:, None], there] < distance[end, node][:, None]
        direction = np.argmax(nearer, 1)  # the first in the order of DIRECTIONS
        result.append((flows, step, node * 4 + direction))
        node = node + moves[direction]
    return result


def _distances(target: Target, ends: np.ndarray) -> np.ndarray:
    """Hops from every live node to each of `ends`: int32 [ends, positions].

    Start from the distances of a whole grid and raise those that no neighbour supports, until each
    is one more than its nearest neighbour's. A chain of such neighbours can only end where the
    distance is 0, so the result is the shortest walk; only nodes in the shadow of something dead
    change.
    """
    alive = link_alive(target)
    row, col = np.divmod(np.arange(target.positions, dtype=np.int32), np.int32(target.cols))
    away = np.abs(row - row[ends, None]) + np.abs(col - col[ends, None])
    label = components(target)
    shadows = np.flatnonzero((label >= 0) & (alive != _inside(target)).any(1))
    end, node = (part.reshape(-1) for part in np.meshgrid(np.arange(len(ends)), shadows))
    while len(node):
        changing = (node != ends[end]) & (label[node] == label[ends[end]])
        end, node = end[changing], node[changing]
        there = np.where(alive[node], node[:, None] + _moves(target), node[:, None])
        nearest = np.where(alive[node], away[end[:, None], there], FAR - 1).min(1) + 1
        raised = nearest > away[end, node]
        end, node = end[raised], node[raised]
        away[end, node] = nearest[raised]
        place, direction = np.nonzero(alive[node])
        behind = node[place] + _moves(target)[direction]
        key = np.unique(end[place] * target.positions + behind)
        end, node = np.divmod(key, target.positions)
    return away


def _moves(target: Target) -> np.ndarray:
    """What each direction adds to a node's id."""
    return np.array([down * target.cols + right for down, right in DIRECTIONS])


def _inside(target: Target) -> np.ndarray:
    """Boolean [positions, 4]: the links of the same grid with nothing dead."""
    inside = np.zeros((target.rows, target.cols, 4), bool)
    for number, (down, right) in enumerate(DIRECTIONS):
        here, _ = _shifted(down, right)
        inside[(*here, number)] = True
    return inside.reshape(-1, 4)


def _shifted(down: int, right: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Slices of (a node, its neighbour in that direction) over a grid."""
    here = {1: slice(None, -1), -1: slice(1, None), 0: slice(None)}
    there = {1: slice(1, None), -1: slice(None, -1), 0: slice(None)}
    return (here[down], here[right]), (there[down], there[right])


def _offsets(sizes: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _positions(first: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """first[i], first[i] + 1, ... of each i, one after another."""
    start = _offsets(sizes)
    return np.arange(start[-1]) + np.repeat(first - start[:-1], sizes)


def _reduce(function: np.ufunc, values: np.ndarray, start: np.ndarray) -> np.ndarray:
    """`function` over values[start[i] : start[i + 1]]; 0 where that is empty."""
    result = np.zeros(len(start) - 1, values.dtype)
    filled = np.diff(start) > 0
    if filled.any():
        result[filled] = function.reduceat(values, start[:-1][filled])
    return result
