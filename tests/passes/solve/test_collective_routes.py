"""Routes of collectives' flows: valid, free of deadlock, and the load beside dead nodes spread."""

from __future__ import annotations

import numpy as np
import pytest

from dojocc.passes.solve.collective_axes import Axis, Phase
from dojocc.passes.solve.collective_routes import GOAL, collective_routes
from dojocc.passes.solve.collective_schedule import schedule
from dojocc.passes.solve.collectives import (
    flat_chains,
)
from dojocc.passes.solve.grid import logical_grid
from dojocc.passes.solve.routing import detour_table
from dojocc.runtime.mesh.channels import channel_cycle
from dojocc.runtime.mesh.routes import loaded
from dojocc.runtime.mesh.tables import RouteTable, check_routes, table_routes
from dojocc.runtime.target import Target
from dojocc.runtime.targets import load_target

DIE = load_target("d1-die")


def gather_flows(target: Target, lines: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Source, destination and packets of an all-gather by rings along both axes at once."""
    grid = logical_grid(target)
    rows, cols = grid.shape
    along = Phase(Axis(cols, 1)), Phase(Axis(rows, cols))
    chains = flat_chains([along, along[::-1]], rows * cols * lines * 64)
    moves = schedule(chains, rows * cols, False, True).moves
    src, dst = (grid.reshape(-1)[moves[name]] for name in ("src_node", "dst_node"))
    return src, dst, (moves["bytes"] // 64 * moves["count0"] * moves["count1"]).astype(float)


def busiest(target: Target, table: RouteTable, flows: tuple) -> tuple[float, float]:
    """Cycles of the busiest link and of the busiest port."""
    pairs, member = np.unique(flows[0] * target.positions + flows[1], return_inverse=True)
    src, dst = np.divmod(pairs, target.positions)
    away = src != dst
    packets = np.bincount(member, flows[2])[away]
    found = loaded(table_routes(target, table, src[away], dst[away]), packets)
    return found.busiest_link, found.busiest_port


@pytest.mark.parametrize("seed", range(4))
def test_the_load_beside_a_dozen_dead_nodes_is_spread_out(seed: int) -> None:
    rng = np.random.default_rng(seed)
    places = rng.choice(DIE.positions, 6, replace=False)
    target = DIE.with_dead([DIE.position(int(place)) for place in sorted(places)])
    flows = gather_flows(target, 2)
    plain = detour_table(target, *flows[:2])
    found = collective_routes(target, plain, *flows)
    check_routes(target, found)
    assert not channel_cycle(table_routes(target, found, *flows[:2]))
    before, after = busiest(target, plain, flows), busiest(target, found, flows)
    assert before[0] > 1.4 * before[1] and after[1] == before[1]
    assert after[0] <= 1.06 * after[1]
    again = collective_routes(target, plain, *(each[::-1] for each in flows))
    assert np.array_equal(again.legs, found.legs)


def test_where_links_are_no_limit_routes_stay_plain() -> None:
    src, dst = np.array([0, 1]), np.array([1, 2])
    table = detour_table(DIE, src, dst)
    assert collective_routes(DIE, table, src, dst, np.ones(2)) is table
    assert GOAL > 1
