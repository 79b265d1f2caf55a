"""Loads that an exchange puts on ports and links, from two layouts alone.

Every reader takes each piece of its box from one giver: along an axis that shards the source, from
where the piece lies; along any other, from its own row or column. Packets go along the giver's row,
then along the reader's column. Rows and columns are treated one after another (`Side`): of the
reader in row i, column j, what it needs of what lies in row r, and the share of that which lies in
column c. Readers of one row that need the same of every row are one class, and so are those of a
column. What lies where is a product of a function of the reader's row and one of its column, so no
array is over all nodes, unless a dimension of the result is sharded over both. All is exact unless
one dimension of the source is sharded over rows and columns at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dojocc.passes.solve.traffic_loads import Side, Traffic, classes, loads
from dojocc.runtime.axes import SIDE, Pair, axis_size, grid_index, line_place, shards_along
from dojocc.runtime.element_map import ElementMap
from dojocc.runtime.layout import DimShard, Layout

REMEMBERED = 1 << 12  # small arrays kept of dimensions and of pairs of them

Span = tuple[np.ndarray, np.ndarray]
"""First and end of what readers need along a dimension, each [rows or 1, columns or 1]."""


@dataclass(frozen=True, eq=False)
class Reading:
    """How a result's coordinates make up a source's, where elements change their index.

    `terms`: by dimension of the source, (dimension of the result, what its coordinates add).
    """

    terms: tuple[tuple[tuple[int, np.ndarray], ...], ...]

    def key(self) -> tuple:
        """Equal for readings of the same elements."""
        return tuple(tuple((dim, moves.tobytes()) for dim, moves in terms) for terms in self.terms)


def reading_of(index: np.ndarray | ElementMap, shape: tuple[int, ...]) -> Reading | None:
    """What lines through one element of an index map say; None where nothing is read.

    `index` holds for every element of the result its flat index into a source of `shape`, or a
    negative number where it comes from elsewhere.
    """
    if not index.size or index.max() < 0:
        return None
    if not shape:
        return Reading(())
    if isinstance(index, ElementMap):
        place = index.first_place()
        lines = [index.line(place, dim) for dim in range(index.ndim)]
        first = index.pieces[0].first if index.ndim == 0 else int(lines[0][place[0]])
    else:
        place = np.unravel_index(int(np.argmax(index >= 0)), index.shape)
        lines = [
            index[tuple(slice(None) if d == dim else at for d, at in enumerate(place))]
            for dim in range(index.ndim)
        ]
        first = int(index[place])
    base = np.array(np.unravel_index(first, shape), np.int64)
    terms: list[list[tuple[int, np.ndarray]]] = [[] for _ in shape]
    for dim, line in enumerate(lines):
        line = np.where(line >= 0, line, first)
        moves = np.array(np.unravel_index(line, shape), np.int64).reshape(len(shape), -1)
        for number, move in enumerate(moves):
            if dim == 0 or (move != base[number]).any():
                terms[number].append((dim, move - (base[number] if dim else 0)))
    return Reading(tuple(map(tuple, terms)))


def traffic(src: Layout | None, dst: Layout, reading: Reading | None = None) -> Traffic:
    """Loads of bringing a tensor from `src` (None: spread evenly over all nodes) to `dst`.

    `reading` says how the result's coordinates make up the source's; None: they are the same.
    """
    grid = dst.grid
    held = tuple(zip(dst.dims, dst.shape, strict=True))
    boxes = [span(dim, size, grid, dst.split) for dim, size in held]
    by_row, by_column = needed_bytes(dst, boxes)
    dims = () if src is None else src.dims
    if reading is None:
        needs = [Need(*each) for each in zip(boxes, dst.dims, dst.shape, strict=True)]
    else:
        needs = [Need(box) for box in _read_boxes(reading, held, grid, dst.split)]
    taken = [
        [(dim, need) for dim, need in zip(dims, needs, strict=False) if _sharded(dim, side)]
        for side in (0, 1)
    ]
    across = classes([by_row, *(part for _, need in taken[0] for part in need.box)], 1, grid[1])
    down = classes([part for _, need in taken[1] for part in need.box], 0, grid[0])
    some = across.first if by_row.shape[1] > 1 else slice(None)
    rows = side_of(src, dst, taken[0], 0, across.first, by_row[:, some])
    columns = side_of(src, dst, taken[1], 1, down.first, by_column.T)
    return loads(rows, columns, down, across)


@dataclass(frozen=True, eq=False)
class Need:
    """What readers need along a dimension of the source; where it is one of the result as it is,
    that one's `dim` and `size`."""

    box: Span
    dim: DimShard | None = None
    size: int = 0


@lru_cache(REMEMBERED)
def span(dim: DimShard, size: int, grid: Pair, split: Pair) -> Span:
    """What every node holds of a dimension."""
    low = grid_index(dim.axes, grid, split) * dim.step + dim.offset
    return np.clip(low, 0, size), np.clip(low + dim.extent, 0, size)


def needed_bytes(dst: Layout, boxes: Sequence[Span]) -> tuple[np.ndarray, np.ndarray]:
    """Two factors of every reader's bytes: [R, columns or 1] and [1, C]."""
    rows, columns = dst.grid
    first, second = np.full((rows, 1), float(dst.item)), np.ones((1, columns))
    for low, high in boxes:
        size = np.maximum(high - low, 0)
        if size.shape[0] == 1:
            second = second * size
        else:
            first = first * size
    return first, second


