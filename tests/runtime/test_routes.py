"""Routes: connected, alive, shortest, x before y; and the loads of flows on links."""

from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dojocc.runtime.errors import InputError
from dojocc.runtime.mesh.routes import (
    DIRECTIONS,
    channel_cycle,
    connected,
    flow_set,
    link_properties,
    route,
    route_flows,
)
from dojocc.runtime.targets import load_target

TINY = Path(__file__).parents[1] / "targets" / "tiny.toml"


def grid_target(rows, cols, dead=(), links=()):
    base = load_target(TINY)
    return replace(base, die=replace(base.die, rows=rows, cols=cols)).with_dead(dead, links)


def graph_of(target):
    graph = nx.grid_2d_graph(target.rows, target.cols)
    graph.remove_nodes_from([target.position(node) for node in target.dead])
    graph.remove_edges_from(target.defect_links)
    return graph


def all_pairs(nodes):
    src, dst = np.meshgrid(nodes, nodes, indexing="ij")
    return src.reshape(-1), dst.reshape(-1)


def test_without_defects_routes_go_x_then_y():
    target = grid_target(4, 5)
    assert route(target, 0, 13) == [0, 1, 2, 3, 8, 13]
    assert route(target, 13, 0) == [13, 12, 11, 10, 5, 0]
    assert route(target, 7, 7) == [7]


def test_a_dead_node_is_passed_at_its_side():
    target = grid_target(3, 5, dead=[7])
    assert route(target, 5, 9) == [5, 6, 11, 12, 13, 14, 9]
    assert route(target, 2, 12) == [2, 3, 8, 13, 12]
    cut = grid_target(2, 2, links=[((0, 0), (0, 1))])
    assert route(cut, 0, 1) == [0, 2, 3, 1]
    assert route(cut, 1, 0) == [1, 3, 2, 0]


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(0, 41), max_size=14), st.data())
def test_routes_on_any_map_are_shortest_walks(dead, data):
    ends = st.sampled_from([((r, c), (r, c + 1)) for r in range(6) for c in range(6)])
    target = grid_target(6, 7, dead, data.draw(st.lists(ends, max_size=3)))
    graph = graph_of(target)
    nodes = np.flatnonzero(connected(target))
    largest = max(nx.connected_components(graph), key=len)
    assert len(nodes) == len(largest)
    routes = route_flows(target, *all_pairs(nodes))
    lengths = dict(nx.all_pairs_shortest_path_length(graph))
    for flow, (src, dst) in enumerate(zip(routes.src, routes.dst, strict=True)):
        walk = [target.position(node) for node in routes.nodes(flow)]
        assert walk[0] == target.position(src) and walk[-1] == target.position(dst)
        assert all(graph.has_edge(a, b) for a, b in zip(walk, walk[1:], strict=False))
        assert routes.hops[flow] == len(walk) - 1 == lengths[walk[0]][walk[-1]]


def test_every_pair_of_the_default_die_is_routed():
    target = load_target("d1-die")
    routes = route_flows(target, *all_pairs(target.live_nodes()))
    row, col = np.divmod(routes.src, 20)
    to_row, to_col = np.divmod(routes.dst, 20)
    extra = routes.hops - abs(row - to_row) - abs(col - to_col)
    assert (extra >= 0).all() and extra.max() == 2
    node, direction = np.divmod(routes.links, 4)
    moves = np.array([down * 20 + right for down, right in DIRECTIONS])
    assert not set(np.unique(node + moves[direction]).tolist()) & set(target.dead)
    last = np.cumsum(routes.hops)[routes.hops > 0] - 1
    assert ((node + moves[direction])[last] == routes.dst[routes.hops > 0]).all()
    same = np.ones(len(node) - 1, bool)
    same[last[:-1]] = False
    assert ((node + moves[direction])[:-1][same] == node[1:][same]).all()


def test_loads_are_the_sum_of_packets_on_each_link():
    target = grid_target(4, 5, dead=[7, 13])
    draw = np.random.default_rng(0)
    src, dst = draw.choice(target.live_nodes(), (2, 200))
    packets = draw.integers(1, 9, 200)
    flows = flow_set(target, src, dst, packets)
    loads = np.zeros(target.positions * 4)
    sent = np.zeros(target.positions)
    for a, b, amount in zip(src, dst, packets, strict=True):
        sent[a] += amount if a != b else 0
        walk = route(target, a, b)
        for here, there in zip(walk, walk[1:], strict=False):
            step = (there // 5 - here // 5, there % 5 - here % 5)
            loads[here * 4 + DIRECTIONS.index(step)] += amount
    assert (flows.loads == loads).all() and (flows.sent == sent).all()
    assert flows.packets.sum() == packets.sum()
    assert flows.busiest_link == loads.max()
    for number in range(len(flows.src)):
        walk = flows.routes.links[flows.routes.start[number] : flows.routes.start[number + 1]]
        assert flows.bottleneck[number] == loads[walk].max(initial=0)
    assert (flows.latency == flows.hops).all()


def test_no_flow_at_all():
    flows = flow_set(grid_target(2, 3), np.array([]), np.array([]), np.array([]))
    assert flows.busiest_link == 0 and flows.busiest_port == 0 and flows.lower_bound == 0


def test_all_to_one_is_bound_by_the_port():
    target = grid_target(3, 4)
    others = np.arange(1, 12)
    flows = flow_set(target, others, np.zeros(11, np.int64), np.full(11, 10))
    assert flows.busiest_port == 110 and flows.lower_bound == 110
    assert flows.busiest_link == 80  # column 0 brings two rows of four, row 0 the other three


def test_links_between_dies_are_narrower_and_longer():
    target = load_target("d1-training-tile")
    width, delay = (part.reshape(90, 100, 4) for part in link_properties(target))
    assert width[0, 18, 0] == 64 and delay[0, 18, 0] == 1
    assert width[0, 19, 0] == width[0, 20, 1] == pytest.approx(2e12 / 2e9 / 18)
    assert delay[17, 5, 2] == delay[18, 5, 3] == pytest.approx(200)
    corner = flow_set(target, np.array([0]), np.array([8999]), np.array([1]))
    microseconds = corner.latency[0] / target.node.clock_hz * 1e6
    assert 0.85 < microseconds < 0.95
    wafer = load_target("d2-wafer")
    assert (link_properties(wafer)[1].reshape(90, 100, 4)[:, :99, 0] == 1).all()


def test_plain_routes_cannot_deadlock_and_detours_may():
    plain = grid_target(4, 5)
    assert channel_cycle(route_flows(plain, *all_pairs(plain.live_nodes()))) == []
    holes = grid_target(5, 5, dead=[12])
    routes = route_flows(holes, *all_pairs(holes.live_nodes()))
    ring = channel_cycle(routes)
    pairs = set()
    for flow in range(len(routes.src)):
        links = routes.links[routes.start[flow] : routes.start[flow + 1]].tolist()
        pairs |= set(zip(links, links[1:], strict=False))
    assert ring and all(pair in pairs for pair in zip(ring, ring[1:] + ring[:1], strict=True))


@pytest.mark.parametrize(
    "src, dst, text",
    [
        (0, 99, "ends outside target tiny"),
        (-1, 0, "ends outside target tiny"),
        (0, 2, "ends at dead node 2"),
        (0, 3, "no route from node 0 to node 3"),
    ],
)
def test_impossible_flows_are_explained(src, dst, text):
    target = grid_target(1, 4, dead=[2])
    with pytest.raises(InputError, match=text):
        route(target, src, dst)
