"""What earlier lists of a stream still have to pass through links and ports when a list starts.

The mesh's fluid plays the flows of a list as if all nodes had started it together. Where some nodes
run behind others (round a dead node a ring has links with twice the load), the lists of a node pile
up on its own way without the fluid seeing it. So every resource remembers how long the lists before
keep it busy, and a transfer ends no earlier than sharing it equally with those allows. With that no
resource passes more than it can.
"""

from __future__ import annotations

import numpy as np

from dojocc.runtime.mesh.fair_flows import FlowGroups

DEPTH = 8
"""Lists remembered at each resource; where all of them are under way, a list waits for all."""


class Backlog:
    """The lists that one stream has started so far, by resource of capacity [R] packets a cycle."""

    def __init__(self, capacity: np.ndarray) -> None:
        self.capacity = capacity
        self.free = np.zeros(len(capacity))
        self.ends = np.zeros((DEPTH, len(capacity)))

    def take(self, flows: FlowGroups, begin: np.ndarray) -> np.ndarray:
        """[pairs] when each of the list's flows, started at `begin` [pairs], has been let through.

        Sharing equally with k lists under way, a flow of s cycles takes (k + 1) s, and no longer
        than until these and itself are through.
        """
        start, way = flows.way_start, flows.way
        if not len(begin):
            return begin
        size = np.repeat(flows.packets, np.diff(start)) / self.capacity[way]
        since = np.repeat(begin, np.diff(start))
        waiting = np.maximum(self.free[way] - since, 0.0)
        ready = since + size
        late = np.flatnonzero(waiting > 0)
        if len(late):
            others = (self.ends[:, way[late]] > since[late]).sum(0)
            turn = np.where(others < DEPTH, others * size[late], np.inf)
            ready[late] += np.minimum(waiting[late], turn)
        self._hold(way, since, size)
        return np.maximum.reduceat(ready, start[:-1])

    def _hold(self, way: np.ndarray, since: np.ndarray, size: np.ndarray) -> None:
        """Each resource is held for all that the list sends through it."""
        used = np.unique(way)
        first = np.full(len(self.free), np.inf)
        np.minimum.at(first, way, since)
        held = np.maximum(self.free, first) + np.bincount(way, size, len(self.free))
        self.free[used] = held[used]
        self.ends = np.roll(self.ends, 1, axis=0)
        self.ends[0] = 0.0
        self.ends[0, used] = held[used]
