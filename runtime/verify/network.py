"""Routes, walked from the program's own tables: every transfer has one over live links, and no set
of routes can wait in a ring.

A flow goes leg by leg, each along its row and then along its column, on the virtual layer that the
leg names; what no table names goes in one leg on layer 0. A channel is one layer's buffer on one
link. Routes that are under way together must not make channels wait for each other in a ring; as
lists overlap in time, all routes of a program are taken together.
"""

from __future__ import annotations

from dataclasses import dataclass

import networkx as nx
import numpy as np

from dojocc.runtime.mesh.detours import turning_nodes
from dojocc.runtime.mesh.ends import list_ends
from dojocc.runtime.mesh.tables import RouteTable
from dojocc.runtime.program import Program
from dojocc.runtime.target import Target
from dojocc.runtime.verify.findings import Finding, Report

STEPS = ((0, 1), (0, -1), (1, 0), (-1, 0))
BLOCK = 1 << 18
"""Flows walked at a time."""


@dataclass(frozen=True, eq=False)
class Legs:
    """One row a leg: where it goes from and to, on which layer, and the flow that it is of."""

    begin: np.ndarray
    end: np.ndarray
    layer: np.ndarray
    flow: np.ndarray


def check_network(program: Program, report: Report) -> None:
    """Every flow of every list."""
    target, lists = program.target, program.entries
    nodes = [item.nodes for item in program.classes]
    numbers = np.unique(lists["list"]).tolist()
    own = {int(row["list"]): int(row["set"]) for row in program.routes.lists}
    by_set: dict[int, list[np.ndarray]] = {}
    for number in numbers:
        first, last = np.searchsorted(lists["list"], [number, number + 1])
        _, src, dst = list_ends(target, nodes, lists[first:last])
        key = np.unique(src[src != dst] * target.positions + dst[src != dst])
        by_set.setdefault(own.get(number, 0), []).append(key)
    chains: list[np.ndarray] = []
    for chosen, keys in sorted(by_set.items()):
        flows = np.unique(np.concatenate(keys))
        report.count("flows", len(flows))
        for start in range(0, len(flows), BLOCK):
            src, dst = np.divmod(flows[start : start + BLOCK], target.positions)
            legs = legs_of(program.routes, target, chosen, src, dst)
            chains.append(walk_legs(target, legs, src, dst, report))
    if chains:
        check_rings(target, np.unique(np.concatenate(chains)), report)


def legs_of(
    table: RouteTable, target: Target, chosen: int, src: np.ndarray, dst: np.ndarray
) -> Legs:
    """The legs of flows, of set `chosen`, else of set 0, else those that routers find."""
    rows = table.legs
    key = (rows["set"].astype(np.int64) * target.positions + rows["src"]) * target.positions
    key = key + rows["dst"]
    low = high = np.zeros(len(src), np.int64)
    for number in (0, chosen):
        wanted = (number * target.positions + src) * target.positions + dst
        first, last = np.searchsorted(key, wanted), np.searchsorted(key, wanted, "right")
        low, high = np.where(last > first, first, low), np.where(last > first, last, high)
    via = np.full(len(src), -1, np.int64)
    found = high == low
    via[found] = turning_nodes(target, src[found], dst[found])
    count = np.where(via >= 0, 2, np.maximum(high - low, 1))
    flow = np.repeat(np.arange(len(src)), count)
    turn = np.arange(len(flow)) - np.repeat(np.cumsum(count) - count, count)
    named = (high > low)[flow]
    end = np.where((via[flow] >= 0) & (turn == 0), via[flow], dst[flow])
    layer = turn.copy()
    place = (low[flow] + turn)[named]
    end[named], layer[named] = rows["end"][place], rows["layer"][place]
    begin = np.where(turn == 0, src[flow], np.concatenate([[0], end[:-1]]))
    return Legs(begin, end, layer, flow)


