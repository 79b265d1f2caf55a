"""Engines: run a program's instruction streams on arrays. `run` is the way in."""

from __future__ import annotations

import copy
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from dojocc.runtime.engines.counters import Counters
from dojocc.runtime.engines.lift import NotLiftable
from dojocc.runtime.engines.machine import Machine
from dojocc.runtime.engines.reference import Reference
from dojocc.runtime.engines.scheduler import Scheduler
from dojocc.runtime.engines.tape import Stale, Tape
from dojocc.runtime.engines.vector import Vector
from dojocc.runtime.errors import UsageError
from dojocc.runtime.program import Program

ENGINES = ("vector", "reference")
MODES = ("fast", "exact")


@dataclass(frozen=True, eq=False)
class RunResult:
    """Outputs by name, and what was executed."""

    outputs: dict[str, np.ndarray]
    counters: Counters


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """A run makes many objects and no cycles; a compiler's IR in the same process makes every
    collection slow.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def run(
    program: Program,
    inputs: dict[str, np.ndarray],
    engine: str = "vector",
    mode: str = "fast",
    machine: Machine | None = None,
) -> RunResult:
    """Run `program` on `inputs` (name -> array of the model's shape).

    `engine` "reference" goes instruction by instruction; "vector" lifts loops. `mode` "exact" keeps
    the machine's order of FP32 additions, "fast" lets the BLAS choose. A `machine` of an earlier
    run of the same program may be given again: its images are restored. Raises InputError for wrong
    inputs and MachineStop for traps, deadlocks and the watchdog.
    """
    if engine not in ENGINES or mode not in MODES:
        raise UsageError(
            f"no engine {engine!r} in mode {mode!r}", help=f"engines {ENGINES}, modes {MODES}"
        )
    if machine is None:
        machine = Machine(program)
    else:
        machine.restore()
    machine.write_inputs(inputs)
    counters = Counters()
    with np.errstate(all="ignore"), no_garbage_collection():
        if engine == "reference":
            Scheduler(machine, Reference(machine, counters)).run()
        else:
            counters = run_vector(machine, counters, inputs, mode)
    return RunResult(machine.read_outputs(), counters)


def run_vector(
    machine: Machine, counters: Counters, inputs: dict[str, np.ndarray], mode: str
) -> Counters:
    """Play the tape of an earlier run where it still holds; else run, and write a tape."""
    known = machine.tapes.get(mode)
    if known is not None and known.counters is not None:
        try:
            known.play()
            return copy.deepcopy(known.counters)
        except (Stale, NotLiftable):
            machine.restore()
            machine.write_inputs(inputs)
    core = Vector(machine, counters, mode == "exact")
    core.tape = Tape()
    Scheduler(machine, core).run()
    core.tape.finish(copy.deepcopy(counters))
    machine.tapes[mode] = core.tape
    return counters
