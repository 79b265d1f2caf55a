"""solve/streaming.py: loads end before their readers, one at a time, as late as that allows."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dojocc.passes.solve.streaming import Load, Start, latest_starts, starts_at_reader

KERNELS = st.lists(st.integers(1, 50), min_size=1, max_size=8)
CYCLES = st.integers(0, 60)


@st.composite
def problems(draw) -> tuple[list[Load], list[float]]:
    kernels = draw(KERNELS)
    reader = st.integers(0, len(kernels) - 1)
    loads = draw(st.lists(st.builds(Load, reader, CYCLES, CYCLES), max_size=6))
    return loads, [float(each) for each in kernels]


@given(problems())
def test_what_is_not_late_is_hidden(problem: tuple[list[Load], list[float]]) -> None:
    """Played forward: DRAM serves loads in the order of their readers, and all are there in time if
    the kernels wait for `late` cycles first."""
    loads, kernels = problem
    starts, late = latest_starts(loads, kernels)
    begins = [0.0, *accumulate(kernels)]
    free = -late
    order = sorted(range(len(loads)), key=lambda n: (loads[n].reader, -n))
    for number in order:
        each, start = loads[number], starts[number]
        assert 0 <= start.load <= start.move <= each.reader
        at = max(free, begins[start.load] if start.load else -late)
        free = at + each.load
        assert free + each.move <= begins[each.reader] + 1e-9


def test_a_load_starts_no_earlier_than_it_must() -> None:
    kernels = [100.0] * 5
    assert latest_starts([Load(4, 90, 50)], kernels) == ([Start(2, 3)], 0.0)
    starts, late = latest_starts([Load(4, 90), Load(3, 90)], kernels)
    assert starts == [Start(3, 4), Start(2, 3)] and late == 0


def test_loads_wait_for_each_other_and_what_is_over_is_late() -> None:
    starts, late = latest_starts([Load(2, 150), Load(2, 150)], [100.0, 100.0, 100.0])
    assert late == pytest.approx(100) and starts == [Start(0, 2), Start(0, 2)]
    assert latest_starts([], [10.0]) == ([], 0.0)


def test_without_room_all_is_waited_for() -> None:
    assert starts_at_reader([Load(2, 30, 5), Load(0, 7)]) == ([Start(2, 2), Start(0, 0)], 42)
