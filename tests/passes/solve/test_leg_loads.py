"""Loads summed by legs are those of routes spelt out link by link."""

from __future__ import annotations

import numpy as np
import pytest

from dojocc.passes.solve.leg_loads import busiest_way, leg_loads, legs_of
from dojocc.passes.solve.routing import detours
from dojocc.runtime.mesh.routes import loaded
from dojocc.runtime.mesh.tables import RouteTable, table_routes
from dojocc.runtime.targets import load_target


@pytest.mark.parametrize("name", ["d1-die", "d1-training-tile", "d2-wafer"])
def test_they_are_those_of_routes_spelt_out(name: str) -> None:
    target = load_target(name)
    random = np.random.default_rng(3)
    live = target.live_nodes()
    src, dst = (random.choice(live, 3000) for _ in range(2))
    pairs = np.unique(np.stack([src, dst])[:, src != dst], axis=1)
    src, dst = pairs.astype(np.int64)
    packets = random.integers(1, 9, len(src)).astype(float)
    table = RouteTable(detours(target, src, dst))
    usual = ~np.isin(src * target.positions + dst, longer(target, table))
    src, dst, packets = src[usual], dst[usual], packets[usual]
    wanted = loaded(table_routes(target, table, src, dst), packets)
    begin, end, owner = legs_of(target, src, dst)
    assert (leg_loads(target, begin, end, packets[owner]) == wanted.loads).all()
    busiest, latency = busiest_way(target, src, dst, packets)
    assert busiest == pytest.approx(wanted.busiest_link)
    assert latency == pytest.approx(wanted.latency.max())


def longer(target, table: RouteTable) -> np.ndarray:
    """Pairs that need more than two legs."""
    return table.legs["src"].astype(np.int64) * target.positions + table.legs["dst"]
