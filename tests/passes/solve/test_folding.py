"""Folded transfer lists stand for exactly the entries they were made from, and are few."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dojocc.passes.solve.folding import folded
from dojocc.runtime.lists import ENTRY_DTYPE, entries_of_rows, entry_counts


def entries_of(transfers: list[tuple[int, ...]]) -> np.ndarray:
    """(list, node, peer, src, dst, bytes) each."""
    entries = np.zeros(len(transfers), ENTRY_DTYPE)
    entries["peers"] = entries["peer_stride"] = 1
    names = ("list", "node", "peer", "src", "dst", "bytes")
    for name, column in zip(names, zip(*transfers, strict=True), strict=False):
        entries[name] = column
    return entries


def started(entries: np.ndarray, nodes: int) -> np.ndarray:
    """Entries in the order in which nodes start them."""
    turn = (entries["peer"].astype(np.int64) - entries["node"]) % nodes
    keys = ("bytes", "src", "dst")
    return entries[
        np.lexsort((*(entries[k] for k in keys), turn, entries["node"], entries["list"]))
    ]


transfer = st.tuples(
    st.integers(0, 2),
    st.integers(0, 11),
    st.integers(0, 11),
    st.integers(0, 3).map(lambda n: n * 64),
    st.sampled_from([0, 64, 128, 2**33]),
    st.sampled_from([16, 32]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(transfer, min_size=1, max_size=80), st.integers(1, 12))
def test_rows_stand_for_just_the_entries(transfers, columns) -> None:
    entries = entries_of(transfers)
    rows = folded(entries, columns)
    found = entries_of_rows(rows, [12], 1)
    np.testing.assert_array_equal(started(found, 12), started(entries, 12))
    assert len(rows) <= len(entries) and entry_counts(rows).sum() == len(entries)
    before = rows["list"][:-1] <= rows["list"][1:]
    assert before.all()


def test_the_order_of_the_entries_changes_nothing() -> None:
    entries = shifted(8, 9)
    mixed = entries[np.random.default_rng(0).permutation(len(entries))]
    np.testing.assert_array_equal(folded(entries, 9), folded(mixed, 9))


def shifted(rows: int, columns: int) -> np.ndarray:
    """Every node sends a slice to the whole column beside it."""
    node = np.arange(rows * columns)
    row, col = np.divmod(node, columns)
    return entries_of(
        [
            (0, n, r * columns + (c + 1) % columns, 64 * r, 4096 + 64 * (n // columns), 64)
            for n, c in zip(node.tolist(), col.tolist(), strict=True)
            for r in range(rows)
        ]
    )


def gathered(rows: int, columns: int) -> np.ndarray:
    """Every node sends its slice to all others."""
    node = np.arange(rows * columns).tolist()
    return entries_of([(0, n, m, 0, 64 * n, 64) for n in node for m in node])


def transposed(rows: int, columns: int) -> np.ndarray:
    """Block (i, j) of the grid goes to node (j, i) of it, numbered down the columns."""
    return entries_of(
        [
            (0, r * columns + c, (c * rows + r) % (rows * columns), 0, 64, 64)
            for r in range(rows)
            for c in range(columns)
        ]
    )


@pytest.mark.parametrize("pattern", [shifted, gathered, transposed])
def test_regular_patterns_take_as_many_rows_on_any_grid(pattern) -> None:
    small, large = (folded(pattern(*grid), grid[1]) for grid in ((4, 5), (12, 14)))
    assert len(large) <= len(small) + 2 <= 8


def test_no_entries_are_no_rows() -> None:
    assert len(folded(np.zeros(0, ENTRY_DTYPE), 4)) == 0
