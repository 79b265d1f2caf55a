"""Layout: where the elements of one tensor live on a grid of nodes, and how each node stores its
part.

Takes a global shape, one `DimShard` per dimension and a storage format; gives boxes, strides, and
the copy of a host array into (or out of) the nodes' SRAM bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import prod

import numpy as np

from dojocc.runtime.axes import AXES, UNSPLIT, grid_index, shards_along, used_split
from dojocc.runtime.formats import FORMATS, decode, encode

LANES = 16


@dataclass(frozen=True)
class DimShard:
    """Node with shard index i (over `axes`, the first the slowest) holds [i*step + offset, +
    extent), clipped.

    `extent` is the same on every node; `physical` >= extent is what the buffer reserves.
    """

    axes: tuple[str, ...]
    step: int
    offset: int
    extent: int
    physical: int

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.axes, self.step, self.offset, self.extent, self.physical))

    def __post_init__(self) -> None:
        if any(axis not in AXES for axis in self.axes) or len(set(self.axes)) != len(self.axes):
            raise ValueError(f"sharding axes must be distinct names from {AXES}, not {self.axes}")
        for axis, following in pairwise(self.axes):
            if (axis, following) in (("outer_row", "inner_row"), ("outer_col", "inner_col")):
                raise ValueError(f"{axis} {following} is written {axis.removeprefix('outer_')}")
        if self.extent < 0 or self.physical < self.extent or self.step < 0:
            raise ValueError(f"a shard needs 0 <= extent <= physical and step >= 0: {self}")


def whole(size: int, physical: int | None = None) -> DimShard:
    """The dimension is held whole by every node."""
    return DimShard((), 0, 0, size, size if physical is None else physical)


def row_major(shape: tuple[int, ...], like: Layout) -> Layout:
    """A tensor as a whole without pads, as it lies in DRAM; format and grid are those of `like`."""
    return Layout(shape, tuple(map(whole, shape)), like.fmt, like.grid)


@dataclass(frozen=True)
class Layout:
    """A tensor of `shape` in storage format `fmt` over a grid of R x C nodes (row-major node
    index).

    `split`: how many outer parts the grid's rows and columns are seen as; 1 where no dimension is
    sharded over an outer or inner axis of that side (runtime/axes.py).
    """

    shape: tuple[int, ...]
    dims: tuple[DimShard, ...]
    fmt: str
    grid: tuple[int, int]
    split: tuple[int, int] = UNSPLIT

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.shape, self.dims, self.fmt, self.grid, self.split))

    def __post_init__(self) -> None:
        if len(self.shape) != len(self.dims):
            raise ValueError(f"layout has {len(self.dims)} dimensions for shape {self.shape}")
        used = [axis for dim in self.dims for axis in dim.axes]
        object.__setattr__(self, "split", used_split(used, self.grid, self.split))

    @property
    def nodes(self) -> int:
        return self.grid[0] * self.grid[1]

    @property
    def item(self) -> int:
        """Bytes of one element."""
        return FORMATS[self.fmt].bytes

    @property
    def physical(self) -> tuple[int, ...]:
        return tuple(dim.physical for dim in self.dims)

    @property
    def strides(self) -> tuple[int, ...]:
        """Byte stride of each dimension in a node's buffer (row-major over `physical`)."""
        return tuple(self.item * prod(self.physical[i + 1 :]) for i in range(len(self.dims)))

    @cached_property
    def bytes(self) -> int:
        """Bytes one node reserves for the buffer."""
        return self.item * prod(self.physical)

    def shards(self, dim: DimShard) -> int:
        """How many shards `dim` has."""
        return shards_along(dim.axes, self.grid, self.split)

    def index(self, dim: DimShard) -> np.ndarray:
        """Shard index of every node along `dim`, shape [nodes]; the number of shards, one past the
        end, on nodes that belong to no part.
        """
        return np.broadcast_to(grid_index(dim.axes, self.grid, self.split), self.grid).flatten()

    def origin(self) -> np.ndarray:
        """Global index of local element 0, per node and dimension; negative inside a halo. Shape
        [nodes, rank], each dimension's contiguous.
        """
        columns = [self.index(dim) * dim.step + dim.offset for dim in self.dims]
        return np.array(columns, np.int64).reshape(len(columns), self.nodes).T

    def boxes(self) -> tuple[np.ndarray, np.ndarray]:
        """(start, stop), each [nodes, rank]: the part of the tensor a node really holds
        (clipped; may be empty).
        """
        start = self.origin()
        stop = start + np.array([dim.extent for dim in self.dims], np.int64)
        shape = np.array(self.shape, np.int64)
        stop = np.clip(stop, 0, shape)
        return np.minimum(np.clip(start, 0, shape), stop), stop

    def distinct_boxes(self) -> tuple[np.ndarray, np.ndarray]:
        """(node, group): one representative node per distinct box and origin, and every node's
        group number. Nodes of a group have the same buffer content.
        """
        start, stop = self.boxes()
        key = np.concatenate([start, stop, self.origin()], 1)
        _, first, group = np.unique(key, axis=0, return_index=True, return_inverse=True)
        return first, group.reshape(-1)

    def same_place(self, other: Layout) -> bool:
        """True when every node holds the same elements under both layouts."""
        if self.shape != other.shape or self.grid != other.grid:
            return False
        return all(np.array_equal(a, b) for a, b in zip(self.boxes(), other.boxes(), strict=True))

    def parts(self) -> Iterator[tuple[int, np.ndarray, tuple[slice, ...], tuple[slice, ...]]]:
        """(representative node, nodes with the same content, slices of the tensor, slices of the
        buffer) for every distinct part; nodes that hold nothing have empty slices.
        """
        first, group = self.distinct_boxes()
        order = np.argsort(group, kind="stable")
        ends = np.cumsum(np.bincount(group, minlength=len(first)))
        for number, (node, place) in enumerate(
            zip(first.tolist(), self.places(first), strict=True)
        ):
            yield node, order[ends[number - 1] if number else 0 : ends[number]], *place

    def places(self, nodes: np.ndarray) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...]]]:
        """(slices of the tensor, slices of the buffer) of what each of some nodes holds."""
        start, stop = (box[nodes] for box in self.boxes())
        shift = start - self.origin()[nodes]
        ends = shift + stop - start
        for low, high, at, end in zip(
            *(x.tolist() for x in (start, stop, shift, ends)), strict=True
        ):
            yield tuple(map(slice, low, high)), tuple(map(slice, at, end))

    def write(self, array: np.ndarray, sram: np.ndarray, address: int) -> None:
        """Copy a host array (values) into SRAM bytes [nodes, sram_bytes] at `address` on every
        node; zero where a buffer holds nothing.
        """
        if tuple(array.shape) != self.shape:
            raise ValueError(
                f"array of shape {tuple(array.shape)} where the layout has {self.shape}"
            )
        codes = encode(array, self.fmt)
        for _, members, source, place in self.parts():
            buffer = np.zeros(self.physical, codes.dtype)
            buffer[place] = codes[source]
            content = buffer.reshape(-1).view(np.uint8)
            sram[evenly(members), address : address + self.bytes] = content

    def read(self, sram: np.ndarray, address: int) -> np.ndarray:
        """Gather the tensor (float32 or int32 values) from SRAM bytes [nodes, sram_bytes] at
        `address`.
        """
        fmt = FORMATS[self.fmt]
        result = np.zeros(self.shape, fmt.dtype)
        for node, _, source, place in self.parts():
            raw = np.ascontiguousarray(sram[node, address : address + self.bytes])
            result[source] = raw.view(fmt.dtype).reshape(self.physical)[place]
        return decode(result, self.fmt)


def evenly(nodes: np.ndarray) -> slice | np.ndarray:
    """Ascending node indexes as a slice where they are evenly spaced, else as they are."""
    if len(nodes) == 1:
        return slice(int(nodes[0]), int(nodes[0]) + 1)
    step = int(nodes[1] - nodes[0])
    if step > 0 and (np.diff(nodes) == step).all():
        return slice(int(nodes[0]), int(nodes[-1]) + 1, step)
    return nodes
