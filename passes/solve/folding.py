"""Transfer lists written short: like entries of many nodes become one row (runtime/lists.py)."""

from __future__ import annotations

import numpy as np

from dojocc.runtime.folds import numbered, openings, sorting, strided
from dojocc.runtime.lists import LEVEL_FIELDS, LEVELS, LIST_DTYPE, MOVING, rows_of_entries
from dojocc.runtime.whole_rows import joined, picked

STEPS = ("repeat", *(f"{name}_step" for name in MOVING))
"""Fields of a repetition, each with its level behind it."""


def folded(entries: np.ndarray, columns: int) -> np.ndarray:
    """Rows (LIST_DTYPE, by list and class) that stand for just these entries (ENTRY_DTYPE, or rows
    that are repeated already).

    columns: of the grid of nodes. Entries are put in an order in which neighbours are at equal
    steps, and folded; what came of it is sorted and folded again, once a level. Two orders are
    tried, and each list takes that with fewer rows: by buffer offset, which suits nodes that
    do alike, then down the columns of the grid; and by column and peer, which suits nodes that
    scatter.
    """
    if not len(entries):
        return np.zeros(0, LIST_DTYPE)
    names = set(entries.dtype.names or ()) - set(MOVING)
    alike = numbered([entries[name] for name in LIST_DTYPE.names or () if name in names])
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
    """Rows of the entries, folded in this order first, then in that of what came of it; `alike`
    numbers those that may be folded. A row's repetitions lie within those folded later."""
    moving = [entries[name].astype(np.int64)[order] for name in MOVING]
    alike = alike[order]
    first, count, steps = strided(openings([alike]) | full(entries)[order], moving)
    rows = as_rows(picked(entries, order[first]))
    repeat(rows, count, steps)
    alike = alike[first]
    for _ in range(LEVELS - 1):
        same = [alike, *(rows[name] for name, _ in LEVEL_FIELDS)]
        moving = [rows[name].astype(np.int64) for name in MOVING]
        by = sorting([*same, *moving])
        rows, alike = picked(rows, by), alike[by]
        opens = openings([column[by] for column in same]) | full(rows)
        first, count, steps = strided(opens, [column[by] for column in moving])
        rows, alike = picked(rows, first), alike[first]
        repeat(rows, count, steps)
    return rows


def as_rows(entries: np.ndarray) -> np.ndarray:
    """Rows, of rows or entries."""
    return entries if entries.dtype == LIST_DTYPE else rows_of_entries(entries)


def full(rows: np.ndarray) -> np.ndarray:
    """Boolean: which rows are repeated at every level."""
    if rows.dtype != LIST_DTYPE:
        return np.zeros(len(rows), bool)
    return rows[f"repeat{LEVELS - 1}"] > 1


def repeat(rows: np.ndarray, count: np.ndarray, steps: list[np.ndarray]) -> None:
    """Set the lowest level that a row does not use, where it is repeated."""
    left = count > 1
    for level in range(LEVELS):
        here = left & (rows[f"repeat{level}"] == 1)
        for name, column in zip(STEPS, (count, *steps), strict=True):
            rows[f"{name}{level}"][here] = column[here]
        left &= ~here
