"""Lists in lock-step are found, and how far packet mode is from the model lies in their band."""

from __future__ import annotations

import numpy as np
import pytest

from bench.patterns import as_packets, plain_mesh
from dojocc.runtime.mesh.fair import ends_alone
from dojocc.runtime.mesh.fair_flows import capacities, flow_groups
from dojocc.runtime.mesh.packet import Router, simulate
from dojocc.runtime.program import LIST_DTYPE
from dojocc.runtime.timing.band import band, bands, kind
from dojocc.runtime.timing.lock_step import in_lock_step

MESH = plain_mesh("18x20")
NODE = np.arange(MESH.positions)
ROW, COLUMN = np.divmod(NODE, MESH.cols)
PACKETS = 8
"""Packets to each node of a row."""


def in_row(order: np.ndarray) -> np.ndarray:
    """[nodes, packets]: every node sends to all of its row, in an order [nodes, columns]."""
    return np.repeat(ROW[:, None] * MESH.cols + order, PACKETS, axis=1)


def orders(name: str) -> np.ndarray:
    """[nodes, columns]: the columns in the order in which each node sends to them."""
    turn = np.arange(MESH.cols)
    if name == "same":
        return np.tile(turn, (len(NODE), 1))
    if name == "rotated":
        return (COLUMN[:, None] + 1 + turn) % MESH.cols
    rng = np.random.default_rng(0)
    return np.stack([rng.permutation(MESH.cols) for _ in NODE])


def flagged(to: np.ndarray) -> bool:
    """Whether a list with one entry a packet counts as in lock-step."""
    entries = np.zeros(to.size, LIST_DTYPE)
    entries["node"], entries["peer"] = np.repeat(NODE, to.shape[1]), to.reshape(-1)
    entries["bytes"], entries["count0"], entries["count1"] = 64, 1, 1
    flows = flow_groups(MESH, entries["node"], entries["peer"], np.ones(to.size))
    return in_lock_step(flows, entries, np.ones(to.size, bool), capacities(MESH))


def error(to: np.ndarray) -> float:
    """Packet mode's cycles, all packets at once, over those of fair sharing, less one."""
    src = np.repeat(NODE, to.shape[1])
    flows = flow_groups(MESH, src, to.reshape(-1), np.ones(to.size))
    ends = ends_alone(flows.groups, capacities(MESH))
    predicted = float((ends[flows.group] + flows.latency).max()) + Router().latency(0)
    return simulate(as_packets(MESH, to, np.zeros(to.shape)), Router()).makespan / predicted - 1


@pytest.mark.parametrize("order", ["same", "rotated"])
def test_sources_in_step_are_found_and_within_their_band(order: str) -> None:
    to = in_row(orders(order))
    assert flagged(to)
    assert bands()["paced"] < error(to) < bands()["lock_step"]


def test_an_order_of_its_own_for_each_source_is_not_in_step() -> None:
    to = in_row(orders("random"))
    assert not flagged(to)
    assert error(to) < error(in_row(orders("same"))) - 0.05


def test_all_to_all_is_in_step_when_rotated_or_in_one_order() -> None:
    turn = np.arange(len(NODE))
    assert flagged((NODE[:, None] + 1 + turn[:-1]) % len(NODE))
    assert flagged(np.tile(turn, (len(NODE), 1)))
    rng = np.random.default_rng(0)
    assert not flagged(np.stack([rng.permutation(len(NODE)) for _ in NODE]))


def test_one_destination_or_all_neighbours_are_not_in_step() -> None:
    assert not flagged(np.tile(((NODE + 1) % len(NODE))[:, None], 12))
    beside = [np.clip(COLUMN + step, 0, MESH.cols - 1) for step in (1, -1)]
    assert not flagged(ROW[:, None] * MESH.cols + np.stack(beside * 6, 1))


def test_the_band_of_a_run_is_that_of_its_exchanges_by_cycles() -> None:
    assert [kind(1.0, True), kind(1.0, False), kind(0.0, False)] == [
        "lock_step",
        "paced",
        "unpaced",
    ]
    known = bands()
    assert band([]) == band([("paced", 0.0)]) == known["paced"]
    mixed = band([("paced", 300.0), ("lock_step", 100.0)])
    assert mixed == pytest.approx(0.75 * known["paced"] + 0.25 * known["lock_step"])
