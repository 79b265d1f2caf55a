"""What a transfer list writes of its target, node by node, and so what it leaves as it was; and
which nodes it gave the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

GAP = 1024  # bytes between two spans that are copied as one
MANY_KINDS = 16
"""Kinds of nodes, by what is written there, up to which each kind's rest is copied by itself."""


@dataclass(frozen=True, eq=False)
class Covered:
    """What a list writes of a span from `start` on: unit u of `unit` bytes on a node where
    `written[kind[node], u]`; `nodes[node]`: all of them.
    """

    start: int
    unit: int
    kind: np.ndarray
    written: np.ndarray
    nodes: np.ndarray

    def wrote(self, kind: int, low: int, high: int) -> bool:
        """True when all of bytes [low, high) are written on nodes of a kind."""
        first = (low - self.start) // self.unit
        last = -(-(high - self.start) // self.unit)
        if first < 0 or last > self.written.shape[1]:
            return False
        return bool(self.written[kind, first:last].all())

    def left(self, nodes: np.ndarray) -> tuple:
        """(some of the nodes, spans that hold every byte which is not written on all of these);
        gaps that are not worth it are in them.
        """
        kind = self.kind[nodes]
        kinds = np.unique(kind[~self.nodes[nodes]])
        if len(kinds) > MANY_KINDS:
            most = self.written.sum(1)[kind] * 2 > self.written.shape[1]
            chosen = [nodes[~most], nodes[most & ~self.nodes[nodes]]]
        else:
            chosen = [nodes[kind == each] for each in kinds.tolist()]
        return tuple((some, self.spans_left(some)) for some in chosen if len(some))

    def spans_left(self, nodes: np.ndarray) -> tuple[tuple[int, int], ...]:
        """Spans that hold every byte which is not written on all of some nodes."""
        open_ = np.flatnonzero(~self.written[np.unique(self.kind[nodes])].all(0)) * self.unit
        cuts = np.flatnonzero(np.diff(open_) > GAP)
        lows = open_[np.append(0, cuts + 1)] + self.start
        highs = open_[np.append(cuts, len(open_) - 1)] + self.unit + self.start
        return tuple(zip(lows.tolist(), highs.tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class Received:
    """Of bytes that a list made: nodes with one `number` were sent the same, as far as `covered`
    says that it wrote there.
    """

    number: np.ndarray
    covered: Covered

    def sure(
        self, nodes: np.ndarray, kind: np.ndarray, runs: Sequence[Sequence[tuple[int, int]]]
    ) -> np.ndarray:
        """bool: the nodes of which every byte of `runs[kind]` is one that they were sent."""
        written = self.covered.kind[nodes]
        table = np.zeros((int(written.max()) + 1, len(runs)), bool)
        for one, other in np.unique(np.stack([written, kind], 1), axis=0).tolist():
            table[one, other] = all(self.covered.wrote(one, *run) for run in runs[other])
        return table[written, kind]
