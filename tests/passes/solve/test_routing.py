"""Routes round what is dead: complete, on live links, without deadlock, refused with a cut."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mesh_maps import all_pairs, graph_of, grid_target, walks_on

from dojocc.passes.solve.routing import detour_table
from dojocc.passes.solve.routing_legs import cheapest_legs, hop_costs, link_costs
from dojocc.passes.solve.routing_tree import spanning_order, tree_legs
from dojocc.runtime.errors import InputError
from dojocc.runtime.mesh.channels import channel_cycle
from dojocc.runtime.mesh.routes import components, connected, route_legs
from dojocc.runtime.mesh.tables import check_routes, table_routes
from dojocc.runtime.targets import load_target


def everything(target):
    """The table for all pairs of connected nodes, and their routes."""
    src, dst = all_pairs(np.flatnonzero(connected(target)))
    table = detour_table(target, src, dst)
    check_routes(target, table)
    return table, table_routes(target, table, src, dst)


def test_without_defects_there_is_no_table():
    table, routes = everything(grid_target(5, 6))
    assert not len(table.legs) and not routes.layers.any()


def test_a_dead_node_is_passed_at_its_side():
    target = grid_target(3, 5, dead=[7])
    _, routes = everything(target)
    src, dst = all_pairs(target.live_nodes())
    extra = routes.hops - abs(src // 5 - dst // 5) - abs(src % 5 - dst % 5)
    assert extra.max() == 2 and routes.layers.max() == 1


@settings(max_examples=25, deadline=None)
@given(st.sets(st.integers(0, 29), max_size=11), st.data(), st.integers(2, 4))
def test_every_pair_on_any_map_has_a_route_and_none_can_deadlock(dead, data, channels):
    ends = st.sampled_from([((r, c), (r, c + 1)) for r in range(5) for c in range(5)])
    links = data.draw(st.lists(ends, max_size=3))
    target = grid_target(5, 6, dead, links, virtual_channels=channels)
    _, routes = everything(target)
    walks_on(graph_of(target), routes)
    assert routes.layers.max(initial=0) < channels
    assert channel_cycle(routes) == []


def test_every_pair_of_the_default_die_is_routed():
    target = load_target("d1-die")
    src, dst = np.random.default_rng(0).choice(target.live_nodes(), (2, 20000))
    table = detour_table(target, src, dst)
    check_routes(target, table)
    routes = table_routes(target, table, src, dst)
    extra = routes.hops - abs(src // 20 - dst // 20) - abs(src % 20 - dst % 20)
    assert (extra >= 0).all() and extra.max() <= 4
    assert channel_cycle(routes) == [] and routes.layers.max() < target.mesh.virtual_channels
    assert len(table.first()) - 1 < 5e-4 * len(src), "routers find the others by themselves"


def test_routes_do_not_depend_on_the_order_of_flows():
    target = load_target("d1-die")
    draw = np.random.default_rng(1)
    src, dst = draw.choice(target.live_nodes(), (2, 3000))
    order = draw.permutation(3000)
    one, other = detour_table(target, src, dst), detour_table(target, src[order], dst[order])
    assert (one.legs == other.legs).all()


@pytest.mark.parametrize("legs", [1, 2, 3])
def test_cheapest_legs_are_no_dearer_than_any_other_choice(legs):
    """Against every choice of nodes between the legs, on random link costs."""
    target = grid_target(3, 3, dead=[1])
    draw = np.random.default_rng(legs)
    cost = draw.uniform(1, 9, target.positions * 4)
    nodes = target.live_nodes()
    src, dst = all_pairs(nodes)
    src, dst = src[src != dst], dst[src != dst]
    ends, found = cheapest_legs(target, link_costs(target, cost), src, dst, legs, spare=0.0)
    between = list(itertools.product(nodes, repeat=legs - 1))
    for flow in range(len(src)):
        choices = [price(target, cost, src[flow], [*middle, dst[flow]]) for middle in between]
        best = min(choices)
        assert found[flow] == (best < np.inf)
        if found[flow]:
            assert price(target, cost, src[flow], ends[flow]) == pytest.approx(best)


def price(target, cost, src, ends):
    """What a route of these legs costs; infinite where it meets something dead."""
    begins = [src, *ends[:-1]]
    moves = [(a, b) for a, b in zip(begins, ends, strict=True) if a != b]
    try:
        size = np.array([len(moves)])
        targets = np.array([b for _, b in moves])
        routes = route_legs(
            target, np.array([src]), targets[-1:], size, targets, np.zeros(len(moves))
        )
    except InputError:
        return np.inf
    return cost[routes.links].sum()


def test_few_legs_are_preferred_to_short_ways():
    target = grid_target(4, 4)
    cost = np.ones(64)
    cost[[0, 1 * 4]] = 50.0  # going east along row 0
    costs = link_costs(target, cost)
    src, dst = np.array([0]), np.array([3])
    straight, _ = cheapest_legs(target, costs, src, dst, 2)
    assert straight.tolist() == [[3, 3]]
    cheap, _ = cheapest_legs(target, costs, src, dst, 2, spare=0.0)
    assert cheap[0, 0] != 3
    assert (cheapest_legs(target, hop_costs(target), src, dst, 2, spare=0.0)[0] == 3).all()


def test_a_maze_takes_the_spanning_order():
    """Walls with gaps at alternating ends: far more turns than there are layers."""
    walls = [(row, col) for row in (1, 3, 5, 7) for col in range(6) if col != (5, 0)[row // 2 % 2]]
    target = grid_target(9, 6, walls, virtual_channels=3)
    table, routes = everything(target)
    walks_on(graph_of(target), routes)
    assert channel_cycle(routes) == []
    assert table.legs["layer"].max() == 2
    order = spanning_order(target, int(components(target)[0]))
    assert sorted(order[order >= 0].tolist()) == list(range(len(target.live_nodes())))
    assert tree_legs(target, 0, 5) == [5]


def test_a_cut_names_what_is_dead_between():
    wall = [(row, 2) for row in range(4) if row != 1]
    target = grid_target(4, 5, wall, [((1, 2), (1, 3))])
    with pytest.raises(InputError, match=r"no route from node \(0, 0\) to node \(0, 4\)") as caught:
        detour_table(target, np.array([0]), np.array([4]))
    assert caught.value.where == (
        "target tiny, cut by dead node (0, 2), node (2, 2), node (3, 2), link (1, 2)-(1, 3)"
    )
    assert caught.value.numbers == "3 nodes and 1 links cut 9 nodes from 8"


def test_a_cut_is_a_smallest_one():
    """Two walls: the cut names the one with fewer dead parts."""
    thick = [(row, 1) for row in range(4)]
    target = grid_target(4, 6, [*thick, (0, 4), (1, 5)])
    with pytest.raises(InputError) as caught:
        detour_table(target, np.array([0]), np.array([5]))
    assert caught.value.where == "target tiny, cut by dead node (0, 4), node (1, 5)"
