"""Nodes of a nest laid out in a grid, so that products' rows stand along its axes: views of tables
by two axes of nodes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.lib.stride_tricks import as_strided

from dojocc.runtime.layout import evenly

PIECE = 1 << 16  # elements computed at a time


@dataclass(frozen=True, eq=False)
class Grid:
    """Positions of nodes in the nest, `members` [na, nb]. Node (i, j) has row `first[i]` of a
    product's first operand and row `second[j]` of its second; one of the two may be a table
    [na, nb] instead, of which node (i, j) has row [i, j].
    """

    members: np.ndarray
    first: np.ndarray
    second: np.ndarray


@lru_cache(maxsize=1024)
def grids(of_a: bytes, of_b: bytes) -> tuple[Grid, ...] | None:
    """Grids that make up all nodes, whose rows of two operands are `of_a` and `of_b` (int64); None
    where two nodes have the same rows of both.
    """
    a, b = (np.frombuffer(each, np.int64) for each in (of_a, of_b))
    rows, columns = int(a.max()) + 1, int(b.max()) + 1
    if len(np.unique(a * columns + b)) < len(a):
        return None
    if len(a) == rows * columns:
        table = np.empty((rows, columns), np.int64)
        table[a, b] = np.arange(len(a))
        return (Grid(table, np.arange(rows), np.arange(columns)),)
    if rows >= columns:
        return tuple(Grid(t.T, a[t.T], number) for t, number in by_row(b))
    return tuple(Grid(t, number, b[t]) for t, number in by_row(a))


@lru_cache(maxsize=256)
def layers(of_a: bytes, of_b: bytes) -> tuple[Grid, ...]:
    """Grids that make up all nodes, also where several have the same rows of both."""
    found = grids(of_a, of_b)
    if found is not None:
        return found
    a, b = (np.frombuffer(each, np.int64) for each in (of_a, of_b))
    _, pair, count = np.unique(a * (int(b.max()) + 1) + b, return_inverse=True, return_counts=True)
    order = np.argsort(pair, kind="stable")
    turn = np.empty(len(a), np.int64)
    turn[order] = np.arange(len(a)) - np.repeat(np.cumsum(count) - count, count)
    every: list[Grid] = []
    for number in range(int(turn.max()) + 1):
        own = np.flatnonzero(turn == number)
        for grid in grids(a[own].tobytes(), b[own].tobytes()) or ():
            every.append(replace(grid, members=own[grid.members]))
    return tuple(every)


def by_row(of: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Tables of the nodes that have each row, one a line, and these rows: rows that equally many
    nodes have are one table.
    """
    numbers, count = np.unique(of, return_counts=True)
    order = np.argsort(of, kind="stable")
    begin = np.cumsum(count) - count
    found = []
    for each in np.unique(count).tolist():
        chosen = np.flatnonzero(count == each)
        table = order[begin[chosen][:, None] + np.arange(each)]
        found.append((table, numbers[chosen]))
    return found


@lru_cache(maxsize=256)
def in_a_row(nodes: int) -> Grid:
    """All nodes one after another."""
    none = np.zeros(1, np.int64)
    return Grid(np.arange(nodes)[:, None], none, none)


def affine(index: np.ndarray) -> tuple[int, int, int] | None:
    """(first, step, step) of numbers [na, nb] that rise evenly along both axes."""
    rows, columns = index.shape
    start = int(index[0, 0])
    down = int(index[1, 0]) - start if rows > 1 else 0
    along = int(index[0, 1]) - start if columns > 1 else 0
    if down < 0 or along < 0:
        return None
    expected = start + np.arange(rows)[:, None] * down + np.arange(columns) * along
    return (start, down, along) if np.array_equal(index, expected) else None


@dataclass(frozen=True, eq=False)
class Rows:
    """Which row of a table nodes [na, nb] have, axes along which it is the same cut to 1."""

    index: np.ndarray
    even: tuple[int, int, int] | None

    def of(self, table: np.ndarray) -> np.ndarray:
        """[na, nb, ...]: a view where it can be."""
        if self.even is None:
            return table[self.index]
        start, down, along = self.even
        step = table.strides[0]
        shape = (*self.index.shape, *table.shape[1:])
        return as_strided(table[start:], shape, (down * step, along * step, *table.strides[1:]))


def rows_of(index: np.ndarray) -> Rows:
    """Rows `index` [na, nb]."""
    if index.shape[1] > 1 and (index == index[:, :1]).all():
        index = index[:, :1]
    if index.shape[0] > 1 and (index == index[:1]).all():
        index = index[:1]
    return Rows(index, affine(index))


@dataclass(eq=False)
class Piece:
    """Some nodes of a grid, and their rows of tables asked for before."""

    grid: Grid
    i: slice
    j: slice
    known: dict[bytes, Rows] = field(default_factory=dict)

    @cached_property
    def first(self) -> slice | np.ndarray:
        """The nodes' rows of a product's first operand."""
        first = self.grid.first
        return evenly(first[self.i]) if first.ndim == 1 else first[self.i, self.j]

    @cached_property
    def second(self) -> slice | np.ndarray:
        """The nodes' rows of a product's second operand."""
        second = self.grid.second
        return evenly(second[self.j]) if second.ndim == 1 else second[self.i, self.j]

    @cached_property
    def members(self) -> Rows:
        """The nodes' rows of a table with a row for each node of the nest."""
        return rows_of(self.grid.members[self.i, self.j])

    def rows(self, grouping: bytes) -> Rows:
        """The nodes' rows of a table by the grouping (int64) of the nest's nodes."""
        found = self.known.get(grouping)
        if found is None:
            every = np.frombuffer(grouping, np.int64)
            found = rows_of(every[self.grid.members[self.i, self.j]])
            self.known[grouping] = found
        return found


@lru_cache(maxsize=1024)
def pieces(grid: Grid, size: int, axis: int) -> tuple[Piece, ...]:
    """The grid, of whose nodes each has `size` elements, cut along an axis: the one given, or that
    along which both operands have a row for each node.
    """
    count = grid.members.shape
    if grid.first.ndim + grid.second.ndim == 3:
        axis = 0 if grid.first.ndim == 1 else 1
    elif count[axis] == 1:
        axis = 1 - axis
    wanted = -(-size * grid.members.size // PIECE)
    length = max(1, -(-count[axis] // wanted))
    found = []
    for start in range(0, count[axis], length):
        own, whole = slice(start, min(start + length, count[axis])), slice(0, count[1 - axis])
        found.append(Piece(grid, own, whole) if axis == 0 else Piece(grid, whole, own))
    return tuple(found)
