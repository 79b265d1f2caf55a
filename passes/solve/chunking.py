"""How a contraction is cut along its contracted dim, so that transfers hide behind products.

Plain data in and out: cycles and sizes of one product on a node; gives elements a chunk.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

GRANULE = 16
"""Chunks are whole granules of the contracted dim, so that no chunk but the last has a tail."""
LEAST = 64
"""Elements below which a chunk is mostly sums brought in and out."""
MOST_CHUNKS = 64
BLOCK = 64
"""Elements of an 8 x 8 block of sums."""
SUM = 5
"""Cycles of zeroing, reading, adding and storing one more block of sums."""
CALL = 80
GAIN = 0.97
"""A cut has to bring the cycles below this share of what they are without."""


@dataclass(frozen=True)
class Product:
    """batch x rows x columns x depth on the busiest node; cycles of the exchanges that bring its
    operands whole."""

    batch: int
    rows: int
    columns: int
    depth: int
    exchanges: tuple[int, ...]

    @property
    def blocks(self) -> int:
        return self.batch * ceil(self.rows / 8) * ceil(self.columns / 8)


def cycles(product: Product, chunk: int, start: int) -> float:
    """Cycles of the product in chunks: the first chunk's transfer, then transfer and product side
    by side, then the last product. `start` is what an exchange takes however short it is."""
    count = ceil(product.depth / chunk)
    moving = sum(max(each - start, 0) for each in product.exchanges)
    brought = moving * chunk / product.depth + start * len(product.exchanges)
    multiplied = product.blocks * (ceil(min(chunk, product.depth) / 4) + SUM) + CALL
    return brought + (count - 1) * max(brought, multiplied) + multiplied


def chunks_of(product: Product, start: int) -> int:
    """Elements of the contracted dim a chunk; all of them where no cut is worth it."""
    whole = cycles(product, product.depth, start)
    sizes = {
        ceil(ceil(product.depth / count) / GRANULE) * GRANULE for count in range(2, MOST_CHUNKS + 1)
    }
    offered = sorted(size for size in sizes if LEAST <= size < product.depth)
    best = min(offered, key=lambda size: cycles(product, size, start), default=product.depth)
    return best if cycles(product, best, start) < GAIN * whole else product.depth


RESERVED = 96 << 10
"""Bytes of SRAM for parameter tables, alignment and small operands."""


@dataclass(frozen=True)
class Panels:
    """rows x columns x depth of a whole product, bytes of an element of its operands and of its
    result, and the grid that shares it out."""

    sides: tuple[int, int]
    depth: int
    item: int
    result_item: int
    grid: tuple[int, int]

    @property
    def local(self) -> tuple[int, int]:
        """Rows and columns of a node, in whole blocks."""
        rows, columns = (
            ceil(ceil(size / nodes) / 8) * 8
            for size, nodes in zip(self.sides, self.grid, strict=True)
        )
        return rows, columns


def depth_that_fits(panels: Panels, sram: int) -> int:
    """The most elements of the contracted dim of which two slices of both panels fit a node; all of
    them where the panels fit whole, or where nothing does.

    Slices are even, so that the last is not a thin one.
    """
    rows, columns = panels.local
    nodes = panels.grid[0] * panels.grid[1]
    homes = sum(panels.sides) * panels.depth * panels.item / nodes
    result = rows * columns * (4 + panels.result_item)
    left = sram - RESERVED - homes - result
    each = (rows + columns) * panels.item
    if each * panels.depth <= left:
        return panels.depth
    fitting = int(left / (2 * each)) // GRANULE * GRANULE
    if fitting < LEAST:
        return panels.depth
    count = ceil(panels.depth / fitting)
    return ceil(ceil(panels.depth / count) / GRANULE) * GRANULE
