"""Estimated loads of exchanges against those of the real transfers, walked link by link."""

from __future__ import annotations

import numpy as np
import pytest
from exchange_cases import layouts
from hypothesis import given, settings
from hypothesis import strategies as st

from dojocc.passes.cost import Rates, exchange_cost, least_exchange
from dojocc.passes.solve.exchange import exchange_segments, identity
from dojocc.passes.solve.segments import moved_bytes
from dojocc.passes.solve.traffic import reading_of, traffic
from dojocc.runtime.layout import DimShard, Layout, whole
from dojocc.runtime.targets import load_target

RATES = Rates.of(load_target("tests/targets/tiny.toml"))


def walked(segments: np.ndarray, grid: tuple[int, int]) -> tuple[float, float, float]:
    """(bytes, busiest port, busiest link) of transfers that go along the row, then the column."""
    size = moved_bytes(segments).astype(float)
    away = segments["src_node"] != segments["dst_node"]
    source, end, size = segments["src_node"][away], segments["dst_node"][away], size[away]
    nodes = grid[0] * grid[1]
    ports = [np.bincount(side, size, nodes).max(initial=0) for side in (source, end)]
    links = np.zeros((4, *grid))
    for a, b, amount in zip(source.tolist(), end.tolist(), size, strict=True):
        (row, column), (to_row, to_column) = divmod(a, grid[1]), divmod(b, grid[1])
        links[0, row, column:to_column] += amount
        links[1, row, to_column:column] += amount
        links[2, row:to_row, to_column] += amount
        links[3, to_row:row, to_column] += amount
    return float(size.sum()), float(max(ports)), float(links.max())


@st.composite
def cases(draw) -> tuple[Layout, Layout]:
    """Rows of the last dimension fill their padding, which transfers carry along."""
    grid = draw(st.sampled_from([(4, 5), (6, 4)]))
    shape = (*(draw(st.integers(1, 20)) for _ in range(draw(st.integers(0, 2)))), 64)
    return draw(layouts(shape, "BF16", grid, halo=False)), draw(layouts(shape, "BF16", grid))


def on_one_side(layout: Layout) -> bool:
    """No dimension is shared out over rows and columns at once."""
    return all(len({axis.endswith("row") for axis in dim.axes}) < 2 for dim in layout.dims)


@settings(max_examples=120, deadline=None)
@given(cases())
def test_loads_are_those_of_the_transfers(case) -> None:
    src, dst = case
    found = traffic(src, dst)
    real = walked(exchange_segments(dst, (src,), identity(dst)), dst.grid)
    for estimate, value in zip((found.bytes, found.port, found.link), real, strict=True):
        if on_one_side(src):
            # A transfer may carry the pad of a row along, or leave out what a halo holds twice.
            assert 0.5 * value - 64 <= estimate <= 2 * value + 64
        assert estimate == 0 or value > 0 or estimate < 64


def test_most_estimates_are_exact() -> None:
    pairs = []

    @settings(max_examples=60, deadline=None, database=None)
    @given(cases())
    def collect(case) -> None:
        src, dst = case
        real = walked(exchange_segments(dst, (src,), identity(dst)), dst.grid)
        pairs.append((traffic(src, dst).link, real[2]))

    collect()
    assert sum(abs(a - b) <= 0.02 * b for a, b in pairs) >= len(pairs) // 2


@settings(max_examples=60, deadline=None)
@given(cases())
def test_no_estimate_is_below_the_least(case) -> None:
    src, dst = case
    assert least_exchange(src, dst, RATES) <= exchange_cost(src, dst, RATES).cycles + 1


def test_a_transposed_reading_is_that_of_the_transposed_layout() -> None:
    """Rows read as columns: what a node lacks is found through the index map."""
    grid = (4, 4)
    src = Layout((64, 64), (DimShard(("row",), 16, 0, 16, 16), whole(64)), "BF16", grid)
    by_row = Layout((64, 64), (DimShard(("row",), 16, 0, 16, 16), whole(64)), "BF16", grid)
    by_column = Layout((64, 64), (whole(64), DimShard(("row",), 16, 0, 16, 16)), "BF16", grid)
    reading = reading_of(np.arange(64 * 64).reshape(64, 64).T, (64, 64))
    assert traffic(src, by_column, reading).bytes == 0
    assert traffic(src, by_row, reading).bytes == traffic(src, by_column).bytes > 0


def test_an_index_map_that_reads_nothing_has_no_reading() -> None:
    assert reading_of(np.full((3, 4), -1), (3, 4)) is None


@pytest.mark.parametrize("name", ["bytes", "cycles"])
def test_a_broadcast_from_few_nodes_costs_more_than_from_many(name) -> None:
    few = Layout((64, 64), (DimShard(("row",), 32, 0, 32, 32), whole(64)), "BF16", (8, 8))
    many = Layout((64, 64), (DimShard(("row",), 8, 0, 8, 8), whole(64)), "BF16", (8, 8))
    everywhere = Layout((64, 64), (whole(64), whole(64)), "BF16", (8, 8))
    costs = [exchange_cost(src, everywhere, RATES) for src in (few, many)]
    assert costs[0].cycles > costs[1].cycles
    assert all(getattr(cost, name) > 0 for cost in costs)


@pytest.mark.parametrize("axes", [("row", "col"), ("col", "row")])
@pytest.mark.parametrize(
    "wanted",
    [
        (whole(40), whole(64)),
        (DimShard(("row",), 10, 0, 10, 10), whole(64)),
        (DimShard(("col", "row"), 2, 0, 2, 2), whole(64)),
        (whole(40), DimShard(("col",), 16, 0, 16, 16)),
    ],
    ids=["everywhere", "by rows", "by columns and rows", "another dimension"],
)
def test_a_dimension_over_rows_and_columns_at_once(axes, wanted) -> None:
    grid = (4, 5)
    src = Layout((40, 64), (DimShard(axes, 2, 0, 2, 2), whole(64)), "BF16", grid)
    dst = Layout((40, 64), wanted, "BF16", grid)
    found = traffic(src, dst)
    moved, port, link = walked(exchange_segments(dst, (src,), identity(dst)), grid)
    assert found.bytes == moved
    assert port <= found.port * 1.01 and found.port <= 1.3 * port + 1e-6
    assert link <= found.link * 1.01 and found.link <= 1.3 * link + 1e-6
