"""Which routes the transfer lists of a program get: x, then y, unless others are modelled faster.

A list is worth negotiating about when its busiest link, not its busiest port, sets its time. The
negotiated routes are taken when the list then ends earlier, though many links equally busy can be
used to a lower share only (mesh.negotiated_share).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

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


Flows = tuple[bytes, bytes]
"""Distinct pairs (source * positions + destination), int64, and the packets of each, float64."""


@dataclass(frozen=True, eq=False)
class Transfers:
    """What the lists of a program move: list number, physical source and destination, packets.

    `shared`: by the number of a list, those of all lists that move the same, itself among them.
    """

    number: np.ndarray
    src: np.ndarray
    dst: np.ndarray
    packets: np.ndarray
    shared: Mapping[int, Sequence[int]] = field(default_factory=dict)


def route_lists(
    target: Target, moves: Transfers, plain: Collection[int] = frozenset()
) -> RouteTable:
    """The route table of a program. It does not depend on the order of the transfers.

    The lists `plain` are not negotiated about.
    """
    base = RouteTable(detours(target, moves.src, moves.dst))
    known = equal_lists(target, moves, plain)
    flows = {key: flows_of(target, base, key) for key in known}
    parts, lists = [base.legs], []
    worth = sorted(
        (key for key in flows if can_gain(target, flows[key])),
        key=lambda key: (-possible_gain(target, flows[key]) * len(known[key]), known[key]),
    )
    for key in sorted(worth[:MOST_LISTS], key=lambda key: known[key]):
        rows = better_routes(target, flows[key])
        if rows is not None:
            rows["set"] = len(parts)
            lists += [(number, len(parts)) for number in known[key]]
            parts.append(rows)
    return RouteTable(np.concatenate(parts), np.array(sorted(lists), LIST_SET_DTYPE))


def equal_lists(
    target: Target, moves: Transfers, plain: Collection[int] = frozenset()
) -> dict[Flows, list[int]]:
    """Numbers of the lists with the same flows, by these, of lists small enough to negotiate about
    and not in `plain`.

    Flows are between different nodes, each pair once.
    """
    most = most_flows(target)
    away = np.flatnonzero(moves.src != moves.dst)
    order = away[np.argsort(moves.number[away], kind="stable")]
    numbers = moves.number[order].astype(np.int64)
    borders = np.flatnonzero(np.diff(numbers, prepend=-1, append=-1))
    known: dict[Flows, list[int]] = {}
    for first, end in pairwise(borders.tolist()):
        chosen, number = order[first:end], int(numbers[first])
        if number in plain:
            continue
        src, dst = moves.src[chosen], moves.dst[chosen]
        if more_than(most, src, target) or more_than(most, dst, target):
            continue
        pairs, member = np.unique(src * target.positions + dst, return_inverse=True)
        if len(pairs) > most:
            continue
        packets = np.bincount(member.reshape(-1), moves.packets[chosen], len(pairs))
        key = pairs.tobytes(), packets.tobytes()
        known.setdefault(key, []).extend(moves.shared.get(number, (number,)))
    return {key: sorted(each) for key, each in known.items()}


def most_flows(target: Target) -> int:
    """Flows of a list up to which it is negotiated about."""
    return LARGEST_WORK // target.positions


def more_than(most: int, nodes: np.ndarray, target: Target) -> bool:
    """Whether there are more than `most` different nodes: quicker than counting pairs."""
    return int(np.count_nonzero(np.bincount(nodes, minlength=target.positions))) > most


def flows_of(target: Target, base: RouteTable, key: Flows) -> FlowSet:
    """The flows on the routes of set 0."""
    pairs, packets = np.frombuffer(key[0], np.int64), np.frombuffer(key[1])
    return loaded(table_routes(target, base, *np.divmod(pairs, target.positions)), packets)


def can_gain(target: Target, flows: FlowSet) -> bool:
    """Negotiation may help."""
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
