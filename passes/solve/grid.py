"""The logical grid: the largest R x C grid of live nodes whose rows are rows of the machine.

Dead nodes are skipped within a row, so that logical neighbours in a row stay neighbours or stand
two apart, and logical columns lean by at most the dead nodes to their left.
"""

from __future__ import annotations

import numpy as np

from dojocc.runtime.errors import DoesNotFit
from dojocc.runtime.mesh.routes import connected
from dojocc.runtime.target import Target


def logical_grid(target: Target) -> np.ndarray:
    """Physical node ids (row * cols + col), int64 [R, C].

    Of all C, the rows with at least C usable nodes give R; the largest R * C wins, and of equal
    ones the one with more rows. A usable node is alive and can reach the others.
    """
    usable = connected(target)
    counts = usable.sum(1)
    widths = np.arange(1, target.cols + 1)
    heights = (counts[None, :] >= widths[:, None]).sum(1)
    area = heights * widths
    if not area.any():
        raise DoesNotFit(f"target {target.name} has no usable node")
    width = int(widths[area == area.max()][0])  # the narrowest has the most rows
    ids = np.arange(target.positions, dtype=np.int64).reshape(target.rows, target.cols)
    rows = [ids[row][usable[row]][:width] for row in np.flatnonzero(counts >= width)]
    return np.stack(rows)


def spare_nodes(target: Target) -> np.ndarray:
    """Ids of the live nodes outside the logical grid, ascending."""
    return np.setdiff1d(target.live_nodes(), logical_grid(target).reshape(-1))
