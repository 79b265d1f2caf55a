"""Transfer lists: the rows that a program holds, and the entries that its nodes carry out.

A row stands for the same entry on many nodes, and for many like it on one: up to three nested
repetitions, each a count and what node, peer, source and destination move by. Nodes' entries
follow from rows by `entries_of_rows`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dojocc.runtime.folds import sorting
from dojocc.runtime.repeats import copied, repeat_counts, repeated, unrepeated
from dojocc.runtime.segments import STRIDED
from dojocc.runtime.whole_rows import picked

PUSH, PULL, DRAM_LOAD, DRAM_STORE = range(4)
NO_SEMAPHORE = 255
LEVELS = 3
MOVING = ("node", "peer", "src", "dst")
"""Fields that a repetition moves, each by `<field>_step<level>`."""
LARGEST_LISTS = 1 << 26
"""Entries that all rows of a program may stand for together: 5.8 GB when they are spelt out."""

# What one node carries out: count1 x count0 runs of `bytes`, then one post to each semaphore.
# A push is carried out for `peers` nodes, `peer`, `peer` + `peer_stride`, ..., in no fixed order,
# each a whole transfer of its own: `far_sem` rises by one at each of them, `home_sem` by `peers` at
# home. Transfers of any other kind have one peer. A DIP has no semaphores: of a transfer with DRAM
# only `home_sem` rises, at the node.
ENTRY_DTYPE = np.dtype(
    [
        ("list", "<u4"),
        ("cls", "<u2"),
        ("node", "<u4"),
        ("kind", "u1"),
        ("peer_cls", "<u2"),
        ("peer", "<u4"),
        ("peers", "<u4"),
        ("peer_stride", "<u4"),
        ("src", "<u8"),
        ("dst", "<u8"),
        *STRIDED,
        ("far_sem", "u1"),
        ("home_sem", "u1"),
    ]
)
LEVEL_FIELDS = tuple(
    (f"{name}{level}", dtype)
    for level in range(LEVELS)
    for name, dtype in (
        ("repeat", "<u4"),
        ("node_step", "<i4"),
        ("peer_step", "<i4"),
        ("src_step", "<i8"),
        ("dst_step", "<i8"),
    )
)
# One row of a program's lists: repeat2 x repeat1 x repeat0 entries, the first as its fields say,
# the others moved by the steps of each level.
LIST_DTYPE = np.dtype(
    [*((name, ENTRY_DTYPE[name]) for name in ENTRY_DTYPE.names or ()), *LEVEL_FIELDS]
)


def rows_of_entries(entries: np.ndarray) -> np.ndarray:
    """LIST_DTYPE rows of ENTRY_DTYPE entries, each a row that is not repeated."""
    return unrepeated(entries, LIST_DTYPE, LEVELS)


def entry_counts(rows: np.ndarray) -> np.ndarray:
    """How many entries each row stands for."""
    return repeat_counts(rows, LEVELS)


def entries_of_rows(rows: np.ndarray, sizes: Sequence[int], dips: int) -> np.ndarray:
    """All entries (ENTRY_DTYPE) by list, class and node, a node's in the order it starts them in.

    sizes: nodes of each class. A node starts its entries of a list by turn, (peer - node) modulo
    the nodes of the peer's class (or the DIPs), so that no two nodes go through their peers in
    lock-step; those of one turn by `dst`, then in the order of the rows and of their repetitions.
    The rows must have been checked (program_checks.check_lists).
    """
    owner, moved = repeated(rows, MOVING, LEVELS)
    dram = rows["kind"] >= DRAM_LOAD
    peers = np.where(dram, dips, np.array(sizes)[np.where(dram, 0, rows["peer_cls"])])
    turn = (moved["peer"] - moved["node"]) % np.maximum(peers, 1)[owner]
    columns = [rows["list"][owner], rows["cls"][owner], moved["node"], turn, moved["dst"]]
    order = sorting(columns)
    result = picked(copied(rows, ENTRY_DTYPE), owner[order])
    for name in MOVING:
        result[name] = moved[name][order]
    return result
