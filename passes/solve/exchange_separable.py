"""Segments for index maps that are a sum of one function a dimension, as slices and transposes.

The fast path of passes/solve/exchange.py: each dimension is cut by itself, and a node's segments
are the product of its dimensions' pieces. `separable_table` returns None where the map is not
such a sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from math import prod

import numpy as np

from dojocc.passes.solve.exchange_elements import tail_bytes
from dojocc.passes.solve.exchange_readers import Blocks, Reads, blocks, by_reader
from dojocc.passes.solve.holders import SourceView
from dojocc.passes.solve.segments import combined
from dojocc.runtime.element_map import ElementMap
from dojocc.runtime.folds import openings, spread, strided
from dojocc.runtime.layout import Layout
from dojocc.runtime.segments import SEGMENT_DTYPE, TABLE_DTYPE
from dojocc.runtime.whole_rows import joined

CELLS = 64  # boxes of one source each that a map is cut into at most

Box = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class DimPieces:
    """Strided pieces of one destination dimension; shard v's are [begin[v], begin[v] + size[v])."""

    begin: np.ndarray
    size: np.ndarray
    count: np.ndarray
    src: np.ndarray
    src_stride: np.ndarray
    dst: np.ndarray
    dst_stride: np.ndarray
    tail: np.ndarray  # pad bytes that follow the piece
    bounds: dict[int, tuple[np.ndarray, np.ndarray]]  # by the source's sharded dimension


@dataclass(frozen=True, eq=False)
class Cell:
    """A box of the destination that takes from one source: the coordinates of its first element
    there, and by dimension of the destination what the others add, [source rank, size]."""

    box: Box
    operand: int
    base: np.ndarray
    moves: list[np.ndarray]


def cells(
    index: np.ndarray | ElementMap, shapes: Sequence[tuple[int, ...]]
) -> list[Cell | None] | None:
    """Boxes that take from one source each, None for one that is no sum of one function a
    dimension in each source coordinate; None when there are too many."""
    bases = np.cumsum([0, *map(prod, shapes)])
    if isinstance(index, ElementMap):
        return map_cells(index, bases, shapes)
    boxes = array_boxes(index, bases)
    if boxes is None:
        return None
    parts = (index[tuple(slice(a, b) for a, b in box)] for box, _ in boxes)
    return [
        array_cell(box, number, part - bases[number], shapes[number])
        for (box, number), part in zip(boxes, parts, strict=True)
    ]


def map_cells(
    index: ElementMap, bases: np.ndarray, shapes: Sequence[tuple[int, ...]]
) -> list[Cell | None] | None:
    """The cells of a map in closed form: its pieces, cut where their places have gaps."""
    found: list[Cell | None] = []
    for piece in index.pieces:
        cuts = [np.flatnonzero(np.diff(place) != 1) + 1 for place in piece.places]
        if len(found) + prod(len(cut) + 1 for cut in cuts) > CELLS:
            return None
        spans = [
            list(pairwise([0, *cut, len(p)])) for cut, p in zip(cuts, piece.places, strict=True)
        ]
        for span in product(*spans):
            lines = [value[a:b] for value, (a, b) in zip(piece.values, span, strict=True)]
            box = tuple(
                (int(p[a]), int(p[b - 1]) + 1) for p, (a, b) in zip(piece.places, span, strict=True)
            )
            first = piece.first - int(bases[piece.source]) + sum(int(line[0]) for line in lines)
            lines = [first + line - line[0] for line in lines]
            found.append(cell_of(box, piece.source, first, lines, shapes[piece.source]))
    return found


def array_boxes(index: np.ndarray, bases: np.ndarray) -> list[tuple[Box, int]] | None:
    """Boxes of an array that take from one source each; None when there are too many."""
    whole = tuple((0, size) for size in index.shape)
    if len(bases) == 2 and index.min(initial=0) >= 0:
        return [(whole, 0)]
    operand = (np.searchsorted(bases, index, "right") - 1).astype(np.int16)
    edges = []
    for dim, size in enumerate(index.shape):
        others = tuple(d for d in range(index.ndim) if d != dim)
        changes = (np.diff(operand, axis=dim) != 0).any(axis=others)
        edges.append([0, *(np.flatnonzero(changes) + 1).tolist(), size])
    if prod(len(edge) - 1 for edge in edges) > CELLS:
        return None
    boxes = product(*(list(pairwise(edge)) for edge in edges))
    numbered = [(box, int(operand[tuple(low for low, _ in box)])) for box in boxes]
    return [(box, number) for box, number in numbered if number >= 0]


