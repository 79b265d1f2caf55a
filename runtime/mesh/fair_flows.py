"""A set of flows over a target's links, ports and DIPs, as groups that share fairly.

Resources are numbered: links (node * 4 + direction), mesh read ports, mesh write ports, DIPs.
Capacities are in packets a cycle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dojocc.runtime.mesh.fair import Groups
from dojocc.runtime.mesh.routes import Routes, link_properties, route_flows
from dojocc.runtime.target import Target

SINGLE = 64  # flows up to which each is a group of its own
ENTRIES = 60_000  # (group, resource) pairs that a merged set may have at most
FINEST, COARSEST = 16, 3  # groups that a large set is merged into
WAYS = 2_000_000  # resources of all pairs of a set that are remembered
NO_DIP = -1


@dataclass(frozen=True, eq=False)
class FlowGroups:
    """Flows merged by (source, destination, DIP) into P pairs, and these into groups.

    pair: of each flow given. group, latency (cycles without load), need (cycles that the busiest
    resource of its way takes for all that passes it) are by pair. work: packets through each
    resource. bounds: cycles by name below which no schedule on these routes can be. way: the
    resources of pair p are way[way_start[p] : way_start[p + 1]]; of sets with more than WAYS of
    them only the two ports of every pair are kept.
    """

    pair: np.ndarray
    src: np.ndarray
    dst: np.ndarray
    packets: np.ndarray
    group: np.ndarray
    latency: np.ndarray
    need: np.ndarray
    groups: Groups
    work: np.ndarray
    bounds: dict[str, float]
    way_start: np.ndarray
    way: np.ndarray

    @property
    def has_links(self) -> bool:
        """Whether ways hold links, not only ports."""
        return len(self.way) > 2 * len(self.packets) or not self.latency.any()

    @property
    def bound(self) -> float:
        return max(self.bounds.values(), default=0.0)


@lru_cache(maxsize=32)
def capacities(target: Target) -> np.ndarray:
    """Packets a cycle of every resource."""
    width, _ = link_properties(target)
    nodes, packet, node = target.positions, target.mesh.packet_bytes, target.node
    dips = target.dips
    dip = min(dips.hbm_bytes_per_s, dips.mesh_bytes_per_s) / node.clock_hz
    result = np.concatenate(
        [
            width / packet,
            np.full(nodes, float(node.mesh_read_ports)),
            np.full(nodes, float(node.mesh_write_ports)),
            np.full(dips.count, dip / packet),
        ]
    )
    result.setflags(write=False)
    return result


def flow_groups(
    target: Target,
    src: np.ndarray,
    dst: np.ndarray,
    packets: np.ndarray,
    dip: np.ndarray | None = None,
    pace: float | None = None,
    router: Callable[[np.ndarray, np.ndarray], Routes] | None = None,
    shares: tuple[float, float] | None = None,
    single: int = SINGLE,
) -> FlowGroups:
    """Flow i carries packets[i] from src[i] to dst[i].

    dip[i]: NO_DIP, or 2 * n for a flow out of DIP n, 2 * n + 1 for one into it; it starts or ends
    at the DIP's edge and takes the DIP's time in place of that node's port. pace: each flow is held
    to what makes it last as long as `pace` times the need of its busiest resource takes; None or 0:
    no holding back. router: the routes of flows (source, destination), else x, then y. shares: of
    a link's width that flows of sources with several destinations, and with one, can use; else the
    target's usable share, and all. Sets of more than `single` flows are merged into groups of flows
    with about equal need, which progress together.
    """
    nodes = target.positions
    dip = np.full(len(src), NO_DIP) if dip is None else dip
    key = ((dip + 1) * nodes + src) * nodes + dst
    keys, pair = np.unique(key, return_inverse=True)
    rest, to = np.divmod(keys, nodes)
    which, source = np.divmod(rest, nodes)
    which = which - 1
    amount = np.bincount(pair.reshape(-1), packets, len(keys))
    routes = router(source, to) if router else route_flows(target, source, to)
    start, resource, load = _loads(target, routes, amount, which)
    capacity = capacities(target)
    work = np.bincount(resource, load, len(capacity))
    cost = np.repeat(
        _link_cost(routes, which, shares or (target.mesh.usable_share, 1.0)), np.diff(start)
    )
    is_link = resource < 4 * nodes
    charged = np.where(is_link, load * cost, load)
    charge = np.bincount(resource, charged, len(capacity)) / capacity
    need = np.maximum.reduceat(charge[resource], start[:-1]) if len(keys) else np.zeros(0)
    _, delay = link_properties(target)
    latency = np.bincount(
        np.repeat(np.arange(len(keys)), routes.hops), delay[routes.links], len(keys)
    )
    group = _merged(need, amount, single, int(np.count_nonzero(work)))
    groups = _groups(group, start, resource, charged, amount, need, pace)
    return FlowGroups(
        pair=pair.reshape(-1),
        src=source,
        dst=to,
        packets=amount,
        group=group,
        latency=latency,
        need=need,
        groups=groups,
        work=work,
        bounds=_bounds(target, work, source, to, amount, latency, which),
        **_ways(start, resource),
    )


def _ways(start: np.ndarray, resource: np.ndarray) -> dict[str, np.ndarray]:
    if len(resource) > WAYS:
        last = start[1:, None] - np.array([2, 1])
        start, resource = np.arange(len(start)) * 2, resource[last.reshape(-1)]
    return {"way_start": start, "way": resource.astype(np.int32)}


def _loads(
    target: Target, routes: Routes, amount: np.ndarray, dip: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(start, resource, packets) of every pair: its links, then two ports or a port and a DIP."""
    nodes, pairs = target.positions, len(amount)
    sizes = routes.hops + 2
    start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    resource = np.empty(start[-1], np.int64)
    at = np.arange(len(routes.links)) - np.repeat(routes.start[:-1], routes.hops)
    resource[np.repeat(start[:-1], routes.hops) + at] = routes.links
    home, away = 4 * nodes + routes.src, 5 * nodes + routes.dst
    loads_dip, stores_dip = dip % 2 == 0, dip % 2 == 1
    named = dip >= 0
    box = 6 * nodes + dip // 2
    resource[start[1:] - 2] = np.where(named & loads_dip, box, home)
    resource[start[1:] - 1] = np.where(named & stores_dip, box, away)
    return start, resource, np.repeat(amount, sizes) if pairs else np.zeros(0)


