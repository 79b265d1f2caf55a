"""Routes round what is dead, for flows that routers do not find a way for by themselves: the legs
that they take. (By themselves routers go x, then y, or two legs: runtime/mesh/detours.py.)

Deadlock freedom is by construction. Leg number i of a route is on virtual layer i, and within a
layer every walk goes x, then y: such walks cannot wait for each other in a ring, and a flow only
ever moves on to a higher layer. The last layer is kept for flows that would need more legs than
that; they follow a spanning order (routing_tree.py), which has no rings either.
"""

from __future__ import annotations

import numpy as np

from dojocc.passes.solve.routing_cut import unroutable
from dojocc.passes.solve.routing_legs import cheapest_legs, hop_costs
from dojocc.passes.solve.routing_tree import tree_legs
from dojocc.runtime.mesh.detours import turning_nodes, two_legs
from dojocc.runtime.mesh.routes import clear, components
from dojocc.runtime.mesh.tables import ROUTE_DTYPE, RouteTable
from dojocc.runtime.target import Target


def detours(target: Target, src: np.ndarray, dst: np.ndarray) -> np.ndarray:
    """Rows of set 0 (ROUTE_DTYPE, sorted) for those flows that neither one leg nor two will do for.

    Of all routes those with the fewest legs that the virtual layers allow.
    InputError, with the cut, when no walk over live links joins a flow's ends.
    """
    src, dst = np.asarray(src, np.int64), np.asarray(dst, np.int64)
    known = two_legs(target)
    if known is not None:
        longer = ~known.flows(src, dst)
        src, dst = src[longer], dst[longer]
    pairs = np.unique(src * target.positions + dst)
    src, dst = np.divmod(pairs, target.positions)
    blocked = ~clear(target, src, dst)
    src, dst = src[blocked], dst[blocked]
    label = components(target)
    apart = (label[src] != label[dst]) | (label[src] < 0)
    if apart.any():
        flow = int(np.argmax(apart))
        raise unroutable(target, int(src[flow]), int(dst[flow]))
    longer = turning_nodes(target, src, dst) < 0
    parts = [np.zeros(0, ROUTE_DTYPE), *many_legs(target, src[longer], dst[longer])]
    rows = np.concatenate(parts)
    return rows[np.lexsort((np.arange(len(rows)), rows["dst"], rows["src"]))]


def hard_ends(target: Target) -> tuple[np.ndarray, np.ndarray]:
    """[positions] booleans: sources, and destinations, among which are those of all flows between
    live nodes that may need rows."""
    known = two_legs(target)
    every = np.ones(target.positions, bool)
    return (every, every) if known is None else (known.senders, known.receivers)


def detour_table(target: Target, src: np.ndarray, dst: np.ndarray) -> RouteTable:
    """The route table of a program with these flows and no negotiated ones."""
    return RouteTable(detours(target, src, dst))


def many_legs(target: Target, src: np.ndarray, dst: np.ndarray) -> list[np.ndarray]:
    """Rows for flows that two legs cannot take round."""
    if not len(src):
        return []
    layers = target.mesh.virtual_channels
    ends, found = cheapest_legs(target, hop_costs(target), src, dst, layers - 1)
    parts = [rows_of(src[found], dst[found], ends[found])]
    for start, end in zip(src[~found].tolist(), dst[~found].tolist(), strict=True):
        corners = tree_legs(target, start, end)
        rows = np.zeros(len(corners), ROUTE_DTYPE)
        rows["src"], rows["dst"], rows["end"], rows["layer"] = start, end, corners, layers - 1
        parts.append(rows)
    return parts


def rows_of(src: np.ndarray, dst: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Rows of routes with leg ends [flows, legs], leg i on layer i; a leg that goes nowhere is
    left out.
    """
    begins = np.concatenate([src[:, None], ends[:, :-1]], 1)
    moves = begins != ends
    layer = np.cumsum(moves, 1) - 1
    flow, leg = np.nonzero(moves)
    rows = np.zeros(len(flow), ROUTE_DTYPE)
    rows["src"], rows["dst"], rows["end"] = src[flow], dst[flow], ends[flow, leg]
    rows["layer"] = layer[flow, leg]
    return rows
