"""What the search takes a relay to cost, against what the relay pass models from the segments."""

from __future__ import annotations

import pytest

from dojocc.passes.collective import costs_of
from dojocc.passes.cost import Rates, exchange_cost
from dojocc.passes.solve.exchange import exchange_segments, identity
from dojocc.passes.solve.grid import logical_grid
from dojocc.passes.solve.relay_choice import Machine, chosen_relay
from dojocc.passes.solve.relay_estimate import lines_of, parts_of
from dojocc.runtime.layout import DimShard, Layout, whole
from dojocc.runtime.targets import load_target

TARGET = load_target("d1-die")
GRID = logical_grid(TARGET).shape
WORTH = 0.8
ROWS, COLS = GRID
SHAPE = (ROWS * 32, COLS * 32)
BY_ROW, BY_COL = DimShard(("row",), 32, 0, 32, 32), DimShard(("col",), 32, 0, 32, 32)
PLACES = {
    "both": (BY_ROW, BY_COL),
    "rows": (BY_ROW, whole(SHAPE[1])),
    "columns": (whole(SHAPE[0]), BY_COL),
    "everywhere": (whole(SHAPE[0]), whole(SHAPE[1])),
    "inner rows": (DimShard(("inner_row",), 64, 0, 64, 64), BY_COL),
    "outer rows": (DimShard(("outer_row",), 288, 0, 288, 288), BY_COL),
}


def layout(name: str) -> Layout:
    split = (2, 1) if "er rows" in name else (1, 1)
    return Layout(SHAPE, PLACES[name], "BF16", (ROWS, COLS), split)


@pytest.mark.parametrize(
    ("src", "dst"),
    [
        ("both", "rows"),
        ("both", "columns"),
        ("both", "everywhere"),
        ("rows", "everywhere"),
        ("columns", "rows"),
        ("both", "outer rows"),
        ("columns", "everywhere"),
    ],
)
def test_the_estimate_is_near_what_the_pass_models(src: str, dst: str) -> None:
    """Within a third, which is less than what pushes and relays differ by."""
    held, wanted = layout(src), layout(dst)
    segments = exchange_segments(wanted, (held,), identity(wanted))
    machine = Machine(TARGET, costs_of(TARGET), logical_grid(TARGET).reshape(-1))
    modelled = chosen_relay(segments, (ROWS, COLS), machine, WORTH)
    rates = Rates.of(TARGET, WORTH)
    estimate = exchange_cost(held, wanted, rates).cycles - rates.exchange_cycles
    pushed = exchange_cost(held, wanted, Rates.of(TARGET)).cycles - rates.exchange_cycles
    if modelled is None:
        assert estimate == pushed
    else:
        assert modelled.cycles / 1.35 <= estimate <= 1.35 * modelled.cycles
        assert estimate <= WORTH * pushed + 1


def test_a_layout_that_differs_everywhere_is_pushed() -> None:
    both = layout("both")
    assert lines_of(both, both) == []
    turned = Layout(SHAPE, (whole(SHAPE[0]), DimShard(("col", "row"), 2, 0, 2, 2)), "BF16", GRID)
    rates = Rates.of(TARGET, WORTH)
    pushed = exchange_cost(both, turned, Rates.of(TARGET))
    assert exchange_cost(both, turned, rates) == pushed


@pytest.mark.parametrize(
    ("src", "dst", "lines"),
    [
        ("both", "rows", {(COLS, 1)}),
        ("both", "inner rows", {(2, ROWS // 2)}),
        ("both", "outer rows", {(ROWS // 2, 1)}),
        ("rows", "everywhere", {(ROWS, 1)}),
        ("outer rows", "columns", {(2, ROWS // 2)}),
    ],
)
def test_lines_run_along_axes_that_share_out_the_source_only(src: str, dst: str, lines) -> None:
    assert {(line.size, line.gap) for line in lines_of(layout(src), layout(dst))} == lines


def test_long_lines_are_cut_where_that_saves_most_steps() -> None:
    assert parts_of(95) == [5, 19]
    assert parts_of(90)[0] in (9, 10)
    assert parts_of(19) == [] and parts_of(97) == []
