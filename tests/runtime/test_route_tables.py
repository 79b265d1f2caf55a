"""Route tables: checked when made, kept by the program file and by assembly text, and walked."""

from dataclasses import replace

import numpy as np
import pytest
from mesh_maps import grid_target
from sample_program import list_entry, make_program

from dojocc.runtime.container import pack, unpack
from dojocc.runtime.errors import InputError, ProgramFileError
from dojocc.runtime.isa.asm import assemble
from dojocc.runtime.isa.disasm import disassemble
from dojocc.runtime.mesh.ends import gateways, list_ends
from dojocc.runtime.mesh.tables import (
    LIST_SET_DTYPE,
    ROUTE_DTYPE,
    RouteTable,
    check_routes,
    program_routes,
    table_routes,
    usable_share,
)
from dojocc.runtime.program import from_bytes, to_bytes
from dojocc.runtime.targets import load_target


def table(*legs, lists=()):
    return RouteTable(np.array(list(legs), ROUTE_DTYPE), np.array(list(lists), LIST_SET_DTYPE))


# On 2 x 3 nodes: 0 to 2 over the second row; a list of its own sends 0 to 5 down first.
WAYS = table(
    (0, 0, 2, 3, 0), (0, 0, 2, 5, 1), (0, 0, 2, 2, 2), (1, 0, 5, 3, 0), (1, 0, 5, 5, 1),
    lists=[(7, 1)],
)  # fmt: skip


def test_flows_take_their_lists_set_then_set_0_then_one_leg():
    target = grid_target(2, 3)
    src, dst = np.array([0, 0, 4, 1]), np.array([5, 2, 0, 1])
    plain = table_routes(target, WAYS, src, dst)
    own = table_routes(target, WAYS, src, dst, number=7)
    other = table_routes(target, WAYS, src, dst, number=8)
    assert plain.nodes(0).tolist() == other.nodes(0).tolist() == [0, 1, 2, 5]
    assert own.nodes(0).tolist() == [0, 3, 4, 5] and own.layers[:3].tolist() == [0, 1, 1]
    for routes in (plain, own):
        assert routes.nodes(1).tolist() == [0, 3, 4, 5, 2]
        assert routes.nodes(2).tolist() == [4, 3, 0] and routes.nodes(3).tolist() == [1]


def test_a_flow_that_no_row_names_goes_round_what_is_dead():
    target = grid_target(2, 3, dead=[1])
    routes = table_routes(target, WAYS, np.array([2, 0]), np.array([0, 2]))
    assert routes.nodes(0).tolist() == [2, 5, 4, 3, 0] and routes.layers[:4].tolist() == [
        0,
        1,
        1,
        1,
    ]
    assert routes.nodes(1).tolist() == [0, 3, 4, 5, 2] and routes.layers[4:].tolist() == [
        0,
        1,
        1,
        2,
    ]


def test_a_program_keeps_its_routes():
    program = make_program(routes=WAYS)
    for again in (from_bytes(to_bytes(program)), assemble(disassemble(program))):
        assert (again.routes.legs == WAYS.legs).all() and (again.routes.lists == WAYS.lists).all()
        assert to_bytes(again) == to_bytes(program)
    routes = program_routes(program, np.array([0]), np.array([5]), 7)
    assert routes.nodes(0).tolist() == [0, 3, 4, 5]
    mesh = program.target.mesh
    assert usable_share(program, 7) == mesh.negotiated_share
    assert usable_share(program, 6) == mesh.usable_share


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: RouteTable(np.zeros(2)), "one row of ROUTE_DTYPE a leg"),
        (lambda: table((0, 1, 2, 2, 0), (0, 0, 2, 2, 0)), "not sorted by set"),
        (lambda: table((1, 0, 2, 2, 0), (0, 0, 2, 2, 0)), "not sorted by set"),
        (lambda: table((0, 0, 2, 2, 0), lists=[(3, 0)]), "or name set 0"),
        (lambda: table((1, 0, 2, 2, 0), lists=[(3, 1), (3, 1)]), "not sorted, or"),
    ],
)
def test_tables_that_are_not_in_order_are_refused(make, text):
    with pytest.raises(InputError, match=text):
        make()


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (table((0, 0, 2, 9, 0)), "a node outside the target"),
        (table((0, 0, 2, 2, 4)), "a virtual layer that the links do not have"),
        (table((0, 0, 2, 1, 0)), "no walk over live links"),
        (table((0, 0, 2, 0, 0), (0, 0, 2, 2, 0)), "no walk over live links"),
        (table((0, 0, 1, 1, 0), (0, 0, 2, 4, 0), (0, 0, 2, 2, 1)), "no walk over live links"),
        (table((0, 0, 2, 2, 0), lists=[(3, 1)]), "a set of routes that is empty"),
    ],
)
def test_routes_that_are_no_walks_are_refused(wrong, text):
    target = grid_target(2, 3, dead=[4])
    with pytest.raises(InputError, match=text):
        check_routes(target, wrong)


def test_a_program_checks_its_routes():
    with pytest.raises(InputError, match="a node outside the target"):
        make_program(routes=table((0, 0, 2, 9, 0)))


def test_a_flow_that_the_table_does_not_help_is_refused():
    target = grid_target(2, 3, dead=[1], virtual_channels=2)
    with pytest.raises(InputError, match="from node 2 to node 0 meets a dead link"):
        table_routes(target, WAYS, np.array([0, 2]), np.array([2, 0]))


def test_a_file_with_routes_of_another_shape_is_refused():
    manifest, tensors = unpack(to_bytes(make_program(routes=WAYS)))
    del manifest["tensors_sha256"]
    wide = tensors | {"routes/legs": np.zeros((3, 14), np.uint8)}
    with pytest.raises(ProgramFileError, match="does not describe a valid program") as caught:
        from_bytes(pack(manifest, wide))
    assert "routes/legs of shape (3, 14)" in str(caught.value)
    random = np.random.default_rng(0).integers(0, 256, tensors["routes/legs"].shape, np.uint8)
    with pytest.raises(ProgramFileError, match="does not describe a valid program"):
        from_bytes(pack(manifest, tensors | {"routes/legs": random}))


def test_ends_of_transfers_are_physical_nodes():
    target = grid_target(2, 3)
    entries = np.concatenate(
        [
            list_entry(node=0, peer=1, peers=2, peer_stride=1),
            list_entry(node=1, peer=2, kind=1),
            list_entry(node=2, kind=2),
            list_entry(node=1, kind=3),
        ]
    )
    entry, src, dst = list_ends(target, [np.array([5, 4, 1])], entries)
    assert entry.tolist() == [0, 0, 1, 2, 3]
    assert src.tolist() == [5, 5, 1, 0, 4] and dst.tolist() == [4, 1, 4, 1, 3]


def test_dips_stand_along_their_edges():
    tray = load_target("d1-tray")
    assert {int(node) % tray.cols for node in tray.dip_nodes(3)} == {0}
    east = tray.dip_nodes(13)
    assert {int(node) % tray.cols for node in east} == {tray.cols - 1}
    every = np.concatenate([tray.dip_nodes(dip) for dip in range(20)])
    assert len(np.unique(every)) == len(every)
    near = gateways(tray, 0, np.array([5, 17 * tray.cols + 40, 100 * tray.cols]))
    assert (near // tray.cols).tolist() == [0, 17, 17]
    assert set((east // tray.cols).tolist()) <= set(range(54, 72))
    one = replace(tray, dips=replace(tray.dips, edge="north+south", count=1))
    assert (one.dip_nodes(0) < tray.cols).all()
