"""Random transfer lists leave memory as a copy of runs, one after another, would."""

from __future__ import annotations

import numpy as np
import pytest
from build import NODES, list_rows, program

from dojocc.runtime.engines.machine import Machine
from dojocc.runtime.engines.memory import Part

SIZE = 4096
KINDS = (0, 1)  # push, pull


def random_lists(random: np.random.Generator, kind: int) -> list[dict]:
    unit = int(random.choice([1, 2, 4, 16, 64]))
    rows = []
    for _ in range(int(random.integers(1, 12))):
        peers = int(random.integers(1, 4)) if kind == 0 else 1
        stride = int(random.integers(1, 3))
        count0, count1 = (int(n) for n in random.integers(1, 4, 2))
        row = {"list": 1, "kind": kind, "bytes": unit * int(random.integers(1, 4))}
        row |= {"node": int(random.integers(NODES)), "peers": peers, "peer_stride": stride}
        row |= {"peer": int(random.integers(NODES - (peers - 1) * stride))}
        row |= {"count0": count0, "count1": count1}
        for end in ("src", "dst"):
            row[end] = 1024 + unit * int(random.integers(0, 8))
            row[f"{end}_stride0"] = unit * int(random.integers(-3, 6))
            row[f"{end}_stride1"] = unit * int(random.integers(-3, 6))
        rows.append(row)
    return rows


def runs(row: dict) -> list[tuple[int, int]]:
    """(source byte, target byte) of every run."""
    return [
        tuple(row[e] + i * row[f"{e}_stride0"] + o * row[f"{e}_stride1"] for e in ("src", "dst"))
        for o in range(row["count1"])
        for i in range(row["count0"])
    ]


def by_runs(before: np.ndarray, rows: list[dict]) -> tuple[np.ndarray, np.ndarray]:
    """(memory afterwards, how often each byte was written): all sources as they were."""
    after, times = before.copy(), np.zeros(before.shape, np.int64)
    for row in rows:
        for peer in range(row["peers"]):
            other = row["peer"] + peer * row["peer_stride"]
            reads, writes = (row["node"], other) if row["kind"] == 0 else (other, row["node"])
            for source, target in runs(row):
                size = row["bytes"]
                after[writes, target : target + size] = before[reads, source : source + size]
                times[writes, target : target + size] += 1
    return after, times


def start(random: np.random.Generator, alike: bool) -> tuple[Machine, np.ndarray]:
    """A machine whose memory is random; `alike`: groups of nodes hold the same in spans of it."""
    machine = Machine(program([["nop"]]))
    memory = machine.memory[0]
    for low in range(0, SIZE, 512):
        of = np.arange(NODES)
        if alike:
            of = np.unique(random.integers(0, 3, NODES), return_inverse=True)[1]
        grouping = memory.groupings.get(of)
        rows = random.integers(0, 256, (grouping.count, 512), np.uint8)
        memory.put(Part(low, low + 512, low, rows, grouping, owned=bool(random.integers(2))))
    held = memory.read(0, SIZE)
    return machine, held.bytes(0, SIZE)[held.grouping.of].copy()


@pytest.mark.parametrize("alike", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(25))
def test_random_lists(seed: int, kind: int, alike: bool) -> None:
    random = np.random.default_rng(seed)
    machine, before = start(random, alike)
    for _ in range(2):
        rows = random_lists(random, kind)
        after, times = by_runs(before, rows)
        machine.parser.move(machine.parser.plan(list_rows(rows), 0))
        held = machine.memory[0].read(0, SIZE)
        found = held.bytes(0, SIZE)[held.grouping.of]
        once = times <= 1
        np.testing.assert_array_equal(found[once], after[once])
        before = found.copy()


def test_lists_share_what_nodes_receive_alike() -> None:
    """An all-gather along the rows of the grid leaves one content a row."""
    machine = Machine(program([["nop"]]))
    memory = machine.memory[0]
    memory.exclusive(0, 64)[...] = np.arange(NODES, dtype=np.uint8)[:, None]
    rows = [
        {"list": 1, "node": node, "peer": node // 3 * 3, "peers": 3, "peer_stride": 1}
        | {"src": 0, "dst": 512 + 64 * (node % 3), "bytes": 64}
        for node in range(NODES)
    ]
    machine.parser.move(machine.parser.plan(list_rows(rows), 0))
    held = memory.read(512, 512 + 192)
    assert held.grouping.count == 2
    expected = np.repeat(np.arange(NODES, dtype=np.uint8).reshape(2, 3), 64, axis=1)
    np.testing.assert_array_equal(held.bytes(512, 704), expected)