def array_cell(box: Box, operand: int, part: np.ndarray, shape: tuple[int, ...]) -> Cell | None:
    """The cell of a box whose elements have these flat indices into the source."""
    rank = part.ndim
    first = int(part.reshape(-1)[0])
    total = np.full((1,) * rank, first, np.int64)
    lines = []
    for dim in range(rank):
        lines.append(part[tuple(slice(None) if d == dim else 0 for d in range(rank))])
        total = total + (lines[-1] - first).reshape([-1 if d == dim else 1 for d in range(rank)])
    return cell_of(box, operand, first, lines, shape) if np.array_equal(total, part) else None


def cell_of(
    box: Box, operand: int, first: int, lines: Sequence[np.ndarray], shape: tuple[int, ...]
) -> Cell | None:
    """The cell of a box whose flat indices are a sum of `lines`, those through its first element.

    A sum of flat indices is one of coordinates where no sum of coordinates leaves the source.
    """
    base = np.array(np.unravel_index(first, shape), np.int64)
    moves = [np.array(np.unravel_index(line, shape), np.int64) - base[:, None] for line in lines]
    least = base + sum(move.min(1) for move in moves)
    greatest = base + sum(move.max(1) for move in moves)
    if (least < 0).any() or (greatest >= np.array(shape)).any():
        return None
    return Cell(box, operand, base, moves)


def _shards(layout: Layout, dim: int) -> int:
    """Shard indices of a dimension that nodes have: one more for those that belong to no part."""
    return layout.shards(layout.dims[dim]) + 1