def _link_cost(routes: Routes, dip: np.ndarray, shares: tuple[float, float]) -> np.ndarray:
    """[P] link cycles that a packet costs: more if its source sends to several destinations.

    Such a source's packets wait behind each other's busy links and come at uneven times, so that a
    link full of them carries only a share of its width; a source with one destination is a
    steady stream.
    """
    own = (dip < 0) & (routes.src != routes.dst)
    ways = np.bincount(routes.src[own], minlength=routes.target.positions)
    mixed = own & (ways[routes.src] > 1)
    return np.where(mixed, 1 / shares[0], 1 / shares[1])


def _merged(need: np.ndarray, amount: np.ndarray, single: int, resources: int) -> np.ndarray:
    """[P] group of each pair: its own, or that of pairs with about the same need."""
    if len(need) <= single:
        return np.arange(len(need))
    most = int(np.clip(ENTRIES // max(resources, 1), COARSEST, FINEST))
    level = np.round(np.log(np.maximum(need, 1e-9)) * 20)  # steps of 5 %
    levels, group = np.unique(level, return_inverse=True)
    group = group.reshape(-1)
    if len(levels) > most:
        # Equal spans of the logarithm of the need, the busiest in the last.
        span = (levels[-1] - levels[0]) / most
        index = np.ceil((level - levels[0]) / span).clip(1, most) - 1
        group = np.unique(index, return_inverse=True)[1].reshape(-1)
    return group


def _groups(
    group: np.ndarray,
    start: np.ndarray,
    resource: np.ndarray,
    charged: np.ndarray,
    amount: np.ndarray,
    need: np.ndarray,
    pace: float | None,
) -> Groups:
    """Loads of the pairs of each group summed."""
    count = int(group.max(initial=-1)) + 1
    width = int(resource.max(initial=0)) + 1
    each = np.repeat(group, np.diff(start))
    if count == len(group):
        order = np.argsort(each, kind="stable")
        where, load = resource[order], charged[order]
        which = each[order]
    else:
        total = np.bincount(each * width + resource, charged, count * width)
        used = np.flatnonzero(total)
        which, where = np.divmod(used, width)
        load = total[used]
    first = np.searchsorted(which, np.arange(count + 1))
    members = np.bincount(group, minlength=count)
    size = np.maximum(np.bincount(group, amount, count) / np.maximum(members, 1), 1e-9)
    longest = np.zeros(count)
    np.maximum.at(longest, group, need)
    cap = 1 / np.maximum(longest * (pace or 0.0), 1e-9)
    return Groups(first.astype(np.int64), where, load, size, cap)


def _bounds(
    target: Target,
    work: np.ndarray,
    src: np.ndarray,
    dst: np.ndarray,
    packets: np.ndarray,
    latency: np.ndarray,
    dip: np.ndarray,
) -> dict[str, float]:
    """Cycles by term: ports, DIPs, links of these routes, straight cuts of the mesh, latency."""
    nodes, cycles = target.positions, work / capacities(target)
    alone = np.where(packets > 0, latency + packets - 1, 0)
    alone = np.where(dip < 0, alone, latency)
    terms = {
        "port": cycles[4 * nodes : 6 * nodes].max(initial=0),
        "link": cycles[: 4 * nodes].max(initial=0),
        "cut": cut_bound(target, src, dst, packets),
        "latency": alone.max(initial=0),
        "dip": cycles[6 * nodes :].max(initial=0),
    }
    return {name: float(value) for name, value in terms.items()}


def cut_bound(target: Target, src: np.ndarray, dst: np.ndarray, packets: np.ndarray) -> float:
    """Cycles that the fullest straight cut needs, whatever the routes: packets over its width."""
    worst = 0.0
    width = (capacities(target)[: 4 * target.positions]).reshape(target.rows, target.cols, 4)
    live = target.live()
    for axis, count, forth in ((1, target.cols, 0), (0, target.rows, 2)):
        here, there = np.divmod(src, target.cols)[axis], np.divmod(dst, target.cols)[axis]
        for low, high, direction in ((here, there, forth), (there, here, forth + 1)):
            crosses = low < high
            edges = np.bincount(low[crosses], packets[crosses], count)
            edges = edges - np.bincount(high[crosses], packets[crosses], count)
            crossing = np.cumsum(edges)[:-1]
            # The cut after line i: its links leave line i forth, or line i + 1 back.
            lines = np.where(live, width[..., direction], 0).sum(1 - axis)
            wide = lines[:-1] if direction == forth else lines[1:]
            worst = max(worst, float((crossing / np.maximum(wide, 1e-9)).max(initial=0)))
    return worst
