"""Segments for any index map: boxes are listed element by element, cut into runs, folded.

The general path of passes/solve/exchange.py. Works on distinct boxes, a bounded number of elements
at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dojocc.passes.solve.holders import SourceView, is_whole
from dojocc.passes.solve.segments import combined, fold_runs
from dojocc.runtime.folds import spread
from dojocc.runtime.layout import Layout
from dojocc.runtime.segments import SEGMENT_DTYPE
from dojocc.runtime.whole_rows import joined, picked

CHUNK = 1 << 22  # elements listed at a time


@dataclass(frozen=True)
class Groups:
    """Nodes with one box and origin form a group; `order` lists nodes by group, from `begin[g]`."""

    start: np.ndarray
    stop: np.ndarray
    origin: np.ndarray
    order: np.ndarray
    begin: np.ndarray
    size: np.ndarray


def group_boxes(layout: Layout) -> Groups:
    start, stop = layout.boxes()
    origin = layout.origin()
    filled = np.flatnonzero((stop > start).all(1))
    key = np.concatenate([start, stop, origin], 1)[filled]
    _, first, group = np.unique(key, axis=0, return_index=True, return_inverse=True)
    group = group.reshape(-1)
    size = np.bincount(group, minlength=len(first))
    node = filled[first]
    order = filled[np.argsort(group, kind="stable")]
    return Groups(start[node], stop[node], origin[node], order, np.cumsum(size) - size, size)


@dataclass
class Runs:
    """Runs of consecutive source elements that lie along the destination's last dimension."""

    group: np.ndarray
    value: np.ndarray
    length: np.ndarray
    dst: np.ndarray
    at_end: np.ndarray  # the run ends at the end of the destination's last dimension


def find_runs(dst: Layout, groups: Groups, some: np.ndarray, index: np.ndarray, bases) -> Runs:
    """Runs of the groups `some`; elements that come from nowhere (-1) are left out."""
    size = groups.stop[some] - groups.start[some]
    row_owner, number = spread(size[:, :-1].prod(1))
    flat = np.zeros(len(number), np.int64)
    place = np.zeros(len(number), np.int64)
    step, strides = 1, np.array(dst.strides, np.int64)
    for dim in range(len(dst.shape) - 2, -1, -1):
        extent = size[row_owner, dim]
        coordinate = number % extent + groups.start[some][row_owner, dim]
        number = number // extent
        step *= dst.shape[dim + 1]
        flat += coordinate * step
        place += (coordinate - groups.origin[some][row_owner, dim]) * strides[dim]
    low = groups.start[some][row_owner, -1]
    flat += low
    place += (low - groups.origin[some][row_owner, -1]) * strides[-1]

    row, column = spread(size[row_owner, -1])
    value = index.reshape(-1)[flat[row] + column]
    opens = np.ones(len(value), bool)
    opens[1:] = (column[1:] == 0) | (value[1:] != value[:-1] + 1) | (value[:-1] < 0)
    for base in bases[1:-1]:
        opens |= value == base
    begin = np.flatnonzero(opens)
    length = np.diff(np.append(begin, len(value)))
    begin, length = begin[value[begin] >= 0], length[value[begin] >= 0]
    row, column = row[begin], column[begin]
    ends = (low + size[row_owner, -1])[row] == dst.shape[-1]
    at_end = ends & (column + length == size[row_owner, -1][row])
    return Runs(some[row_owner[row]], value[begin], length, place[row] + column * dst.item, at_end)


def split_runs(runs: Runs, source: SourceView, item: int) -> Runs:
    """Cut where the source's row ends and where its last dimension changes holders."""
    last = len(source.layout.shape) - 1
    width = source.layout.shape[last]
    cuts = np.zeros(width, bool)
    cuts[0] = True
    if last in source.sharded:
        j = source.sharded.index(last)
        for bound in (source.low[j], source.high[j]):
            cuts[1:] |= bound[1:] != bound[:-1]
    where = np.flatnonzero(cuts)
    stretch = np.cumsum(cuts) - 1

    def number(value: np.ndarray) -> np.ndarray:
        return value // width * len(where) + stretch[value % width]

    head = number(runs.value)
    owner, piece = spread(number(runs.value + runs.length - 1) - head + 1)
    following = head[owner] + piece
    begin = following // len(where) * width + where[following % len(where)]
    begin = np.maximum(begin, runs.value[owner])
    following = following + 1
    end = following // len(where) * width + where[following % len(where)]
    end = np.minimum(end, (runs.value + runs.length)[owner])
    return Runs(
        runs.group[owner],
        begin,
        end - begin,
        runs.dst[owner] + (begin - runs.value[owner]) * item,
        runs.at_end[owner] & (end == (runs.value + runs.length)[owner]),
    )


