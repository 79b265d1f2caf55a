"""`time_program`: modelled cycles of a program, with what they are made of and how far to trust
them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dojocc.runtime.engines.counters import Counters
from dojocc.runtime.engines.machine import Machine
from dojocc.runtime.isa.instr import TABLE
from dojocc.runtime.mesh.fair_flows import capacities
from dojocc.runtime.mesh.routes import link_alive
from dojocc.runtime.program import Image, Program
from dojocc.runtime.target import Target
from dojocc.runtime.timing.band import band
from dojocc.runtime.timing.core import TimingCore
from dojocc.runtime.timing.record import EXCHANGE, RUN, WAIT, Record, Step
from dojocc.runtime.timing.schedule import TimedScheduler


@dataclass(frozen=True)
class Roofline:
    """Where a program stands: flops and bytes over all nodes, and what the machine could do.

    intensity: flops a byte moved over mesh and DRAM. attainable: flops a cycle, the lower of the
    peak and intensity x bandwidth (bytes a cycle into all nodes' mesh ports). achieved: flops a
    cycle.
    """

    flops: int
    bytes: int
    intensity: float
    peak: float
    bandwidth: float
    attainable: float
    achieved: float


@dataclass(frozen=True, eq=False)
class TimingResult:
    """cycles: until the last thread halts and the last transfer has arrived. utilization: share of
    peak by unit, 0 to 1, over all live nodes; `links` over all live links.

    lower_bound_cycles: the most that one resource or exchange must take, were all else free.
    error_band: relative uncertainty of exchanges' cycles as a model of the assumed machine, of each
    by what its list is like (paced, unpaced, in lock-step), weighed by cycles.
    by_op: cycles of the latest node's thread 0 by op, by_op_waits what of them it waited. waits:
    share of thread 0's time, mean over nodes. busiest: work over capacity of the busiest link,
    ports and DIP, in cycles.
    """

    cycles: int
    seconds_modelled: float
    utilization: dict[str, float]
    lower_bound_cycles: int
    error_band: float
    by_op: dict[str, int]
    by_op_waits: dict[str, int]
    waits: float
    busiest: dict[str, float]
    roofline: Roofline
    path: tuple[Step, ...]
    record: Record
    bytes_moved: int
    counters: Counters


def time_program(program: Program) -> TimingResult:
    """Predict the cycles of a program; raises MachineStop as a run would (deadlock, trap)."""
    machine, counters = Untouched(program, images=is_table), Counters()
    core = TimingCore(machine, counters)
    scheduler = TimedScheduler(machine, core)
    scheduler.run()
    record, target = core.record, program.target
    cycles = max(
        *(float(clock.max(initial=0)) for clock in core.clock),
        *(exchange.end for exchange in record.exchanges),
        0.0,
    )
    work = unit_work(counters.instructions)
    live = len(target.live_nodes())
    units = unit_counts(target)
    least = max(work[unit] / (live * count) for unit, count in units.items())
    busiest = busiest_resources(target, scheduler.work)
    exchange = max((item.bound for item in record.exchanges), default=0.0)
    spent, waited = by_op(program, record), by_op(program, record, WAIT)
    return TimingResult(
        cycles=round(cycles),
        seconds_modelled=cycles / target.node.clock_hz,
        utilization=utilization(target, work, scheduler.work, cycles),
        lower_bound_cycles=round(max(least, exchange, *busiest.values())),
        error_band=band([(item.calibration, item.cycles) for item in record.exchanges]),
        by_op=spent,
        by_op_waits=waited,
        waits=share_waited(core),
        busiest=busiest,
        roofline=roofline(target, counters, scheduler.bytes_moved, cycles),
        path=tuple(record.path()),
        record=record,
        bytes_moved=scheduler.bytes_moved,
        counters=counters,
    )


class Untouched(Machine):
    """A machine whose DRAM stays empty: transfers are timed, not carried out."""

    def fill_dram(self) -> None:
        """Nothing: what DRAM holds cannot change the time."""


def is_table(image: Image) -> bool:
    """Scalars come from integer tables; other images cannot change the time."""
    return image.layout.fmt == "INT32"


def unit_counts(target: Target) -> dict[str, int]:
    """How many instructions a cycle each unit of a node takes."""
    node = target.node
    return {
        "matrix": node.matrix_units,
        "vector": node.vector_units,
        "load": node.load_ports,
        "store": node.store_ports,
    }


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


def parts(target: Target) -> dict[str, slice]:
    """Where links, ports and DIPs stand among the mesh's resources."""
    nodes = target.positions
    return {
        "links": slice(0, 4 * nodes),
        "mesh_read": slice(4 * nodes, 5 * nodes),
        "mesh_write": slice(5 * nodes, 6 * nodes),
        "dram": slice(6 * nodes, None),
    }


def busiest_resources(target: Target, work: np.ndarray) -> dict[str, float]:
    """Cycles that the busiest of each kind must work."""
    cycles = work / capacities(target)
    return {name: float(cycles[part].max(initial=0)) for name, part in parts(target).items()}


def utilization(
    target: Target, units: dict[str, int], work: np.ndarray, cycles: float
) -> dict[str, float]:
    """Share of what each unit, port, link and DIP could have done in the time."""
    live = len(target.live_nodes())
    counts = unit_counts(target)
    share = {name: units[name] / max(cycles * live * count, 1) for name, count in counts.items()}
    alive = np.ones(len(work), bool)
    alive[: 4 * target.positions] = link_alive(target).reshape(-1)
    able = np.where(alive, capacities(target), 0.0)
    for name, part in parts(target).items():
        total = float(able[part].sum())
        if name.startswith("mesh"):
            total *= live / target.positions
        share[name] = float(work[part].sum()) / max(cycles * total, 1)
    return share


def share_waited(core: TimingCore) -> float:
    """Share of thread 0's time that it waited, mean over nodes."""
    waited = sum(float(part[:, 0].sum()) for part in core.waited)
    total = sum(float(part[:, 0].sum()) for part in core.clock)
    return waited / max(total, 1)


def roofline(target: Target, counters: Counters, moved: int, cycles: float) -> Roofline:
    """Products in the matrix unit and lanes in the vector unit, against mesh ports."""
    node, live = target.node, len(target.live_nodes())
    each = 2 * node.matrix_rows * node.matrix_cols * node.matrix_depth
    flops = 0
    for name, count in counters.instructions.items():
        row = TABLE[name]
        if row.unit == "matrix" and row.product:
            flops += count * each
        elif row.unit == "vector":
            flops += count * node.vector_lanes
    peak = float(live * node.matrix_units * each)
    intensity = flops / moved if moved else float("inf")
    ports = float(live * node.mesh_write_ports * target.mesh.packet_bytes)
    return Roofline(
        flops=flops,
        bytes=moved,
        intensity=intensity,
        peak=peak,
        bandwidth=ports,
        attainable=min(peak, intensity * ports),
        achieved=flops / max(cycles, 1.0),
    )


def by_op(program: Program, record: Record, kind: str | None = None) -> dict[str, int]:
    """Cycles of thread 0's latest node by the op that its mark stands for."""
    found: dict[str, float] = {}
    for (_, thread), spans in sorted(record.spans.items()):
        for span in spans if thread == 0 else ():
            if kind in (None, span.kind):
                name = mark_name(program, span.mark)
                found[name] = found.get(name, 0.0) + span.end - span.start
    return {name: round(cycles) for name, cycles in found.items()}


def mark_name(program: Program, mark: int) -> str:
    return program.marks[mark].op if 0 <= mark < len(program.marks) else "start"


def path_by_op(program: Program, path: tuple[Step, ...]) -> list[tuple[str, str, int]]:
    """(kind, op, cycles) of the critical path, most first: instructions, and exchanges by list."""
    found: dict[tuple[str, str], float] = {}
    for step in path:
        key = (step.kind, mark_name(program, step.mark))
        found[key] = found.get(key, 0.0) + step.end - step.start
    rows = [(kind, name, round(cycles)) for (kind, name), cycles in found.items()]
    return sorted(rows, key=lambda row: (-row[2], row[:2]))


__all__ = ["EXCHANGE", "RUN", "WAIT", "Roofline", "TimingResult", "path_by_op", "time_program"]
