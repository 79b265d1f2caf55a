"""Routes without a table: x, then y; and the loads of flows on links."""

from dataclasses import replace

import numpy as np
import pytest
from mesh_maps import all_pairs, graph_of, grid_target, walks_on

from dojocc.runtime.errors import InputError
from dojocc.runtime.mesh.channels import channel_cycle
from dojocc.runtime.mesh.routes import (
    DIRECTIONS,
    clear,
    flow_set,
    link_properties,
    route_flows,
    route_legs,
)
from dojocc.runtime.targets import load_target


def walk(target, src, dst):
    return route_flows(target, np.array([src]), np.array([dst])).nodes(0).tolist()


def test_routes_go_x_then_y():
    target = grid_target(4, 5)
    assert walk(target, 0, 13) == [0, 1, 2, 3, 8, 13]
    assert walk(target, 13, 0) == [13, 12, 11, 10, 5, 0]
    assert walk(target, 7, 7) == [7]
    routes = route_flows(target, *all_pairs(target.live_nodes()))
    walks_on(graph_of(target), routes)
    assert not routes.layers.any() and channel_cycle(routes) == []


def test_legs_follow_one_another_each_on_its_layer():
    target = grid_target(3, 5)
    ends, layers = np.array([10, 14, 9, 2]), np.array([0, 1, 2, 0])
    routes = route_legs(target, np.array([5, 0]), np.array([9, 2]), np.array([3, 1]), ends, layers)
    assert routes.nodes(0).tolist() == [5, 10, 11, 12, 13, 14, 9]
    assert routes.nodes(1).tolist() == [0, 1, 2]
    assert routes.layers.tolist() == [0, 1, 1, 1, 1, 2, 0, 0]


def test_clear_sees_dead_nodes_and_links_in_the_way():
    target = grid_target(5, 6, dead=[8, 21], links=[((4, 1), (4, 2)), ((0, 5), (1, 5))])
    graph = graph_of(target)
    src, dst = all_pairs(np.arange(30))
    row, col, to_row, to_col = src // 6, src % 6, dst // 6, dst % 6
    found = clear(target, src, dst)
    for i in np.flatnonzero(src != dst).tolist():
        along = [(row[i], c) for c in ordered(col[i], to_col[i])]
        across = [(r, to_col[i]) for r in ordered(row[i], to_row[i])]
        steps = [*along, *across[1:]]
        whole = all(graph.has_edge(a, b) for a, b in zip(steps, steps[1:], strict=False))
        assert found[i] == whole


def ordered(first, last):
    return range(first, last + 1) if last >= first else range(first, last - 1, -1)


def test_loads_are_the_sum_of_packets_on_each_link():
    target = grid_target(4, 5)
    draw = np.random.default_rng(0)
    src, dst = draw.choice(target.live_nodes(), (2, 200))
    packets = draw.integers(1, 9, 200)
    flows = flow_set(target, src, dst, packets)
    loads = np.zeros(target.positions * 4)
    sent = np.zeros(target.positions)
    for a, b, amount in zip(src, dst, packets, strict=True):
        sent[a] += amount if a != b else 0
        nodes = walk(target, a, b)
        for here, there in zip(nodes, nodes[1:], strict=False):
            step = (there // 5 - here // 5, there % 5 - here % 5)
            loads[here * 4 + DIRECTIONS.index(step)] += amount
    assert (flows.loads == loads).all() and (flows.sent == sent).all()
    assert flows.packets.sum() == packets.sum()
    assert flows.busiest_link == loads.max()
    for number in range(len(flows.src)):
        links = flows.routes.links[flows.routes.start[number] : flows.routes.start[number + 1]]
        assert flows.bottleneck[number] == loads[links].max(initial=0)
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
    whole = replace(target, die=replace(target.die, dead=()))
    corner = flow_set(whole, np.array([0]), np.array([8999]), np.array([1]))
    microseconds = corner.latency[0] / target.node.clock_hz * 1e6
    assert 0.85 < microseconds < 0.95
    wafer = load_target("d2-wafer")
    assert (link_properties(wafer)[1].reshape(90, 100, 4)[:, :99, 0] == 1).all()


RING = [([0, 1, 4], 4), ([1, 4, 3], 3), ([4, 3, 0], 0), ([3, 0, 1], 1)]


@pytest.mark.parametrize(("layers", "free"), [((0, 0), False), ((0, 1), True)])
def test_a_ring_of_turns_is_found_unless_layers_break_it(layers, free):
    """Four flows round a square, each waiting for the next one's first link."""
    target = grid_target(2, 3)
    ends = np.array([nodes[leg] for nodes, _ in RING for leg in (1, 2)])
    routes = route_legs(
        target,
        np.array([nodes[0] for nodes, _ in RING]),
        np.array([nodes[2] for nodes, _ in RING]),
        np.full(4, 2),
        ends,
        np.array(layers * 4),
    )
    ring = channel_cycle(routes)
    assert (ring == []) == free
    links = [
        routes.links[a:b].tolist() for a, b in zip(routes.start, routes.start[1:], strict=False)
    ]
    pairs = {tuple(pair) for pair in links}
    assert all(pair in pairs for pair in zip(ring, ring[1:] + ring[:1], strict=True))


@pytest.mark.parametrize(
    "src, dst, text",
    [
        (0, 99, "ends outside target tiny"),
        (-1, 0, "ends outside target tiny"),
        (0, 2, "ends at dead node 2"),
        (0, 3, "the route from node 0 to node 3 meets a dead link"),
    ],
)
def test_impossible_flows_are_explained(src, dst, text):
    with pytest.raises(InputError, match=text):
        walk(grid_target(1, 4, dead=[2]), src, dst)


def test_legs_must_end_where_the_flow_does():
    target = grid_target(2, 2)
    ends = [np.array([each]) for each in (0, 3, 1, 2, 0)]
    with pytest.raises(InputError, match="a route does not end where its flow does"):
        route_legs(target, *ends)