def tail_bytes(dst: Layout, source: Layout) -> int:
    """Zero pad bytes a run may carry along where it ends the last dimension at both ends."""
    if not (is_whole(dst, -1) and is_whole(source, -1)):
        return 0
    pads = [layout.dims[-1].physical - layout.shape[-1] for layout in (dst, source)]
    return pads[0] * dst.item if pads[1] >= pads[0] else 0


def _own_range(source: SourceView, groups: Groups) -> list[tuple[np.ndarray, np.ndarray]]:
    """Least and greatest own shard index within each group, per sharded dimension."""
    pairs = []
    for own in source.own:
        listed = own[groups.order]
        pairs.append(
            (np.minimum.reduceat(listed, groups.begin), np.maximum.reduceat(listed, groups.begin))
        )
    return pairs


def operand_segments(
    dst: Layout, groups: Groups, runs: Runs, source: SourceView, operand: int
) -> np.ndarray:
    """Segments of the runs that come from one source."""
    layout = source.layout
    runs = split_runs(runs, source, dst.item)
    coordinates = np.unravel_index(runs.value, layout.shape)
    src = np.zeros(len(runs.value), np.int64)
    for coordinate, stride in zip(coordinates, layout.strides, strict=True):
        src += coordinate * stride
    low, high = [], []
    for j, (least, greatest) in enumerate(_own_range(source, groups)):
        coordinate = coordinates[source.sharded[j]]
        first, last = source.low[j][coordinate], source.high[j][coordinate]
        low.append(np.clip(least[runs.group], first, last))
        high.append(np.clip(greatest[runs.group], first, last))
    size = runs.length * dst.item
    ends = runs.at_end & ((runs.value + runs.length) % layout.shape[-1] == 0)
    size = size + np.where(ends, tail_bytes(dst, layout), 0)

    folded = fold_runs(combined(runs.group, *low, *high), src, runs.dst, size)
    member = folded["dst_node"].astype(np.int64)
    group = runs.group[member]
    piece, turn = spread(groups.size[group])
    reader = groups.order[groups.begin[group[piece]] + turn]
    rows = picked(folded, piece)
    giver = source.nodes(reader, [a[member][piece] for a in low], [a[member][piece] for a in high])
    rows["dst_node"], rows["src_node"], rows["operand"] = reader, giver, operand
    rows["src"] -= source.shift[giver]
    return rows


def element_segments(dst: Layout, sources: tuple[SourceView, ...], index: np.ndarray) -> np.ndarray:
    """Segments for `index` (see passes/solve/exchange.py), without any assumption on it."""
    groups = group_boxes(dst)
    sizes = [int(np.prod(source.layout.shape)) for source in sources]
    bases = np.cumsum([0, *sizes])
    volume = (groups.stop - groups.start).prod(1)
    parts = []
    for some in _chunks(volume):
        runs = find_runs(dst, groups, some, index, bases)
        for operand, source in enumerate(sources):
            mine = (runs.value >= bases[operand]) & (runs.value < bases[operand + 1])
            if not mine.any():
                continue
            own = Runs(
                runs.group[mine],
                runs.value[mine] - bases[operand],
                runs.length[mine],
                runs.dst[mine],
                runs.at_end[mine],
            )
            parts.append(operand_segments(dst, groups, own, source, operand))
    return joined(SEGMENT_DTYPE, parts)


def _chunks(volume: np.ndarray) -> list[np.ndarray]:
    """Group numbers, a bounded number of elements at a time (one box at least)."""
    chunks, begin, total = [], 0, 0
    for number, size in enumerate(volume):
        if number > begin and total + size > CHUNK:
            chunks.append(np.arange(begin, number))
            begin, total = number, 0
        total += int(size)
    return [*chunks, np.arange(begin, len(volume))] if len(volume) else chunks
