"""Routes round what is dead: for flows that cannot simply go x, then y, the legs that they take.

Deadlock freedom is by construction. Leg number i of a route is on virtual layer i, and within a
layer every walk goes x, then y: such walks cannot wait for each other in a ring, and a flow only
ever moves on to a higher layer. The last layer is kept for flows that would need more legs than
that; they follow a spanning order (routing_tree.py), which has no rings either.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from dojocc.passes.solve.routing_cut import unroutable
from dojocc.passes.solve.routing_legs import cheapest_legs, hop_costs
from dojocc.passes.solve.routing_tree import tree_legs
from dojocc.runtime.mesh.routes import clear, components, straight
from dojocc.runtime.mesh.tables import ROUTE_DTYPE, RouteTable
from dojocc.runtime.target import Target

LARGEST_TABLE = 1 << 27
"""Pairs of nodes that may be marked in a table, a byte each."""


def detours(target: Target, src: np.ndarray, dst: np.ndarray) -> np.ndarray:
    """Rows of set 0 (ROUTE_DTYPE, sorted) for those flows that something dead is in the way of.

    Of all routes those with the fewest legs, and of these the shortest as far as two legs go.
    InputError, with the cut, when no walk over live links joins a flow's ends.
    """
    src, dst = distinct_pairs(target, np.asarray(src, np.int64), np.asarray(dst, np.int64))
    blocked = ~clear(target, src, dst)
    src, dst = src[blocked], dst[blocked]
    label = components(target)
    apart = (label[src] != label[dst]) | (label[src] < 0)
    if apart.any():
        flow = int(np.argmax(apart))
        raise unroutable(target, int(src[flow]), int(dst[flow]))
    via = np.full(len(src), -1, np.int64)
    if target.mesh.virtual_channels > 2:  # a layer for each of two legs, and the last one
        via = one_turn(target, src, dst)
    two = via >= 0
    parts = [rows_of(src[two], dst[two], np.stack([via[two], dst[two]], 1))]
    parts += many_legs(target, src[~two], dst[~two])
    rows = np.concatenate(parts)
    return rows[np.lexsort((np.arange(len(rows)), rows["dst"], rows["src"]))]


def detour_table(target: Target, src: np.ndarray, dst: np.ndarray) -> RouteTable:
    """The route table of a program with these flows and no negotiated ones."""
    return RouteTable(detours(target, src, dst))


def distinct_pairs(
    target: Target, src: np.ndarray, dst: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each pair once, sorted: marked in a table of all pairs where that is not too large."""
    keys, every = src * target.positions + dst, target.positions**2
    if every > LARGEST_TABLE:
        return np.divmod(np.unique(keys), target.positions)
    seen = np.zeros(every, bool)
    seen[keys] = True
    return np.divmod(np.flatnonzero(seen), target.positions)


def one_turn(target: Target, src: np.ndarray, dst: np.ndarray) -> np.ndarray:
    """For each flow a node at which two legs meet and nothing dead is in their way, or -1.

    Tried in this order: y, then x; then y-x-y and x-y-x with the middle part in ever more distant
    rows and columns, first between the ends, then outside. Flows take the outside at the side given
    by the parity of their ends, so that they do not all crowd into one.
    """
    via = np.full(len(src), -1, np.int64)
    left = Flows.of(target, src, dst)
    for step in range(max(target.rows, target.cols)):
        for sign in (1, -1):
            for rows in (True, False):
                if not len(left.number):
                    return via
                node = _turns(target, left, rows, sign, step)
                found = node >= 0
                via[left.number[found]] = node[found]
                left = left.where(~found)
    return via


@dataclass(frozen=True, eq=False)
class Flows:
    """Flows by number: where they start and end, and the side that they pass on (1 or -1)."""

    number: np.ndarray
    row: np.ndarray
    col: np.ndarray
    to_row: np.ndarray
    to_col: np.ndarray
    side: np.ndarray

    @staticmethod
    def of(target: Target, src: np.ndarray, dst: np.ndarray) -> Flows:
        ends = (*np.divmod(src, target.cols), *np.divmod(dst, target.cols))
        row, col, to_row, to_col = (end.astype(np.int32) for end in ends)
        side = np.where((row + col + to_row + to_col) % 2, 1, -1).astype(np.int32)
        return Flows(np.arange(len(src)), row, col, to_row, to_col, side)

    def where(self, chosen: np.ndarray) -> Flows:
        return Flows(*(getattr(self, each.name)[chosen] for each in fields(self)))


def _turns(target: Target, flows: Flows, rows: bool, sign: int, step: int) -> np.ndarray:
    """The node at which each flow turns in the row (or column) of this try; -1 where something dead
    is in the way, or the turn is one of its ends."""
    row, col, to_row, to_col = flows.row, flows.col, flows.to_row, flows.to_col
    here, there = (row, to_row) if rows else (col, to_col)
    middle = _middle(here, there, flows.side * np.int32(sign), step)
    inside = (middle >= 0) & (middle < (target.rows if rows else target.cols))
    middle = np.where(inside, middle, here)
    if rows:
        good = straight(target, row, col, middle, col)
        good &= straight(target, middle, col, to_row, to_col)
        good &= (middle != row) & ((middle != to_row) | (col != to_col))
        node = middle * target.cols + col
    else:
        good = straight(target, row, col, to_row, middle)
        good &= straight(target, to_row, middle, to_row, to_col)
        good &= (middle != to_col) & ((middle != col) | (row != to_row))
        node = to_row * target.cols + middle
    return np.where(inside & good, node, -1)


def _middle(here: np.ndarray, there: np.ndarray, side: np.ndarray, step: int) -> np.ndarray:
    """The row (or column) to try: from `there` back towards `here`, then outside of both."""
    away = np.abs(there - here)
    back = there - np.sign(there - here) * np.int32(step)
    outside = np.int32(step) - away
    low, high = np.minimum(here, there), np.maximum(here, there)
    return np.where(step <= away, back, np.where(side > 0, high + outside, low - outside))


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
