"""Loads that an exchange puts on ports and links, from two layouts alone.

Every reader takes each piece of its box from one giver: along an axis that shards the source, from
where the piece lies; along any other, from its own row or column. Packets go along the giver's row,
then along the reader's column. Rows and columns are treated one after another: `rows[i, j, r]` is
what the reader in row i, column j needs of what lies in row r, `columns[i, j, c]` the share of that
which lies in column c. Readers of one row that need the same of every row are one class, and so are
those of a column: j counts classes in `rows`, i does in `columns`. All is exact unless one
dimension of the source is sharded over rows and columns at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dojocc.runtime.axes import SIDE, axis_place
from dojocc.runtime.layout import DimShard, Layout

LARGEST = 1 << 20  # elements of the largest array that is worth making
TINY = 1e-9  # below any share

Span = tuple[np.ndarray, np.ndarray]
"""First and end of what readers need along a dimension, each [rows or 1, columns or 1]."""


@dataclass(frozen=True, eq=False)
class Reading:
    """How a result's coordinates make up a source's, where elements change their index.

    `terms`: by dimension of the source, (dimension of the result, what its coordinates add).
    """

    terms: tuple[tuple[tuple[int, np.ndarray], ...], ...]


def reading_of(index: np.ndarray, shape: tuple[int, ...]) -> Reading | None:
    """What lines through one element of an index map say; None where nothing is read.

    `index` holds for every element of the result its flat index into a source of `shape`, or a
    negative number where it comes from elsewhere.
    """
    if not index.size or index.max() < 0:
        return None
    if not shape:
        return Reading(())
    place = np.unravel_index(int(np.argmax(index >= 0)), index.shape)
    base = np.array(np.unravel_index(int(index[place]), shape), np.int64)
    terms: list[list[tuple[int, np.ndarray]]] = [[] for _ in shape]
    for dim in range(index.ndim):
        line = index[tuple(slice(None) if d == dim else at for d, at in enumerate(place))]
        line = np.where(line >= 0, line, index[place])
        moves = np.array(np.unravel_index(line, shape), np.int64).reshape(len(shape), -1)
        for number, move in enumerate(moves):
            if dim == 0 or (move != base[number]).any():
                terms[number].append((dim, move - (base[number] if dim else 0)))
    return Reading(tuple(map(tuple, terms)))


@dataclass(frozen=True)
class Traffic:
    """Bytes over the mesh in all, the most through one port and one link, the most that stay on one
    node, the most transfers that one node sends, the bytes of a typical transfer, and the rows and
    columns it passes at most.
    """

    bytes: int
    port: float
    link: float
    kept: float
    sent: float
    piece: float
    hops: tuple[int, int]


def traffic(src: Layout | None, dst: Layout, reading: Reading | None = None) -> Traffic:
    """Loads of bringing a tensor from `src` (None: spread evenly over all nodes) to `dst`.

    `reading` says how the result's coordinates make up the source's; None: they are the same.
    """
    boxes = [span_of(dst, dim) for dim in dst.dims]
    boxes = [
        (np.clip(low, 0, size), np.clip(high, 0, size))
        for (low, high), size in zip(boxes, dst.shape, strict=True)
    ]
    by_row, by_column = needed_bytes(dst, boxes)
    if src is None:
        needs, used = [], dst
    else:
        needs = boxes if reading is None else [_read(terms, boxes) for terms in reading.terms]
        used = src
    by_side = [
        [each for each, dim in zip(needs, used.dims, strict=False) if _sharded(dim, side)]
        for side in (0, 1)
    ]
    across = classes([by_row[:, :, 0], *(part for each in by_side[0] for part in each)], 1, dst)
    down = classes([part for each in by_side[1] for part in each], 0, dst)
    if src is None:
        rows, columns = (np.full((1, 1, size), 1 / size) for size in dst.grid)
    else:
        rows = shares(src, needs, 0, across.first)
        columns = shares(src, needs, 1, down.first)
    some = across.first if by_row.shape[1] > 1 else slice(None)
    return _loads(Split(rows * by_row[:, some], columns * by_column, across.number, down.number))


@dataclass(frozen=True)
class Classes:
    """`first`: one place of each class along an axis of the grid; `number`: every place's class."""

    first: np.ndarray
    number: np.ndarray


