"""Parts of shadow memory [nodes, cells] that an access touches, as few NumPy operations a part.

Memory is cut into cells wherever an access, a buffer or a tensor begins or ends (`edges`, sorted),
so that each of them is whole cells, and there are only as many as there are ends. A piece is
(rows, columns): slices or index arrays for all pairs of them, or two flat arrays of equal length.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from dojocc.runtime.layout import evenly
from dojocc.runtime.verify.footprint import Runs

FEW = 24
"""Bases up to which each is a piece of its own; more are, where each has about as many nodes."""
CHUNK = 1 << 21
"""Cells of a flat piece."""

Piece = tuple[Any, Any]


class Shadow:
    """One number a cell, on each of a block of nodes."""

    def __init__(self, nodes: int, cells: int) -> None:
        self.cells = np.zeros((nodes, cells), np.int32)

    def get(self, piece: Piece) -> np.ndarray:
        return self.cells[piece]

    def put(self, piece: Piece, value: int | np.ndarray) -> None:
        self.cells[piece] = value


def columns(runs: Runs, bases: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(cells, end): the cells of `runs` above each base, one base after another, and where each
    base's end."""
    first = np.searchsorted(edges, bases[:, None] + runs.starts)
    length = np.searchsorted(edges, bases[:, None] + runs.ends) - first
    flat = length.reshape(-1)
    shift = np.cumsum(flat) - flat
    cells = np.repeat(first.reshape(-1) - shift, flat) + np.arange(int(flat.sum()))
    return cells, np.cumsum(length.sum(1))


def pieces(nodes: np.ndarray, bases: np.ndarray, runs: Runs, edges: np.ndarray) -> Iterator[Piece]:
    """The pieces of `runs` above each node's base."""
    if not len(runs.starts) or not len(nodes):
        return
    if len(nodes) > 1 and not ((bases == bases[0]).all() and (nodes[1:] > nodes[:-1]).all()):
        order = np.lexsort((nodes, bases))
        nodes, bases = nodes[order], bases[order]
    begins = np.flatnonzero(np.append(True, bases[1:] != bases[:-1]))
    cells, ends = columns(runs, bases[begins], edges)
    starts = np.append(0, ends[:-1])
    if len(begins) > max(FEW, len(nodes) // FEW):
        turn = np.repeat(np.arange(len(begins)), np.diff(np.append(begins, len(nodes))))
        yield from flat(nodes, cells, starts[turn], (ends - starts)[turn])
        return
    for number, begin in enumerate(begins.tolist()):
        end = int(begins[number + 1]) if number + 1 < len(begins) else len(nodes)
        rows, mine = evenly(nodes[begin:end]), cells[starts[number] : ends[number]]
        if not len(mine):
            continue
        if mine[-1] - mine[0] == len(mine) - 1:
            yield rows, slice(int(mine[0]), int(mine[-1]) + 1)
        else:
            yield (rows if isinstance(rows, slice) else rows[:, None]), mine


def flat(
    nodes: np.ndarray, cells: np.ndarray, first: np.ndarray, length: np.ndarray
) -> Iterator[Piece]:
    """Flat pieces: cells[first : first + length] of each node."""
    total = np.cumsum(length)
    low = 0
    while low < len(nodes):
        done = int(total[low - 1]) if low else 0
        high = max(int(np.searchsorted(total, done + CHUNK, "right")), low + 1)
        count = length[low:high]
        shift = np.cumsum(count) - count
        place = np.repeat(first[low:high] - shift, count) + np.arange(int(count.sum()))
        yield np.repeat(nodes[low:high], count), cells[place]
        low = high


def is_flat(piece: Piece) -> bool:
    rows, cols = piece
    return isinstance(rows, np.ndarray) and isinstance(cols, np.ndarray) and rows.ndim == 1


def places(piece: Piece, bad: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(rows, cells) of the true places of `bad`, which is shaped as the piece."""
    rows, cols = piece
    if is_flat(piece):
        return rows[bad], cols[bad]
    row, col = np.nonzero(bad)
    rows = rows.start + row * (rows.step or 1) if isinstance(rows, slice) else rows.reshape(-1)[row]
    return rows, cols.start + col if isinstance(cols, slice) else cols[col]
