"""Rows that stand for several: nested repetitions, each a count and what it moves some fields by.

A row's levels are fields `repeat<level>` and `<field>_step<level>`, the innermost level 0: those of
transfer lists (runtime/lists.py) and of exchanges' tables (runtime/segments.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dojocc.runtime.folds import spread


def copied(rows: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Rows of another dtype, their fields those of the same name; what `rows` lack is 0."""
    result = np.zeros(len(rows), dtype)
    for name in dtype.names or ():
        if name in (rows.dtype.names or ()):
            result[name] = rows[name]
    return result


def unrepeated(rows: np.ndarray, dtype: np.dtype, levels: int) -> np.ndarray:
    """The same, each row standing for one."""
    result = copied(rows, dtype)
    for level in range(levels):
        result[f"repeat{level}"] = 1
    return result


def repeat_counts(rows: np.ndarray, levels: int) -> np.ndarray:
    """How many each row stands for."""
    return np.prod([rows[f"repeat{level}"].astype(np.int64) for level in range(levels)], 0)


def repeated(
    rows: np.ndarray, names: Sequence[str], levels: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """(row of each that the rows stand for, these fields of each, int64), all of a row together."""
    owner, number = spread(repeat_counts(rows, levels))
    moved = {name: rows[name].astype(np.int64)[owner] for name in names}
    for level in range(levels):
        count = rows[f"repeat{level}"].astype(np.int64)
        if (count == 1).all():
            continue
        number, turn = np.divmod(number, count[owner])
        for name in names:
            moved[name] += turn * rows[f"{name}_step{level}"].astype(np.int64)[owner]
    return owner, moved
