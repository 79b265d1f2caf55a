"""Pass `allocate`: every buffer of a tile.program gets its SRAM address, by lifetime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from xdsl.dialects.builtin import ModuleOp

from dojocc.dialects.context import DojoContext
from dojocc.dialects.mesh import LayoutAttr
from dojocc.dialects.tile import AllocOp, ImageOp
from dojocc.dialects.tile_types import whole
from dojocc.passes.base import Pass
from dojocc.passes.errors import UNTRIED
from dojocc.passes.liveness import Lifetime, Schedule, lifetimes, makers, schedule, the_program
from dojocc.passes.parameters import collect
from dojocc.passes.solve.packing import Buffer, Packing, pack
from dojocc.passes.solve.packing_check import check_packing
from dojocc.passes.target_of import target_of
from dojocc.runtime.errors import DoesNotFit, InputError
from dojocc.runtime.layout import Layout
from dojocc.runtime.target import Target

ALIGNMENT = 64
QUICK_EFFORT = 2000
"""Decisions of the search (1 s or so) for a lower peak, where greedy placement is not at the bound
and the capacity would do."""
LISTED = 12
"""Buffers named in the report when they do not fit."""


@dataclass(frozen=True)
class Allocate(Pass):
    """Give every tile.alloc an address.

    Takes: form tile, kernels and schedule complete; the context has a target.

    Leaves: form tile, every tile.alloc with an address, the program with its SRAM peak and bound.

    How:
    1. The parameter table takes the bytes from address 0.
    2. Each buffer's lifetime comes from the sequence of steps (passes/liveness.py): images live
       throughout, an exchange's destination from its start, its sources until its end.
    3. What exchanges load from DRAM gets a place there, the same in every DIP's memory.
    4. solve/packing.py places buffers that live together apart; an interval sweep that shares no
       code with it checks the result.

    Fails: DoesNotFit when the buffers need more SRAM than a node has, with those live at the peak;
      or when what is loaded needs more DRAM than a DIP has.
    """

    name = "allocate"
    takes: ClassVar[str] = "tile"
    leaves: ClassVar[str] = "tile"

    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:
        target = target_of(ctx, self.name)
        plan = schedule(the_program(op))
        reserved = collect(ctx.resources, plan).bytes
        capacity = target.node.sram_bytes - reserved
        live = lifetimes(plan)
        buffers = buffers_of(live)
        packing = best_packing(buffers, capacity)
        if packing.peak > capacity:
            raise does_not_fit(plan, live, packing, reserved, target)
        problems = check_packing(buffers, packing.offsets, capacity, ALIGNMENT)
        if problems:
            raise InputError(
                "the SRAM plan is wrong", where=problems[0], numbers=f"{len(problems)} problems"
            )
        for alloc, offset in zip(live, packing.offsets, strict=True):
            alloc.address = whole(reserved + offset)
        plan.program.sram_peak = whole(reserved + packing.peak)
        plan.program.sram_bound = whole(reserved + packing.lower_bound)
        place_in_dram(ctx, plan, target)
        ctx.remarks.append(
            f"SRAM: {reserved + packing.peak} of {target.node.sram_bytes} B on every node,"
            f" at least {reserved + packing.lower_bound} B are needed"
        )


def place_in_dram(ctx: DojoContext, plan: Schedule, target: Target) -> None:
    """Addresses in DRAM for the resources that exchanges load, one behind the other, each once for
    every format."""
    places: dict[tuple[str, str], int] = {}
    end = 0
    for op in plan.exchanges:
        if op.resource is None:
            continue
        layout = op.layout
        key = op.resource.data, layout.fmt
        if key not in places:
            places[key] = end
            size = ctx.resources[op.resource.data].size * layout.item
            end += -(-size // ALIGNMENT) * ALIGNMENT
        op.dram = whole(places[key])
    if end > target.dips.hbm_bytes or places and not target.dips.count:
        raise DoesNotFit(
            "what is loaded from DRAM does not fit there",
            where=f"target {target.name}, DIPs: {target.dips.count}",
            numbers=f"need {end:,} B in the memory of each, have {target.dips.hbm_bytes:,}",
            help=UNTRIED,
        )


def best_packing(buffers: Sequence[Buffer], capacity: int) -> Packing:
    """The lowest packing soon found; where that is too high, whatever a long search finds."""
    packing = pack(buffers, ALIGNMENT, None, QUICK_EFFORT)
    return packing if packing.peak <= capacity else pack(buffers, ALIGNMENT, capacity)


def layout_of_alloc(alloc: AllocOp) -> Layout:
    """The layout of a buffer."""
    if not isinstance(alloc.layout, LayoutAttr):
        raise InputError(
            f"buffer '{alloc.label.data}' has no mesh.layout", numbers=str(alloc.layout)
        )
    return alloc.layout.data


def reserved_bytes(alloc: AllocOp) -> int:
    """Bytes a buffer takes: whole 64-byte lines, so that it may be cleared by whole vectors."""
    return max(-(-layout_of_alloc(alloc).bytes // ALIGNMENT) * ALIGNMENT, ALIGNMENT)


def buffers_of(live: dict[AllocOp, Lifetime]) -> list[Buffer]:
    """The packing problem of a schedule's buffers."""
    return [
        Buffer(f"{number}:{alloc.label.data}", life.start, life.end, reserved_bytes(alloc))
        for number, (alloc, life) in enumerate(live.items())
    ]


