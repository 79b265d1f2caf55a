"""Threads share a node's units, lists of a stream the way: nothing does more than it can."""

from __future__ import annotations

import numpy as np
import pytest

from bench.collectives import program_of, rounded
from dojocc.passes.solve.grid import logical_grid
from dojocc.runtime.mesh.fair_flows import capacities, flow_groups
from dojocc.runtime.targets import load_target
from dojocc.runtime.timing import time_program
from dojocc.runtime.timing.backlog import Backlog
from dojocc.runtime.timing.units import KEPT, SharedUnits

ONE = np.array([0])


def ends(units: SharedUnits, clock: np.ndarray, thread: int, cycles: int, **shares: float) -> float:
    """Run a nest on the only node and move the thread's clock."""
    end = units.run(0, thread, ONE, clock, (cycles, shares))
    clock[0, thread] = end[0]
    return float(end[0])


def test_a_second_nest_gets_what_the_first_leaves_of_the_unit() -> None:
    units, clock = SharedUnits([[0, 2]]), np.zeros((1, 4))
    assert ends(units, clock, 0, 100, vector=1.0) == 100
    assert ends(units, clock, 2, 50, vector=1.0) == 150
    assert ends(units, clock, 0, 100, vector=0.75, load=0.5) == pytest.approx(100 + 50 + 100)
    assert ends(units, clock, 2, 25, vector=0.5) == pytest.approx(150 + 50)


def test_nests_on_different_units_do_not_meet() -> None:
    units, clock = SharedUnits([[0, 2]]), np.zeros((1, 4))
    assert ends(units, clock, 0, 100, matrix=1.0) == 100
    assert ends(units, clock, 2, 100, vector=1.0) == 100
    assert not SharedUnits([[0]]).shared(0) and units.shared(0)


def test_nodes_have_units_of_their_own() -> None:
    units, clock = SharedUnits([[0, 2]]), np.zeros((2, 4))
    clock[1, 0] = 500
    both = np.arange(2)
    clock[:, 0] = units.run(0, 0, both, clock, (100, {"vector": 1.0}))
    assert (clock[:, 0] == [100, 600]).all()
    assert (units.run(0, 2, both, clock, (200, {"vector": 1.0})) == [300, 200]).all()


def test_no_unit_ever_does_more_than_it_can() -> None:
    rng = np.random.default_rng(0)
    units, clock, done = SharedUnits([[0, 1, 2]]), np.zeros((1, 4)), []
    for _ in range(KEPT):
        thread = int(np.argmin(clock[0, :3]))
        clock[0, thread] += rng.integers(0, 20)
        cycles, share = int(rng.integers(1, 80)), float(rng.uniform(0.1, 1))
        start = clock[0, thread]
        done.append((start, ends(units, clock, thread, cycles, vector=share), cycles * share))
    for low, _, _ in done:
        for _, high, _ in done:
            inside = sum(work for start, end, work in done if low <= start and end <= high)
            assert inside <= max(high - low, 0) + 1e-6
    assert max(end for _, end, _ in done) >= sum(work for *_, work in done)


def test_lists_pile_up_on_a_link_and_share_it() -> None:
    die = load_target("d1-die")
    src, dst = np.array([0, 0]), np.array([1, 2])
    flows = flow_groups(die, src, dst, np.array([100.0, 10.0]))
    backlog = Backlog(capacities(die))
    assert backlog.take(flows, np.zeros(2)).tolist() == [100, 10]
    # 110 packets are under way: the small flow shares, the large one waits for all.
    assert backlog.take(flows, np.full(2, 10.0)).tolist() == [210, 30]
    assert backlog.take(flows, np.full(2, 500.0)).tolist() == [600, 510]


@pytest.mark.parametrize("kind", ["all_gather", "reduce_scatter"])
def test_rings_round_dead_nodes_are_not_below_the_busiest_link(kind: str) -> None:
    die = load_target("d1-die")
    size = rounded(128 << 10, logical_grid(die).size)
    result = time_program(program_of(kind, die, size))
    assert result.cycles >= result.lower_bound_cycles >= max(result.busiest.values()) - 1
    assert result.utilization["vector"] <= 1
