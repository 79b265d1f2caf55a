"""Which routes the transfer lists of a program get: x, then y, unless others are modelled faster.

A list is worth negotiating about when its busiest link, not its busiest port, sets its time. The
negotiated routes are taken when the list then ends earlier, though many links equally busy can be
used to a lower share only (mesh.negotiated_share).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dojocc.passes.solve.routing import detours, rows_of
from dojocc.passes.solve.routing_negotiate import negotiate
from dojocc.runtime.mesh.routes import FlowSet, loaded
from dojocc.runtime.mesh.tables import LIST_SET_DTYPE, ROUTE_DTYPE, RouteTable, table_routes
from dojocc.runtime.target import Target

LARGEST_WORK = 400_000
"""Flows times node positions up to which a list is negotiated about: about a second."""
MOST_LISTS = 8
"""Different lists that are negotiated about, those with most to gain first."""
GAIN = 0.97
"""The share of the time of plain routes that others must come below."""
LEAST = 200
"""Cycles that must be there to gain: a second of compile time is not spent on less."""


@dataclass(frozen=True, eq=False)
class Transfers:
    """What the lists of a program move: list number, physical source and destination, packets."""

    number: np.ndarray
    src: np.ndarray
    dst: np.ndarray
    packets: np.ndarray


def route_lists(target: Target, moves: Transfers) -> RouteTable:
    """The route table of a program. It does not depend on the order of the transfers."""
    base = RouteTable(detours(target, moves.src, moves.dst))
    known: dict[bytes, list[int]] = {}
    flows: dict[bytes, FlowSet] = {}
    for number in np.unique(moves.number).tolist():
        found = merged_flows(target, base, moves, number)
        key = np.concatenate([found.src, found.dst, found.packets]).tobytes()
        known.setdefault(key, []).append(number)
        flows[key] = found
    parts, lists = [base.legs], []
    worth = sorted(
        (key for key in flows if can_gain(target, base, flows[key])),
        key=lambda key: (-possible_gain(target, flows[key]) * len(known[key]), known[key]),
    )
    for key in sorted(worth[:MOST_LISTS], key=lambda key: known[key]):
        rows = better_routes(target, flows[key])
        if rows is not None:
            rows["set"] = len(parts)
            lists += [(number, len(parts)) for number in known[key]]
            parts.append(rows)
    return RouteTable(np.concatenate(parts), np.array(sorted(lists), LIST_SET_DTYPE))


def merged_flows(target: Target, base: RouteTable, moves: Transfers, number: int) -> FlowSet:
    """A list's flows between different nodes, each pair once, on the routes of set 0."""
    chosen = (moves.number == number) & (moves.src != moves.dst)
    keys = moves.src[chosen] * target.positions + moves.dst[chosen]
    pairs, member = np.unique(keys, return_inverse=True)
    packets = np.bincount(member.reshape(-1), moves.packets[chosen], len(pairs))
    return loaded(table_routes(target, base, *np.divmod(pairs, target.positions)), packets)


def can_gain(target: Target, base: RouteTable, flows: FlowSet) -> bool:
    """Negotiation may help, and is within bounds."""
    if not 0 < len(flows.src) * target.positions <= LARGEST_WORK:
        return False
    if flows.routes.layers.max() >= target.mesh.virtual_channels - 1:
        return False  # a flow that needs the spanning order
    return possible_gain(target, flows) >= LEAST


def possible_gain(target: Target, flows: FlowSet) -> float:
    """Cycles between those of plain routes and what no routes can come below."""
    return modelled(flows, target.mesh.usable_share) - flows.lower_bound


def modelled(flows: FlowSet, share: float) -> float:
    """Cycles from the first packet to the last, when a link is used to a share of its rate."""
    return max(flows.busiest_port, flows.busiest_link / share) + float(flows.latency.max(initial=0))


def better_routes(target: Target, flows: FlowSet) -> np.ndarray | None:
    """Rows of negotiated routes, or None where they are no faster."""
    share = target.mesh.negotiated_share
    enough = flows.busiest_port * share
    found = negotiate(target, flows.src, flows.dst, flows.packets, enough)
    rows = rows_of(flows.src, flows.dst, found.ends)
    table = RouteTable(rows)
    after = loaded(table_routes(target, table, flows.src, flows.dst), flows.packets)
    if modelled(after, share) >= GAIN * modelled(flows, target.mesh.usable_share):
        return None
    return longer_than_one_leg(rows)


def longer_than_one_leg(rows: np.ndarray) -> np.ndarray:
    """The rows without the routes that are x, then y, as those of flows without a row are."""
    first = RouteTable(rows).first()
    sizes = np.diff(first)
    kept: np.ndarray = rows[np.repeat(sizes > 1, sizes)]
    assert kept.dtype == ROUTE_DTYPE
    return kept
