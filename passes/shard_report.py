"""What a sharding plan says of itself: for every kernel the choice made, the runners-up, the bound.

Plain data for the build record; all figures are the cost model's cycles.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

from xdsl.ir import Block, SSAValue

from dojocc.dialects.location import get_location
from dojocc.dialects.op import NNOp
from dojocc.passes.cost import Rates
from dojocc.passes.movement import is_movement, movement_sources
from dojocc.passes.shard_copy import Plan
from dojocc.passes.shard_plan import Planner
from dojocc.passes.shard_work import is_constant
from dojocc.passes.solve.candidates import Placed
from dojocc.passes.solve.sharding import Source, cost_parts
from dojocc.passes.solve.work import Work

LOOKED_AT = 8  # candidates priced for a kernel, those of the least cost first
SHOWN = 4  # the choice and its runners-up

Record = dict[str, list[dict[str, Any]]]


def record_of(planner: Planner, plan: Plan) -> Record:
    """By source location: one row a kernel, its choice first, then the best of the others."""
    planner = replace(planner, weights=plan.weights)
    found: Record = {}
    for op, placed in plan.kernels.items():
        where = get_location(op)
        if where is None or not isinstance(op, NNOp):
            continue
        work = planner.work_of(op)
        sources = tuple(_source(planner, plan, value) for value in op.operands)
        others = [each for each in planner.offers_for(op)[:LOOKED_AT] if each != placed]
        rows = [row_of(work, each, sources, planner) for each in (placed, *others)]
        rest = sorted(rows[1:], key=lambda row: row["cycles"])
        made = {
            "kernel": op.name,
            "bound": round(least_cycles(work, planner.machine.grid, planner.rates)),
            "choices": [rows[0], *rest[: SHOWN - 1]],
        }
        found.setdefault(where, []).append(made)
    return found


def row_of(
    work: Work, placed: Placed, sources: tuple[Source, ...], planner: Planner
) -> dict[str, Any]:
    """One candidate: who shares out what, and its cost in parts."""
    moved = sram = 0.0
    for access, source, wanted in zip(work.operands, sources, placed.operands, strict=True):
        parts = cost_parts(access, source, wanted, planner.exchange, planner.weights)
        moved, sram = moved + parts[0], sram + parts[1]
    sram += sum(part.bytes for part in placed.results) * planner.weights.activation
    return {
        "way": placed.way,
        "loops": loops_text(work, placed),
        "compute": round(placed.cycles),
        "movement": round(moved),
        "sram": round(sram),
        "cycles": round(placed.cycles + moved + sram),
        "bytes": sum(part.bytes for part in (*placed.operands, *placed.results)),
    }


def loops_text(work: Work, placed: Placed) -> str:
    """`oh by row, oc by outer_col in parts 1 x 2`, or that every node computes all."""
    shared = [
        f"{loop.name} by {' '.join(axes)}"
        for loop, axes in zip(work.loops, placed.choice.axes, strict=True)
        if axes
    ]
    split = placed.results[0].split if placed.results else (1, 1)
    parts = f" in parts {split[0]} x {split[1]}" if split != (1, 1) else ""
    return ", ".join(shared) + parts if shared else "every node computes all"


def least_cycles(work: Work, grid: tuple[int, int], rates: Rates) -> float:
    """No way to run the kernel on this grid takes less: its products and its instructions shared
    out evenly, and its results through the nodes' store ports.
    """
    nodes = grid[0] * grid[1]
    points = prod(loop.size for loop in work.loops)
    results = sum(prod(each.shape) * (2 if each.fmt == "BF16" else 4) for each in work.results)
    stored = results / (nodes * rates.link_bytes)
    if work.kernel.unit == "matrix":
        return max(points / (rates.rows * rates.columns * rates.depth * nodes), stored)
    return max(points * work.kernel.root / (rates.lanes * nodes), stored)


def _source(planner: Planner, plan: Plan, value: SSAValue) -> Source:
    """Where an operand lies in the finished plan."""
    if is_constant(value):
        return Source("constant", spread=planner.kept_near(plan, value))
    if is_movement(value.owner):
        known = [base for base in movement_sources(value) if base in plan.homes]
        largest = max(known, key=lambda base: plan.homes[base].bytes, default=None)
        if largest is None:
            return Source("moved")
        return Source("moved", plan.homes[largest], reading=planner.reading(value, largest))
    if isinstance(value.owner, Block) or value not in plan.homes:
        return Source("free")
    return Source("held", plan.homes[value])
