"""Families of mappings: all kernels of a model share their batch out over the same axes.

A beam that takes one kernel after another leaves a good layout for what the next kernel alone likes
better, and pays for it in exchanges of activations, back and forth. Within a family no exchange
moves a whole image (or sentence) from node to node; the axes that the family leaves free share out
the other loops as ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import ceil, prod

import numpy as np

from dojocc.passes.solve.candidates import (
    KernelCost,
    Machine,
    Placed,
    Shared,
    best_of,
    owner_computes,
    side_options,
)
from dojocc.passes.solve.sharding import SIDES
from dojocc.passes.solve.work import Work, block, with_physical
from dojocc.runtime.axes import axis_size
from dojocc.runtime.layout import DimShard, Layout

SPARE = 0.15
"""How many more parts than images there may be."""
LEAST_SHARE = 0.84
"""Share of the grid's nodes that have work at least."""
MOST = 64
"""Families that are looked at."""


@dataclass(frozen=True)
class Family:
    """A way for `Planner`: the axes over which every batch is shared out, and the parts of the grid
    that they are digits of (1 on a side where none is)."""

    axes: tuple[str, ...]
    split: tuple[int, int]
    batch: int

    def __call__(self, work: Work, machine: Machine, cost: KernelCost) -> list[Placed]:
        """Candidates of one kernel. What reads nothing, or has no batch, is shared out as ever."""
        batch = batch_loop(work, self.batch)
        if batch is None:
            return owner_computes(work, machine, cost)
        rows, columns = (list(self.side_options(work, machine, side, batch)) for side in (0, 1))
        plain = np.zeros(len(rows) * len(columns), bool)
        found = best_of(work, machine, cost, rows, columns, plain)
        if not batch_first(work, self.batch):
            found += owner_computes(work, machine, cost)
        return found

    def side_options(self, work: Work, machine: Machine, side: int, batch: int) -> Iterator[Shared]:
        """Uses of one side, the batch where the family has it."""
        word = ("row", "col")[side]
        mine = tuple(axis for axis in self.axes if axis.endswith(word))
        loops = [
            n
            for n, loop in enumerate(work.loops)
            if loop.shardable and loop.size > loop.granule and n != batch
        ]
        if mine == (word,):
            yield {batch: mine}, 1
            return
        if mine:
            (axis,) = mine
            other = ("inner_" if axis.startswith("outer") else "outer_") + word
            yield {batch: mine}, self.split[side]
            for loop in loops:
                yield {batch: mine, loop: (other,)}, self.split[side]
            return
        yield from (use for use in side_options(work, machine, side) if batch not in use[0])


def batch_loop(work: Work, size: int) -> int | None:
    """The loop that steps over the batch in every result, where it can be shared out: over the
    first dim, of several, that is as large."""
    if not work.operands or not work.results:
        return None
    found = set()
    for access in work.results:
        if not access.maps or size not in access.shape:
            return None
        terms = access.maps[0][access.shape.index(size)].terms
        if len(terms) != 1:
            return None
        found.add(terms[0][0])
    if len(found) != 1:
        return None
    (loop,) = found
    return loop if work.loops[loop].shardable and work.loops[loop].size == size else None


def batch_first(work: Work, size: int) -> bool:
    """True where the batch is the first dim of all results."""
    return all(access.shape and access.shape[0] == size for access in work.results)


def families(batch: int, machine: Machine) -> list[Family]:
    """Families in which every image has a compact part of the grid, those that leave the fewest
    nodes idle first; one of those whose parts are equal."""
    rows, columns = machine.grid
    found: dict[tuple[int, int, int], tuple[float, Family]] = {}
    for parts, others in product(range(1, rows // 2 + 1), range(1, columns // 2 + 1)):
        count = parts * others
        if not 2 <= count <= batch * (1 + SPARE):
            continue
        each, size = ceil(batch / count), (rows // parts, columns // others)
        share = batch / each * prod(size) / (rows * columns)
        axes = ("outer_row",) * (parts > 1) + ("outer_col",) * (others > 1)
        found.setdefault((each, *size), (share, Family(axes, (parts, others), batch)))
    best = sorted(found.values(), key=lambda row: -row[0])
    return [family for share, family in best if share >= LEAST_SHARE][:MOST]


def along_lines(work: Work, wanted: Layout) -> list[Layout]:
    """Layouts of a constant in which nodes of a line that want a part alike share it out, and other
    lines hold copies: more bytes than a spread over all nodes, and each takes from its line only.
    """
    found = []
    idle = idle_axes(wanted)
    open_dims = [dim for dim, each in enumerate(wanted.dims) if not each.axes]
    for axes in [(axis,) for axis in idle] + [tuple(idle)] * (len(idle) > 1):
        ways = [extended(work, wanted, dim, axes) for dim in open_dims]
        if ways:
            found.append(min(ways, key=lambda layout: layout.bytes))
    return found


def idle_axes(wanted: Layout) -> list[str]:
    """By side the axis, or digit of it, that a layout does not use."""
    used = {axis for dim in wanted.dims for axis in dim.axes}
    idle = []
    for word in SIDES:
        mine = {axis for axis in used if axis.endswith(word)}
        if not mine:
            idle.append(word)
        elif len(mine) == 1 and word not in mine:
            idle.append(("inner_" if f"outer_{word}" in mine else "outer_") + word)
    return idle


def extended(work: Work, wanted: Layout, dim: int, axes: tuple[str, ...]) -> Layout:
    """The layout with one more dim shared out, over these axes."""
    loop = work.loops[dim]
    size = block(loop, prod(axis_size(axis, wanted.grid, wanted.split) for axis in axes))
    dims = list(wanted.dims)
    dims[dim] = DimShard(axes, size, 0, size, size)
    return with_physical(work.results[0], replace(wanted, dims=tuple(dims)))
