"""A machine that runs again plays the tape of its first run: with other data, to the same end as a
machine that has none.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from build import NODES, program
from hypothesis import HealthCheck, given, settings
from programs import MEMORY, stream

from dojocc.runtime.engines import run
from dojocc.runtime.engines.machine import Machine
from dojocc.runtime.errors import MachineStop

CASES = int(os.environ.get("DOJOCC_RANDOM_PROGRAMS", "150")) // 3
COLUMNS = MEMORY // 4
PORTS = {"inputs": {"x": (0, COLUMNS, "FP32")}, "outputs": {"y": (0, COLUMNS, "FP32")}}
FIRST, SECOND = (
    np.random.default_rng(seed).standard_normal((NODES, COLUMNS)).astype(np.float32)
    for seed in (7, 8)
)


def bits(array: np.ndarray) -> np.ndarray:
    return np.asarray(array, np.float32).view(np.uint32)


def outcome(built, x: np.ndarray, engine: str, machine: Machine | None = None):
    """(output's bits, instructions), or the words of the stop."""
    try:
        result = run(built, {"x": x}, engine, "exact", machine=machine)
    except MachineStop as stop:
        return stop.what.split(":")[0]
    return bits(result.outputs["y"]), result.counters.instructions


@settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(stream())
def test_a_second_run_equals_the_reference(lines: list[str]) -> None:
    built = program([lines], **PORTS)
    machine = Machine(built)
    first = outcome(built, FIRST, "vector", machine)
    if isinstance(first, str):
        return
    assert machine.tapes["exact"].counters is not None
    expected, found = outcome(built, SECOND, "reference"), outcome(built, SECOND, "vector", machine)
    if isinstance(expected, str) or isinstance(found, str):
        assert isinstance(expected, str) == isinstance(found, str)
        return
    np.testing.assert_array_equal(expected[0], found[0], str(lines))
    assert expected[1] == found[1]


@pytest.mark.parametrize("inner", [0, 1])
def test_a_loop_of_no_trips_writes_and_hides_nothing(inner: int) -> None:
    """v0 is set before a nest whose only other write of it may not run; the nest also reads it."""
    lines = ["aclr 0", "aclr 1", "abasei 1 256", "aclr 2", "abasei 2 320", "rdid 1 5"]
    lines += ["loop 0 1", "vld 0 0 4 0 0", "end"]
    lines += ["loop 0 1", f"loop 1 {inner}", "vlii 0 7 0", "end", "viadd 1 0 0 0", "end"]
    lines += ["loopx 0 1", f"loop 1 {inner}", "vlii 0 7 0", "end", "viadd 2 0 0 0", "end"]
    lines += ["vst 0 1 4 0 0", "vst 1 2 4 0 0", "aaddi 2 64", "vst 2 2 4 0 0"]
    ports = {"inputs": {"x": (0, 16, "INT32")}, "outputs": {"y": (256, 48, "INT32")}}
    built = program([lines], **ports)
    machine = Machine(built)
    for seed in range(3):
        x = np.random.default_rng(seed).integers(-9, 9, (NODES, 16)).astype(np.int32)
        found = run(built, {"x": x}, machine=machine).outputs["y"]
        expected = run(built, {"x": x}, "reference").outputs["y"]
        np.testing.assert_array_equal(found, expected)


def counted(trips: int) -> np.ndarray:
    """Inputs whose first word is a trip count."""
    x = np.ones((NODES, 32), np.int32)
    x[:, 0] = trips
    return x


def test_another_loaded_scalar_is_not_taken_from_the_tape() -> None:
    """The trip count of a loop comes from the input: every run must obey its own."""
    lines = ["aclr 0", "ldx 1 0 0", "vlii 0 0 0", "vlii 1 1 0"]
    lines += ["loopx 0 1", "viacc 0 1 0", "end", "aclr 1", "abasei 1 256", "vst 0 1 4 0 0"]
    ports = {"inputs": {"x": (0, 32, "INT32")}, "outputs": {"y": (256, 16, "INT32")}}
    built = program([lines], **ports)
    machine = Machine(built)
    for trips in (5, 5, 3, 7, 7):
        result = run(built, {"x": counted(trips)}, machine=machine)
        np.testing.assert_array_equal(result.outputs["y"], trips)
        assert result.counters.instructions["viacc"] == trips * NODES
    mixed = counted(2)
    mixed[::2, 0] = 4
    y = run(built, {"x": mixed}, machine=machine).outputs["y"]
    np.testing.assert_array_equal(y, np.broadcast_to(mixed[:, :1], y.shape))


def test_scalars_from_images_need_no_check() -> None:
    table = np.full((NODES, 16), 6, np.int32)
    lines = ["aclr 0", "abasei 0 512", "ldx 1 0 0", "vlii 0 0 0", "vlii 1 1 0"]
    lines += ["loopx 0 1", "viacc 0 1 0", "end", "aclr 1", "abasei 1 256", "vst 0 1 4 0 0"]
    built = program([lines], outputs={"y": (256, 16, "INT32")}, images={"t": (512, table, "INT32")})
    machine = Machine(built)
    for _ in range(2):
        np.testing.assert_array_equal(run(built, {}, machine=machine).outputs["y"], 6)
    assert not any("expect" in e.again.__qualname__ for e in machine.tapes["fast"].events)


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_nodes_that_go_their_own_way_do_so_again(mode: str) -> None:
    """Loops whose trip counts differ by node, and registers that outlive them."""
    lines = ["rdid 1 5", "aclr 0", "vlii 0 0 0", "vld 1 0 4 0 0", "loopx 0 1", "viacc 0 1 0", "end"]
    lines += ["aclr 1", "abasei 1 256", "vst 0 1 4 0 0"]
    ports = {"inputs": {"x": (0, 16, "INT32")}, "outputs": {"y": (256, 16, "INT32")}}
    built = program([lines], **ports)
    machine = Machine(built)
    column = np.arange(NODES)[:, None] % 3
    for seed in range(3):
        x = np.random.default_rng(seed).integers(-9, 9, (NODES, 16)).astype(np.int32)
        y = run(built, {"x": x}, mode=mode, machine=machine).outputs["y"]
        np.testing.assert_array_equal(y, x * column)


def test_a_trap_of_the_data_traps_when_played() -> None:
    """An index from the input that leaves SRAM stops the second run too."""
    lines = ["aclr 0", "aclr 1", "abasei 1 256", "vld 1 0 4 0 0", "vgat 0 0 4 1 0", "vst 0 1 4 0 0"]
    ports = {"inputs": {"x": (0, 16, "INT32")}, "outputs": {"y": (256, 16, "INT32")}}
    built = program([lines], **ports)
    machine = Machine(built)
    good = np.broadcast_to(np.arange(16, dtype=np.int32), (NODES, 16))
    np.testing.assert_array_equal(run(built, {"x": good}, machine=machine).outputs["y"], good)
    with pytest.raises(MachineStop, match="indexed load leaves SRAM"):
        run(built, {"x": good + 2**30}, machine=machine)
