"""Between which nodes the entries of transfer lists travel, and where DRAM traffic meets the mesh.

A DIP is joined to the nodes of its band along an edge. What it sends to a node enters the mesh, and
what a node sends to it leaves the mesh, at the live node of that band nearest to the node.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dojocc.runtime.errors import TargetError
from dojocc.runtime.folds import spread
from dojocc.runtime.mesh.routes import Routes, offsets
from dojocc.runtime.mesh.tables import program_routes
from dojocc.runtime.program import DRAM_LOAD, DRAM_STORE, PULL, Program
from dojocc.runtime.target import Target


def list_ends(
    target: Target, nodes: Sequence[np.ndarray], entries: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(entry, source, destination) of every transfer: entry numbers, and physical node ids.

    nodes: physical ids of the nodes of each class. An entry with several peers is several
    transfers, in the order of its peers.
    """
    entry, turn = spread(entries["peers"].astype(np.int64))
    peer = (
        entries["peer"].astype(np.int64)[entry]
        + turn * entries["peer_stride"].astype(np.int64)[entry]
    )
    first = np.zeros(len(entries), np.int64)
    for number, members in enumerate(nodes):
        own = entries["cls"] == number
        first[own] = members[entries["node"][own]]
    here, there = first[entry], np.empty(len(entry), np.int64)
    dram = np.isin(entries["kind"], (DRAM_LOAD, DRAM_STORE))
    for number, members in enumerate(nodes):
        other = ((entries["peer_cls"] == number) & ~dram)[entry]
        if other.all():
            there = members[peer]
        else:
            there[other] = members[peer[other]]
    dram = dram[entry]
    for dip in np.unique(peer[dram]):
        chosen = dram & (peer == dip)
        there[chosen] = gateways(target, int(dip), here[chosen])
    inward = np.isin(entries["kind"], (PULL, DRAM_LOAD))
    if not inward.any():
        return entry, here, there
    inward = inward[entry]
    return entry, np.where(inward, there, here), np.where(inward, here, there)


def gateways(target: Target, dip: int, nodes: np.ndarray) -> np.ndarray:
    """For each of `nodes` the node at which its traffic with a DIP enters or leaves the mesh."""
    band = target.dip_nodes(dip)
    row, col = np.divmod(np.asarray(nodes, np.int64), target.cols)
    away = np.abs(band // target.cols - row[:, None]) + np.abs(band % target.cols - col[:, None])
    return band[np.argmin(away, 1)]


def nearest_dips(target: Target, nodes: np.ndarray) -> np.ndarray:
    """For each of `nodes` (physical ids) the DIP whose band is the fewest hops away, of several the
    first. A DIP all of whose band is dead serves nobody; TargetError where none is left.
    """
    nodes = np.asarray(nodes, np.int64)
    row, col = np.divmod(nodes, target.cols)
    best = np.full(len(nodes), target.positions)
    chosen = np.full(len(nodes), -1)
    for dip in range(target.dips.count):
        try:
            gate_row, gate_col = np.divmod(gateways(target, dip, nodes), target.cols)
        except TargetError:
            continue
        away = np.abs(gate_row - row) + np.abs(gate_col - col)
        chosen = np.where(away < best, dip, chosen)
        best = np.minimum(away, best)
    if (chosen < 0).any():
        raise TargetError(
            f"target {target.name} has no DIP that can be reached",
            numbers=f"it has {target.dips.count}",
        )
    return chosen


def routes_taken(program: Program) -> Routes:
    """The routes of all transfers of all lists of a program, each flow of a set of routes once.

    `channel_cycle` of them is empty if no order in which lists meet can stop the mesh for good.
    """
    nodes = [item.nodes for item in program.classes]
    entry, src, dst = list_ends(program.target, nodes, program.entries)
    numbers = program.entries["list"][entry]
    own = np.isin(numbers, program.routes.lists["list"])
    groups = [(None, ~own)] + [
        (int(number), numbers == number) for number in program.routes.lists["list"]
    ]
    parts = []
    for number, chosen in groups:
        pairs = np.unique(src[chosen] * program.target.positions + dst[chosen])
        ends = np.divmod(pairs, program.target.positions)
        parts.append(program_routes(program, *ends, number))
    sizes = np.concatenate([part.hops for part in parts])
    names = ("src", "dst", "links", "layers")
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Routes(target=program.target, start=offsets(sizes), **joined)
