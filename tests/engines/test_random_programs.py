"""Random programs: the vector engine in exact mode leaves memory bit for bit as the reference
does.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from build import NODES, program
from hypothesis import HealthCheck, given, settings
from programs import MEMORY, stream

from dojocc.runtime.engines.counters import Counters
from dojocc.runtime.engines.machine import Machine
from dojocc.runtime.engines.reference import Reference
from dojocc.runtime.engines.scheduler import Scheduler
from dojocc.runtime.engines.vector import Vector
from dojocc.runtime.errors import MachineStop

CASES = int(os.environ.get("DOJOCC_RANDOM_PROGRAMS", "150"))
START = np.random.default_rng(7).standard_normal((NODES, MEMORY // 4)).astype(np.float32)


def final(built, exact: bool | None) -> tuple[np.ndarray | str, Counters]:
    """Memory after a run (reference when `exact` is None), or the words of the stop."""
    machine, counters = Machine(built), Counters()
    core = Reference(machine, counters) if exact is None else Vector(machine, counters, exact)
    try:
        with np.errstate(all="ignore"):
            Scheduler(machine, core).run()
    except MachineStop as stop:
        return stop.what.split(":")[0], counters
    return machine.memory[0].exclusive(0, MEMORY), counters


@settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(stream())
def test_vector_exact_equals_reference(lines: list[str]) -> None:
    built = program([lines], images={"start": (0, START, "FP32")})
    expected, slow = final(built, None)
    actual, quick = final(built, True)
    if isinstance(expected, str) or isinstance(actual, str):
        assert isinstance(expected, str) == isinstance(actual, str)
        return
    different = np.argwhere(expected != actual)
    assert len(different) == 0, (different[:4], lines)
    assert slow.instructions == quick.instructions


def test_lifting_happens_and_is_counted() -> None:
    lines = ["aclr 0", "astr 0 0 64", "aclr 1", "abasei 1 2048", "astr 1 0 64"]
    lines += ["loop 0 8", "vld 0 0 0 0 0", "vadd 0 0 0 0", "vst 0 1 0 0 0", "end"]
    built = program([lines], images={"start": (0, START, "FP32")})
    memory, counters = final(built, False)
    assert counters.lifted_share == 1.0
    assert counters.instructions["vadd"] == 8 * NODES
    np.testing.assert_array_equal(memory.view(np.float32)[:, 512:640], 2 * START[:, :128])


@pytest.mark.parametrize("exact", [False, True])
def test_carried_register_runs_step_by_step(exact: bool) -> None:
    lines = ["vli 0 1.0 0", "loop 0 5", "vadd 1 0 0 0", "vmov 0 1 0", "end"]
    lines += ["aclr 0", "vst 0 0 0 0 0"]
    memory, counters = final(program([lines], images={"start": (0, START, "FP32")}), exact)
    assert counters.lifted_work == 0
    assert any("carries a value" in reason for reason in counters.reasons)
    np.testing.assert_array_equal(memory.view(np.float32)[:, :16], 32.0)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("moving", [True, False])
@pytest.mark.parametrize(
    ("mnemonic", "combine"),
    [("viacc", np.add), ("vimula", np.multiply), ("vimaxa", np.maximum), ("vimina", np.minimum)],
)
def test_integer_reductions_are_lifted(mnemonic, combine, moving: bool, exact: bool) -> None:
    """More iterations than are folded one by one; sums and products go round modulo 2^32."""
    count = 100 if moving else 131
    values = np.random.default_rng(8).integers(-(2**31), 2**31, (NODES, 100 * 16)).astype(np.int32)
    lines = ["aclr 0", f"astr 0 0 {64 if moving else 0}", "aclr 1", "abasei 1 8192", "vlii 0 3 0"]
    lines += [f"loop 0 {count}", "vld 1 0 4 0 0", f"{mnemonic} 0 1 0", "end", "vst 0 1 4 0 0"]
    built = program([lines], images={"start": (0, values, "INT32")})
    machine, counters = Machine(built), Counters()
    Scheduler(machine, Vector(machine, counters, exact)).run()
    rows = values.reshape(NODES, 100, 16)
    wanted = np.full((NODES, 16), 3, np.int32)
    for iteration in range(count):
        wanted = combine(wanted, rows[:, iteration if moving else 0])
    found = machine.memory[0].exclusive(8192, 8192 + 64).view(np.int32)
    np.testing.assert_array_equal(found, wanted)
    assert counters.lifted_share == 1.0


@pytest.mark.parametrize("first", ["vacc", "vmaxa"])
def test_float_and_integer_reductions_into_one_register_run_step_by_step(first: str) -> None:
    second = {"vacc": "viacc", "vmaxa": "vimaxa"}[first]
    lines = ["aclr 0", "astr 0 0 64", "aclr 1", "abasei 1 2048", "vli 0 1.0 0"]
    lines += ["loop 0 5", "vld 1 0 0 0 0", f"{first} 0 1 0", f"{second} 0 1 0", "end"]
    built = program([[*lines, "vst 0 1 0 0 0"]], images={"start": (0, START, "FP32")})
    expected, _ = final(built, None)
    found, counters = final(built, False)
    np.testing.assert_array_equal(found, expected)
    assert any("carries a value" in reason for reason in counters.reasons)


def masked_stores(limit: int, between: str) -> list[str]:
    """16 lanes every 3 elements, of which a predicate keeps `limit`; `between` set and store."""
    lines = ["aclr 0", "astr 0 0 64", "aclr 1", "abasei 1 2048", "astr 1 0 12"]
    lines += ["aclr 2", f"li 3 {limit}", "ax 2 0 3", "astep 2 0 1"]
    lines += ["loop 0 8", "vld 1 0 0 0 0", "pinb 1 2 0", between, "vst 1 1 0 0 1", "end"]
    return lines


@pytest.mark.parametrize(
    ("limit", "between", "lifted"),
    [
        (3, "nop", True),
        (2, "nop", True),
        (4, "nop", False),  # the fourth lane is the next iteration's first
        (3, "pnot 1 1", False),  # not what the `pinb` left
    ],
)
def test_lanes_that_are_not_stored_do_not_meet(limit: int, between: str, lifted: bool) -> None:
    built = program([masked_stores(limit, between)], images={"start": (0, START, "FP32")})
    expected, _ = final(built, None)
    for exact in (True, False):
        found, counters = final(built, exact)
        np.testing.assert_array_equal(found, expected)
        assert (counters.lifted_share == 1.0) == lifted, counters.reasons
        assert lifted or any("stores twice to one place" in reason for reason in counters.reasons)


def test_a_predicate_from_another_loop_limits_no_store() -> None:
    """The stores of the first turn keep all lanes; only those after the inner loop keep three."""
    lines = masked_stores(3, "nop")
    start = lines.index("loop 0 8")
    lines = [*lines[:start], "vcmpeq 1 0 0 0", "loop 0 8", "vld 1 0 0 0 0", "vst 1 1 0 0 1"]
    lines += ["loop 1 2", "pinb 1 2 0", "end", "end"]
    built = program([lines], images={"start": (0, START, "FP32")})
    expected, _ = final(built, None)
    found, counters = final(built, True)
    np.testing.assert_array_equal(found, expected)
    assert counters.lifted_share < 1.0


@pytest.mark.parametrize(("first", "lifted"), [(20, True), (19, False)])
def test_lanes_that_are_not_stored_do_not_meet_loads(first: int, lifted: bool) -> None:
    """Two stores hold 20 elements together; loads read from element `first` on."""
    lines = ["aclr 0", f"abasei 0 {2048 + 4 * first}", "astr 0 0 64"]
    lines += ["aclr 1", "abasei 1 2048", "astr 1 0 64"]
    lines += ["aclr 2", "li 3 20", "ax 2 0 3", "astep 2 0 1", "axstr 2 0 16"]
    lines += ["loop 0 2", "vld 1 0 0 0 0", "pinb 1 2 0", "vst 1 1 0 0 1", "end"]
    built = program([lines], images={"start": (0, START, "FP32")})
    expected, _ = final(built, None)
    found, counters = final(built, True)
    np.testing.assert_array_equal(found, expected)
    assert (counters.lifted_share == 1.0) == lifted, counters.reasons
