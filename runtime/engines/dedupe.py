"""Nodes that hold the same bytes: found by sampling, proved by comparison.

Replicated operands (a weight held by every grid row, an activation gathered by every column) let
the vector engine do one product for many nodes.
"""

from __future__ import annotations

import numpy as np

SAMPLES = 64


def group_rows(bytes_: np.ndarray, extra: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(representatives, group of every row): rows equal in all bytes and in every `extra` column
    are one group.

    `bytes_` is uint8 [rows, length]; each of `extra` is an integer array [rows] or a scalar.
    """
    rows, length = bytes_.shape
    if rows == 1:
        return np.zeros(1, np.int64), np.zeros(1, np.int64)
    step = max(1, length // SAMPLES)
    columns = [bytes_[:, ::step].astype(np.int64)]
    columns += [np.asarray(e, np.int64).reshape(-1, 1) for e in extra if np.ndim(e)]
    key = np.ascontiguousarray(np.concatenate(columns, 1))
    void = key.view([("", np.void, key.shape[1] * 8)]).reshape(-1)
    _, first, group = np.unique(void, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return _prove(bytes_, first[order], rank[group.reshape(-1)])


def _prove(
    bytes_: np.ndarray, first: np.ndarray, group: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compare every row with its representative.

    Rows that differ (beyond the sample) get groups of their own.
    """
    representatives = list(first)
    proved = group.copy()
    late: dict[tuple[int, bytes], int] = {}
    wide = _widest(bytes_)
    for number, representative in enumerate(first):
        members = np.flatnonzero(group == number)
        if len(members) == 1:
            continue
        for row in members[~_equal_rows(wide, members, int(representative))]:
            key = (number, bytes_[row].tobytes())
            if key not in late:
                late[key] = len(representatives)
                representatives.append(row)
            proved[row] = late[key]
    return np.array(representatives, np.int64), proved


def _widest(bytes_: np.ndarray) -> np.ndarray:
    """The rows as the widest items that divide their length."""
    for width in (8, 4, 2):
        if bytes_.shape[1] % width == 0 and bytes_.strides[1] == 1:
            return bytes_.view(f"u{width}")
    return bytes_


def _equal_rows(rows: np.ndarray, members: np.ndarray, representative: int) -> np.ndarray:
    """Which of `members` equal the representative."""
    if rows.shape[1] > 512:
        expected = rows[representative]
        return np.array([bool((rows[member] == expected).all()) for member in members])
    return (rows[members] == rows[representative]).all(axis=1)
