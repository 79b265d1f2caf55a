"""Transfer lists written short: like entries of many nodes become one row (runtime/lists.py)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dojocc.runtime.folds import by_keys, openings, packed, sorting, strided
from dojocc.runtime.lists import ENTRY_DTYPE, LEVELS, LIST_DTYPE, MOVING
from dojocc.runtime.whole_rows import joined, picked

FIXED = tuple(name for name in ENTRY_DTYPE.names or () if name not in MOVING)
"""Fields that are the same in all entries of a row."""


def folded(entries: np.ndarray, columns: int) -> np.ndarray:
    """Rows (LIST_DTYPE, by list and class) that stand for just these entries (ENTRY_DTYPE).

    columns: of the grid of nodes. Entries are put in an order in which neighbours are at equal
    steps, and folded; what came of it is sorted and folded again, once a level. Two orders are
    tried, and each list takes that with fewer rows: by buffer offset, which suits nodes that
    do alike, then down the columns of the grid; and by column and peer, which suits nodes that
    scatter.
    """
    if not len(entries):
        return np.zeros(0, LIST_DTYPE)
    alike = numbered([entries[name] for name in FIXED])
    row, col = np.divmod(entries["node"].astype(np.int64), columns)
    peer, src, dst = (entries[name].astype(np.int64) for name in MOVING[1:])
    tried = [
        folded_in_order(entries, alike, sorting([alike, *by]))
        for by in ([src, dst, col, row, peer], [col, peer, row])
    ]
    sizes = [np.bincount(rows["list"], minlength=int(entries["list"].max()) + 1) for rows in tried]
    best = np.argmin(sizes, 0)
    rows = joined(
        LIST_DTYPE, [picked(part, best[part["list"]] == n) for n, part in enumerate(tried)]
    )
    return picked(rows, sorting([rows[name] for name in ("list", "cls", "node", "dst", "peer")]))


def folded_in_order(entries: np.ndarray, alike: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Rows of the entries, the innermost level folded in this order; `alike` numbers those that
    may be folded."""
    same: list[np.ndarray] = [alike[order]]
    moving = [entries[name].astype(np.int64)[order] for name in MOVING]
    levels: list[np.ndarray] = []
    for level in range(LEVELS):
        if level:
            by = sorting([*same, *moving])
            same, moving, levels, order = (
                [column[by] for column in same],
                [column[by] for column in moving],
                [column[by] for column in levels],
                order[by],
            )
        first, count, steps = strided(openings(same), moving)
        fresh = [count, *steps]
        same = [*(column[first] for column in same), *fresh]
        levels = [*(column[first] for column in levels), *fresh]
        moving = [column[first] for column in moving]
        order = order[first]
    rows = np.zeros(len(order), LIST_DTYPE)
    for name in ENTRY_DTYPE.names or ():
        rows[name] = entries[name][order]
    names = LIST_DTYPE.names or ()
    for name, column in zip(names[len(ENTRY_DTYPE.names or ()) :], levels, strict=True):
        rows[name] = column
    return rows


def numbered(columns: Sequence[np.ndarray]) -> np.ndarray:
    """One number for several columns: equal exactly where all of them are, in their order."""
    keys, rows = packed(columns), len(columns[0])
    order = by_keys(keys, rows)
    number = np.zeros(rows, np.int64)
    if keys:
        number[order] = np.cumsum(openings([key[order] for key in keys]))
    return number