def walk_legs(
    target: Target, legs: Legs, src: np.ndarray, dst: np.ndarray, report: Report
) -> np.ndarray:
    """Pairs of channels that follow each other in these flows, as one number each. Steps are taken
    one by one for all legs at once."""
    alive = live_links(target)
    places = target.positions * 4 * (int(legs.layer.max(initial=0)) + 1)
    last_leg = np.append(legs.flow[1:] != legs.flow[:-1], True) if len(legs.flow) else legs.flow
    wrong = last_leg & (legs.end != dst[legs.flow])
    complain(target, report, "ends at another node than its destination", legs, wrong, src, dst)
    at = legs.begin.copy()
    begun = np.full(len(at), -1, np.int64)
    before = begun.copy()
    followers = [np.zeros(0, np.int64)]
    goal_row, goal_col = np.divmod(legs.end, target.cols)
    going = np.flatnonzero(at != legs.end)
    while len(going):
        row, col = np.divmod(at[going], target.cols)
        right, down = goal_col[going] - col, goal_row[going] - row
        way = np.where(right > 0, 0, np.where(right < 0, 1, np.where(down > 0, 2, 3)))
        link = at[going] * 4 + way
        dead = np.zeros(len(at), bool)
        dead[going[~alive[link]]] = True
        complain(target, report, "crosses a dead node or link", legs, dead, src, dst)
        channel = legs.layer[going] * target.positions * 4 + link
        known = before[going] >= 0
        followers.append(np.unique(before[going][known] * places + channel[known]))
        begun[going[~known]] = channel[~known]
        before[going] = channel
        moves = np.array([down_ * target.cols + right_ for down_, right_ in STEPS])
        at[going] += moves[way]
        going = going[(at[going] != legs.end[going]) & ~dead[going]]
    joined = np.flatnonzero(legs.flow[1:] == legs.flow[:-1])
    joined = joined[(before[joined] >= 0) & (begun[joined + 1] >= 0)]
    followers.append(before[joined] * places + begun[joined + 1])
    pairs = np.unique(np.concatenate(followers))
    return pairs // places << 32 | pairs % places


def live_links(target: Target) -> np.ndarray:
    """[positions * 4]: which links join two live nodes and are not dead themselves."""
    live, found = target.live(), np.zeros((target.rows, target.cols, 4), bool)
    rows, cols = np.indices(live.shape)
    for way, (down, right) in enumerate(STEPS):
        row, col = rows + down, cols + right
        inside = (row >= 0) & (row < target.rows) & (col >= 0) & (col < target.cols)
        there = live[np.where(inside, row, 0), np.where(inside, col, 0)]
        found[..., way] = live & inside & there
    for one, other in target.defect_links:
        for (row, col), (to_row, to_col) in ((one, other), (other, one)):
            found[row, col, STEPS.index((to_row - row, to_col - col))] = False
    return found.reshape(-1)


def complain(
    target: Target,
    report: Report,
    what: str,
    legs: Legs,
    wrong: np.ndarray,
    src: np.ndarray,
    dst: np.ndarray,
) -> None:
    if not wrong.any():
        return
    flow = int(legs.flow[np.argmax(wrong)])
    ends = [target.position(int(node[flow])) for node in (src, dst)]
    report.add(
        Finding(
            "route",
            f"a route {what}",
            f"from node {ends[0]} to node {ends[1]}",
            f"{len(np.unique(legs.flow[wrong]))} such flows",
        ),
        (what,),
    )


def check_rings(target: Target, pairs: np.ndarray, report: Report) -> None:
    """Peel off channels that wait for none; what is left over waits in rings."""
    before, after = pairs >> 32, pairs & 0xFFFFFFFF
    while len(before):
        free = ~np.isin(after, before)
        if not free.any():
            break
        before, after = before[~free], after[~free]
    if not len(before):
        return
    ring = nx.find_cycle(nx.DiGraph(zip(before.tolist(), after.tolist(), strict=True)))
    places = target.positions * 4
    names = [
        f"{target.position(edge[0] % places // 4)} layer {edge[0] // places}" for edge in ring[:6]
    ]
    report.add(
        Finding(
            "channel",
            "routes can wait for each other in a ring of channels",
            "out of nodes " + ", ".join(names),
            f"{len(ring)} channels",
        )
    )
