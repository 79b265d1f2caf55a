"""Collectives of the mesh form as tables for the tile form: axes, shards, algorithm, buffers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from dojocc.dialects.location import describe
from dojocc.dialects.mesh_collective import (
    AllGatherOp,
    AllReduceOp,
    CollectiveOp,
    ReduceScatterOp,
    ReductionOp,
    scattered_dim,
)
from dojocc.passes.solve.collective_axes import Axis
from dojocc.passes.solve.collective_blocks import block_candidates
from dojocc.passes.solve.collective_choice import (
    Shards,
    cheapest,
    flat_candidates,
    sharded_candidates,
    staged_candidates,
)
from dojocc.passes.solve.collective_costs import Costs
from dojocc.passes.solve.collective_schedule import schedule
from dojocc.passes.solve.collectives import (
    LINE,
    SHARD,
    WORK,
    Chain,
    Schedule,
    copies,
)
from dojocc.passes.solve.grid import logical_grid
from dojocc.runtime.errors import UnsupportedError
from dojocc.runtime.layout import DimShard, Layout, whole
from dojocc.runtime.target import Target

DETOURS = (1.8, 1.8)
"""How much longer a ring from row to row, and one along a row, takes on a grid with dead nodes: the
way round a dead node crosses links of the next ring, which then carry two flows. Chains along both
axes at once load each link by half."""


@dataclass(frozen=True, eq=False)
class Lowered:
    """A collective's tables, what they move over the mesh, the cycles of the cost model, and
    whether the result has to be cleared first."""

    schedule: Schedule
    bytes: int
    cycles: int
    clear: bool = False


def costs_of(target: Target) -> Costs:
    """What the choice of an algorithm needs of a target."""
    mesh, sync = target.mesh, target.sync
    return Costs(
        mesh.link_bytes,
        mesh.message_cycles,
        mesh.entry_cycles,
        int(mesh.hop_cycles),
        sync.semaphore_cycles,
        sync.region_barrier_cycles,
        mesh.usable_share,
        DETOURS if target.dead else (1.0, 1.0),
        logical_grid(target).size,
        crossing=edge_cycles(target),
        die=(target.die.rows, target.die.cols),
    )


def edge_cycles(target: Target) -> int:
    """What a hop to the next die takes more; none where there is no other die."""
    cycles = target.die.edge_ns * 1e-9 * target.node.clock_hz
    return round(cycles) if several_dies(target) else 0


def several_dies(target: Target) -> bool:
    return (target.rows, target.cols) != (target.die.rows, target.die.cols)


def lower(op: CollectiveOp, target: Target) -> Lowered:
    """The cheapest schedule of a collective on a target."""
    source, result = op.layouts()
    algorithm = op.algorithm.data if op.algorithm is not None else "auto"
    costs, blocks = costs_of(target), []
    if not grid_axes(op, source, op.axes(), target):
        return copied(op)
    match op:
        case AllReduceOp():
            axes = by_dies(grid_axes(op, source, op.axes(), target), source.grid, target)
            candidates = flat_candidates(axes, result.bytes, algorithm)
            shards = flat_shards(axes, result.bytes)
            inside_first = sorted(axes, key=lambda axis: axis.hops > 1)
            candidates += staged_candidates(inside_first, shards, algorithm)
            if algorithm == "auto":
                blocks = blocks_of(axes, shards, True, True)
            reduces, gathers = True, True
        case ReduceScatterOp():
            axes = grid_axes(op, source, op.axes(), target)
            dim = scattered_dim(op, result.dims, source.dims[1:], op.axes())
            shards = shards_of(terms_of(source), result, dim)
            if shards.slot % LINE:
                raise refused(op, f"shards of {shards.slot} B are not whole vectors of {LINE} B")
            candidates = sharded_candidates(axes, shards, algorithm, True)
            candidates += staged_candidates(axes, shards, algorithm)
            reduces, gathers = True, False
            if algorithm == "auto":
                blocks = blocks_of(axes, shards, reduces, gathers)
        case AllGatherOp():
            dim = scattered_dim(op, source.dims, result.dims)
            axes = grid_axes(op, source, op.axes(), target)
            shards = shards_of(result, source, dim)
            candidates = sharded_candidates(axes, shards, algorithm, False)
            candidates += staged_candidates(axes, shards, algorithm)
            reduces, gathers = False, True
            if algorithm == "auto":
                blocks = blocks_of(axes, shards, reduces, gathers)
        case _:
            raise TypeError(f"no schedule for {op.name}")
    chains, cycles = cheapest(candidates, blocks, costs, reduces, gathers)
    found = schedule(chains, source.nodes, reduces, gathers)
    return Lowered(found, mesh_bytes(found.moves), round(cycles), needs_clearing(op))


def flat_shards(axes: list[Axis], size: int) -> Shards:
    """A vector of an all-reduce in even shards of whole lines."""
    lines = -(-size // LINE // prod(axis.size for axis in axes))
    return Shards(lines * LINE, size)


def blocks_of(axes: list[Axis], shards: Shards, reduces: bool, gathers: bool) -> list[list[Chain]]:
    """Candidates of many short chains: over two axes of one die, of shards that are all alike."""
    full = shards.limit == prod(axis.size for axis in axes) * shards.slot
    plain = full and shards.outer == 1 and shards.slot % LINE == 0
    if len(axes) != 2 or not plain or any(axis.hops > 1 for axis in axes):
        return []
    return block_candidates(axes, shards.slot, reduces, gathers)


def copied(op: CollectiveOp) -> Lowered:
    """Over axes of one node a collective is a copy on every node."""
    source, result = op.layouts()
    size = (terms_of(source) if isinstance(op, ReductionOp) else source).bytes
    if size != result.bytes:
        raise refused(op, f"a copy of {size} B to a buffer of {result.bytes} B")
    place = SHARD if isinstance(op, ReduceScatterOp) else WORK
    return Lowered(copies(source.nodes, size, place), 0, 0)


def refused(op: CollectiveOp, why: str) -> UnsupportedError:
    """The error for a collective that has no schedule."""
    return UnsupportedError(
        f"{op.name} has no schedule: {why}",
        where=describe(op),
        help="take axes that divide the grid, and shard an outer dimension in whole vectors",
    )


def crossing(axis: Axis, grid: tuple[int, int], target: Target) -> int:
    """Cycles that a step to the next place of an axis spends between dies."""
    along_columns = axis.stride >= grid[1]
    dies = target.rows // target.die.rows if along_columns else target.cols // target.die.cols
    borders = axis.hops * dies // grid[0 if along_columns else 1]
    return round(borders * target.die.edge_ns * 1e-9 * target.node.clock_hz)


def grid_axes(
    op: CollectiveOp, layout: Layout, names: tuple[str, ...], target: Target
) -> list[Axis]:
    """The axes of the node grid by name; those of one node are left out."""
    found = []
    nodes = np.arange(layout.nodes)
    for name in names:
        index = layout.index(DimShard((name,), 0, 0, 0, 0))
        size = layout.shards(DimShard((name,), 0, 0, 0, 0))
        stride = max(int(np.argmax(index == 1)), 1)
        axis = Axis(size, stride, stride // layout.grid[1] or stride)
        axis = replace(axis, crossing=crossing(axis, layout.grid, target))
        if not (axis.at(nodes) == index).all():
            raise refused(op, f"axis {name} leaves nodes of the grid out")
        if axis.size > 1:
            found.append(axis)
    return found


def by_dies(axes: list[Axis], grid: tuple[int, int], target: Target) -> list[Axis]:
    """The axes with those that span several dies taken as one inside a die and one from die to die:
    a ring through all dies would have as many steps as the machine has rows and columns."""
    dies = (target.rows // target.die.rows, target.cols // target.die.cols)
    found: list[Axis] = []
    for axis in axes:
        side = 0 if axis.stride >= grid[1] else 1
        if axis.size == grid[side] and dies[side] > 1 and axis.size % dies[side] == 0:
            inner, outer = axis.parts(dies[side])
            found += [inner, replace(outer, crossing=crossing(outer, grid, target))]
        else:
            found.append(axis)
    return [axis for axis in found if axis.size > 1]


def terms_of(source: Layout) -> Layout:
    """The layout of one term of a reduction: the dimensions from 1 on."""
    return replace(source, shape=source.shape[1:], dims=source.dims[1:])


def shards_of(full: Layout, shard: Layout, dim: int) -> Shards:
    """How the shards of one dimension lie in the tensor that has it whole."""
    inner = full.strides[dim]
    return Shards(
        slot=shard.dims[dim].step * inner,
        limit=full.shape[dim] * inner,
        outer=prod(full.physical[:dim]),
        outer_stride=full.dims[dim].physical * inner,
        own_stride=shard.dims[dim].physical * inner,
    )


def needs_clearing(op: CollectiveOp) -> bool:
    """True where a result's buffer has a tail that no move writes and that must be zero: only
    behind the elements of its last dimension, if that is the one scattered or gathered."""
    source, result = op.layouts()
    if isinstance(op, AllReduceOp):
        return False
    before = source.dims[1:] if isinstance(op, ReduceScatterOp) else source.dims
    if before[-1] == result.dims[-1]:
        return False
    start, stop = result.boxes()
    return bool(((stop - start)[:, -1] != result.dims[-1].physical).any())


def staging_layout(like: Layout, size: int) -> Layout:
    """A buffer of at least `size` bytes on every node."""
    elements = max(size, LINE) // like.item
    return Layout((elements,), (whole(elements),), like.fmt, like.grid)


def mesh_bytes(moves: np.ndarray) -> int:
    away = moves[moves["src_node"] != moves["dst_node"]]
    return int((away["bytes"].astype(np.int64) * away["count0"] * away["count1"]).sum())
