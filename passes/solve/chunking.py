"""How a contraction is cut along its contracted dim, so that transfers hide behind products.

Plain data in and out: cycles and sizes of one product on a node; gives elements a chunk.
"""

from __future__ import annotations

from collections.abc import Sequence
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


RAMPS = (1.25, 1.5, 2.0, 3.0)
"""How many times deeper a slice is than the one before, until slices are full."""
STEEPEST = 4
"""Slices that are not full."""
TURN = 36
"""Cycles of a transfer's turn along a row or column of the grid besides its bytes."""
CROWDED = 2.0
"""How many times longer a panel takes than its bytes through one port: links beside dead nodes
carry two of them."""
LINK = 64


def slices_of(panels: Panels, size: int) -> list[int]:
    """Depths of the slices, at most `size` each: even ones, or, where that hides more of the first
    transfer, thin ones that grow.

    Nothing hides how long the first slice takes to come; each further one comes while that before
    it is multiplied.
    """
    count = ceil(panels.depth / size)
    offered = [even_slices(panels.depth, size)]
    for ramp in RAMPS:
        for thin in range(1, STEEPEST + 1):
            shares = [ramp ** (n - thin) for n in range(thin)]
            for full in range(max(count - thin, 1), count + 1):
                found = shared_out(panels.depth, [*shares, *[1.0] * full])
                if max(found) <= size and min(found) >= LEAST:
                    offered.append(found)
    return min(offered, key=lambda each: (chain_cycles(panels, each), len(each)))


def even_slices(depth: int, size: int) -> list[int]:
    return [min(size, depth - start) for start in range(0, depth, size)]


def shared_out(depth: int, shares: Sequence[float]) -> list[int]:
    """The depth cut in proportion to shares, in whole granules, equal ones alike; the last takes
    what is left."""
    unit = depth / sum(shares)
    sizes = [ceil(share * unit / GRANULE) * GRANULE for share in shares[:-1]]
    return [*sizes, depth - sum(sizes)]


def chain_cycles(panels: Panels, slices: Sequence[int]) -> float:
    """About how long the chain takes: the first slice's transfer, then transfers beside products.

    Panels go round rows and columns of the grid at once, through the same ports.
    """
    rows, columns = panels.local
    blocks = rows * columns / BLOCK
    wide = (rows + columns) * panels.item / LINK * CROWDED

    def moved(depth: int) -> float:
        return max(panels.grid) * TURN + depth * wide

    def multiplied(depth: int) -> float:
        return blocks * (ceil(depth / 4) + SUM) + CALL

    total = moved(slices[0])
    for depth, after in zip(slices, slices[1:], strict=False):
        total += max(multiplied(depth), moved(after))
    return total + multiplied(slices[-1])


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
