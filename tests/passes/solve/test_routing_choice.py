"""Negotiated routes: less crowded, sound, the same for any order of flows, taken only if faster."""

from dataclasses import replace

import numpy as np
import pytest
from mesh_maps import graph_of, grid_target, walks_on

from dojocc.passes.solve.routing import detour_table
from dojocc.passes.solve.routing_choice import Transfers, modelled, route_lists
from dojocc.passes.solve.routing_negotiate import negotiate, routes_along
from dojocc.runtime.mesh.channels import channel_cycle
from dojocc.runtime.mesh.routes import loaded
from dojocc.runtime.mesh.tables import check_routes, table_routes

SIX = [(0, 6), (2, 17), (3, 12), (7, 14), (8, 3), (9, 16)]


def transpose(target):
    """Every live node to the one across the diagonal, where that is alive."""
    live = target.live().reshape(-1)
    src = np.arange(target.positions)
    dst = src % target.cols * target.rows + src // target.cols
    both = live[src] & live[dst] & (src != dst)
    return src[both], dst[both]


def busiest(routes, packets):
    return loaded(routes, packets).busiest_link


@pytest.mark.parametrize(("dead", "plain"), [((), 17), (SIX, 16)])
def test_a_transpose_on_18_by_18_needs_6_on_the_busiest_link(dead, plain):
    """The cut bound is 4.8; x, then y, needs 17."""
    target = grid_target(18, 18, dead)
    src, dst = transpose(target)
    one = np.ones(len(src))
    table = detour_table(target, src, dst)
    assert busiest(table_routes(target, table, src, dst), one) == plain
    found = negotiate(target, src, dst, one, enough=1.0)
    routes = routes_along(target, src, found.ends)
    walks_on(graph_of(target), routes)
    assert found.busiest == busiest(routes, one) == 6


def lists_of(target, packets, order=None):
    """List 0: a few light flows; list 3 and 5: the same transpose; shuffled by `order`."""
    src, dst = transpose(target)
    light = src[::7], dst[::7]
    moves = [
        np.concatenate([np.zeros(len(light[0]), int), np.full(len(src), 3), np.full(len(src), 5)]),
        np.concatenate([light[0], src, src]),
        np.concatenate([light[1], dst, dst]),
        np.concatenate([np.ones(len(light[0])), np.full(2 * len(src), packets)]),
    ]
    if order is not None:
        shuffle = np.random.default_rng(order).permutation(len(moves[0]))
        moves = [part[shuffle] for part in moves]
    return Transfers(*moves)


def test_lists_that_gain_get_routes_of_their_own_whatever_the_order():
    target = grid_target(9, 9, [(2, 3), (6, 6)])
    moves = lists_of(target, 100)
    table = route_lists(target, moves)
    assert table.lists["list"].tolist() == [3, 5] and table.lists["set"].tolist() == [1, 1]
    check_routes(target, table)
    for order in (1, 2):
        other = route_lists(target, lists_of(target, 100, order))
        assert (other.legs == table.legs).all() and (other.lists == table.lists).all()
    src, dst = transpose(target)
    mesh, packets = target.mesh, np.full(len(src), 100.0)
    plain, own = (table_routes(target, table, src, dst, number) for number in (None, 3))
    before = modelled(loaded(plain, packets), mesh.usable_share)
    assert modelled(loaded(own, packets), mesh.negotiated_share) < before
    assert channel_cycle(own) == [] and own.layers.max() < mesh.virtual_channels - 1


@pytest.mark.parametrize(
    ("packets", "share"), [(3, 0.75), (100, 0.1)], ids=["little to gain", "too little of a link"]
)
def test_plain_routes_stay_where_others_gain_nothing(packets, share):
    target = grid_target(9, 9)
    target = replace(target, mesh=replace(target.mesh, negotiated_share=share))
    table = route_lists(target, lists_of(target, packets))
    assert not len(table.lists) and not len(table.legs)


def test_no_transfers_need_no_routes():
    empty = np.zeros(0, np.int64)
    table = route_lists(grid_target(2, 2), Transfers(empty, empty, empty, empty))
    assert not len(table.legs) and not len(table.lists)
