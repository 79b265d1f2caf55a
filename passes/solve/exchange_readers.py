"""From which nodes the readers of a part take it: rows of an exchange's table, for blocks of nodes.

Nodes that hold the same part of the destination lie in blocks of the grid: some rows by some
columns. A giver's row follows from its reader's row, and its column from its reader's column,
unless a source dimension is shared out over both sides and overlaps. So each side is worked out by
itself, its places folded where they are at equal steps, and a table's row stands for a whole block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dojocc.passes.solve.holders import SourceView
from dojocc.passes.solve.traffic_loads import Classes, classes
from dojocc.runtime.axes import SIDE, axis_size, grid_index
from dojocc.runtime.folds import numbered, openings, spread, strided
from dojocc.runtime.layout import Layout
from dojocc.runtime.segments import MOVING, TABLE_DTYPE, table_of
from dojocc.runtime.whole_rows import joined, picked


@dataclass(frozen=True, eq=False)
class Blocks:
    """Blocks of nodes that hold the same part: block b is class b // C of the rows by class b % C
    of the C classes of columns. `indices`: of each block the shard index along every dimension."""

    sides: tuple[Classes, Classes]
    indices: list[np.ndarray]

    def of(self, block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The classes of rows and of columns of these blocks."""
        return np.divmod(block, self.sides[1].count)


def blocks(layout: Layout) -> Blocks:
    """The blocks of a layout."""
    parts = [grid_index(dim.axes, layout.grid, layout.split) for dim in layout.dims]
    rows, columns = (classes(parts, side, size) for side, size in enumerate(layout.grid))
    whole = (np.broadcast_to(part, layout.grid) for part in parts)
    return Blocks(
        (rows, columns), [part[np.ix_(rows.first, columns.first)].ravel() for part in whole]
    )


@dataclass(frozen=True, eq=False)
class Reads:
    """Segments that all nodes of a block read: `segments` (SEGMENT_DTYPE) without nodes, `src` in
    the source as a whole; of each the block of its readers, and along every sharded dimension of
    the source the holders low..high that it may come from."""

    segments: np.ndarray
    block: np.ndarray
    low: list[np.ndarray]
    high: list[np.ndarray]

    def some(self, where: np.ndarray) -> Reads:
        """Those at which a mask is set."""
        low, high = ([each[where] for each in side] for side in (self.low, self.high))
        return Reads(picked(self.segments, where), self.block[where], low, high)


@dataclass(frozen=True, eq=False)
class Runs:
    """Of segments' readers along one side of the grid: segment s has those numbered begin[s] up to
    begin[s] + size[s]. A run is `count` places `step` apart from `first` on, which take from the
    places from `giver` on, `giver_step` apart; what they read begins `shift` bytes into the part of
    the first, `shift_step` more for each further one."""

    begin: np.ndarray
    size: np.ndarray
    first: np.ndarray
    count: np.ndarray
    step: np.ndarray
    giver: np.ndarray
    giver_step: np.ndarray
    shift: np.ndarray
    shift_step: np.ndarray


def along(
    source: SourceView,
    side: int,
    among: Classes,
    chosen: np.ndarray,
    reads: Reads,
) -> Runs:
    """The readers along `side` of segments: the places of the class `chosen` of each. Where a
    dimension is shared out over both sides they take from one holder."""
    layout = source.layout
    dims = [(j, layout.dims[dim]) for j, dim in enumerate(source.sharded)]
    mine = [(j, dim) for j, dim in dims if any(SIDE[axis] == side for axis in dim.axes)]
    bounds = [each[j] for j, _ in mine for each in (reads.low, reads.high)]
    number = numbered([chosen, *bounds])
    _, sample = np.unique(number, return_index=True)
    owner, place = members(among.number, chosen[sample])
    digits: dict[str, np.ndarray] = {}
    shift = np.zeros(len(place), np.int64)
    for j, dim in mine:
        first, last = (each[j][sample][owner] for each in (reads.low, reads.high))
        index = first
        if (first != last).any():
            own = grid_index(dim.axes, layout.grid, layout.split)
            index = np.clip(np.moveaxis(own, side, 0)[place, 0], first, last)
        if one_sided(dim.axes):
            shift += index * (dim.step * layout.strides[source.sharded[j]])
        for axis in reversed(dim.axes):
            index, digits[axis] = np.divmod(index, axis_size(axis, layout.grid, layout.split))
    giver = source.place(side, place, digits)
    first, count, (step, giver_step, shift_step) = strided(openings([owner]), [place, giver, shift])
    size = np.bincount(owner[first], minlength=len(sample))
    begin = np.cumsum(size) - size
    return Runs(
        begin[number],
        size[number],
        place[first],
        count,
        step,
        giver[first],
        giver_step,
        shift[first],
        shift_step,
    )


