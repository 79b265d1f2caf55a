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
    return machine.sram[0][:, :MEMORY].copy(), counters


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
