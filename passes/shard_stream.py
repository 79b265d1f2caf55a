"""Which constants of a plan lie in DRAM instead of SRAM, and when each is loaded for its readers.

Reads a sharding plan and gives another; passes/shard_realise.py turns its streams into loads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from xdsl.dialects.builtin import TensorType
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Block, Operation, SSAValue

from dojocc.dialects.location import get_location
from dojocc.passes.cost import load_cost
from dojocc.passes.movement import is_movement
from dojocc.passes.shard_copy import Copy, Plan, Stream, copy_sources
from dojocc.passes.shard_memory import Memory, memory, name_of
from dojocc.passes.shard_plan import Planner
from dojocc.passes.shard_work import is_constant
from dojocc.passes.solve.streaming import Load, latest_starts, starts_at_reader
from dojocc.runtime.layout import Layout

SHARE = 0.25
"""What a cycle of DRAM time that kernels hide is worth, of one that they do not: others need it."""
WAITED = 0.5
"""The share of the cycles of constants' exchanges that kernels wait for; the rest is hidden by
`prefetch` (BERT-base on a die, batch 8, with all constants in DRAM: 0.55)."""
TRIES = 24
"""How many sets of constants are looked at for one plan."""


@dataclass(frozen=True, eq=False)
class Use:
    """One reader of a constant: its copy, where the reader stands among the kernels, and how the
    copy comes from DRAM."""

    op: Operation
    copy: Copy
    reader: int
    via: Layout | None
    load: Load


@dataclass(frozen=True, eq=False)
class Candidate:
    """A constant that may lie in DRAM: SRAM bytes that a node then has free, and its readers."""

    value: SSAValue
    freed: int
    uses: tuple[Use, ...]

    @property
    def cycles(self) -> float:
        return sum(use.load.load for use in self.uses)


@dataclass(frozen=True, eq=False)
class Streamed:
    """A plan with constants in DRAM, the SRAM it needs, and an estimate of its cycles."""

    plan: Plan
    memory: Memory
    chosen: tuple[Candidate, ...]
    cycles: float
    exposed: float


def best_streamed(
    planner: Planner, plans: Sequence[tuple[Plan, Memory]], block: Block, budget: int
) -> Streamed | None:
    """The fastest by the estimate of what fits once constants lie in DRAM; the smallest of what was
    tried where nothing fits. None without DRAM or constants.
    """
    if not planner.rates.dram_bytes:
        return None
    once = {(found.peak, found.resident): (plan, found) for plan, found in reversed(plans)}
    tried: list[Streamed] = []
    for plan, found in once.values():
        tried += streamed(planner, plan, found, block, budget)
    fitting = [each for each in tried if each.memory.peak <= budget]
    if fitting:
        return min(fitting, key=lambda each: each.cycles)
    return min(tried, key=lambda each: each.memory.peak, default=None)


def streamed(
    planner: Planner, plan: Plan, found: Memory, block: Block, budget: int
) -> list[Streamed]:
    """With loads ahead of their readers and with loads just before them: the fewest constants that
    make the plan fit, in the order of bytes freed by cost."""
    kernels = [placed.cycles for placed in plan.kernels.values()]
    begins = [0.0, *accumulate(kernels)]

    def worth(each: Candidate) -> float:
        exposed = sum(max(u.load.load + u.load.move - begins[u.reader], 0) for u in each.uses)
        return -each.freed / (exposed + SHARE * each.cycles)

    order = sorted(candidates(planner, plan, block), key=worth)
    freed = list(accumulate(each.freed for each in order))
    base = sum(kernels) + moved_cycles(planner, plan, constants=False)
    least = next((n for n, sum_ in enumerate(freed, 1) if sum_ >= found.peak - budget), len(order))
    result = []
    for ahead in (True, False) if order else ():
        step = max(1, -(-(len(order) - least) // TRIES))
        for count in sorted({*range(least, len(order), step), len(order)}):
            chosen = tuple(order[:count])
            made, exposed = with_streams(plan, chosen, kernels, block, ahead)
            need = memory(made, block)
            if need.peak <= budget or count == len(order):
                brought = moved_cycles(planner, made, constants=True)
                brought += sum(use.load.move for each in chosen for use in each.uses)
                cycles = base + WAITED * brought + exposed
                result.append(Streamed(made, need, chosen, cycles, exposed))
            if need.peak <= budget:
                break
    return result


def candidates(planner: Planner, plan: Plan, block: Block) -> list[Candidate]:
    """Constants of which every copy can come from DRAM, by itself or through movement."""
    number = {op: place for place, op in enumerate(plan.kernels)}
    uses: dict[SSAValue, list[Use]] = {}
    refused: set[SSAValue] = set()
    kept: dict[SSAValue, dict[Copy | None, int]] = {}
    for op, reads in plan.reads.items():
        for copy in reads:
            if copy is None:
                continue
            bases = [copy.value] if copy.image else copy_sources(copy)
            constants = [base for base in bases if is_constant(base)]
            if isinstance(op, ReturnOp) or len(bases) > 1:
                refused.update(constants)
            elif constants:
                mine = uses.setdefault(constants[0], [])
                if not any(each.op is op and each.copy == copy for each in mine):
                    mine.append(use_of(planner, op, copy, number[op]))
                if copy.image:
                    kept.setdefault(constants[0], {})[copy] = copy.layout.bytes
                elif constants[0] in plan.homes:
                    kept.setdefault(constants[0], {})[None] = plan.homes[constants[0]].bytes
    return [
        Candidate(value, sum(kept.get(value, {}).values()), tuple(found))
        for value, found in uses.items()
        if value not in refused and kept.get(value)
    ]


def use_of(planner: Planner, op: Operation, copy: Copy, reader: int) -> Use:
    """How a copy comes from DRAM: straight to its readers, or once and over the mesh, whichever
    takes fewer cycles."""
    rates = planner.rates
    straight = load_cost(copy.layout, rates)
    kind = copy.value.type
    assert isinstance(kind, TensorType)
    shape = tuple(kind.get_shape()), planner.formats[kind.element_type]
    via = planner.near_spread(*shape)(copy.layout)
    once, move = load_cost(via, rates), planner.exchange(via, copy.layout, None)
    if straight.cycles <= once.cycles + move:
        return Use(op, copy, reader, None, Load(reader, straight.cycles))
    return Use(op, copy, reader, via, Load(reader, once.cycles, move))


def with_streams(
    plan: Plan,
    chosen: Sequence[Candidate],
    kernels: Sequence[float],
    block: Block,
    ahead: bool,
) -> tuple[Plan, float]:
    """The plan with these constants in DRAM, and the cycles of loading that nothing hides."""
    uses = [use for each in chosen for use in each.uses]
    loads = [use.load for use in uses]
    starts, exposed = latest_starts(loads, kernels) if ahead else starts_at_reader(loads)
    place = {op: number for number, op in enumerate(block.ops)}
    places = [place[op] for op in plan.kernels]
    reads = {op: list(copies) for op, copies in plan.reads.items()}
    for use, start in zip(uses, starts, strict=True):
        stream = Stream(use.reader, use.via, places[start.load], places[start.move])
        made = replace(use.copy, image=False, stream=stream)
        reads[use.op] = [made if copy == use.copy else copy for copy in reads[use.op]]
    values = {each.value for each in chosen}
    homes = {value: layout for value, layout in plan.homes.items() if value not in values}
    return replace(plan, reads=reads, homes=homes), exposed


def moved_cycles(planner: Planner, plan: Plan, constants: bool) -> float:
    """Cycles of the exchanges that bring constants kept in SRAM, or else of all others."""
    total = 0.0
    for copy in dict.fromkeys(copy for reads in plan.reads.values() for copy in reads):
        if copy is None or copy.image:
            continue
        known = [base for base in copy_sources(copy) if base in plan.homes]
        if not known or all(map(is_constant, known)) != constants:
            continue
        base = max(known, key=lambda each: plan.homes[each].bytes)
        reading = planner.reading(copy.value, base) if is_movement(copy.value.owner) else None
        total += planner.exchange(plan.homes[base], copy.layout, reading)
    return total


def remarks_of(found: Streamed) -> list[str]:
    """What a user is told: a line for all, and one for every tensor and model node it is for."""
    bytes_ = sum(load_bytes(use) for each in found.chosen for use in each.uses)
    lines = [
        f"DRAM: {len(found.chosen)} constants do not stay in SRAM, {bytes_:,} B are loaded in every"
        f" run; about {round(found.exposed):,} cycles of that are not hidden by kernels"
    ]
    for each in found.chosen:
        places: dict[str | None, list[Use]] = {}
        for use in each.uses:
            places.setdefault(get_location(use.op), []).append(use)
        for where, uses in places.items():
            load, move = sum(use.load.load for use in uses), sum(use.load.move for use in uses)
            lines.append(
                f"DRAM: {name_of(each.value)} is loaded for {where or 'an op'}:"
                f" {sum(map(load_bytes, uses)):,} B in about {round(load):,} cycles"
                + (f" in {len(uses)} parts" if len(uses) > 1 else "")
                + (f", then forwarded in about {round(move):,}" if move else "")
            )
    return lines


def load_bytes(use: Use) -> int:
    """Bytes that a use takes from DRAM."""
    start, stop = (use.via or use.copy.layout).boxes()
    return int((stop - start).prod(1).sum()) * use.copy.layout.item