def does_not_fit(
    plan: Schedule,
    live: dict[AllocOp, Lifetime],
    packing: Packing,
    reserved: int,
    target: Target,
) -> DoesNotFit:
    """The report: the step with most bytes live, what lives there, by how much it is too much."""
    step, at_peak = fullest_step(live)
    need = reserved + sum(reserved_bytes(alloc) for alloc in at_peak)
    have = target.node.sram_bytes
    resident = resident_buffers(plan)
    names = makers(plan)
    lines = [
        f"{reserved_bytes(alloc)} B {'weight' if alloc in resident else 'buffer'}"
        f" '{alloc.label.data}'"
        + (f" ({names[alloc]})" if names[alloc] != alloc.label.data else "")
        for alloc in at_peak[:LISTED]
    ]
    rest = at_peak[LISTED:]
    if rest:
        lines.append(f"{sum(map(reserved_bytes, rest))} B in {len(rest)} smaller ones")
    if need > have:
        what = f"the model does not fit a node's SRAM: {need - have} B too much"
    else:
        what = (
            f"the model does not fit a node's SRAM: {reserved + packing.peak - have} B too much as"
            f" placed, though no step needs more than {need} B"
        )
    return DoesNotFit(
        what,
        where=f"at step {step} of the schedule: {names.get(at_peak[0], '')}",
        numbers=f"need {max(need, reserved + packing.peak)} B, have {have} B;"
        f" parameter table {reserved} B, " + ", ".join(lines),
        help=UNTRIED,
    )


def fullest_step(live: dict[AllocOp, Lifetime]) -> tuple[int, list[AllocOp]]:
    """The step at which most bytes are in use, and the buffers then, largest first."""
    change: dict[int, int] = {}
    for alloc, life in live.items():
        change[life.start] = change.get(life.start, 0) + reserved_bytes(alloc)
        change[life.end] = change.get(life.end, 0) - reserved_bytes(alloc)
    now = most = best = 0
    for step in sorted(change):
        now += change[step]
        if now > most:
            most, best = now, step
    at_peak = [alloc for alloc, life in live.items() if life.start <= best < life.end]
    return best, sorted(at_peak, key=lambda alloc: (-reserved_bytes(alloc), alloc.label.data))


def resident_buffers(plan: Schedule) -> frozenset[AllocOp]:
    """Buffers that hold weights or tables from the start."""
    owners: Sequence[object] = [op.buffer.owner for op in plan.steps if isinstance(op, ImageOp)]
    return frozenset(owner for owner in owners if isinstance(owner, AllocOp))
