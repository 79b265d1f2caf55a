"""Ways to run one kernel on the grid: which axes share out which loops, and the layouts that means.

A `Way` is a small function that offers `Placed` candidates for a kernel; the search takes the best
of all ways. `owner_computes` is the plain one: every node computes its own part of the result from
operands that it holds whole where they are reduced over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import prod

import numpy as np

from dojocc.passes.solve.work import Access, Choice, Grid, Loop, Work, access_layout
from dojocc.runtime.axes import UNSPLIT, axis_size
from dojocc.runtime.layout import Layout

KernelCost = Callable[[Work, np.ndarray], np.ndarray]
"""Cycles of a node for blocks of the loops, [candidates, loops]."""

PRICES = (0.0, 1 / 512, 1 / 128, 1 / 32, 1 / 8)
"""Cycles a byte by which candidates are put in order; the first few of each order are kept."""
FIRST = 8
SPLITS = 4  # ways to see one side of the grid in parts
IDLE = 0.06  # share of a side's nodes that may belong to no part


@dataclass(frozen=True)
class Placed:
    """A way to run a kernel: the layouts it reads and leaves, and the busiest node's cycles."""

    choice: Choice
    operands: tuple[Layout, ...]
    results: tuple[Layout, ...]
    cycles: float
    way: str = "owner computes"


