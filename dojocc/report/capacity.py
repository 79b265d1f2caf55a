"""How many machines a stream of frames takes: what binds, training tiles, power, H100-equivalents.

Takes a program and its modelled cycles, and a rate of frames; assumes nothing that it does not name
(`Plan.facts`, each with where it is from).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, inf

import numpy as np
from xdsl.dialects.builtin import ModuleOp

from dojocc.dialects.nn import ConstantOp
from dojocc.dialects.op import NNOp
from dojocc.runtime.lists import DRAM_LOAD, entry_counts
from dojocc.runtime.program import Program
from dojocc.runtime.target import Fact, Target
from dojocc.runtime.targets import load_target
from dojocc.runtime.timing import TimingResult

DAY = 86_400
TILE_WATTS = 15_000
H100_FLOPS = {"bf16": 989.4e12, "fp32": 66.9e12}
H100_BYTES_PER_S = 3.35e12
H100_WATTS = 700
BUSY = 0.5
"""Share of a schedule from which on a resource is said to bind it; else hand-overs and waits do."""
UNITS = ("matrix", "vector", "load", "store")
MESH = ("links", "mesh_read", "mesh_write")


@dataclass(frozen=True)
class Demand:
    """Frames that come in: `per_second`, each of `frame_bytes`; `text` says what was asked for."""

    per_second: float
    frame_bytes: float
    text: str


@dataclass(frozen=True)
class Work:
    """What one run of a model does on any machine: floating-point operations, and an H100's seconds
    by roofline: of every fused op the longer of its arithmetic and its bytes through HBM."""

    flops: int
    h100_seconds: float


@dataclass(frozen=True)
class Plan:
    """`frames_per_second`: what a training tile could do by resource, were all else free; `limit`
    what it does; `binds` why. `tiles` whole training tiles of `machines` copies of the program.
    H100-equivalents: `by_peak` of the tiles' peak, `by_roofline` of the work asked for.
    """

    demand: Demand
    target: str
    frames_per_run: int
    cycles: int
    machines_a_tile: float
    frames_per_second: Mapping[str, float]
    limit: float
    binds: str
    machines: int
    tiles: int
    exapods: float
    load: float
    watts: float
    by_peak: float
    by_roofline: float
    h100_watts: float
    facts: tuple[Fact, ...]


def work_of(module: ModuleOp, precision: str) -> Work:
    """The work of a model in nn form, fused as this compiler fuses it."""
    flops, seconds = 0, 0.0
    for op in module.walk():
        if isinstance(op, NNOp) and op.FUSIBLE != "movement" and not isinstance(op, ConstantOp):
            if isinstance(op.parent_op(), NNOp):
                continue  # inside a fused op, which counts
            cost = op.cost()
            flops += cost.flops
            seconds += max(cost.flops / H100_FLOPS[precision], cost.bytes / H100_BYTES_PER_S)
    return Work(flops, seconds)


def plan(
    program: Program,
    timing: TimingResult,
    work: Work,
    demand: Demand,
    frames_per_run: int,
    precision: str,
) -> Plan:
    """The plan for a demand."""
    target, tray = program.target, load_target("d1-tray")
    dies = dies_of(tray) // tiles_of(tray)
    copies = dies / dies_of(target)
    clock = target.node.clock_hz

    def frames(cycles: float) -> float:
        return copies * frames_per_run * clock / cycles if cycles else inf

    busy = {
        "compute": max(timing.utilization[name] for name in UNITS) * timing.cycles,
        "mesh": max(timing.busiest[name] for name in MESH),
    }
    dips = tray.dips.count / tiles_of(tray)
    loaded = dram_bytes(program.lists) / frames_per_run
    rates = {
        "schedule": frames(timing.cycles),
        **{name: frames(cycles) for name, cycles in busy.items()},
        "DRAM": dips * tray.dips.hbm_bytes_per_s / loaded if loaded else inf,
        "ingest": dips * tray.dips.ethernet_bytes_per_s / demand.frame_bytes,
    }
    name = min(("schedule", "DRAM", "ingest"), key=lambda each: rates[each])
    limit, binds = rates[name], name
    if name == "schedule":
        most = max(busy, key=lambda each: busy[each])
        binds = most if busy[most] >= BUSY * timing.cycles else "waits and hand-overs"
    machines = ceil(demand.per_second / (limit / copies))
    tiles = ceil(machines / copies)
    return Plan(
        demand,
        target.name,
        frames_per_run,
        timing.cycles,
        copies,
        rates,
        limit,
        binds,
        machines,
        tiles,
        tiles / exapod_tiles(),
        demand.per_second / (tiles * limit),
        float(tiles * TILE_WATTS),
        tiles * dies * die_flops(target, precision) / H100_FLOPS[precision],
        demand.per_second * work.h100_seconds / frames_per_run,
        float(H100_WATTS),
        facts_of(target, tray, timing, precision),
    )


def dies_of(target: Target) -> int:
    """Dies that one program is for."""
    return target.system.die_rows * target.system.die_cols * tiles_of(target)


def tiles_of(target: Target) -> int:
    return target.system.training_tile_rows * target.system.training_tile_cols


def exapod_tiles() -> int:
    """Training tiles of an ExaPOD."""
    exapod = load_target("d1-exapod")
    return exapod.system.trays * tiles_of(exapod)


def die_flops(target: Target, precision: str) -> float:
    """Peak of one die: matrix units in BF16, SIMD units in FP32; a multiply-add counts as two."""
    node = target.node
    each = 2 * node.vector_units * node.vector_lanes
    if precision == "bf16":
        each = 2 * node.matrix_units * node.matrix_rows * node.matrix_cols * node.matrix_depth
    return len(target.live_nodes()) / dies_of(target) * each * node.clock_hz


def dram_bytes(lists: np.ndarray) -> int:
    """Bytes that a run with these lists (LIST_DTYPE) moves between DRAM and nodes."""
    rows = lists[lists["kind"] >= DRAM_LOAD]
    size = rows["bytes"].astype(int) * rows["count0"] * rows["count1"]
    return int((size * entry_counts(rows)).sum())


def facts_of(
    target: Target, tray: Target, timing: TimingResult, precision: str
) -> tuple[Fact, ...]:
    """All that the plan rests on beside the demand."""
    dips = tray.dips
    return (
        Fact(
            "cycles of a run",
            "assumed",
            f"modelled for {target.name}, +-{timing.error_band:.0%} as a model of the assumed"
            " machine; runs follow each other without overlap, frames come in while others run",
        ),
        Fact("copies", "assumed", "machines work side by side without talking; no spare ones"),
        Fact(
            "interface processors",
            "published",
            f"{dips.count} for {tiles_of(tray)} training tiles, each {dips.hbm_bytes_per_s:.3g}"
            f" B/s of HBM and {dips.ethernet_bytes_per_s:.3g} B/s of TTPoE, shared out evenly",
        ),
        Fact("ingest", "assumed", "frames come by TTPoE; what goes out is not counted"),
        Fact(
            "training tile",
            "published",
            f"{dies_of(tray) // tiles_of(tray)} dies, {TILE_WATTS / 1000:g} kW",
        ),
        Fact("ExaPOD", "published", f"{exapod_tiles()} training tiles"),
        Fact(
            "peak of a die",
            "derived",
            f"{die_flops(target, precision) / 1e12:.1f} TFLOPS {precision} of {target.name}",
        ),
        Fact(
            "H100 SXM",
            "published",
            f"{H100_FLOPS[precision] / 1e12:g} TFLOPS {precision} dense,"
            f" {H100_BYTES_PER_S / 1e12:g} TB/s, {H100_WATTS} W (NVIDIA's data sheet)",
        ),
        Fact(
            "H100 by roofline",
            "assumed",
            "every fused op takes the longer of its arithmetic at peak and its operands and results"
            " once through HBM: no H100 is faster, most are slower",
        ),
        Fact("power", "assumed", "tiles and H100s alone: no hosts, switches or cooling"),
    )