def one_sided(axes: Sequence[str]) -> bool:
    """Whether a dimension is shared out over rows only, or over columns only."""
    return len({SIDE[axis] for axis in axes}) == 1


def members(number: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(i, each place whose number is chosen[i]), for every i."""
    order = np.argsort(number, kind="stable")
    size = np.bincount(number)
    begin = np.cumsum(size) - size
    owner, turn = spread(size[chosen])
    return owner, order[begin[chosen[owner]] + turn]


def by_reader(reads: Reads, readers: Blocks, source: SourceView) -> np.ndarray:
    """The rows (TABLE_DTYPE) of what is read, each from the node that its reader takes it from."""
    free = np.zeros(len(reads.block), bool)
    for j, dim in enumerate(source.sharded):
        if not one_sided(source.layout.dims[dim].axes):
            free |= reads.low[j] != reads.high[j]
    ways = (in_blocks, ~free), (one_by_one, free)
    parts = [way(reads.some(where), readers, source) for way, where in ways if where.any()]
    return joined(TABLE_DTYPE, parts)


def in_blocks(reads: Reads, readers: Blocks, source: SourceView) -> np.ndarray:
    """`by_reader` where the sides can be worked out by themselves."""
    layout = source.layout
    sides = [
        along(source, side, readers.sides[side], chosen, reads)
        for side, chosen in enumerate(readers.of(reads.block))
    ]
    line, turn = spread(sides[0].size * sides[1].size)
    pair = np.divmod(turn, sides[1].size[line])
    down, across = (run.begin[line] + place for run, place in zip(sides, pair, strict=True))
    rows, columns = sides
    width = layout.grid[1]
    base = sum(dim.offset * stride for dim, stride in zip(layout.dims, layout.strides, strict=True))
    fixed = np.full(len(reads.block), base, np.int64)
    for j, number in enumerate(source.sharded):
        dim = layout.dims[number]
        if not one_sided(dim.axes):
            fixed += reads.low[j] * (dim.step * layout.strides[number])
    table = picked(table_of(reads.segments), line)
    table["dst_node"] = rows.first[down] * width + columns.first[across]
    table["src_node"] = rows.giver[down] * width + columns.giver[across]
    table["src"] -= fixed[line] + rows.shift[down] + columns.shift[across]
    inner = columns.count, columns.step, columns.giver_step, columns.shift_step
    outer = rows.count, rows.step * width, rows.giver_step * width, rows.shift_step
    set_levels(table, [each[across] for each in inner], [each[down] for each in outer])
    return table


def set_levels(table: np.ndarray, inner: list[np.ndarray], outer: list[np.ndarray]) -> None:
    """Set both levels of rows: (count, step of the reader, step of the giver, step of its bytes).

    One is enough where the outer goes on as the inner does, or where one of them is one place.
    """
    count, *steps = inner
    times, *jumps = outer
    one = count == 1
    goes_on = np.logical_and.reduce(
        [step * count == jump for step, jump in zip(steps, jumps, strict=True)]
    )
    both = (times > 1) & ~one & ~goes_on
    table["repeat0"] = np.where(both, count, count * times)
    table["repeat1"] = np.where(both, times, 1)
    for name, step, jump, sign in zip(MOVING, steps, jumps, (1, 1, -1), strict=True):
        table[f"{name}_step0"] = sign * np.where(one, jump, step)
        table[f"{name}_step1"] = sign * np.where(both, jump, 0)


def one_by_one(reads: Reads, readers: Blocks, source: SourceView) -> np.ndarray:
    """`by_reader` in general: each reader by itself."""
    node_rows, node_columns = (side.number for side in readers.sides)
    of = (node_rows[:, None] * readers.sides[1].count + node_columns).ravel()
    line, reader = members(of, reads.block)
    ends = ([each[line] for each in side] for side in (reads.low, reads.high))
    giver = source.nodes(reader, *ends)
    table = picked(table_of(reads.segments), line)
    table["dst_node"], table["src_node"] = reader, giver
    table["src"] -= source.shift[giver]
    return table
