"""Merged list entries stand for exactly the transfers they were made from."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dojocc.passes.solve.peers import merged
from dojocc.runtime.folds import packed, spread
from dojocc.runtime.lists import ENTRY_DTYPE


def rows_of(transfers: list[tuple[int, int, int, int]]) -> np.ndarray:
    rows = np.zeros(len(transfers), ENTRY_DTYPE)
    rows["peers"] = rows["peer_stride"] = 1
    for row, values in zip(rows, transfers, strict=True):
        row["node"], row["peer"], row["src"], row["bytes"] = values
    return rows


def unmerged(rows: np.ndarray) -> list[tuple]:
    owner, turn = spread(rows["peers"].astype(np.int64))
    single = rows[owner].copy()
    single["peer"] += (turn * rows["peer_stride"][owner]).astype(np.uint32)
    single["peers"] = single["peer_stride"] = 1
    return sorted(map(tuple, single.tolist()))


transfer = st.tuples(
    st.integers(0, 4),
    st.integers(0, 30),
    st.sampled_from([0, 64, 2**40]),
    st.sampled_from([16, 32]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(transfer, max_size=60))
def test_every_transfer_stays_and_none_is_added(transfers) -> None:
    rows = rows_of(transfers)
    found = merged(rows)
    assert unmerged(found) == unmerged(rows)
    assert (np.diff(found["node"].astype(np.int64)) >= 0).all()
    assert (found["peers"] >= 1).all() and len(found) <= len(rows)


@settings(max_examples=50, deadline=None)
@given(st.permutations([(0, peer, 64, 16) for peer in range(3, 60, 19)]))
def test_a_column_is_one_entry_whatever_the_order(transfers) -> None:
    (row,) = merged(rows_of(transfers))
    assert (row["peer"], row["peers"], row["peer_stride"]) == (3, 3, 19)


def test_entries_that_differ_elsewhere_stay_apart() -> None:
    rows = rows_of([(0, 1, 0, 16), (0, 2, 64, 16), (0, 3, 0, 32), (1, 2, 0, 16)])
    found = merged(rows)
    assert (found["peers"] == 1).all()
    np.testing.assert_array_equal(found, rows)


def test_steps_that_change_begin_a_new_entry() -> None:
    rows = rows_of([(0, peer, 0, 16) for peer in (0, 1, 2, 3, 10, 15, 20)])
    found = merged(rows)
    assert found[["peer", "peers", "peer_stride"]].tolist() == [(0, 4, 1), (10, 3, 5)]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(-3, 3),
            st.sampled_from([0, 2**61, -(2**61)]),
            st.integers(0, 2),
            st.integers(0, 2**40),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_packed_keys_order_as_their_columns_do(values) -> None:
    columns = [np.array(column, np.int64) for column in zip(*values, strict=True)]
    keys = packed(columns)
    wanted = np.lexsort(tuple(reversed(columns)))
    got = np.lexsort(tuple(reversed(keys))) if keys else np.arange(len(values))
    np.testing.assert_array_equal(got, wanted)
