"""Routes in windows: as cheap as on the whole mesh, a set of prices a flow, sets of one a block."""

from __future__ import annotations

import numpy as np
import pytest

from dojocc.passes.solve.collective_windows import Windows, cheapest_in_windows
from dojocc.passes.solve.routing_legs import DEAD, cheapest_legs, link_costs
from dojocc.runtime.mesh.routes import link_alive, route_legs
from dojocc.runtime.target import Target
from dojocc.runtime.targets import load_target

DIE, TILE = load_target("d1-die"), load_target("d1-training-tile")


def drawn(target: Target, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Different live ends of flows."""
    rng = np.random.default_rng(seed)
    src, dst = rng.choice(target.live_nodes(), (2, count))
    return src[src != dst], dst[src != dst]


def cost_of(target: Target, src: int, ends: np.ndarray, price: np.ndarray) -> float:
    legs = np.array([len(ends)])
    routes = route_legs(target, np.array([src]), ends[-1:], legs, ends, np.zeros(len(ends)))
    return float(price[routes.links].sum())


@pytest.mark.parametrize("seed", range(3))
def test_a_route_is_as_cheap_as_on_the_whole_mesh(seed: int) -> None:
    """Windows that hold the whole die, each with prices of its own."""
    src, dst = drawn(DIE, 12, seed)
    rng = np.random.default_rng(seed)
    price = rng.uniform(1, 9, (len(src), DIE.positions, 4))
    grid = np.where(link_alive(DIE), price, DEAD).reshape(len(src), DIE.rows, DIE.cols, 4)
    ends, found = cheapest_in_windows(grid, src, dst, 3, 0.0)
    assert found.all() and (ends[:, -1] == dst).all()
    for flow in range(len(src)):
        own, one = price[flow].reshape(-1), slice(flow, flow + 1)
        whole, _ = cheapest_legs(DIE, link_costs(DIE, own), src[one], dst[one], 3, 0.0)
        mine = cost_of(DIE, int(src[flow]), ends[flow], own)
        assert mine == pytest.approx(cost_of(DIE, int(src[flow]), whole[0], own))


def test_a_flow_without_a_way_in_its_window_is_not_found() -> None:
    prices = np.ones((2, 3, 3, 4))
    prices[1, :, 1] = DEAD  # nothing leaves the middle column
    ends, found = cheapest_in_windows(prices, np.array([0, 0]), np.array([2, 2]), 3, 0.0)
    assert found.tolist() == [True, False] and ends[0].tolist() == [2, 2, 2]


def test_of_routes_that_cost_about_the_same_that_of_fewer_legs_is_taken() -> None:
    prices = np.ones((2, 3, 3, 4))
    prices[:, 0, :] = 1.02  # a little dearer along the first row than along the others
    ends, _ = cheapest_in_windows(prices, np.array([0, 0]), np.array([8, 8]), 3, 0.1)
    assert (ends == 8).all()
    ends, _ = cheapest_in_windows(prices, np.array([0, 0]), np.array([8, 8]), 3, 0.0)
    assert (ends[:, 0] != 8).all()


def test_windows_hold_both_ends_and_places_are_nodes() -> None:
    src, dst = drawn(TILE, 200, 0)
    windows = Windows(TILE, src, dst)
    for some in windows.together(np.arange(len(src))):
        places, inside = windows.places(some)
        assert (places.shape[1:] == windows.shape[:, some].T).all()
        for end in (src[some], dst[some]):
            at = windows.local(some, end)
            flat = places.reshape(len(some), -1)
            assert (np.take_along_axis(flat, at[:, None], 1)[:, 0] == end).all()
            assert inside.reshape(len(some), -1)[np.arange(len(some)), at].all()
            assert (windows.nodes(some, at[:, None])[:, 0] == end).all()


def test_a_set_has_one_flow_a_block_and_all_flows_are_in_one() -> None:
    src, dst = drawn(TILE, 400, 1)
    windows, flows = Windows(TILE, src, dst), np.arange(len(src))
    sets = windows.one_a_block(flows)
    assert np.array_equal(np.sort(np.concatenate(sets)), flows)
    assert all(len(np.unique(windows.block[some])) == len(some) for some in sets)
    assert max(map(len, sets)) > 2
