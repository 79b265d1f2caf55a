"""The search against all orders of few buffers: it finds the lowest packing, and refutes less."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dojocc.passes.solve.packing import Buffer, pack
from dojocc.passes.solve.packing_check import check_packing
from dojocc.passes.solve.packing_search import columns_of, search

EFFORT = 5000


@st.composite
def few_buffers(draw):
    result = []
    for number in range(draw(st.integers(1, 5))):
        lower = draw(st.integers(0, 8))
        size = draw(st.integers(1, 12))
        result.append(Buffer(f"b{number}", lower, lower + draw(st.integers(1, 6)), size))
    return result


def arrays(buffers):
    return (
        np.array([b.lower for b in buffers]),
        np.array([b.upper for b in buffers]),
        np.array([b.size for b in buffers]),
    )


def lowest_peak(buffers, alignment):
    """Every packing whose buffers rest on others comes from placing them in order of offset."""
    best = sum(b.size + alignment for b in buffers)
    for order in permutations(buffers):
        tops, peak = [], 0
        for b in order:
            base = max((t for o, t in tops if o.lower < b.upper and b.lower < o.upper), default=0)
            base = -(-base // alignment) * alignment
            tops.append((b, base + b.size))
            peak = max(peak, base + b.size)
        best = min(best, peak)
    return best


@settings(max_examples=40, deadline=None)
@given(few_buffers(), st.sampled_from([1, 4]))
def test_the_search_is_complete(buffers, alignment):
    best = lowest_peak(buffers, alignment)
    found = search(*arrays(buffers), best, alignment, EFFORT)
    assert found.offsets is not None
    assert check_packing(buffers, found.offsets, best, alignment) == []
    below = search(*arrays(buffers), best - 1, alignment, EFFORT)
    assert below.offsets is None and below.complete
    assert pack(buffers, alignment).peak == best


@settings(max_examples=40, deadline=None)
@given(few_buffers())
def test_columns_are_the_largest_sets_live_together(buffers):
    lower, upper, _ = arrays(buffers)
    found = {
        frozenset(np.flatnonzero((lower <= t) & (t < upper))) for t in columns_of(lower, upper)
    }
    every = {frozenset(np.flatnonzero((lower <= t) & (t < upper))) for t in range(15)}
    assert found == {live for live in every if live and not any(live < other for other in every)}


def guillotine(columns, levels, seed):
    """A memory cut at random into buffers that fill it: only exact packings fit."""
    random = np.random.default_rng(seed)
    pieces, done = [(0, columns, levels)], []
    while pieces:
        first, last, size = pieces.pop()
        if last - first > 1 and random.random() < 0.4:
            cut = int(random.integers(first + 1, last))
            pieces += [(first, cut, size), (cut, last, size)]
        elif size > levels // 8 and random.random() < 0.9:
            cut = int(random.integers(size // 4, 3 * size // 4))
            pieces += [(first, last, cut), (first, last, size - cut)]
        else:
            done.append(Buffer(str(len(done)), first, last, size))
    return done


@pytest.mark.parametrize("seed", [2, 5, 6, 7, 8, 9, 11])
def test_memory_is_filled_without_a_gap(seed):
    buffers = guillotine(25, 400, seed)
    assert pack(buffers, 1, effort=0).peak > 400
    result = pack(buffers, 1, effort=8000)
    assert check_packing(buffers, result.offsets, 400) == []


def test_the_same_buffers_get_the_same_offsets():
    buffers = guillotine(25, 400, 2)
    first, again = (search(*arrays(buffers), 400, 1, EFFORT) for _ in range(2))
    assert first == again
    assert search(*arrays(buffers), 400, 1, 3).nodes == 3
