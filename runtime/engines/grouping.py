"""Which nodes of a class hold the same content: groupings, each kept once and joined by need."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dojocc.runtime.layout import evenly

Rows = slice | np.ndarray
PACKED = 1 << 62  # values that a key made of several columns may take


@dataclass(frozen=True, eq=False)
class Grouping:
    """Node n of the class holds row `of[n]`; `first[r]` is a node that holds row r.

    Groupings of one class with equal `of` are one object, so that they are compared by identity.
    """

    number: int
    of: np.ndarray
    first: np.ndarray
    known: dict[bytes, Rows] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return len(self.first)

    @property
    def own(self) -> bool:
        """True when node n holds row n, and nobody else does."""
        return len(self.first) == len(self.of)

    def rows(self, nodes: np.ndarray) -> Rows:
        """The rows of some nodes in their order: a slice where it can be, of one row where all
        hold the same.
        """
        key = nodes.tobytes()
        if key not in self.known:
            found = self.of[nodes]
            if len(found) and (found == found[0]).all():
                found = found[:1]
            self.known[key] = evenly(found) if len(found) else found
        return self.known[key]


def label(columns: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(label of every row, a row of every label) of a table given by columns; labels rise with
    the rows in the order of the columns.
    """
    key, size = np.zeros(len(columns[0]), np.int64), 1
    for column in columns:
        low = int(column.min(initial=0)) if len(column) else 0
        range_ = int(column.max(initial=0)) - low + 1
        if range_ == 1 or (column == column[0]).all():
            continue
        if range_ > PACKED:
            _, column = np.unique(column, return_inverse=True)
            low, range_ = 0, int(column.max()) + 1
        if size * range_ > PACKED:
            _, key = np.unique(key, return_inverse=True)
            size = int(key.max()) + 1
        key, size = key * range_ + (column - low), size * range_
    if size == 1:
        return key, np.zeros(min(len(key), 1), np.int64)
    _, first, labels = np.unique(key, return_index=True, return_inverse=True)
    return labels, first


class Groupings:
    """The groupings of one class of `nodes` nodes."""

    def __init__(self, nodes: int) -> None:
        self.nodes = nodes
        self.known: dict[bytes, Grouping] = {}
        self.joined: dict[tuple[int, int], Grouping] = {}
        self.alike = self.get(np.zeros(nodes, np.int64))
        self.own = self.get(np.arange(nodes))

    def get(self, of: np.ndarray) -> Grouping:
        """The grouping with these rows, which are numbered from 0 without gaps; rows one each to
        a node are put in the nodes' order.
        """
        _, first = np.unique(of, return_index=True)
        if len(first) == len(of):
            of = first = np.arange(len(of))
        key = of.tobytes()
        if key not in self.known:
            self.known[key] = Grouping(len(self.known), of, first)
        return self.known[key]

    def join(self, a: Grouping, b: Grouping) -> Grouping:
        """Nodes that hold the same row in both."""
        if a is b or b is self.alike or a is self.own:
            return a
        if a is self.alike or b is self.own:
            return b
        key = (a.number, b.number)
        if key not in self.joined:
            self.joined[key] = self.get(label([a.of, b.of])[0])
        return self.joined[key]
