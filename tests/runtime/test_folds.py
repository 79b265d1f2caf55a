"""Numbers kept as ranges, and neighbours folded at equal steps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dojocc.runtime.folds import openings, ranges, sorting, stable_order, strided, values_of
from dojocc.runtime.segments import SEGMENT_DTYPE
from dojocc.runtime.whole_rows import joined, picked

numbers = st.lists(st.integers(-3, 12), max_size=60).map(lambda x: np.array(x, np.int64))


@settings(max_examples=200, deadline=None)
@given(numbers)
def test_ranges_keep_every_value_in_order(values) -> None:
    rows = ranges(values)
    np.testing.assert_array_equal(values_of(rows, len(values)), values)
    assert len(rows) <= len(values)


def test_a_grid_with_gaps_is_few_ranges() -> None:
    grid = (np.arange(18)[:, None] * 100 + np.arange(19)).reshape(-1)
    assert ranges(grid).tolist() == [[0, 19, 1, 18, 100]]
    assert len(ranges(np.delete(grid, [40, 41]))) == 4


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (np.zeros((1, 4), np.int64), "ranges of int64"),
        (np.zeros((1, 5), np.int32), "ranges of int32"),
        (np.array([[0, 0, 1, 1, 0]]), "a range of nothing"),
        (np.array([[0, 1, 1, -1, 0]]), "a range of nothing"),
        (np.array([[0, 2**62, 1, 2**62, 0]]), "at most 100"),
        (np.array([[0, 51, 1, 1, 0], [0, 50, 1, 1, 0]]), "101 values, at most 100"),
    ],
)
def test_ranges_that_are_none_or_too_long_are_refused(rows, text) -> None:
    with pytest.raises(ValueError, match=text):
        values_of(rows, 100)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9), st.integers(0, 3)), max_size=50))
def test_folded_neighbours_are_the_rows_again(rows) -> None:
    table = np.array(rows, np.int64).reshape(-1, 3)
    table = table[sorting(list(table.T))]
    key, *columns = table.T
    first, count, steps = strided(openings([key]), columns)
    assert count.sum() == len(table)
    owner = np.repeat(np.arange(len(first)), count)
    turn = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    np.testing.assert_array_equal(key[first][owner], key)
    for column, step in zip(columns, steps, strict=True):
        np.testing.assert_array_equal((column[first] + 0)[owner] + turn * step[owner], column)


@given(st.data())
def test_an_order_of_keys_is_the_stable_one(data: st.DataObject) -> None:
    highest = data.draw(st.sampled_from([3, 1 << 20, 1 << 45, (1 << 62) - 1]))
    lowest = data.draw(st.sampled_from([0, -highest]))
    rows = data.draw(st.lists(st.integers(lowest, highest), max_size=60))
    key = np.tile(np.array(rows, np.int64), data.draw(st.integers(1, 90)))
    assert np.array_equal(stable_order(key), np.argsort(key, kind="stable"))


@given(rows=st.lists(st.integers(-9, 9), max_size=20), chosen=st.data())
def test_whole_rows_are_those_that_indexing_gives(rows: list[int], chosen: st.DataObject) -> None:
    table = np.zeros(len(rows), SEGMENT_DTYPE)
    table["src"] = table["dst"] = rows
    mask = np.array(
        chosen.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))), bool
    )
    places = np.flatnonzero(mask)[::-1]
    assert np.array_equal(picked(table, mask), table[mask])
    assert np.array_equal(picked(table, places), table[places])
    both = joined(SEGMENT_DTYPE, [table, table[mask][::-1]])
    assert np.array_equal(both, np.concatenate([table, table[mask][::-1]]))
    assert not len(joined(SEGMENT_DTYPE, [])) and joined(SEGMENT_DTYPE, []).dtype == SEGMENT_DTYPE
