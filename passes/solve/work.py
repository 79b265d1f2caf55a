"""Work: one kernel as plain data: loops, how tensors are read and written over them, its units.

Takes nothing from the IR; passes/shard.py makes `Work` from ops. A choice gives every loop the grid
axes that share it out; `operand_layout` turns a choice into the layout a tensor needs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, gcd, prod

from dojocc.passes.solve.physical import physical_shape, round_up
from dojocc.runtime.axes import UNSPLIT, axis_size
from dojocc.runtime.layout import DimShard, Layout

Grid = tuple[int, int]


@dataclass(frozen=True)
class Choice:
    """Grid axes by loop, and the outer parts of the grid that they are digits of."""

    axes: tuple[tuple[str, ...], ...]
    split: tuple[int, int] = UNSPLIT

    def shards(self, loop: int, grid: Grid) -> int:
        """How many blocks a loop is shared out in."""
        return prod(axis_size(axis, grid, self.split) for axis in self.axes[loop])


@dataclass(frozen=True)
class Loop:
    """One loop: `granule` is what its blocks are rounded up to when it is shared out."""

    name: str
    size: int
    shardable: bool
    granule: int = 1
    reduction: bool = False


@dataclass(frozen=True)
class Index:
    """One dimension of a tensor over the loops: sum of (loop, coefficient), plus offset."""

    terms: tuple[tuple[int, int], ...]
    offset: int = 0


@dataclass(frozen=True)
class Access:
    """How a tensor is read or written. `maps` is None where it is needed whole.

    The last three are the arguments of `physical_shape`.
    """

    name: str
    shape: tuple[int, ...]
    fmt: str
    maps: tuple[tuple[Index, ...], ...] | None
    matrix_result: bool = False
    depth_dim: int | None = None
    narrow_last: bool = False


@dataclass(frozen=True)
class Kernel:
    """Which loops lie along the machine's units; None where no loop does.

    A matrix kernel runs blocks of 8 rows x 8 columns x 4 deep. A vector kernel runs `root`
    instructions for every 16 points along its lanes loop. Either runs `weight` more for every 16
    elements of the result.
    """

    unit: str  # "matrix" or "vector"
    rows: int | None = None
    columns: int | None = None
    depth: int | None = None
    lanes: int | None = None
    root: float = 1.0
    weight: float = 1.0


@dataclass(frozen=True)
class Work:
    """One kernel to be shared out over the grid."""

    loops: tuple[Loop, ...]
    operands: tuple[Access, ...]
    results: tuple[Access, ...]
    kernel: Kernel


def block(loop: Loop, shards: int) -> int:
    """How much of a loop one node does at most."""
    if shards == 1:
        return loop.size
    return round_up(ceil(loop.size / shards), loop.granule)


def tensor_granule(coefficient: int, multiple: int) -> int:
    """Least block of a loop that makes steps of a tensor dimension a multiple."""
    return multiple // gcd(coefficient, multiple)


def _dim_shard(index: Index, work: Work, choice: Choice, grid: Grid) -> DimShard | None:
    """The shard of one tensor dimension under one map; None where it has to be whole."""
    shared = [(loop, scale) for loop, scale in index.terms if choice.axes[loop]]
    if len(shared) != 1 or shared[0][1] < 1:
        return None
    loop, scale = shared[0]
    size = block(work.loops[loop], choice.shards(loop, grid))
    low, extent = index.offset, (size - 1) * scale + 1
    for other, factor in index.terms:
        if other != loop:
            span = (work.loops[other].size - 1) * factor
            low, extent = low + min(span, 0), extent + abs(span)
    return DimShard(choice.axes[loop], size * scale, low, extent, extent)


def _whole_range(dims: list[DimShard], size: int, shards: int) -> DimShard:
    """One shard that contains all of `dims` and leaves no element of the dimension out."""
    axes, step = dims[0].axes, dims[0].step
    low = min(0, *(dim.offset for dim in dims))
    high = max(dim.offset + dim.extent for dim in dims)
    high = max(high, low + step)
    reached = (shards - 1) * step + high
    extent = high - low + max(0, size - reached)
    return DimShard(axes, step, low, extent, extent)


def access_layout(access: Access, work: Work, choice: Choice, grid: Grid) -> Layout:
    """The layout a tensor needs for a choice."""
    dims = []
    for number, size in enumerate(access.shape):
        whole = DimShard((), 0, 0, size, size)
        if access.maps is None or not access.maps:
            dims.append(whole)
            continue
        found = [_dim_shard(each[number], work, choice, grid) for each in access.maps]
        shards = [dim for dim in found if dim is not None]
        if len(shards) < len(found) or len({(dim.axes, dim.step) for dim in shards}) > 1:
            dims.append(whole)
            continue
        count = prod(axis_size(axis, grid, choice.split) for axis in shards[0].axes)
        dims.append(_whole_range(shards, size, count))
    once = tuple(_once(dims, access))
    return with_physical(access, Layout(access.shape, once, access.fmt, grid, choice.split))


def _once(dims: list[DimShard], access: Access) -> list[DimShard]:
    """A grid axis may share out one dimension only; a second one is held whole."""
    used: set[str] = set()
    result = []
    for dim, size in zip(dims, access.shape, strict=True):
        if used & set(dim.axes):
            dim = DimShard((), 0, 0, size, size)
        used |= set(dim.axes)
        result.append(dim)
    return result


def with_physical(access: Access, layout: Layout) -> Layout:
    """The layout with the physical sizes of passes/solve/physical.py."""
    physical = physical_shape(
        tuple(dim.extent for dim in layout.dims),
        matrix_result=access.matrix_result,
        depth_dim=access.depth_dim,
        narrow_last=access.narrow_last,
    )
    dims = tuple(
        DimShard(dim.axes, dim.step, dim.offset, dim.extent, size)
        for dim, size in zip(layout.dims, physical, strict=True)
    )
    return replace(layout, dims=dims)


def spread_work(shape: tuple[int, ...], fmt: str) -> Work:
    """Work that writes a tensor once: its candidates are layouts that share the tensor out."""
    last = len(shape) - 1
    loops = tuple(
        Loop(f"d{number}", size, True, 16 if number == last else 1)
        for number, size in enumerate(shape)
    )
    maps = (tuple(Index(((number, 1),)) for number in range(len(shape))),)
    kernel = Kernel("vector", lanes=last if shape else None)
    return Work(loops, (), (Access("result 0", shape, fmt, maps),), kernel)
