"""Results that hang on a table and go with it."""

from __future__ import annotations

import gc

import numpy as np

from dojocc.runtime.remember import Kept, by_table


def test_a_result_is_found_once_for_a_table_and_what_else_it_depends_on() -> None:
    calls = []

    @by_table
    def total(table: np.ndarray, times: int, plus: int = 0) -> int | None:
        calls.append(times)
        return None if times == 7 else int(table.sum()) * times + plus

    table = np.arange(4)
    assert [total(table, 2), total(table, 2), total(table, 3), total(table, 2, plus=1)] == [
        12,
        12,
        18,
        13,
    ]
    assert calls == [2, 3, 2]
    assert total(table.copy(), 2) == 12 and len(calls) == 4  # another array, if an equal one
    assert total(table, 7) is None and total(table, 7) is None and len(calls) == 5


def test_what_is_kept_goes_with_the_array() -> None:
    kept: Kept[str] = Kept()
    table = np.arange(3)
    kept.keep(table, "three")
    assert kept.kept(table) == "three" and kept.kept(table, 1) is None
    assert len(kept) == 1
    del table
    gc.collect()
    assert len(kept) == 0
    for _ in range(100):  # ids come again; what was known of them must not
        assert kept.kept(np.arange(3)) is None
