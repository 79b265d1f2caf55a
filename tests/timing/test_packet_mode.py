"""Packet mode: against BookSim2's tables, and what any network must keep."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench import mesh
from bench.patterns import as_packets, batch, plain_mesh
from dojocc.runtime.errors import MachineStop, TargetError
from dojocc.runtime.mesh.packet import Packets, Router, simulate
from dojocc.runtime.mesh.packet_state import first_from
from dojocc.runtime.mesh.routes import Routes
from dojocc.runtime.target import Target
from dojocc.runtime.targets import load_target

QUICK = ("halo 64", "neighborwrap 64", "cola2a 76 vc4x8")


def check(rows: list[mesh.Row]) -> None:
    assert rows
    missed = [(row.case, row.what, row.error, row.allowed) for row in rows if not row.kept]
    assert not missed


def one_way(
    target: Target,
    ends: list[list[int]],
    layer: int | np.ndarray = 0,
    layers: int = 1,
    release: float = 0.0,
    count: int = 1,
) -> Packets:
    """`count` packets along each of the node walks in `ends`."""
    step = {1: 0, -1: 1, target.cols: 2, -target.cols: 3}
    links = [[a * 4 + step[b - a] for a, b in zip(w, w[1:], strict=False)] for w in ends]
    start = np.concatenate([[0], np.cumsum([len(part) for part in links])])
    src, dst = (np.array([walk[place] for walk in ends]) for place in (0, -1))
    every = np.concatenate(links).astype(np.int64)
    routes = Routes(target, src, dst, start, every, np.zeros(len(every), np.uint8))
    flow = np.repeat(np.arange(len(ends)), count)
    return Packets(
        routes, flow, np.full(len(flow), release), np.broadcast_to(layer, len(ends)), layers
    )


def test_all_at_once_as_booksim_quick() -> None:
    rows = list(mesh.batch_rows(QUICK))
    check(rows)
    assert max(abs(row.error) for row in rows) < 0.015


def test_paced_columns_as_booksim() -> None:
    rows = list(mesh.paced_rows(("cola2a 190 gap 6.053",)))
    check(rows)
    assert max(abs(row.error) for row in rows) < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("table", ["batch_rows", "paced_rows"])
def test_makespans_as_booksim(table: str) -> None:
    rows = list(getattr(mesh, table)())
    check(rows)
    assert max(abs(row.error) for row in rows) < 0.05


@pytest.mark.slow
def test_latency_and_saturation_as_booksim() -> None:
    check(list(mesh.load_rows()))


@pytest.mark.parametrize(
    "router", [Router(), Router(routing=1, speculative=False), Router(traversal=1, credit=1)]
)
def test_a_lone_packet_takes_the_pipeline(router: Router) -> None:
    target = plain_mesh("6x5")
    to = np.full((target.positions, 1), -1)
    to[0], to[17] = 29, 12
    packets = as_packets(target, to, np.full(to.shape, 7.0))
    found = simulate(packets, router)
    hops = packets.routes.hops[packets.flow]
    assert (found.arrived - 7 == router.injection + (hops + 1) * router.hop).all()
    assert found.arrived.max() - 7 == router.latency(int(hops.max()))


def test_nothing_is_lost_and_no_bound_is_beaten() -> None:
    target = plain_mesh("5x7")
    packets = batch(target, "uniform", 40, seed=5)
    for router in (Router(), Router(channels=1, depth=2), Router(channels=8, depth=1)):
        found = simulate(packets, router)
        assert (found.arrived >= 0).all()
        loads = np.bincount(packets.routes.links, minlength=target.positions * 4) * 0
        for flow in packets.flow:
            links = packets.routes.links
            loads[links[packets.routes.start[flow] : packets.routes.start[flow + 1]]] += 1
        received = np.bincount(packets.routes.dst[packets.flow])
        assert found.makespan > max(loads.max(), received.max())


def test_packets_of_one_source_and_channel_keep_their_order() -> None:
    packets = one_way(plain_mesh("4x1"), [[0, 1, 2, 3]], count=20)
    arrived = simulate(packets, Router(channels=1)).arrived
    assert (np.diff(arrived) == 1).all()


def test_a_narrow_link_sets_the_pace_and_a_long_one_the_latency() -> None:
    base = load_target("d1-training-tile")
    dies = replace(base.system, die_rows=1, die_cols=2)
    target = replace(
        base, system=dies, die=replace(base.die, rows=2, cols=4, dead=(), edge_bytes_per_s=1e15)
    )
    packets = one_way(target, [[2, 3, 4, 5]], count=60)
    found = simulate(packets, Router())
    crossing = round(target.die.edge_ns * 1e-9 * target.node.clock_hz)
    assert found.arrived.min() == Router().latency(3) + crossing - target.mesh.hop_cycles
    assert found.makespan == found.arrived.min() + 60
    narrow = replace(target, die=replace(target.die, edge_bytes_per_s=2 * 16 * 2e9))
    slow = simulate(replace(packets, routes=replace(packets.routes, target=narrow)), Router())
    assert slow.makespan == pytest.approx(found.arrived.min() + 1 + 59 * 4, abs=4)  # 16 of 64 B


def test_a_ring_of_routes_locks_up_and_a_second_layer_frees_it() -> None:
    target = plain_mesh("2x2", 1)
    walks = [[0, 1, 3, 2], [1, 3, 2, 0], [3, 2, 0, 1], [2, 0, 1, 3]]
    small = Router(channels=1, depth=1)
    with pytest.raises(MachineStop, match=r"wait for each other in a ring(.|\n)*layer of virtual"):
        simulate(one_way(target, walks, count=50), small)
    freed = one_way(target, walks, np.array([0, 0, 1, 1]), 2, count=50)
    assert (simulate(freed, replace(small, channels=2)).arrived > 0).all()


def test_routers_and_layers_that_make_no_sense_are_refused() -> None:
    with pytest.raises(TargetError, match="at least one channel, place and cycle"):
        Router(channels=0)
    packets = one_way(plain_mesh("2x1"), [[0, 1]], 0, 3)
    with pytest.raises(TargetError, match="4 virtual channels do not divide into 3 layers"):
        simulate(packets, Router())


def test_round_robin_choice() -> None:
    mask, pointer = np.array([0b1010, 0b1010, 0b0001]), np.array([2, 0, 3])
    assert first_from(mask, pointer).tolist() == [3, 1, 0]
