"""Fair sharing: max-min on small cases and at random, work-conserving, and flows over a mesh."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import mesh_flow
from bench.patterns import plain_mesh
from dojocc.runtime.mesh.fair import Fluid, Groups, ends_alone, fair_progress, join
from dojocc.runtime.mesh.fair_flows import NO_DIP, capacities, cut_bound, flow_groups
from dojocc.runtime.targets import load_target
from dojocc.runtime.timing.band import FILE, bands


def groups_of(ways: list[list[int]], packets: list[float], cap: float = np.inf) -> Groups:
    start = np.concatenate([[0], np.cumsum([len(way) for way in ways])])
    size = np.array(packets, float)
    return Groups(
        start,
        np.concatenate([np.array(way, np.int64) for way in ways]),
        np.repeat(size, np.diff(start)),
        size,
        np.full(len(ways), cap) / size,
    )


def test_flows_share_by_their_tightest_link() -> None:
    # Link 0 carries a and b, link 1 carries a, c and d: a, c, d get a third, b what a leaves.
    groups = groups_of([[0, 1], [0], [1], [1]], [30, 30, 30, 30])
    rate = fair_progress(groups, np.ones(2)) * groups.size
    assert rate == pytest.approx([1 / 3, 2 / 3, 1 / 3, 1 / 3])
    assert ends_alone(groups, np.ones(2)) == pytest.approx([90, 45, 90, 90])


def test_what_a_finished_flow_leaves_is_used() -> None:
    ends = ends_alone(groups_of([[0], [0]], [10, 50]), np.ones(1))
    assert ends == pytest.approx([20, 60])


def test_a_pace_holds_a_flow_back_and_leaves_the_rest_to_others() -> None:
    slow = groups_of([[0]], [10], cap=0.25)
    fast = groups_of([[0]], [30])
    ends = ends_alone(join([slow, fast]), np.ones(1))
    assert ends == pytest.approx([40, 40])


def test_a_later_start_shares_from_then_on() -> None:
    fluid = Fluid(np.ones(1))
    assert fluid.add(groups_of([[0]], [100]), 5.0, 7) == 5.0
    assert fluid.add(groups_of([[0]], [10]), 25.0, 8) == 25.0
    ended = {}
    while fluid.busy:
        ended |= {tag: time for tag, _, time in fluid.step()}
    assert ended == pytest.approx({8: 45.0, 7: 115.0})
    # With something under way the past is past; with nothing, the clock may go back.
    fluid.add(groups_of([[0]], [10]), 50.0, 9)
    assert fluid.add(groups_of([[0]], [10]), 20.0, 10) == 50.0


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_random_sharing_is_max_min_fair(data: st.DataObject) -> None:
    links = data.draw(st.integers(1, 6))
    way = st.lists(st.integers(0, links - 1), min_size=1, max_size=links, unique=True)
    ways = data.draw(st.lists(way, min_size=1, max_size=12))
    sizes = [float(data.draw(st.integers(1, 9))) for _ in ways]
    capacity = np.array([float(data.draw(st.integers(1, 5))) for _ in range(links)])
    rate = fair_progress(groups_of(ways, sizes), capacity) * np.array(sizes)
    used = np.zeros(links)
    for flow, links_of in enumerate(ways):
        used[links_of] += rate[flow]
    assert (used <= capacity * (1 + 1e-6)).all()
    # Each flow has a full link on which no flow gets more than it does.
    for flow, links_of in enumerate(ways):
        assert any(
            used[link] >= capacity[link] * (1 - 1e-6)
            and all(rate[flow] >= rate[f] * (1 - 1e-6) for f, w in enumerate(ways) if link in w)
            for link in links_of
        )


def test_no_group_of_flows_is_faster_than_its_bounds() -> None:
    target = plain_mesh("18x20")
    live = target.live_nodes()
    draw = np.random.default_rng(3)
    for count in (20, 3000):
        src, dst = draw.choice(live, count), draw.choice(live, count)
        flows = flow_groups(target, src, dst, draw.integers(1, 40, count))
        ends = ends_alone(flows.groups, capacities(target))
        whole = (ends[flows.group] + flows.latency).max()
        assert whole >= flows.bound > 0
        assert (ends >= flows.groups.alone(capacities(target)) * (1 - 1e-9)).all()
        assert len(flows.groups) == (count if count <= 64 else len(np.unique(flows.group)))


def test_merged_groups_take_as_long_as_single_flows() -> None:
    target = plain_mesh("9x9")
    node = np.arange(81)
    y, x = np.divmod(node, 9)
    single = flow_groups(target, node, x * 9 + y, np.full(81, 100), single=100)
    merged = flow_groups(target, node, x * 9 + y, np.full(81, 100), single=1)
    assert len(merged.groups) < len(single.groups) == 81
    ends = [ends_alone(each.groups, capacities(target)).max() for each in (single, merged)]
    assert ends[1] == pytest.approx(ends[0], rel=0.02)


def test_one_destination_streams_and_several_mix() -> None:
    target = plain_mesh("4x1")
    stream = flow_groups(target, np.array([0]), np.array([3]), np.array([60]))
    mixed = flow_groups(target, np.array([0, 0]), np.array([2, 3]), np.array([30, 30]))
    share = target.mesh.usable_share
    assert stream.need.max() == 60 and mixed.need.max() == pytest.approx(60 / share)


def test_dips_take_their_rate_and_narrow_edges_theirs() -> None:
    target = load_target("d1-die")
    edge = target.dip_nodes(0)[9:]
    flows = flow_groups(target, edge[:8], edge[:8] + 3, np.full(8, 50), np.zeros(8, np.int64))
    rate = min(target.dips.hbm_bytes_per_s, target.dips.mesh_bytes_per_s) / 64 / 2e9
    assert flows.bounds["dip"] == pytest.approx(400 / rate)
    assert ends_alone(flows.groups, capacities(target)).max() >= 400 / rate
    ports = flows.work[4 * target.positions : 6 * target.positions]
    assert ports.sum() == 400, "a DIP's flows take the port of the node at their other end alone"
    two = load_target("d1-training-tile")
    two = replace(two, die=replace(two.die, dead=()))
    row = np.arange(18) * two.cols
    across = flow_groups(two, row + 19, row + 20, np.full(18, 100), np.full(18, NO_DIP))
    wide = two.die.edge_bytes_per_s / two.node.clock_hz / 64
    assert across.bounds["link"] == pytest.approx(1800 / wide)
    assert across.bounds["cut"] == pytest.approx(1800 / (wide * two.system.die_rows))


def test_the_cut_bound_needs_no_routes() -> None:
    target = plain_mesh("4x2")
    src, dst = np.array([0, 4, 3]), np.array([3, 7, 0])
    assert cut_bound(target, src, dst, np.array([10, 20, 7])) == 15
    blocked = target.with_dead([5])
    assert cut_bound(blocked, src, dst, np.array([10, 20, 7])) == 30


def test_paced_rows_of_the_tables_within_five_percent_and_bands_are_the_tables() -> None:
    rows = list(mesh_flow.flow_rows())
    paced = [row for kind, row in rows if kind == "paced"]
    assert len(paced) == 16 and all(row.kept for row in paced)
    assert mesh_flow.calibration(rows) == FILE.read_text()
    assert bands()["paced"] < 0.05 < bands()["unpaced"] < bands()["lock_step"]
    assert Path(mesh_flow.CALIBRATION).samefile(FILE)


def test_pace_from_the_target_caps_each_flow() -> None:
    target = plain_mesh("5x1")
    src, dst = np.array([0, 1, 2]), np.array([4, 4, 3])
    for pace in (1.0, 2.0):
        flows = flow_groups(target, src, dst, np.array([50, 50, 50]), pace=pace)
        ends = ends_alone(flows.groups, capacities(target))
        assert ends.max() == pytest.approx(pace * flows.need.max())
    wide = replace(target, mesh=replace(target.mesh, pace=0.0))
    assert (flow_groups(wide, src, dst, np.full(3, 50), pace=0.0).groups.cap > 1e8).all()
