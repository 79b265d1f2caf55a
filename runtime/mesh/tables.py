"""Route tables: the routes that a program holds, how they are checked, and how to walk them.

A flow without a row takes one leg (x, then y) on layer 0, or two on layers 0 and 1 where something
dead is in the way of that (detours.py). Rows give the others their legs. Every transfer list may
have a set of routes of its own; what that set does not name is in set 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from dojocc.runtime.errors import InputError
from dojocc.runtime.mesh.detours import turning_nodes
from dojocc.runtime.mesh.routes import Routes, check_ends, clear, offsets, route_legs
from dojocc.runtime.target import Target

if TYPE_CHECKING:
    from dojocc.runtime.program import Program

# One row a leg, in the order of travel: flow `src` -> `dst` of set `set` goes x, then y, to node
# `end` on virtual layer `layer`. The last leg of a flow ends at `dst`. Node ids are physical.
ROUTE_DTYPE = np.dtype(
    [("set", "<u2"), ("src", "<u4"), ("dst", "<u4"), ("end", "<u4"), ("layer", "u1")]
)
# Which set the flows of a transfer list are looked up in first; lists that are not here: set 0.
LIST_SET_DTYPE = np.dtype([("list", "<u4"), ("set", "<u2")])


@dataclass(frozen=True, eq=False)
class RouteTable:
    """legs: ROUTE_DTYPE by (set, src, dst), legs in order; lists: LIST_SET_DTYPE by list."""

    legs: np.ndarray = field(default_factory=lambda: np.zeros(0, ROUTE_DTYPE))
    lists: np.ndarray = field(default_factory=lambda: np.zeros(0, LIST_SET_DTYPE))

    def __post_init__(self) -> None:
        for array, dtype in ((self.legs, ROUTE_DTYPE), (self.lists, LIST_SET_DTYPE)):
            if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != 1:
                raise InputError("a program's routes must be one row of ROUTE_DTYPE a leg")
        numbers = self.lists["list"]
        if (numbers[:-1] >= numbers[1:]).any() or (self.lists["set"] == 0).any():
            raise InputError("lists with routes of their own are not sorted, or name set 0")
        descends = np.zeros(max(len(self.legs) - 1, 0), bool)
        for name in ("dst", "src", "set"):
            before, after = self.legs[name][:-1], self.legs[name][1:]
            descends = (before > after) | ((before == after) & descends)
        if descends.any():
            raise InputError("routes are not sorted by set, source and destination")

    def first(self) -> np.ndarray:
        """Index of the first leg of every route, then the number of legs."""
        opens = np.ones(len(self.legs) + 1, bool)
        same = [self.legs[name][1:] == self.legs[name][:-1] for name in ("set", "src", "dst")]
        opens[1:-1] = ~np.logical_and.reduce(same)
        return np.flatnonzero(opens)

    def set_of(self, number: int | None) -> int:
        """The set of routes of a transfer list."""
        place = int(np.searchsorted(self.lists["list"], number)) if number is not None else -1
        if 0 <= place < len(self.lists) and int(self.lists["list"][place]) == number:
            return int(self.lists["set"][place])
        return 0


def check_routes(target: Target, table: RouteTable) -> None:
    """Nodes are alive, layers exist, routes end where they should, no leg crosses a dead link."""
    legs = table.legs
    if len(table.lists) and not set(table.lists["set"]) <= set(legs["set"]):
        raise InputError("a list has a set of routes that is empty")
    if not len(legs):
        return
    ends = np.stack([legs[name] for name in ("src", "dst", "end")]).astype(np.int64)
    if ends.max() >= target.positions:
        raise InputError(
            "a route names a node outside the target",
            numbers=f"node {ends.max()}, target has {target.positions} positions",
        )
    if legs["layer"].max() >= target.mesh.virtual_channels:
        raise InputError(
            "a route uses a virtual layer that the links do not have",
            numbers=f"layer {legs['layer'].max()} of {target.mesh.virtual_channels}",
        )
    first = table.first()
    src, dst, end = ends
    begin = np.concatenate([[0], end[:-1]])
    begin[first[:-1]] = src[first[:-1]]
    last = first[1:] - 1
    live = target.live().reshape(-1)
    wrong = (begin == end) | ~live[begin] | ~live[end]
    wrong[last] |= end[last] != dst[last]
    wrong |= ~clear(target, begin, end)
    if wrong.any():
        row = legs[int(np.argmax(wrong))]
        raise InputError(
            "a route has a leg that is no walk over live links towards its destination",
            where=f"route of set {row['set']} from node {row['src']} to node {row['dst']}",
            numbers=f"leg to node {row['end']} on layer {row['layer']}",
            help="compile for the target with these defects",
        )


def table_routes(
    target: Target, table: RouteTable, src: np.ndarray, dst: np.ndarray, number: int | None = None
) -> Routes:
    """The routes that flows src[i] -> dst[i] (physical node ids) of a transfer list take.

    Without `number` those of set 0. InputError when a flow ends at a dead node, or when neither the
    table nor the rule of detours.py says how it gets round something dead.
    """
    src, dst = np.asarray(src, np.int64).reshape(-1), np.asarray(dst, np.int64).reshape(-1)
    check_ends(target, np.concatenate([src, dst]))
    first = table.first()
    heads, sizes = table.legs[first[:-1]], np.diff(first)
    route = np.full(len(src), -1, np.int64)
    for chosen in sorted({table.set_of(number), 0}, reverse=True):
        low, high = np.searchsorted(heads["set"], [chosen, chosen + 1])
        keys = heads["src"][low:high].astype(np.int64) * target.positions + heads["dst"][low:high]
        wanted = src * target.positions + dst
        place = np.searchsorted(keys, wanted)
        found = place < len(keys)
        found[found] = keys[place[found]] == wanted[found]
        found &= route < 0
        route[found] = place[found] + low
    named = route >= 0
    via = np.full(len(src), -1, np.int64)
    via[~named] = turning_nodes(target, src[~named], dst[~named])
    turns = np.flatnonzero(via >= 0)
    legs = np.where(via >= 0, 2, 1)
    legs[named] = sizes[route[named]]
    start = offsets(legs)
    end, layer = np.repeat(dst, legs), np.zeros(start[-1], np.uint8)
    end[start[turns]], layer[start[turns] + 1] = via[turns], 1
    into = np.repeat(start[:-1][named], legs[named]) + _counts(legs[named])
    taken = np.repeat(first[route[named]], legs[named]) + _counts(legs[named])
    end[into], layer[into] = table.legs["end"][taken], table.legs["layer"][taken]
    return route_legs(target, src, dst, legs, end, layer)


def program_routes(
    program: Program, src: np.ndarray, dst: np.ndarray, number: int | None = None
) -> Routes:
    """The routes that a program's flows src[i] -> dst[i] (physical node ids) take.

    `number`: the transfer list that the flows are of; lists may have routes of their own.
    """
    table = program.routes
    return table_routes(program.target, table, src, dst, number)


def usable_share(program: Program, number: int) -> float:
    """The share of a link that the flows of a list may count on: routes of its own need slack."""
    mesh = program.target.mesh
    return mesh.negotiated_share if program.routes.set_of(number) else mesh.usable_share


def _counts(sizes: np.ndarray) -> np.ndarray:
    """0, 1, ..., sizes[0] - 1, 0, 1, ..., sizes[1] - 1, ..."""
    start = offsets(sizes)
    return np.arange(start[-1]) - np.repeat(start[:-1], sizes)
