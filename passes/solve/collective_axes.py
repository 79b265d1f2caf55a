"""Axes of the grid of nodes that a collective goes along, and how it goes along them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Axis:
    """An axis of the grid of nodes: node i stands at i // stride % size.

    Neighbours along it are `hops` nodes apart on the grid's line; the flows of the nodes between
    share that way. A way between dies takes `crossing` cycles more.
    """

    size: int
    stride: int
    hops: int = 1
    crossing: int = 0

    def at(self, nodes: np.ndarray) -> np.ndarray:
        return nodes // self.stride % self.size

    def parts(self, count: int) -> tuple[Axis, Axis]:
        """The axis as `count` outer parts of inner positions: (inner, outer)."""
        inner = self.size // count
        return replace(self, size=inner), Axis(count, self.stride * inner, self.hops * inner)

    def ring(self) -> np.ndarray:
        """Positions in the order of the ring, [size]."""
        return np.array([*range(0, self.size, 2), *reversed(range(1, self.size, 2))], np.int64)

    def place(self, nodes: np.ndarray) -> np.ndarray:
        """Where on the ring nodes stand."""
        return np.argsort(self.ring())[self.at(nodes)]

    def moved(self, nodes: np.ndarray, position: np.ndarray) -> np.ndarray:
        """The nodes at another position of the same lines."""
        return nodes + (position - self.at(nodes)) * self.stride


@dataclass(frozen=True)
class Phase:
    """One axis, and how it is gone through: as a ring (both ways round if `both`), or directly."""

    axis: Axis
    ring: bool = True
    both: bool = False

    @property
    def halves(self) -> tuple[int, int]:
        """How many pieces come from behind and from ahead on a ring that is gone round both ways:
        as many as steps."""
        return self.axis.size // 2, (self.axis.size - 1) // 2

    @property
    def steps(self) -> int:
        if not self.ring:
            return 1
        return self.halves[0] if self.both else self.axis.size - 1
