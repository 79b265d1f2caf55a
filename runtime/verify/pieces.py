"""Parts of shadow memory [nodes, cells] that an access touches, as few NumPy operations a part.

A piece is an array to read and write through, or (rows, columns) for fancy indexing.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from dojocc.runtime.verify.footprint import Runs

FEW = 6
"""Runs up to which each is a slice."""
FEW_BASES = 24
CHUNK = 1 << 21

Piece = tuple[Any, ...]


class Shadow:
    """One value a cell: `cell` bytes of memory on each of a block of nodes."""

    def __init__(self, nodes: int, cells: int, dtype: type = np.int16) -> None:
        self.cells = np.zeros((nodes, cells), dtype)

    def get(self, piece: Piece) -> np.ndarray:
        if isinstance(piece, Comb):
            return piece.view(self.cells)
        return self.cells[piece]

    def put(self, piece: Piece, value: object) -> None:
        if isinstance(piece, Comb):
            piece.view(self.cells)[...] = value
        else:
            self.cells[piece] = value


class Comb(tuple):
    """(rows as slice, first cell, count, stride, length): equal runs at equal distances."""

    def view(self, cells: np.ndarray) -> np.ndarray:
        rows, at, count, stride, length = self
        part = cells[rows, at:]
        across, along = part.strides
        return as_strided(part, (part.shape[0], count, length), (across, stride * along, along))


def evenly(nodes: np.ndarray) -> slice | np.ndarray:
    """Ascending node numbers as a slice where they are evenly spaced."""
    if len(nodes) == 1:
        return slice(int(nodes[0]), int(nodes[0]) + 1)
    step = int(nodes[1] - nodes[0])
    if step > 0 and (np.diff(nodes) == step).all():
        return slice(int(nodes[0]), int(nodes[-1]) + 1, step)
    return nodes


@lru_cache(maxsize=512)
def _columns(runs: Runs, cell: int) -> np.ndarray:
    starts, ends = runs.starts // cell, runs.ends // cell
    length = ends - starts
    shift = np.cumsum(length) - length
    return np.repeat(starts - shift, length) + np.arange(int(length.sum()))


def columns(runs: Runs, cell: int) -> np.ndarray:
    """Every cell of the runs, relative to the base."""
    return _columns(runs, cell)


def pieces(nodes: np.ndarray, bases: np.ndarray, runs: Runs, cell: int) -> Iterator[Piece]:
    """The pieces of `runs` above each node's base. `nodes` ascend and are in the block."""
    if not len(runs.starts) or not len(nodes):
        return
    if (bases == bases[0]).all():
        yield from alike(evenly(nodes), int(bases[0]), runs, cell)
        return
    distinct = np.unique(bases)
    if len(distinct) <= FEW_BASES:
        for base in distinct.tolist():
            yield from alike(evenly(nodes[bases == base]), base, runs, cell)
        return
    inner = columns(runs, cell)
    step = max(1, CHUNK // len(inner))
    for first in range(0, len(nodes), step):
        some = slice(first, first + step)
        yield nodes[some, None], bases[some, None] // cell + inner


def alike(rows: slice | np.ndarray, base: int, runs: Runs, cell: int) -> Iterator[Piece]:
    """Pieces of nodes with one base."""
    starts, ends = runs.starts, runs.ends
    if len(starts) <= FEW:
        for start, end in zip((starts + base).tolist(), (ends + base).tolist(), strict=True):
            yield rows, slice(start // cell, end // cell)
        return
    if isinstance(rows, slice):
        length, stride = int(ends[0] - starts[0]), int(starts[1] - starts[0])
        if (ends - starts == length).all() and (np.diff(starts) == stride).all():
            first = (int(starts[0]) + base) // cell
            yield Comb((rows, first, len(starts), stride // cell, length // cell))
            return
        yield rows, columns(runs, cell) + base // cell
        return
    yield rows[:, None], columns(runs, cell) + base // cell


def places(piece: Piece, bad: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(rows, cells) of the true places of `bad`, which is shaped as the piece."""
    where = np.nonzero(bad)
    if isinstance(piece, Comb):
        rows, at, _, stride, _ = piece
        cells = at + where[1] * stride + where[2]
    else:
        rows, cols = piece
        cells = cols.start + where[1] if isinstance(cols, slice) else spread(cols, bad)[where]
    if isinstance(rows, slice):
        return rows.start + where[0] * (rows.step or 1), cells
    return spread(rows if rows.ndim > 1 else rows[:, None], bad)[where], cells


def spread(index: np.ndarray, shape: np.ndarray) -> np.ndarray:
    return np.broadcast_to(index, shape.shape)


def first_place(piece: Piece, bad: np.ndarray) -> tuple[int, int]:
    """(row, cell) of the first true place."""
    rows, cells = places(piece, bad)
    return int(rows[0]), int(cells[0])
