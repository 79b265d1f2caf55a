"""Cost of kernels and exchanges in cycles, from loops, layouts and the target's numbers.

An estimate to compare choices with; modelled time comes from the emitted streams, never from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod

import numpy as np

from dojocc.passes.solve.work import Choice, Grid, Work, block
from dojocc.runtime.layout import Layout
from dojocc.runtime.target import Target

KERNEL_START = 60  # call, address set-up, pipeline fill
BLOCK_END = 12  # reading an 8x8 accumulator, epilogue and store
VECTOR_START = 6  # loop set-up and fill of one innermost loop


@dataclass(frozen=True)
class Rates:
    """What the cost model needs of a target."""

    rows: int
    columns: int
    depth: int
    lanes: int
    link_bytes: int
    hop_cycles: int
    entry_cycles: int
    exchange_cycles: int  # barrier, list start and semaphores of one exchange

    @staticmethod
    def of(target: Target) -> Rates:
        node, mesh, sync = target.node, target.mesh, target.sync
        return Rates(
            node.matrix_rows,
            node.matrix_cols,
            node.matrix_depth,
            node.vector_lanes,
            mesh.link_bytes,
            mesh.hop_cycles,
            mesh.entry_cycles,
            sync.region_barrier_cycles + mesh.message_cycles + 2 * sync.semaphore_cycles,
        )


def kernel_cycles(work: Work, choice: Choice, grid: Grid, rates: Rates) -> float:
    """Cycles of the busiest node."""
    local = [
        min(block(loop, choice.shards(number, grid)), loop.size)
        for number, loop in enumerate(work.loops)
    ]
    kernel = work.kernel

    def take(number: int | None, unit: int) -> int:
        if number is None:
            return 1
        return ceil(local[number] / unit)

    if kernel.unit == "matrix":
        along = {kernel.rows, kernel.columns, kernel.depth}
        outer = prod(size for number, size in enumerate(local) if number not in along)
        blocks = take(kernel.rows, rates.rows) * take(kernel.columns, rates.columns)
        steps = outer * blocks * take(kernel.depth, rates.depth)
        reduced = prod(
            size
            for number, (size, loop) in enumerate(zip(local, work.loops, strict=True))
            if number not in along and loop.reduction
        )
        ends = blocks * outer / max(reduced, 1)
        return KERNEL_START + steps + ends * (BLOCK_END + 4 * kernel.weight)
    rows = prod(
        size
        for number, (size, loop) in enumerate(zip(local, work.loops, strict=True))
        if number != kernel.lanes and not loop.reduction
    )
    lanes = take(kernel.lanes, rates.lanes)
    points = prod(size for number, size in enumerate(local) if number != kernel.lanes) * lanes
    return KERNEL_START + points * kernel.root + rows * (lanes * kernel.weight + VECTOR_START)


@dataclass(frozen=True)
class Moved:
    """What an exchange moves: bytes over the mesh in all, and an estimate of its cycles."""

    bytes: int
    cycles: int


def exchange_cost(src: Layout | None, dst: Layout, rates: Rates, in_place: bool = True) -> Moved:
    """Cost of bringing a tensor from one layout to another.

    `in_place` is False (or `src` None) where elements also change their index: then none counts as
    held already. Bounds by the busiest receiver, by the senders' ports and by the links.
    """
    start, stop = dst.boxes()
    held = (stop - start).prod(1)
    own = np.zeros(dst.nodes, np.int64)
    givers, near = dst.nodes, False
    if src is not None and in_place:
        begin, end = src.boxes()
        own = np.clip(np.minimum(stop, end) - np.maximum(start, begin), 0, None).prod(1)
        near = all(
            a.axes == b.axes and a.step == b.step for a, b in zip(src.dims, dst.dims, strict=True)
        )
    if src is not None:
        begin, end = src.boxes()
        givers = max(int(((end - begin) > 0).all(1).sum()), 1)
    need = (held - own) * dst.item
    total = int(need.sum())
    rows, columns = dst.grid
    hops = 1.0 if near else max((rows + columns) / 3, 1.0)
    links = max(2 * (rows * (columns - 1) + columns * (rows - 1)), 1)
    busiest = max(float(held.max(initial=0)) * dst.item, total / givers, total * hops / links)
    entries = int((held > 0).sum()) * (pieces(src, dst) if src is not None else 1) / givers
    moving = max(busiest / rates.link_bytes, entries * rates.entry_cycles)
    return Moved(total, ceil(rates.exchange_cycles + moving + hops * rates.hop_cycles))


def pieces(src: Layout, dst: Layout) -> float:
    """About how many nodes a node of `dst` takes from: shards of `src` under its box."""
    count = 1.0
    same_rank = len(src.dims) == len(dst.dims)
    for number, dim in enumerate(src.dims):
        shards = -(-src.shape[number] // dim.step) if dim.axes and dim.step else 1
        reach = dst.dims[number].extent / dim.step if same_rank and dim.step else shards
        count *= max(1.0, min(reach, shards))
    return count
