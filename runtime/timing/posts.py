"""Posts to semaphores with their times and causes, as waits use them up."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(eq=False)
class Posts:
    """Posts to one semaphore of one class that no wait has used: node, time, cause's number."""

    nodes: list[np.ndarray] = field(default_factory=list)
    times: list[np.ndarray] = field(default_factory=list)
    causes: list[np.ndarray] = field(default_factory=list)

    def add(self, nodes: np.ndarray, times: np.ndarray, cause: int) -> None:
        self.nodes.append(np.asarray(nodes, np.int64))
        self.times.append(np.asarray(times, np.float64))
        self.causes.append(np.full(len(nodes), cause))

    def take(self, nodes: np.ndarray, need: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(time, cause) at which each of `nodes` (ascending) has had `need` more posts.

        A node's posts are used in the order of their times; cause is that of the last one.
        """
        if not self.nodes:
            return np.zeros(len(nodes)), np.full(len(nodes), -1)
        every, when, cause = (
            np.concatenate(part) for part in (self.nodes, self.times, self.causes)
        )
        order = np.lexsort((when, every))
        every, when, cause = every[order], when[order], cause[order]
        start = np.searchsorted(every, nodes)
        waits = need > 0
        last = np.minimum(start + need - 1, len(every) - 1)
        moment = np.where(waits, when[last], 0.0)
        by = np.where(waits, cause[last], -1)
        kept = np.ones(len(every) + 1, np.int64)
        np.add.at(kept, start, -waits.astype(np.int64))
        np.add.at(kept, np.where(waits, start + need, start), waits.astype(np.int64))
        used = np.cumsum(kept - 1)[:-1] < 0
        self.nodes, self.times, self.causes = [every[~used]], [when[~used]], [cause[~used]]
        return moment, by
