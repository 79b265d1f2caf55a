"""solve/prefetch.py: how early transfers may start, and which moves are kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dojocc.passes.solve.prefetch import Transfer, earlier_starts, largest_sound

STEPS = 12
transfers = st.lists(
    st.tuples(st.integers(0, STEPS - 1), st.integers(0, STEPS - 1), st.integers(0, 5)).map(
        lambda drawn: Transfer(max(drawn[:2]), min(drawn[:2]), drawn[2])
    ),
    max_size=8,
)
levels = st.lists(st.integers(0, 10), min_size=STEPS, max_size=STEPS)


@given(transfers, levels, levels, st.integers(0, 12), st.integers(1, 12))
def test_limits_hold_wherever_something_moved(
    chosen: list[Transfer], used: list[int], busy: list[int], capacity: int, most: int
) -> None:
    starts = earlier_starts(chosen, used, busy, capacity, most)
    moved_over = np.zeros(STEPS, bool)
    used_after, busy_after = np.array(used), np.array(busy)
    for each, start in zip(chosen, starts, strict=True):
        assert each.earliest <= start <= each.start
        moved_over[start : each.start] = True
        used_after[start : each.start] += each.bytes
        busy_after[start : each.start] += 1
    assert (used_after[moved_over] <= capacity).all()
    assert (busy_after[moved_over] <= most).all()


def test_without_limits_each_starts_as_early_as_it_may() -> None:
    chosen = [Transfer(9, 2, 100), Transfer(5, 5, 100), Transfer(11, 0, 100)]
    nothing = [0] * STEPS
    assert earlier_starts(chosen, nothing, nothing, 10**6, 64) == [2, 5, 0]


def test_the_first_takes_the_room() -> None:
    chosen = [Transfer(6, 0, 4), Transfer(8, 0, 4)]
    nothing = [0] * STEPS
    assert earlier_starts(chosen, nothing, nothing, 4, 64) == [0, 6]


def test_a_full_step_is_not_passed() -> None:
    used = [0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0]
    assert earlier_starts([Transfer(8, 0, 2)], used, [0] * STEPS, 10, 64) == [4]


def test_a_transfer_is_not_earlier_than_it_may_be() -> None:
    with pytest.raises(ValueError, match="at 3 cannot start at 4"):
        Transfer(3, 4, 1)
    with pytest.raises(ValueError, match="fills -1 bytes"):
        Transfer(3, 1, -1)


@given(st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)))
def test_exactly_the_moves_that_spoil_it_are_taken_back(moves: set[int], bad: set[int]) -> None:
    kept = largest_sound(sorted(moves), lambda chosen: not chosen & bad)
    assert kept == moves - bad


def test_most_are_asked_once() -> None:
    asked = []
    largest_sound(range(100), lambda chosen: asked.append(chosen) is None)
    assert len(asked) == 1