def _bounds(
    dst: Layout, dim: int, source: SourceView, j: int, coordinate: np.ndarray, shard: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Holders of each coordinate, narrowed to those that the nodes of its `shard` could prefer."""
    of_node, own = dst.index(dst.dims[dim]), source.own[j]
    least = np.full(_shards(dst, dim), own.max())
    greatest = np.zeros(_shards(dst, dim), np.int64)
    np.minimum.at(least, of_node, own)
    np.maximum.at(greatest, of_node, own)
    low, high = source.low[j][coordinate], source.high[j][coordinate]
    return np.clip(least[shard], low, high), np.clip(greatest[shard], low, high)


def dim_pieces(
    dst: Layout,
    dim: int,
    span: tuple[int, int],
    source: SourceView,
    move: np.ndarray,
    base: np.ndarray,
    tails: bool,
) -> DimPieces:
    """Cut every shard's interval of a dimension into strided pieces of equal holders.

    `tails`: where a piece is at the end of the source's rows in one line of the destination, it is
    in all.
    """
    shards = _shards(dst, dim)
    origin = np.arange(shards) * dst.dims[dim].step + dst.dims[dim].offset
    low = np.clip(origin, *span)
    high = np.clip(origin + dst.dims[dim].extent, low, max(span[1], 0))
    high = np.clip(high, low, span[1])
    shard, place = spread(high - low)
    place = place + low[shard]
    change = move[:, place - span[0]]
    src = np.array(source.layout.strides, np.int64) @ change
    local = (place - origin[shard]) * dst.strides[dim]
    bounds = {}
    for j, source_dim in enumerate(source.sharded):
        if move[source_dim].any():
            coordinate = base[source_dim] + change[source_dim]
            bounds[j] = _bounds(dst, dim, source, j, coordinate, shard)
    key = combined(shard, *(column for pair in bounds.values() for column in pair))
    order = np.argsort(key, kind="stable")
    first, count, (src_stride, dst_stride) = strided(
        openings([key[order]]), [src[order], local[order]]
    )
    final = order[first + count - 1]
    first = order[first]
    order = np.argsort(shard[first], kind="stable")
    first, final, count = first[order], final[order], count[order]
    last_dim = dim == len(dst.shape) - 1
    ends = (place[final] == dst.shape[dim] - 1) & last_dim
    ends &= base[-1] + change[-1][final] == source.layout.shape[-1] - 1
    run = (src_stride[order] == dst.item) & (dst_stride[order] == dst.item)
    ends &= (run | (count == 1)) & tails
    size = np.bincount(shard[first], minlength=shards)
    return DimPieces(
        np.cumsum(size) - size,
        size,
        count,
        src[first],
        src_stride[order],
        local[first],
        dst_stride[order],
        np.where(ends, tail_bytes(dst, source.layout), 0),
        {j: (a[first], b[first]) for j, (a, b) in bounds.items()},
    )


@dataclass
class Nest:
    """Strided levels of many segments at once, innermost first; columns are [segments, levels]."""

    bytes: np.ndarray
    depth: np.ndarray
    count: np.ndarray
    src: np.ndarray
    dst: np.ndarray

    @staticmethod
    def of(rows: int, item: int, levels: int) -> Nest:
        zero = np.zeros((rows, levels), np.int64)
        filled = np.full(rows, item, np.int64)
        return Nest(filled, np.zeros(rows, np.int64), zero + 1, zero.copy(), zero.copy())

    def wrap(self, count: np.ndarray, src: np.ndarray, dst: np.ndarray) -> None:
        """Put a level around: lengthen the run or the outermost level where it continues it."""
        many = count > 1
        run = many & (self.depth == 0) & (src == self.bytes) & (dst == self.bytes)
        row = np.arange(len(count))
        top = np.maximum(self.depth - 1, 0)
        span = self.count[row, top]
        goes_on = (src == self.src[row, top] * span) & (dst == self.dst[row, top] * span)
        longer = many & (self.depth > 0) & goes_on
        self.bytes[run] *= count[run]
        self.count[row[longer], top[longer]] *= count[longer]
        new = np.flatnonzero(many & ~run & ~longer)
        at = self.depth[new]
        self.count[new, at], self.src[new, at], self.dst[new, at] = count[new], src[new], dst[new]
        self.depth[new] += 1


def cell_rows(dst: Layout, readers: Blocks, cell: Cell, source: SourceView) -> np.ndarray | None:
    """Rows of the table for one box that takes from one source."""
    moves, base = cell.moves, cell.base
    for source_dim in source.sharded:
        if sum(bool(move[source_dim].any()) for move in moves) > 1:
            return None
    tails = not any(move[-1].any() for move in moves[:-1])
    dims = [
        dim_pieces(dst, d, cell.box[d], source, move, base, tails) for d, move in enumerate(moves)
    ]
    indices = readers.indices
    per_block = prod((piece.size[i] for piece, i in zip(dims, indices, strict=True)), start=1)
    owner, number = spread(np.asarray(per_block, np.int64))
    low, high = (
        [np.full(len(owner), bound[base[d]]) for bound, d in zip(side, source.sharded, strict=True)]
        for side in (source.low, source.high)
    )
    src = np.full(len(owner), base @ np.array(source.layout.strides, np.int64))
    place = np.zeros(len(owner), np.int64)
    nest = Nest.of(len(owner), dst.item, len(dims))
    for dim in range(len(dims) - 1, -1, -1):
        piece, index = dims[dim], indices[dim][owner]
        chosen = piece.begin[index] + number % piece.size[index]
        number = number // piece.size[index]
        src += piece.src[chosen]
        place += piece.dst[chosen]
        nest.wrap(piece.count[chosen], piece.src_stride[chosen], piece.dst_stride[chosen])
        nest.bytes += piece.tail[chosen]
        for j, (first, last) in piece.bounds.items():
            low[j], high[j] = first[chosen], last[chosen]
    line, rows = _rows(nest, src, place, cell.operand)
    low, high = ([bound[line] for bound in side] for side in (low, high))
    return by_reader(Reads(rows, owner[line], low, high), readers, source)


def _rows(
    nest: Nest, src: np.ndarray, place: np.ndarray, operand: int
) -> tuple[np.ndarray, np.ndarray]:
    """(nest of each row, segments without their nodes); levels beyond two are listed."""
    levels = nest.count.shape[1]
    owner, number = spread(nest.count[:, 2:].prod(1))
    rows = np.zeros(len(owner), SEGMENT_DTYPE)
    rows["operand"] = operand
    rows["src"], rows["dst"], rows["bytes"] = src[owner], place[owner], nest.bytes[owner]
    for level in range(2, levels):
        count = nest.count[owner, level]
        rows["src"] += number % count * nest.src[owner, level]
        rows["dst"] += number % count * nest.dst[owner, level]
        number = number // count
    for level, name in enumerate("01"):
        rows[f"count{name}"] = nest.count[owner, level] if level < levels else 1
        if level < levels:
            rows[f"src_stride{name}"] = nest.src[owner, level]
            rows[f"dst_stride{name}"] = nest.dst[owner, level]
    return owner, rows


def separable_table(
    dst: Layout, sources: tuple[SourceView, ...], index: np.ndarray | ElementMap
) -> np.ndarray | None:
    """The table for `index` (see passes/solve/exchange.py), or None where it is no such sum."""
    found = cells(index, [source.layout.shape for source in sources])
    if found is None:
        return None
    readers = blocks(dst)
    parts: list[np.ndarray] = []
    for cell in found:
        rows = cell and cell_rows(dst, readers, cell, sources[cell.operand])
        if rows is None:
            return None
        parts.append(rows)
    return joined(TABLE_DTYPE, parts)
