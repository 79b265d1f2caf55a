"""Loads that flows put on links, summed without a row for every link that each of them crosses.

A leg is a walk along x, then along y. What it adds to a row of links begins at its first column and
ends at its last: two entries, of which running sums are the loads. So a million flows of a hundred
links each take millions of steps, where spelling their links out takes a hundred times as many.
"""

from __future__ import annotations

import numpy as np

from dojocc.runtime.mesh.detours import turning_nodes
from dojocc.runtime.mesh.routes import EAST, NORTH, SOUTH, WEST, clear, link_properties
from dojocc.runtime.target import Target


def busiest_way(
    target: Target, src: np.ndarray, dst: np.ndarray, packets: np.ndarray
) -> tuple[float, float]:
    """(cycles of the busiest link, cycles of the longest way without load) of flows that go x, then
    y, or turn where routers let them.

    Of the few that need a third leg the first two are taken to be one.
    """
    begin, end, owner = legs_of(target, src, dst)
    loads = leg_loads(target, begin, end, packets[owner])
    width, _ = link_properties(target)
    cycles = loads * (target.mesh.packet_bytes / width)
    delay = np.bincount(owner, leg_delays(target, begin, end), len(src))
    return float(cycles.max(initial=0.0)), float(delay.max(initial=0.0))


def legs_of(
    target: Target, src: np.ndarray, dst: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(begin, end, the flow) of every leg."""
    via = np.full(len(src), -1, np.int64)
    blocked = np.flatnonzero(~clear(target, src, dst))
    via[blocked] = turning_nodes(target, src[blocked], dst[blocked])
    turns = np.flatnonzero(via >= 0)
    first = np.where(via >= 0, via, dst)
    owner = np.concatenate([np.arange(len(src)), turns])
    return np.concatenate([src, via[turns]]), np.concatenate([first, dst[turns]]), owner


def leg_loads(
    target: Target, begin: np.ndarray, end: np.ndarray, packets: np.ndarray
) -> np.ndarray:
    """Packets through every link [positions * 4] of legs."""
    rows, cols = target.rows, target.cols
    row, col = np.divmod(begin, cols)
    to_row, to_col = np.divmod(end, cols)
    loads = np.zeros((rows, cols, 4))
    for direction, start, stop in ((EAST, col, to_col), (WEST, to_col, col)):
        loads[:, :, direction] = along(row, start, stop, packets, (rows, cols), direction == WEST)
    for direction, start, stop in ((SOUTH, row, to_row), (NORTH, to_row, row)):
        found = along(to_col, start, stop, packets, (cols, rows), direction == NORTH)
        loads[:, :, direction] = found.T
    return loads.reshape(-1)


def along(
    line: np.ndarray,
    start: np.ndarray,
    stop: np.ndarray,
    packets: np.ndarray,
    shape: tuple[int, int],
    back: bool,
) -> np.ndarray:
    """[lines, places]: packets that leave each place of each line, of walks from `start` up to
    `stop` where that lies further on. `back`: the walks go the other way, from `stop` to `start`.
    """
    some = stop > start
    line, start, stop, packets = line[some], start[some], stop[some], packets[some]
    width = shape[1] + 1
    size = shape[0] * width
    change = np.bincount(line * width + start + back, packets, size)
    change -= np.bincount(line * width + stop + back, packets, size + 1)[:size]
    return np.cumsum(change.reshape(shape[0], width), 1)[:, : shape[1]]


def leg_delays(target: Target, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Cycles of every leg without load."""
    rows, cols = target.rows, target.cols
    _, delay = link_properties(target)
    delay = delay.reshape(rows, cols, 4)
    row, col = np.divmod(begin, cols)
    to_row, to_col = np.divmod(end, cols)
    before = np.zeros((rows, cols + 1))
    before[:, 1:] = np.cumsum(delay[:, :, EAST], 1)
    above = np.zeros((rows + 1, cols))
    above[1:] = np.cumsum(delay[:, :, SOUTH], 0)
    return np.abs(before[row, to_col] - before[row, col]) + np.abs(
        above[to_row, to_col] - above[row, to_col]
    )