@lru_cache(REMEMBERED)
def _read_boxes(
    reading: Reading, held: tuple[tuple[DimShard, int], ...], grid: Pair, split: Pair
) -> list[Span]:
    """What readers of a result held so need along every dimension of the source."""
    boxes = [span(dim, size, grid, split) for dim, size in held]
    return [_read(terms, boxes) for terms in reading.terms]


def _read(terms: tuple[tuple[int, np.ndarray], ...], boxes: Sequence[Span]) -> Span:
    """What readers need along one dimension of the source."""
    first: np.ndarray = np.zeros((1, 1), np.int64)
    last: np.ndarray = np.zeros((1, 1), np.int64)
    for dim, moves in terms:
        low, high = boxes[dim]
        room = len(moves) + 1
        pairs, place = np.unique(low * room + high, return_inverse=True)
        ends = [
            (int(moves[a:b].min()), int(moves[a:b].max())) if b > a else (0, 0)
            for a, b in zip(*(each.tolist() for each in np.divmod(pairs, room)), strict=True)
        ]
        found = np.array(ends, np.int64)[place.reshape(-1)].reshape(*low.shape, 2)
        first, last = first + found[..., 0], last + found[..., 1]
    return first, last + 1


def _sharded(dim: DimShard, side: int) -> bool:
    return bool(dim.step) and any(SIDE[axis] == side for axis in dim.axes)


def side_of(
    src: Layout | None,
    dst: Layout,
    taken: Sequence[tuple[DimShard, Need]],
    side: int,
    first: np.ndarray,
    weight: np.ndarray,
) -> Side:
    """Which share of their pieces lies in each row (`side` 0) or column (1) of the source.

    `taken`: the source's dimensions that this side shards. Readers are all those of that side of
    the grid by the classes, of which `first` are members, of the other.
    """
    size = dst.grid[side]
    if src is None:
        return Side(weight, np.ones((size, size)), np.ones((len(first), size)), None)
    used = tuple(sorted({axis for dim in src.dims for axis in dim.axes if SIDE[axis] == side}))
    near, far, joint = _kept(used, side, dst.grid, src.split), np.ones((len(first), size)), None
    for dim, need in taken:
        part = _share_of(src, dst, dim, need, side, first)
        if part.shape[0] > 1 and part.shape[1] > 1:
            joint = part if joint is None else joint * part
        elif part.shape[0] > 1:
            near = near * part[:, 0]
        else:
            far = far * part[0]
    return Side(weight, near, far, joint)


@lru_cache(REMEMBERED)
def _kept(used: tuple[str, ...], side: int, grid: Pair, split: Pair) -> np.ndarray:
    """1 where a node of one row (column) may take from another: axes that shard nothing stay."""
    size, word = grid[side], ("row", "col")[side]
    if word in used or len(used) == 2:
        return np.ones((size, size))
    if not used:
        return np.eye(size)
    other = f"inner_{word}" if f"outer_{word}" in used else f"outer_{word}"
    line = line_place(other, grid, split)
    return (line[:, None] == line).astype(float)


def _share_of(
    src: Layout, dst: Layout, dim: DimShard, need: Need, side: int, first: np.ndarray
) -> np.ndarray:
    """The share of readers' pieces in each row or column, [places or 1, classes or 1, givers]."""
    both = 1 not in need.box[0].shape
    if both:
        box = tuple(np.take(each, first, 1 - side) for each in need.box)
        return _share((box[0], box[1]), dim, src.split, dst.grid, side)
    if need.dim is not None:
        part = _known_share(dim, src.split, need.dim, dst.split, need.size, dst.grid, side)
    else:
        part = _share(need.box, dim, src.split, dst.grid, side)
    return part if part.shape[1] == 1 else part[:, first]


@lru_cache(REMEMBERED)
def _known_share(
    dim: DimShard, split: Pair, read: DimShard, read_split: Pair, size: int, grid: Pair, side: int
) -> np.ndarray:
    """The share that readers of a dimension laid out as `read` find where it lies as `dim`."""
    return _share(span(read, size, grid, read_split), dim, split, grid, side)


def _share(need: Span, dim: DimShard, split: Pair, grid: Pair, side: int) -> np.ndarray:
    """[places along the side or 1, across it or 1, rows or columns].

    What lies in a halo counts for the shard whose step it is; the last shard has all that follows.
    """
    low, high = (each[:, :, None] for each in need)
    share = None
    end = shards_along(dim.axes, grid, split) * dim.step
    width = end
    for axis in dim.axes:
        size = axis_size(axis, grid, split)
        width //= size
        if SIDE[axis] != side:
            continue
        digit = line_place(axis, grid, split)
        inside = _below(high, digit, width, size, end)
        inside -= _below(low, digit, width, size, end)
        inside /= np.maximum(high - low, 1)
        if digit[-1] >= size:
            inside[:, :, digit >= size] = 0
        share = inside if share is None else share * inside
    assert share is not None
    return share if side == 0 else share.swapaxes(0, 1)


def _below(place: np.ndarray, digit: np.ndarray, width: int, size: int, end: int) -> np.ndarray:
    """How many of the coordinates below `place` have a digit: it counts runs of `width` up to
    `size`, and again; those from `end` on have the last one."""
    rounds, rest = np.divmod(np.minimum(place, end), width * size)
    found = rest.astype(float) - (digit * width).astype(float)
    np.maximum(found, 0, out=found)
    np.minimum(found, width, out=found)
    found += rounds * width
    if (place > end).any():
        found[:, :, digit == size - 1] += np.maximum(place - end, 0)
    return found
