"""Exchange: which bytes go from which node to which, so that every node gets its part of a tensor.

Takes a destination layout, source layouts and an index map; gives transfer segments (segments.py).
The index map has the destination's shape and holds, for every element, its flat index into the
concatenated sources, or -1 for zero: an array, or the same in closed form (ElementMap).
"""

from __future__ import annotations

from hashlib import sha256

import numpy as np

from dojocc.passes.solve.exchange_elements import element_segments
from dojocc.passes.solve.exchange_separable import separable_table
from dojocc.passes.solve.holders import row_layout, view
from dojocc.passes.solve.segments import moved_bytes
from dojocc.runtime.element_map import ElementMap
from dojocc.runtime.layout import Layout
from dojocc.runtime.segments import TABLE_DTYPE, node_sums, spelt, table_of


def identity(layout: Layout) -> np.ndarray:
    """The index map of a pure re-sharding."""
    return np.arange(int(np.prod(layout.shape)), dtype=np.int64).reshape(layout.shape)


class Exchanges:
    """Solves exchanges, equal ones (as those of equal layers of a model are) once."""

    def __init__(self) -> None:
        self._known: dict[tuple, np.ndarray] = {}
        self._bare: dict[tuple, tuple[np.ndarray, np.ndarray]] = {}
        self._names: dict[int, str] = {}

    def name(self, table: np.ndarray) -> str:
        """A digest of all that a table follows from."""
        return self._names[id(table)]

    def table(
        self, dst: Layout, sources: tuple[Layout, ...], index: np.ndarray | ElementMap
    ) -> np.ndarray:
        """The table of an exchange; that of one met before is the same object."""
        if isinstance(index, ElementMap):
            digest = index.key()
        else:
            digest = sha256(index.astype(np.int64).tobytes()).digest()
        key = (dst, sources, index.shape, digest)
        if key not in self._known:
            found = exchange_table(dst, sources, index)
            self._names[id(found)] = sha256(repr(key).encode()).hexdigest()[:16]
            self._known[key] = found
        return self._known[key]

    def uncovered(self, dst: Layout, table: np.ndarray, zero_dims: tuple[int, ...]) -> np.ndarray:
        """`uncovered` below, remembered for tables that are kept anyway."""
        key = dst, id(table), zero_dims
        if key not in self._bare:
            self._bare[key] = uncovered(dst, table, zero_dims), table
        return self._bare[key][0]


def exchange_segments(
    dst: Layout, sources: tuple[Layout, ...], index: np.ndarray | ElementMap
) -> np.ndarray:
    """The segments (SEGMENT_DTYPE) of `exchange_table`, in order."""
    return spelt(exchange_table(dst, sources, index), dst.nodes)


def exchange_table(
    dst: Layout, sources: tuple[Layout, ...], index: np.ndarray | ElementMap
) -> np.ndarray:
    """The table (TABLE_DTYPE) of an exchange: a node takes from itself what it holds, else from the
    nearest holder."""
    if tuple(index.shape) != dst.shape:
        raise ValueError(f"index map of shape {index.shape} for a destination of {dst.shape}")
    for number, source in enumerate(sources):
        if source.fmt != dst.fmt or source.grid != dst.grid:
            raise ValueError(
                f"source {number} is {source.fmt} on {source.grid},"
                f" the destination {dst.fmt} on {dst.grid}: an exchange keeps format and grid"
            )
    total = sum(int(np.prod(source.shape)) for source in sources)
    if index.size and (index.min() < -1 or index.max() >= total):
        raise ValueError(f"index map reaches {index.min()}..{index.max()}, sources have {total}")
    if not index.size or index.max() < 0:
        return np.zeros(0, TABLE_DTYPE)
    dst = row_layout(dst)
    if not isinstance(index, ElementMap):
        index = np.asarray(index, np.int64)
    index = index.reshape(dst.shape)
    views = tuple(view(row_layout(source)) for source in sources)
    rows = separable_table(dst, views, index)
    if rows is not None:
        return rows
    listed = index.dense() if isinstance(index, ElementMap) else index
    return table_of(element_segments(dst, views, listed))


def uncovered(dst: Layout, table: np.ndarray, zero_dims: tuple[int, ...] = (-1,)) -> np.ndarray:
    """[nodes] True where a table's segments leave bytes that must not keep their old value.

    Those are the held elements, and the pads of `zero_dims` around them. Such a node has to fill
    the destination with zeros first. Segments of one exchange never write a byte twice.
    """
    dst = row_layout(dst)
    start, stop = dst.boxes()
    need = stop - start
    filled = (need > 0).all(1)
    for dim in {dim % len(dst.shape) for dim in zero_dims}:
        need[:, dim] = dst.dims[dim].physical
    written = node_sums(table, "dst_node", moved_bytes(table), dst.nodes)
    return filled & (written != need.prod(1) * dst.item)


def covers(dst: Layout, table: np.ndarray, zero_dims: tuple[int, ...] = (-1,)) -> bool:
    """True when no node has to fill the destination with zeros first."""
    return not uncovered(dst, table, zero_dims).any()


def network_bytes(segments: np.ndarray) -> int:
    """Bytes that cross the mesh: segments within a node are left out."""
    away = segments["dst_node"] != segments["src_node"]
    return int(moved_bytes(segments[away]).sum())


def busiest_bytes(segments: np.ndarray, nodes: int) -> int:
    """The most bytes any node receives or sends, its copies to itself included."""
    size = moved_bytes(segments).astype(float)
    ports = [np.bincount(segments[side], size, nodes) for side in ("dst_node", "src_node")]
    return int(max(port.max(initial=0) for port in ports))
