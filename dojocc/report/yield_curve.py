"""The yield curve: on how many random fault maps a model compiles, runs and gives the same numbers.

The model is compiled for each map, the program is verified and run on the same inputs as the
fault-free one, and its predicted cycles are set against that one's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dojocc.compiler import Options, compile_model
from dojocc.runtime.engines import run
from dojocc.runtime.errors import DojoError, InputError
from dojocc.runtime.mesh.channels import channel_cycle
from dojocc.runtime.mesh.ends import routes_taken
from dojocc.runtime.mesh.faults import FaultMap, FaultModel, random_map
from dojocc.runtime.program import Program
from dojocc.runtime.timing import time_program
from dojocc.runtime.verify import verify

ALLOWED = {"fp32": 1e-4, "bf16": 5e-2}
"""Largest relative error against the fault-free outputs: other grids may add up in other orders."""


@dataclass(frozen=True)
class Trial:
    """What became of one fault map. `outcome` is "same", "differs", "unsound" (the verifier found a
    fault) or "refused"; `reason` says why, or what was found; `slower` is cycles over those of the
    fault-free program; `error` the largest relative error of its outputs, 0 when every bit is the
    same.
    """

    number: int
    dead_nodes: int
    dead_links: int
    outcome: str
    nodes: int = 0
    slower: float | None = None
    error: float | None = None
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Healthy:
    """The program without further faults: its inputs, outputs and cycles."""

    program: Program
    inputs: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]
    cycles: int


def healthy(model: Any, options: Options, inputs: Mapping[str, np.ndarray] | None) -> Healthy:
    """Compile and run without further faults, on given inputs or random ones."""
    program = compile_model(model, options).program
    assert program is not None
    given = dict(inputs) if inputs else random_inputs(program, options.seed)
    outputs = run(program, given, mode="exact").outputs
    return Healthy(program, given, outputs, time_program(program).cycles)


def random_inputs(program: Program, seed: int) -> dict[str, np.ndarray]:
    """Normal numbers; for whole numbers and flags 0 and 1, which any table of a model has."""
    draw = np.random.default_rng(seed)
    return {
        port.name: draw.standard_normal(port.shape).astype(port.dtype)
        if port.dtype.startswith("float")
        else draw.integers(0, 2, port.shape).astype(port.dtype)
        for port in program.inputs
    }


def yield_trials(
    model: Any,
    options: Options,
    faults: FaultModel,
    count: int,
    whole: Healthy,
    tell: Callable[[int], None] = lambda number: None,
    verified: bool = True,
) -> list[Trial]:
    """`count` trials; map number i depends on options.seed and i only."""
    trials = []
    for number in range(count):
        tell(number)
        drawn = random_map(whole.program.target, faults, options.seed, number)
        trials.append(trial(model, options, drawn, number, whole, verified))
    return trials


def trial(
    model: Any,
    options: Options,
    drawn: FaultMap,
    number: int,
    whole: Healthy,
    verified: bool = True,
) -> Trial:
    """One fault map: compile, check, run, compare, time. The check is the verifier's, or, where
    that is not wanted, of the routes alone."""
    made = Trial(number, len(drawn.nodes), len(drawn.links), "refused")
    try:
        target = drawn.applied(whole.program.target)
        program = compile_model(model, replace(options, target=target, defects=None)).program
        assert program is not None
        if not verified:
            check_deadlock(program)
        elif found := verify(program).findings:
            text = " ".join(str(found[0]).split())
            return replace(made, outcome="unsound", reason=f"{text} ({len(found)} findings)")
        outputs = run(program, whole.inputs, mode="exact").outputs
        cycles = time_program(program).cycles
    except DojoError as error:
        return replace(
            made, reason="; ".join(filter(None, (error.what, error.where, error.numbers)))
        )
    wrong = largest_error(outputs, whole.outputs)
    fine = wrong <= ALLOWED[options.precision]
    return replace(
        made,
        outcome="same" if fine else "differs",
        nodes=sum(len(item.nodes) for item in program.classes),
        slower=cycles / whole.cycles,
        error=wrong,
    )


def check_deadlock(program: Program) -> None:
    """InputError if transfers could wait for each other in a ring."""
    ring = channel_cycle(routes_taken(program))
    if ring:
        raise InputError(
            "routes wait for each other in a ring", numbers=f"{len(ring)} links: {ring[:8]}"
        )


def largest_error(have: Mapping[str, np.ndarray], want: Mapping[str, np.ndarray]) -> float:
    """0 if every bit is the same, else the largest L2 error of an output relative to its norm."""
    errors = [0.0]
    for name, array in want.items():
        if have[name].tobytes() == array.tobytes():
            continue
        wide = array.astype(np.float64)
        scale = float(np.linalg.norm(wide)) or 1.0
        error = float(np.linalg.norm(have[name].astype(np.float64) - wide)) / scale
        errors.append(error if np.isfinite(error) else float("inf"))
    return max(errors)


@dataclass(frozen=True)
class Step:
    """Trials with `low` to `high` dead nodes: how many are fine, and how much slower on average."""

    low: int
    high: int
    trials: int
    fine: int
    slower: float | None


def curve(trials: list[Trial], steps: int = 8) -> list[Step]:
    """The trials in about `steps` ranges of dead nodes; ranges without trials are left out."""
    most = max((each.dead_nodes for each in trials), default=0)
    width = max(1, -(-(most + 1) // steps))
    result = []
    for low in range(0, most + 1, width):
        mine = [each for each in trials if low <= each.dead_nodes < low + width]
        if not mine:
            continue
        fine = [each for each in mine if each.outcome == "same"]
        ratios = [each.slower for each in fine if each.slower is not None]
        mean = float(np.mean(ratios)) if ratios else None
        result.append(Step(low, min(low + width - 1, most), len(mine), len(fine), mean))
    return result
