"""`time_program`: modelled cycles of a program, with what they are made of and how far to trust
them.
"""

from __future__ import annotations

from dataclasses import dataclass

from dojocc.runtime.engines.counters import Counters
from dojocc.runtime.engines.machine import Machine
from dojocc.runtime.isa.instr import TABLE
from dojocc.runtime.program import Image, Program
from dojocc.runtime.timing.core import TimingCore
from dojocc.runtime.timing.schedule import TimedScheduler

# Link sharing without pacing: a simple model was up to 42 % off a cycle-accurate simulator
# (mesh measurements on an 18 x 20 grid); compute loops follow the port model exactly.
ERROR_BAND = 0.42


@dataclass(frozen=True, eq=False)
class TimingResult:
    """cycles: until the last thread halts. utilization: share of peak by unit, 0 to 1.

    lower_bound_cycles: the most that one resource must take, were all else free. error_band:
    relative uncertainty of `cycles` as a model of the assumed machine. by_op: cycles of the latest
    node by mark.
    """

    cycles: int
    seconds_modelled: float
    utilization: dict[str, float]
    lower_bound_cycles: int
    error_band: float
    by_op: dict[str, int]
    bytes_moved: int
    counters: Counters


def time_program(program: Program) -> TimingResult:
    """Predict the cycles of a program; raises MachineStop as a run would (deadlock, trap)."""
    machine, counters = Machine(program, images=is_table), Counters()
    core = TimingCore(machine, counters)
    scheduler = TimedScheduler(machine, core)
    scheduler.run()
    cycles = max(float(clock.max(initial=0)) for clock in core.clock)
    live = len(program.target.live_nodes())
    node = program.target.node
    work = unit_work(counters.instructions)
    units = {
        "matrix": node.matrix_units,
        "vector": node.vector_units,
        "load": node.load_ports,
        "store": node.store_ports,
    }
    share = {unit: work[unit] / max(cycles * live * count, 1) for unit, count in units.items()}
    least = max(work[unit] / (live * count) for unit, count in units.items())
    return TimingResult(
        cycles=round(cycles),
        seconds_modelled=cycles / node.clock_hz,
        utilization=share,
        lower_bound_cycles=round(max(least, scheduler.bound)),
        error_band=ERROR_BAND,
        by_op=by_op(program, core.by_mark),
        bytes_moved=scheduler.bytes_moved,
        counters=counters,
    )


def is_table(image: Image) -> bool:
    """Scalars come from integer tables; other images cannot change the time."""
    return image.layout.fmt == "INT32"


def unit_work(instructions: dict[str, int]) -> dict[str, int]:
    """Issue slots taken in each unit over all nodes."""
    work: dict[str, int] = dict.fromkeys(("matrix", "vector", "load", "store"), 0)
    for name, count in instructions.items():
        row = TABLE[name]
        if row.unit == "matrix" and not row.product:
            continue
        if row.unit in work:
            work[row.unit] += count * row.issue
    return work


def by_op(program: Program, by_mark: dict[int, float]) -> dict[str, int]:
    """Cycles by the name of the op that a mark stands for."""
    result: dict[str, int] = {}
    for mark, cycles in sorted(by_mark.items()):
        name = program.marks[mark].op if 0 <= mark < len(program.marks) else "start"
        result[name] = result.get(name, 0) + round(cycles)
    return result
