"""The axes of a grid of R x C nodes: rows and columns, each whole or as a few outer parts of many
inner rows (or columns).

Where a machine is made of dies, an outer part is a row (or column) of dies if the grid's borders
fit; any other count serves as well. All parts have R // parts rows: those beyond the last part
belong to none, and an outer axis shards nothing onto them.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from math import prod

import numpy as np

AXES = ("row", "col", "outer_row", "inner_row", "outer_col", "inner_col")
SIDE = {axis: 0 if axis.endswith("row") else 1 for axis in AXES}
"""The axis of the grid, 0 or 1, that an axis is, or is a digit of."""
UNSPLIT = (1, 1)
REMEMBERED = 1 << 10  # small arrays that are kept

Pair = tuple[int, int]


def axis_size(axis: str, grid: Pair, split: Pair) -> int:
    """How many positions an axis has."""
    side = SIDE[axis]
    if axis.startswith("outer"):
        return split[side]
    return grid[side] // split[side] if axis.startswith("inner") else grid[side]


def axis_place(axis: str, grid: Pair, split: Pair) -> np.ndarray:
    """Every node's position along an axis, [nodes]; past the end in rows that belong to no part."""
    place = line_place(axis, grid, split)
    return np.repeat(place, grid[1]) if SIDE[axis] == 0 else np.tile(place, grid[0])


def line_place(axis: str, grid: Pair, split: Pair) -> np.ndarray:
    """The same for every row, or every column, of the grid: [rows] or [columns]."""
    side = SIDE[axis]
    place = np.arange(grid[side])
    inner = grid[side] // split[side]
    if axis.startswith("outer"):
        return place // inner
    return place % inner if axis.startswith("inner") else place


@lru_cache(REMEMBERED)
def grid_index(axes: tuple[str, ...], grid: Pair, split: Pair) -> np.ndarray:
    """The shard index of every node along a dimension sharded over `axes`, [rows or 1, columns or
    1], read-only; the number of shards on nodes that belong to no part."""
    index, outside = np.zeros((1, 1), np.int64), np.zeros((1, 1), bool)
    for axis in axes:
        place = line_place(axis, grid, split)
        place = place[:, None] if SIDE[axis] == 0 else place[None, :]
        index = index * axis_size(axis, grid, split) + place
        outside = outside | (place >= axis_size(axis, grid, split))
    result = np.where(outside, shards_along(axes, grid, split), index)
    result.flags.writeable = False
    return result


def shards_along(axes: tuple[str, ...], grid: Pair, split: Pair) -> int:
    """How many shards a dimension has that is sharded over `axes`."""
    return prod(axis_size(axis, grid, split) for axis in axes)


def used_split(axes: Iterable[str], grid: Pair, split: Pair) -> Pair:
    """`split`, 1 on a side of which `axes` names no digit; ValueError where they do not agree.

    One number stands for each way to share out, so that equal layouts compare equal: a whole row is
    never written as its two digits.
    """
    named = list(axes)
    if len(set(named)) != len(named):
        raise ValueError(f"a grid axis shards two dimensions at once: {named}")
    result = []
    for side, word in enumerate(("row", "col")):
        mine = [axis for axis in named if SIDE[axis] == side]
        digits = [axis for axis in mine if axis != word]
        if digits and word in mine:
            raise ValueError(f"a grid axis shards two dimensions at once: {named}")
        if digits and not 1 < split[side] <= grid[side] // 2:
            raise ValueError(
                f"{digits[0]} needs 2 to {grid[side] // 2} outer parts of {grid[side]},"
                f" not {split[side]}"
            )
        result.append(split[side] if digits else 1)
    return result[0], result[1]
