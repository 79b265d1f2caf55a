"""Which nodes hold an element: an interval of shard indices a dimension; the nearest is taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dojocc.runtime.axes import axis_size
from dojocc.runtime.layout import DimShard, Layout


@dataclass(frozen=True)
class SourceView:
    """A source layout as the exchange needs it; all arrays are over its sharded dimensions.

    `low[j][c]`, `high[j][c]`: first and last shard index along sharded dimension j that holds
    coordinate c; `own[j][n]`: node n's shard index; `shift[n]`: bytes of n's origin.
    """

    layout: Layout
    sharded: tuple[int, ...]
    low: tuple[np.ndarray, ...]
    high: tuple[np.ndarray, ...]
    own: tuple[np.ndarray, ...]
    shift: np.ndarray

    def nodes(
        self, reader: np.ndarray, low: list[np.ndarray], high: list[np.ndarray]
    ) -> np.ndarray:
        """The node each reader takes from: itself if it holds, else the nearest along each axis.

        Axes that shard nothing keep the reader's own row or column, or its digit of them, which
        spreads readers over replicas.
        """
        layout = self.layout
        columns = layout.grid[1]
        digits: dict[str, np.ndarray] = {}
        for j, dim in enumerate(self.sharded):
            index = np.clip(self.own[j][reader], low[j], high[j])
            for axis in reversed(layout.dims[dim].axes):
                index, digits[axis] = np.divmod(index, axis_size(axis, layout.grid, layout.split))
        row = self.place(0, reader // columns, digits)
        return row * columns + self.place(1, reader % columns, digits)

    def place(self, side: int, own: np.ndarray, digits: dict[str, np.ndarray]) -> np.ndarray:
        """The row (side 0) or column (side 1) of the nodes with these digits of axes that is
        nearest to the reader's own."""
        word, size = ("row", "col")[side], self.layout.grid[side]
        place = digits.get(word, own)
        if self.layout.split[side] == 1:
            return place
        inner = size // self.layout.split[side]
        outer = digits.get(f"outer_{word}", place // inner)
        within = outer * inner + digits.get(f"inner_{word}", place % inner)
        return np.where(within < size, within, within - inner)


def holders(dim: DimShard, size: int, shards: int) -> tuple[np.ndarray, np.ndarray]:
    """(first, last) shard index that holds each coordinate 0..size-1."""
    place = np.arange(size) - dim.offset
    if dim.step == 0:
        held = (place >= 0) & (place < dim.extent)
        low, high = np.zeros(size, np.int64), np.where(held, shards - 1, -1)
    else:
        high = np.minimum(place // dim.step, shards - 1)
        low = np.maximum(-((dim.extent - 1 - place) // dim.step), 0)
    if (low > high).any():
        first = int(np.flatnonzero(low > high)[0])
        raise ValueError(f"no node holds coordinate {first} of a dimension of {size}: {dim}")
    return low, high


def view(layout: Layout) -> SourceView:
    """Precompute the holders of one source."""
    low, high, own, sharded = [], [], [], []
    for number, (dim, size) in enumerate(zip(layout.dims, layout.shape, strict=True)):
        first, last = holders(dim, size, layout.shards(dim))
        if dim.axes:
            sharded.append(number)
            low.append(first)
            high.append(last)
            own.append(layout.index(dim))
    shift = layout.origin() @ np.array(layout.strides, np.int64)
    return SourceView(layout, tuple(sharded), tuple(low), tuple(high), tuple(own), shift)


def row_layout(layout: Layout) -> Layout:
    """A scalar's layout as that of a tensor of one element; others unchanged."""
    if layout.shape:
        return layout
    return Layout((1,), (DimShard((), 0, 0, 1, 1),), layout.fmt, layout.grid)


def is_whole(layout: Layout, dim: int) -> bool:
    """Every node holds this dimension whole, from its first element."""
    shard = layout.dims[dim]
    return (
        shard.offset == 0 and shard.extent == layout.shape[dim] and not (shard.axes and shard.step)
    )
