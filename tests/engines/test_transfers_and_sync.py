"""Semaphores, barriers, pushes, DRAM, splitting of groups, deadlock reports, traps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from build import NODES, program

from dojocc.runtime.engines import run
from dojocc.runtime.engines.exchange import hulls
from dojocc.runtime.errors import InputError, MachineStop
from dojocc.runtime.program import DramImage
from dojocc.runtime.timing import time_program

ENGINES = [("reference", "exact"), ("vector", "exact"), ("vector", "fast")]
X = np.arange(NODES * 16, dtype=np.float32).reshape(NODES, 16)
PORTS: dict[str, Any] = {"inputs": {"x": (0, 16, "FP32")}, "outputs": {"y": (256, 16, "FP32")}}


def ring(**changes) -> list[dict]:
    """Node i pushes its 64 bytes to node i + 1."""
    entry = {"list": 1, "src": 0, "dst": 256, "bytes": 64, "far_sem": 3, "home_sem": 4}
    return [{**entry, "node": i, "peer": (i + 1) % NODES, **changes} for i in range(NODES)]


@pytest.mark.parametrize(("engine", "mode"), ENGINES)
def test_push_moves_and_posts(engine: str, mode: str) -> None:
    built = program([["push 1", "wait 3 1", "wait 4 1"]], lists=ring(), **PORTS)
    result = run(built, {"x": X}, engine, mode)
    np.testing.assert_array_equal(result.outputs["y"], np.roll(X, 1, axis=0))
    assert result.counters.bytes_moved == 64 * NODES


@pytest.mark.parametrize(("engine", "mode"), ENGINES)
def test_strided_push(engine: str, mode: str) -> None:
    shape = {"bytes": 4, "count0": 2, "src_stride0": 8, "dst_stride0": 4, "count1": 3}
    shape |= {"src_stride1": 16, "dst_stride1": 16}
    built = program([["push 1", "wait 3 1"]], lists=ring(**shape), **PORTS)
    y = run(built, {"x": X}, engine, mode).outputs["y"]
    expected = np.zeros_like(X)
    for outer in range(3):
        for inner in range(2):
            expected[:, 4 * outer + inner] = np.roll(X, 1, axis=0)[:, 4 * outer + 2 * inner]
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize(("engine", "mode"), ENGINES)
def test_chain_through_nodes_splits_the_group(engine: str, mode: str) -> None:
    """Node i + 1 waits for node i, which all stand at the same wait: they must run one after
    another.
    """
    lists = [entry for entry in ring(src=256) if entry["node"] < NODES - 1]
    stream = ["rdid 1 5", "rdid 2 4", "li 3 3", "mul 2 2 3", "add 1 1 2", "li 4 0", "sne 5 1 4"]
    stream += ["aclr 0", "waitx 3 5", "li 6 1", "sub 6 6 5", "loopx 0 6", "vld 0 0 0 0 0"]
    stream += ["aclr 1", "abasei 1 256", "vst 0 1 0 0 0", "end", "push 1"]
    built = program([stream], lists=lists, **PORTS)
    y = run(built, {"x": X}, engine, mode).outputs["y"]
    np.testing.assert_array_equal(y, np.broadcast_to(X[0], X.shape))


@pytest.mark.parametrize(("engine", "mode"), ENGINES)
def test_threads_hand_over_and_meet_at_barriers(engine: str, mode: str) -> None:
    first = [
        "post 1 1",
        "nbar 3",
        "aclr 0",
        "abasei 0 256",
        "vld 0 0 0 0 0",
        "vadd 0 0 0 0",
        "vst 0 0 0 0 0",
    ]
    second = ["wait 1 1", "rbar 0", "push 1", "wait 3 1", "nbar 3"]
    built = program([first, second], lists=ring(), **PORTS)
    np.testing.assert_array_equal(
        run(built, {"x": X}, engine, mode).outputs["y"], 2 * np.roll(X, 1, axis=0)
    )
    timed = time_program(built)
    assert timed.cycles > built.target.sync.region_barrier_cycles
    assert timed.cycles >= timed.lower_bound_cycles


@pytest.mark.parametrize(("engine", "mode"), ENGINES)
def test_dram_load_and_store(engine: str, mode: str) -> None:
    load = {"list": 1, "kind": 2, "peer": 0, "dst": 256, "bytes": 64, "home_sem": 3}
    lists = [{**load, "node": i, "src": 64 * (NODES - 1 - i)} for i in range(NODES)]
    built = program([["dld 1", "wait 3 1"]], lists=lists, **PORTS)
    built = replace(built, tensors={"d": X}, dram=(DramImage("d", 0, 0, "d"),))
    np.testing.assert_array_equal(run(built, {"x": 0 * X}, engine, mode).outputs["y"], X[::-1])
    assert time_program(built).cycles > 100


def test_deadlock_names_node_semaphore_and_op() -> None:
    built = program([["mark 0", "wait 7 2"]], **PORTS)
    with pytest.raises(MachineStop) as stop:
        run(built, {"x": X})
    text = str(stop.value)
    assert "deadlock: no thread can go on, 6 node threads wait" in text
    assert "semaphore 7 has 0, needs 2" in text and "(1, 2)" in text and "in op (node)" in text


@pytest.mark.parametrize("lines", [["abasei 0 -64"], ["abasei 0 2000000"], ["abasei 0 1310700"]])
@pytest.mark.parametrize(("engine", "mode"), ENGINES)
def test_access_outside_sram_traps(lines: list[str], engine: str, mode: str) -> None:
    for access in ("vld 0 0 0 0 0", "vst 0 0 0 0 0"):
        with pytest.raises(MachineStop, match="leaves SRAM"):
            run(program([[*lines, access]], **PORTS), {"x": X}, engine, mode)


def test_watchdog_stops_endless_stepping() -> None:
    loops = ["loop 0 65535", "loop 1 65535", "vadd 0 0 1 0", "vmov 1 0 0", "post 1 1", "end", "end"]
    from dojocc.runtime.engines.counters import Counters
    from dojocc.runtime.engines.machine import Machine
    from dojocc.runtime.engines.scheduler import Scheduler
    from dojocc.runtime.engines.vector import Vector

    machine = Machine(program([loops], **PORTS), watchdog=10_000)
    with pytest.raises(MachineStop, match="watchdog"):
        Scheduler(machine, Vector(machine, Counters(), True)).run()


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"z": X}, r"unknown \['z'\]; missing \['x'\]"),
        ({"x": X[:, :3]}, r"need \(6, 16\), have \(6, 3\)"),
        ({"x": X.astype(np.int64)}, "need float32, have int64"),
    ],
)
def test_wrong_inputs_are_refused(inputs: dict, words: str) -> None:
    with pytest.raises(InputError) as error:
        run(program([["nop"]], **PORTS), inputs)
    import re

    assert re.search(words, str(error.value))


def test_one_changed_word_changes_or_stops_the_run() -> None:
    lines = ["aclr 0", "aclr 1", "abasei 1 256", "vld 0 0 0 0 0", "vadd 0 0 0 0", "vst 0 1 0 0 0"]
    built = program([lines], **PORTS)
    before = run(built, {"x": X}).outputs["y"]
    cls = built.classes[0]
    for word in (2, 3, 4, 5, 6):
        code = cls.code.copy()
        code[word] ^= 1 << 25
        changed = replace(built, classes=(replace(cls, code=code),))
        try:
            after = run(changed, {"x": X}).outputs["y"]
        except MachineStop:
            continue
        assert not np.array_equal(before, after), word


def test_spans_near_each_other_are_one_and_far_ones_stay() -> None:
    low = np.array([0, 200, 400, 600])
    span, found = hulls(low, low + 100)
    assert found == [(0, 700)] and span.tolist() == [0, 0, 0, 0]
    span, found = hulls(low * 10, low * 10 + 100)
    assert found == [(at, at + 100) for at in (0, 2000, 4000, 6000)]
    assert span.tolist() == [0, 1, 2, 3]
    _, found = hulls(low[:2], low[:2] + 100)
    assert found == [(0, 100), (200, 300)]
