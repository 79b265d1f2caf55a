"""The logical grid: R x C live nodes that stand for a whole grid, near their places in it.

Each die gives a block of the same size if it can, so that the grid's parts are the machine's; where
some dies have lost more than others, the grid is laid over all of them at once. A block keeps the
rows (or the columns) of the machine: where a row has too few live nodes it borrows from the rows
next to it, in the columns where it has gaps (grid_rows.py).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from dojocc.passes.solve.grid_rows import borrowed_rows
from dojocc.runtime.errors import DoesNotFit
from dojocc.runtime.mesh.routes import connected
from dojocc.runtime.target import Target

WORTH = 1.05
"""How much larger a grid whose parts are not the dies must be to be taken all the same."""


def logical_grid(target: Target) -> np.ndarray:
    """Physical node ids (row * cols + col), int64 [R, C].

    A usable node is alive and can reach the others. Of all shapes with R and C at most the
    machine's that the usable nodes can fill, the one with most nodes; of equal ones the one with
    more rows. DoesNotFit without any usable node.
    """
    return _grid(target).copy()


def spare_nodes(target: Target) -> np.ndarray:
    """Ids of the live nodes outside the logical grid, ascending."""
    return np.setdiff1d(target.live_nodes(), _grid(target).reshape(-1))


@lru_cache(maxsize=32)
def _grid(target: Target) -> np.ndarray:
    usable = connected(target) & target.live()
    if not usable.any():
        raise DoesNotFit(f"target {target.name} has no usable node")
    ids = np.arange(target.positions, dtype=np.int64)
    dies = (target.rows // target.die.rows, target.cols // target.die.cols)
    chosen = largest_of_blocks(usable, (target.die.rows, target.die.cols), (1, 1))
    for parts, worth in ((dies, 1.0), ((1, 1), WORTH)):
        least = 0 if chosen is None else int(chosen.size * worth)
        if usable.sum() > least:
            found = largest_of_blocks(usable, usable.shape, parts, least)
            chosen = chosen if found is None else found
    assert chosen is not None
    return ids[chosen]


def largest_of_blocks(
    usable: np.ndarray, block: tuple[int, ...], parts: tuple[int, int], least: int = 0
) -> np.ndarray | None:
    """Flat positions, [R, C], of the largest grid made of equal grids in equal blocks.

    Rows and columns of a block's grid are multiples of `parts`. None if none of more than `least`
    nodes is found.
    """
    rows, cols = block
    down, right = usable.shape[0] // rows, usable.shape[1] // cols
    blocks = usable.reshape(down, rows, right, cols).swapaxes(1, 2).reshape(-1, rows, cols)
    kinds, member = np.unique(blocks, axis=0, return_inverse=True)
    for height, width in shapes(int(kinds.sum((1, 2)).min()), (rows, cols), parts):
        if height * width * len(blocks) <= least:
            return None
        found = [block_grid(kind, height, width) for kind in kinds]
        if all(each is not None for each in found):
            part = np.stack([each for each in found if each is not None])[member.reshape(-1)]
            row, col = np.divmod(part, cols)
            row = row.reshape(down, right, height, width)
            col = col.reshape(down, right, height, width)
            row = row + np.arange(down)[:, None, None, None] * rows
            col = col + np.arange(right)[None, :, None, None] * cols
            place = (row * usable.shape[1] + col).swapaxes(1, 2)
            return place.reshape(down * height, right * width)
    return None


def shapes(nodes: int, largest: tuple[int, int], parts: tuple[int, int]) -> list[tuple[int, int]]:
    """Shapes of at most that many nodes, the largest first, of equal ones that with more rows."""
    heights, widths = (
        range(part, size + 1, part) for size, part in zip(largest, parts, strict=True)
    )
    every = [(r, c) for r in heights for c in widths if r * c <= nodes]
    return sorted(every, key=lambda shape: (-shape[0] * shape[1], -shape[0]))


def block_grid(usable: np.ndarray, height: int, width: int) -> np.ndarray | None:
    """Flat positions [height, width] in one block: by its rows if they can, else by its columns."""
    found = borrowed_rows(usable, height, width)
    if found is None:
        turned = borrowed_rows(usable.T, width, height)
        if turned is None:
            return None
        col, row = np.divmod(turned, usable.shape[0])
        found = (row * usable.shape[1] + col).T
    return found
