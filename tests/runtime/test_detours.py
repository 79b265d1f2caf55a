"""The ways that routers find by themselves: on live links, without deadlock, the same for a flow
whatever others there are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mesh_maps import all_pairs, graph_of, grid_target, walks_on

from dojocc.runtime.mesh import detours
from dojocc.runtime.mesh.channels import channel_cycle
from dojocc.runtime.mesh.detours import turning_nodes
from dojocc.runtime.mesh.routes import clear
from dojocc.runtime.mesh.tables import RouteTable, table_routes
from dojocc.runtime.targets import load_target


def two_legs(target, src: np.ndarray, dst: np.ndarray) -> np.ndarray:
    """Whether there is any node at which two clear legs meet, by trying all."""
    found = np.zeros(len(src), bool)
    for node in target.live_nodes():
        found |= clear(target, src, np.full(len(src), node)) & clear(
            target, np.full(len(src), node), dst
        )
    return found


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(0, 41), max_size=12))
def test_a_way_is_found_wherever_two_legs_will_do(dead) -> None:
    target = grid_target(6, 7, dead)
    src, dst = all_pairs(target.live_nodes())
    via = turning_nodes(target, src, dst)
    straight = clear(target, src, dst)
    assert (via[straight] == -1).all()
    np.testing.assert_array_equal(via[~straight] >= 0, two_legs(target, src, dst)[~straight])
    good = straight | (via >= 0)
    routes = table_routes(target, RouteTable(), src[good], dst[good])
    walks_on(graph_of(target), routes)
    assert channel_cycle(routes) == [] and routes.layers.max(initial=0) <= 1


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(0, 41), max_size=16))
def test_which_ends_two_legs_can_join_is_known_beforehand(dead) -> None:
    target = grid_target(6, 7, dead)
    src, dst = all_pairs(target.live_nodes())
    known = detours.two_legs(target)
    assert known is not None
    can = clear(target, src, dst) | two_legs(target, src, dst)
    np.testing.assert_array_equal(known.flows(src, dst), can)
    assert set(np.flatnonzero(known.senders)) == set(src[~can].tolist())
    assert set(np.flatnonzero(known.receivers)) == set(dst[~can].tolist())


def test_a_mesh_too_large_to_know_still_finds_near_ways(monkeypatch) -> None:
    target = load_target("d1-die").with_dead([50, 51, 70, 133])
    src, dst = np.random.default_rng(2).choice(target.live_nodes(), (2, 2000))
    wanted = turning_nodes(target, src, dst)
    monkeypatch.setattr(detours, "MOST_RUNS", 4)
    detours.two_legs.cache_clear()
    assert detours.two_legs(target) is None
    np.testing.assert_array_equal(turning_nodes(target, src, dst), wanted)
    detours.two_legs.cache_clear()


@settings(max_examples=15, deadline=None)
@given(st.sets(st.integers(0, 41), max_size=20), st.sampled_from([1, 40, 5000]))
def test_several_tries_at_once_find_what_single_ones_do(dead, together) -> None:
    target = grid_target(6, 7, dead)
    src, dst = all_pairs(target.live_nodes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detours, "FEW", 0)
        patch.setattr(detours, "AT_ONCE", 0)
        one_by_one = turning_nodes(target, src, dst)
        patch.setattr(detours, "FEW", 1 << 20)
        patch.setattr(detours, "AT_ONCE", together)
        np.testing.assert_array_equal(turning_nodes(target, src, dst), one_by_one)


@pytest.mark.parametrize("name", ["d1-die", "d1-training-tile"])
def test_on_shipped_machines_hardly_any_flow_needs_a_row(name) -> None:
    target = load_target(name)
    src, dst = np.random.default_rng(0).choice(target.live_nodes(), (2, 50_000))
    needs = (turning_nodes(target, src, dst) < 0) & ~clear(target, src, dst)
    assert needs.mean() < 5e-4
    assert not two_legs(target, src[needs], dst[needs]).any()


def test_the_way_of_a_flow_does_not_depend_on_the_others() -> None:
    target = load_target("d1-die").with_dead([50, 51, 70, 133])
    src, dst = np.random.default_rng(1).choice(target.live_nodes(), (2, 3000))
    via = turning_nodes(target, src, dst)
    single = [turning_nodes(target, src[n : n + 1], dst[n : n + 1])[0] for n in range(0, 3000, 50)]
    assert via[::50].tolist() == single and (via >= 0).any()


def test_with_too_few_layers_nothing_turns() -> None:
    target = grid_target(3, 3, dead=[1], virtual_channels=2)
    assert turning_nodes(target, np.array([0]), np.array([2])).tolist() == [-1]