@dataclass(frozen=True)
class Machine:
    """The grid that kernels are shared out over; `die` is how many parts its borders make."""

    grid: Grid
    die: tuple[int, int] = UNSPLIT

    def splits(self, side: int) -> tuple[int, ...]:
        """Outer parts of one side worth trying: whole dies, and counts that leave few rows over."""
        size, die = self.grid[side], self.die[side]
        fair = [n for n in range(2, size // 2 + 1) if size % n <= IDLE * size]
        wanted = np.geomspace(2, max(size // 2, 2), SPLITS)
        near = {min(fair, key=lambda n: (abs(n - each), n)) for each in wanted if fair}
        return tuple(sorted(near | ({die} if die in fair else set())))


Way = Callable[[Work, Machine, KernelCost], Iterable[Placed]]

Shared = tuple[dict[int, tuple[str, ...]], int]
"""How one side of the grid is used: axes by loop, and its outer parts."""


def owner_computes(work: Work, machine: Machine, cost: KernelCost) -> list[Placed]:
    """Assignments of rows, columns and their digits to parallel loops; the best by several prices.

    What uses whole rows and columns only is always among them.
    """
    rows, columns = (list(side_options(work, machine, side)) for side in (0, 1))
    plain = np.array([[a[1] == 1 and b[1] == 1 for b in columns] for a in rows], bool).reshape(-1)
    result = best_of(work, machine, cost, rows, columns, plain)
    return list({(each.operands, each.results): each for each in reversed(result)}.values())[::-1]


def best_of(
    work: Work,
    machine: Machine,
    cost: KernelCost,
    rows: Sequence[Shared],
    columns: Sequence[Shared],
    plain: np.ndarray,
) -> list[Placed]:
    """Of all pairs of uses of the two sides the best by several prices, and those that are `plain`
    [rows * columns]."""
    shards = [shards_of(work, machine, options) for options in (rows, columns)]
    pairs = len(rows) * len(columns)
    both = (shards[0][:, None, :] * shards[1][None, :, :]).reshape(pairs, len(work.loops))
    blocks = blocks_of(work.loops, both)
    cycles = cost(work, blocks)
    size = np.zeros(len(blocks))
    for each in (*work.operands, *work.results):
        size += bytes_of(each, blocks)
    result = []
    for number in pruned(blocks, cycles, size, plain):
        row, column = divmod(int(number), len(columns))
        choice = joined(work, rows[row], columns[column])
        result.append(placed(work, choice, machine.grid, float(cycles[number])))
    return result


def placed(work: Work, choice: Choice, grid: Grid, cycles: float) -> Placed:
    """A choice with what it means."""
    return Placed(
        choice,
        tuple(access_layout(each, work, choice, grid) for each in work.operands),
        tuple(access_layout(each, work, choice, grid) for each in work.results),
        cycles,
    )


def side_options(work: Work, machine: Machine, side: int) -> Iterator[Shared]:
    """Uses of one side: nothing, the whole for one loop, an outer and an inner part for two."""
    word = ("row", "col")[side]
    loops = [n for n, loop in enumerate(work.loops) if loop.shardable and loop.size > loop.granule]
    yield {}, 1
    for loop in loops:
        yield {loop: (word,)}, 1
    for split in machine.splits(side):
        for loop in loops:
            yield {loop: (f"outer_{word}",)}, split
            yield {loop: (f"inner_{word}",)}, split
        for outer, inner in permutations(loops, 2):
            yield {outer: (f"outer_{word}",), inner: (f"inner_{word}",)}, split


def shards_of(work: Work, machine: Machine, options: Sequence[Shared]) -> np.ndarray:
    """[options, loops]: in how many blocks each loop is shared out."""
    result = np.ones((len(options), len(work.loops)), np.int64)
    for number, (axes, split) in enumerate(options):
        for loop, names in axes.items():
            sizes = (axis_size(axis, machine.grid, (split, split)) for axis in names)
            result[number, loop] = prod(sizes)
    return result


def joined(work: Work, row: Shared, column: Shared) -> Choice:
    """The choice that two sides' uses make: a loop's rows before its columns."""
    axes = tuple(row[0].get(n, ()) + column[0].get(n, ()) for n in range(len(work.loops)))
    return Choice(axes, (row[1], column[1]))


def blocks_of(loops: Sequence[Loop], shards: np.ndarray) -> np.ndarray:
    """How much of each loop a node does at most, [candidates, loops]."""
    size = np.array([loop.size for loop in loops], np.int64)
    granule = np.array([loop.granule for loop in loops], np.int64)
    block = np.ceil(np.ceil(size / shards) / granule).astype(np.int64) * granule
    return np.where(shards > 1, np.minimum(block, size), size)


def bytes_of(access: Access, blocks: np.ndarray) -> np.ndarray:
    """About what a node holds of a tensor."""
    item = 2 if access.fmt == "BF16" else 4
    size = np.full(len(blocks), float(item))
    if access.maps is None or not access.maps:
        return size * float(np.prod(access.shape))
    for extent, index in zip(access.shape, access.maps[0], strict=True):
        span = np.ones(len(blocks))
        for loop, scale in index.terms:
            span += abs(scale) * (blocks[:, loop] - 1)
        size *= np.minimum(span, extent)
    return size


def pruned(
    blocks: np.ndarray, cycles: np.ndarray, size: np.ndarray, always: np.ndarray
) -> list[int]:
    """Numbers of the candidates to keep: the first of each price, each block size once or twice."""
    kept = dict.fromkeys(np.flatnonzero(always).tolist())
    for price in PRICES:
        seen: dict[bytes, int] = {}
        taken = 0
        for number in np.argsort(cycles + size * price, kind="stable").tolist():
            key = blocks[number].tobytes()
            seen[key] = seen.get(key, 0) + 1
            if seen[key] > 2:
                continue
            kept.setdefault(number)
            taken += 1
            if taken == FIRST:
                break
    return list(kept)


def aligned(work: Work, operand: int, layout: Layout, machine: Machine, cost: KernelCost):
    """Candidates that read an operand as it lies; axes it leaves free go to no loop or to one."""
    access = work.operands[operand]
    if not access.maps:
        return
    axes: dict[int, tuple[str, ...]] = {}
    for index, dim in zip(access.maps[0], layout.dims, strict=True):
        if not dim.axes:
            continue
        ways = [loop for loop, scale in index.terms if scale > 0 and work.loops[loop].shardable]
        if len(index.terms) == 1 and ways and ways[0] not in axes:
            axes[ways[0]] = dim.axes
    if not axes:
        return
    used = {axis for each in axes.values() for axis in each}
    free = [word for word in ("row", "col") if not any(axis.endswith(word) for axis in used)]
    others = [n for n, loop in enumerate(work.loops) if loop.shardable and n not in axes]
    choices = [axes, *(axes | {loop: (word,)} for word in free for loop in others)]
    for each in choices:
        choice = Choice(tuple(each.get(n, ()) for n in range(len(work.loops))), layout.split)
        shards = [choice.shards(n, machine.grid) for n in range(len(work.loops))]
        blocks = blocks_of(work.loops, np.array([shards]))
        yield placed(work, choice, machine.grid, float(cost(work, blocks)[0]))
