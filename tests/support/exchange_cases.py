"""Random layouts, movement chains and buffers, for the tests of exchanges."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from dojocc.passes.solve.physical import round_up
from dojocc.runtime.axes import axis_size
from dojocc.runtime.layout import DimShard, Layout

DIGITS = {"row": ("outer_row", "inner_row"), "col": ("outer_col", "inner_col")}


@st.composite
def dim_shards(draw, size: int, axes: tuple[str, ...], shards: int, last: bool, halo: bool):
    if not axes:
        pad = round_up(size, 16) if last else size + draw(st.integers(0, 3))
        return DimShard((), 0, 0, size, pad)
    step = max(1, -(-size // shards)) + draw(st.integers(0, 2))
    low = draw(st.integers(0, 2)) if halo else 0
    extent = step + low + (draw(st.integers(0, 2)) if halo else 0)
    physical = round_up(extent, 16) if last else extent + draw(st.integers(0, 3))
    return DimShard(axes, step, -low, extent, physical)


@st.composite
def layouts(draw, shape: tuple[int, ...], fmt: str, grid: tuple[int, int], halo: bool = True):
    """Each side of the grid whole or in parts; its axes in any order on any dimensions."""
    split, free = [1, 1], []
    for side, word in enumerate(("row", "col")):
        split[side] = draw(st.integers(1, max(1, grid[side] // 2)))
        free += DIGITS[word] if split[side] > 1 else [word]
    used: dict[int, list[str]] = {dim: [] for dim in range(len(shape))}
    for axis in draw(st.permutations(free)):
        dim = draw(st.sampled_from([None, *used]))
        if dim is not None:
            used[dim].append(axis)
    dims = []
    for dim, axes in used.items():
        axes = _whole_axes(axes)
        shards = int(np.prod([axis_size(axis, grid, (split[0], split[1])) for axis in axes]))
        dims.append(draw(dim_shards(shape[dim], axes, shards, dim == len(shape) - 1, halo)))
    return Layout(shape, tuple(dims), fmt, grid, (split[0], split[1]))


def _whole_axes(axes: list[str]) -> tuple[str, ...]:
    """The axes with an inner one ahead of its outer: the other way they are the whole axis."""
    return tuple(sorted(axes, key=lambda axis: axis.startswith("outer")))


def _split(draw, index: np.ndarray) -> np.ndarray:
    dim = draw(st.integers(0, index.ndim - 1))
    split = [d for d in range(1, index.shape[dim] + 1) if index.shape[dim] % d == 0]
    part = draw(st.sampled_from(split))
    shape = [*index.shape[:dim], part, index.shape[dim] // part, *index.shape[dim + 1 :]]
    return index.reshape(shape)


def _merge(draw, index: np.ndarray) -> np.ndarray:
    dim = draw(st.integers(0, max(index.ndim - 2, 0)))
    if index.ndim < 2:
        return index
    merged = index.shape[dim] * index.shape[dim + 1]
    return index.reshape([*index.shape[:dim], merged, *index.shape[dim + 2 :]])


def _slice(draw, index: np.ndarray) -> np.ndarray:
    where = []
    for size in index.shape:
        begin = draw(st.integers(0, size - 1))
        where.append(slice(begin, draw(st.integers(begin + 1, size)), draw(st.integers(1, 2))))
    return index[tuple(where)]


def _pad(draw, index: np.ndarray) -> np.ndarray:
    widths = [(draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in index.shape]
    return np.pad(index, widths, constant_values=-1)


def _flip(draw, index: np.ndarray) -> np.ndarray:
    return np.flip(index, draw(st.integers(0, index.ndim - 1)))


def _transpose(draw, index: np.ndarray) -> np.ndarray:
    return index.transpose(draw(st.permutations(range(index.ndim))))


def _repeat(draw, index: np.ndarray) -> np.ndarray:
    return np.repeat(index[None], draw(st.integers(1, 3)), 0)


MOVES = (_split, _merge, _slice, _pad, _flip, _transpose, _repeat)


@st.composite
def movements(draw, shapes: list[tuple[int, ...]]) -> np.ndarray:
    """Index map of a random chain of movements on the concatenation of sources (on dimension 0)."""
    split, base = [], 0
    for shape in shapes:
        size = int(np.prod(shape))
        split.append(np.arange(base, base + size).reshape(shape))
        base += size
    index = np.concatenate(split, 0)
    for move in draw(st.lists(st.sampled_from(MOVES), max_size=3)):
        if index.ndim <= 4 and index.size < 3000:
            index = move(draw, index)
    return np.ascontiguousarray(index)


@st.composite
def exchanges(draw):
    """(destination, sources, index map)"""
    grid = draw(st.sampled_from([(2, 3), (1, 1), (3, 2), (4, 5), (5, 4)]))
    fmt = draw(st.sampled_from(["BF16", "FP32"]))
    rank = draw(st.integers(1, 4))
    tail = tuple(draw(st.integers(1, 20 if d == rank - 1 else 6)) for d in range(1, rank))
    number = draw(st.integers(1, 3))
    shapes = [(draw(st.integers(1, 9)), *tail) for _ in range(number)]
    index = draw(movements(shapes))
    sources = tuple(draw(layouts(shape, fmt, grid)) for shape in shapes)
    return draw(layouts(index.shape, fmt, grid)), sources, index
