"""Lists whose sources go through their destinations in step: hot spots that move.

A source sends the entries of its list in order. Where at each turn most sources send over the same
distance (all-to-all in rotated order), or many to one node, a few links or one port are busy at a
time, and others at the next turn. Sharing sees only the sum of all turns and is too short: by
BookSim2's tables up to the `lock_step` band of calibration.toml.
"""

from __future__ import annotations

import numpy as np

from dojocc.runtime.mesh.fair_flows import FlowGroups

MOST = 0.5
"""The share of a turn's sources that go over one distance, from which on they count as in step; and
the share of all transfers that must be."""
SAME = 5
"""Sources that send to one node at one turn, from which on they count as in step: in random orders
less than one in a hundred has so many."""
EXCESS = 1.1
"""Cycles of the busiest resource turn by turn, over those of the sum, from which on a list counts.
All-to-all in rotated order on 18 x 20 nodes has 1.32, along columns 1.0."""
LARGEST = 20_000_000
"""(transfer, resource) pairs looked at; of longer lists the first turns."""


def in_lock_step(
    flows: FlowGroups, entries: np.ndarray, own: np.ndarray, capacity: np.ndarray
) -> bool:
    """True where hot spots move. entries: a list's transfers between nodes, by node and in order,
    one peer each; own: which of the transfers in `flows.pair` they are."""
    node, peer = entries["node"].astype(np.int64), entries["peer"].astype(np.int64)
    pair = flows.pair[own]
    if not len(node):
        return False
    _, first = np.unique(node, return_index=True)
    turn = np.arange(len(node)) - np.repeat(first, np.diff([*first, len(node)]))
    if turn.max() == 0:
        return False
    count = int(max(node.max(), peer.max())) + 1
    over, to = turn * count + (peer - node) % count, turn * count + peer % count
    far = alike(over)
    chosen = np.flatnonzero((far > MOST * np.bincount(turn)[turn]) | (alike(to) >= SAME))
    if len(chosen) < MOST * len(node):
        return False
    if len(chosen) and not flows.has_links:
        return True  # too many to look at link by link
    hops = np.diff(flows.way_start)[pair[chosen]]
    chosen = chosen[np.cumsum(hops) <= LARGEST]
    way, owner = ways(flows, pair[chosen])
    packets = entries["bytes"].astype(np.int64) * entries["count0"] * entries["count1"]
    cycles = packets[chosen][owner] / capacity[way]  # up to the size of a packet
    width = len(capacity)
    key, member = np.unique(turn[chosen][owner] * width + way, return_inverse=True)
    by_turn = np.bincount(member.reshape(-1), cycles)
    each = np.zeros(int(turn.max()) + 1)
    np.maximum.at(each, key // width, by_turn)
    return bool(each.sum() > EXCESS * np.bincount(way, cycles).max())


def alike(key: np.ndarray) -> np.ndarray:
    """How many have each one's key."""
    _, member, count = np.unique(key, return_inverse=True, return_counts=True)
    return count[member.reshape(-1)]


def ways(flows: FlowGroups, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(resource, index into `pairs`) of everything that some flows pass."""
    start, size = flows.way_start[pairs], np.diff(flows.way_start)[pairs]
    owner = np.repeat(np.arange(len(pairs)), size)
    inside = np.arange(len(owner)) - np.repeat(np.cumsum(size) - size, size)
    return flows.way[np.repeat(start, size) + inside], owner