def classes(parts: Sequence[np.ndarray], axis: int, dst: Layout) -> Classes:
    """Places along an axis of the grid at which all of `parts`, [R or 1, C or 1], are the same."""
    size = dst.grid[axis]
    lines = [np.moveaxis(part, axis, 1) for part in parts if part.shape[axis] > 1]
    if not lines:
        return Classes(np.zeros(1, np.int64), np.zeros(size, np.int64))
    _, first, number = np.unique(
        np.concatenate(lines, 0), axis=1, return_index=True, return_inverse=True
    )
    return Classes(first, number.reshape(-1))


@dataclass(frozen=True)
class Split:
    """`rows` [R, classes of columns, R], `columns` [classes of rows, C, C], and the classes."""

    rows: np.ndarray
    columns: np.ndarray
    across: np.ndarray
    down: np.ndarray

    def joined(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Sum over all readers of rows * columns: [R, C]."""
        readers = len(columns) * rows.shape[1]
        left = summed(rows, self.down, len(columns), 0)
        right = summed(columns, self.across, rows.shape[1], 1)
        return left.reshape(readers, -1).T @ right.reshape(readers, -1)

    def own(self) -> np.ndarray:
        """What every reader takes from itself, [R, C]."""
        row, column = (np.arange(size) for size in (len(self.rows), self.columns.shape[1]))
        here = self.rows[row, :, row][:, self.across]
        return here * self.columns[:, column, column][self.down]

    def total(self) -> np.ndarray:
        """What every reader needs, [R, C]."""
        return self.rows.sum(2)[:, self.across] * self.columns.sum(2)[self.down]

    def along_columns(self, rows: np.ndarray) -> np.ndarray:
        """Sum over the readers of each column, with rows [R, classes, borders]: [C, borders]."""
        left = summed(rows, self.down, len(self.columns), 0)[:, self.across]
        return (left * self.columns.sum(2)[:, :, None]).sum(0)


def summed(part: np.ndarray, number: np.ndarray, count: int, axis: int) -> np.ndarray:
    """Sums over the places of each class along an axis."""
    if count == 1:
        return part.sum(axis, keepdims=True)
    if count == len(number) and (number == np.arange(count)).all():
        return part
    chosen = (number[None, :] == np.arange(count)[:, None]).astype(float)
    return np.moveaxis(np.tensordot(chosen, part, (1, axis)), 0, axis)


def span_of(layout: Layout, dim: DimShard) -> Span:
    """What every node holds of a dimension, not clipped."""
    index = grid_index(layout, dim)
    low = index * dim.step + dim.offset
    return low, low + dim.extent


def grid_index(layout: Layout, dim: DimShard) -> np.ndarray:
    """The shard index of every node, [rows or 1, columns or 1]."""
    if not dim.axes:
        return np.zeros((1, 1), np.int64)
    sides = {SIDE[axis] for axis in dim.axes}
    index = layout.index(dim).reshape(layout.grid)
    if len(sides) == 1:
        return index[:, :1] if 0 in sides else index[:1]
    return index


def needed_bytes(dst: Layout, boxes: Sequence[Span]) -> tuple[np.ndarray, np.ndarray]:
    """Two factors of every reader's bytes: [R, columns or 1, 1] and [1, C, 1]."""
    rows, columns = dst.grid
    first, second = np.full((rows, 1), float(dst.item)), np.ones((1, columns))
    for low, high in boxes:
        size = np.maximum(high - low, 0)
        if size.shape[0] == 1:
            second = second * size
        else:
            first = first * size
    return first[:, :, None], second[:, :, None]


def _read(terms: tuple[tuple[int, np.ndarray], ...], boxes: Sequence[Span]) -> Span:
    """What readers need along one dimension of the source."""
    first: np.ndarray = np.zeros((1, 1), np.int64)
    last: np.ndarray = np.zeros((1, 1), np.int64)
    for dim, moves in terms:
        low, high = boxes[dim]
        pairs, place = np.unique(
            np.stack([low.reshape(-1), high.reshape(-1)], 1), axis=0, return_inverse=True
        )
        ends = [
            (int(moves[a:b].min()), int(moves[a:b].max())) if b > a else (0, 0)
            for a, b in pairs.tolist()
        ]
        found = np.array(ends, np.int64)[place.reshape(-1)].reshape(*low.shape, 2)
        first, last = first + found[..., 0], last + found[..., 1]
    return first, last + 1


def _sharded(dim: DimShard, side: int) -> bool:
    return bool(dim.step) and any(SIDE[axis] == side for axis in dim.axes)


def shares(src: Layout, needs: Sequence[Span], side: int, first: np.ndarray) -> np.ndarray:
    """Which share of their pieces lies in each row (`side` 0) or column (1) of the source.

    Readers are all those of that side of the grid by the classes, of which `first` are members, of
    the other.
    """
    result = np.repeat(_kept(src, side), len(first), 1 - side)
    for dim, need in zip(src.dims, needs, strict=True):
        if not _sharded(dim, side):
            continue
        other = 1 - side
        low, high = (
            part if part.shape[other] == 1 else np.take(part, first, other) for part in need
        )
        index = grid_index(src, dim)
        if index.shape[other] > 1 and low.size * index.size > LARGEST:
            continue
        share = _overlap(low, high, index.reshape(-1), src.shards(dim), dim)
        share = share.reshape(*low.shape, *index.shape)
        result = result * share.sum(3 - side)
    return result / np.maximum(result.sum(2, keepdims=True), TINY)


def _kept(src: Layout, side: int) -> np.ndarray:
    """1 where a node of one row (column) may take from another: axes that shard nothing stay."""
    size = src.grid[side]
    word = ("row", "col")[side]
    used = {axis for dim in src.dims for axis in dim.axes if SIDE[axis] == side}
    if word in used or len(used) == 2:
        allowed = np.ones((size, size))
    elif not used:
        allowed = np.eye(size)
    else:
        other = f"inner_{word}" if f"outer_{word}" in used else f"outer_{word}"
        place = axis_place(other, src.grid, src.split).reshape(src.grid)
        line = place[:, 0] if side == 0 else place[0]
        allowed = (line[:, None] == line[None, :]).astype(float)
    return allowed[:, None, :] if side == 0 else allowed[None, :, :]


def _overlap(
    low: np.ndarray, high: np.ndarray, index: np.ndarray, shards: int, dim: DimShard
) -> np.ndarray:
    """The share of [low, high) that lies in each shard of `index`: [rows, columns, len(index)].

    What lies in a halo counts for the shard whose step it is; the last shard has all that follows.
    """
    begin = (index * dim.step).astype(np.float64)
    end = np.where(index == shards - 1, np.inf, begin + dim.step)
    begin = np.where(index == 0, -np.inf, begin)
    both = np.minimum(high[:, :, None], end) - np.maximum(low[:, :, None], begin)
    both = np.where(index < shards, np.maximum(both, 0), 0)
    return both / np.maximum(high - low, 1)[:, :, None]


def _loads(split: Split) -> Traffic:
    """Ports, links and transfers of readers whose needs are rows * columns, in bytes."""
    rows, columns = split.rows, split.columns
    own = split.own()
    received = split.total() - own
    sent = split.joined(rows, columns) - own
    loads = [0.0]
    for forth in (True, False):
        east = _beyond(columns.transpose(1, 0, 2), forth).transpose(1, 0, 2)
        loads.append(float(split.joined(rows, east).max(initial=0.0)))
        loads.append(float(split.along_columns(_beyond(rows, forth)).max(initial=0.0)))
    some = [(part > 0).astype(float) for part in (rows, columns)]
    flows = split.joined(some[0], some[1]) - (own > 0)
    moved, transfers = float(received.sum()), max(float(flows.sum()), 1.0)
    return Traffic(
        round(moved),
        float(max(received.max(initial=0.0), sent.max(initial=0.0))),
        max(loads) if moved else 0.0,
        float(own.max(initial=0.0)),
        float(flows.max(initial=0.0)),
        moved / transfers,
        (_apart(np.asarray(rows.any(axis=1))), _apart(np.asarray(columns.any(axis=0)))),
    )


def _apart(taken: np.ndarray) -> int:
    """The farthest that any reader takes from, of [reader's, giver's place]."""
    reader, giver = np.nonzero(taken)
    return int(np.abs(reader - giver).max(initial=0))


def _beyond(part: np.ndarray, forth: bool) -> np.ndarray:
    """Of [readers, ..., givers]: sums of the givers on one side of each border, for the readers on
    the other; a border has the number of the place before it.
    """
    place = np.arange(part.shape[-1])
    ahead = place[:, None] > place[None, :]
    before = np.cumsum(part, -1)
    if not forth:
        ahead, before = ~ahead, before[..., -1:] - before
    return before * ahead[:, None, :]
