"""Lifetimes in a tile.program: when buffers hold something, and when exchanges must be over.

Steps are positions in the program's sequence. An exchange starts at its step and is waited for
before the first later step that touches its destination or changes one of its sources.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.traits import SymbolTable

from dojocc.dialects.location import get_location
from dojocc.dialects.tile import (
    AllocOp,
    CallOp,
    CollectiveOp,
    ExchangeOp,
    ImageOp,
    InputOp,
    KernelOp,
    OutputOp,
    ProgramOp,
    StoreOp,
)
from dojocc.runtime.errors import InputError


@dataclass(frozen=True, eq=False)
class Schedule:
    """The steps of a program; `waits` gives, by exchange, the step before which its end is
    awaited."""

    program: ProgramOp
    steps: tuple[Operation, ...]
    waits: dict[ExchangeOp, int]

    @property
    def exchanges(self) -> tuple[ExchangeOp, ...]:
        return tuple(op for op in self.steps if isinstance(op, ExchangeOp))

    @property
    def collectives(self) -> tuple[CollectiveOp, ...]:
        return tuple(op for op in self.steps if isinstance(op, CollectiveOp))

    @property
    def moving(self) -> tuple[ExchangeOp | CollectiveOp, ...]:
        """Everything that has transfer lists."""
        return (*self.exchanges, *self.collectives)

    @property
    def allocs(self) -> tuple[AllocOp, ...]:
        return tuple(op for op in self.steps if isinstance(op, AllocOp))

    def due(self) -> dict[int, list[ExchangeOp]]:
        """By step, the exchanges whose end is awaited just before it, in the order of their
        start."""
        result: dict[int, list[ExchangeOp]] = {}
        for op, step in self.waits.items():
            result.setdefault(step, []).append(op)
        return result


def the_program(module: ModuleOp) -> ProgramOp:
    """The one tile.program of a module."""
    found = [op for op in module.ops if isinstance(op, ProgramOp)]
    if len(found) != 1:
        raise InputError(
            "a module of form 'tile' holds exactly one tile.program", numbers=f"have {len(found)}"
        )
    return found[0]


def written_arguments(kernel: KernelOp) -> frozenset[int]:
    """Numbers of the kernel's buffers that it stores to."""
    arguments = list(kernel.body.block.args)
    return frozenset(
        arguments.index(op.buffer)  # pyright: ignore[reportArgumentType]
        for op in kernel.walk()
        if isinstance(op, StoreOp)
    )


def touched(op: Operation) -> tuple[SSAValue, ...]:
    """Buffers an op of the program reads or writes."""
    if isinstance(op, AllocOp | ImageOp | InputOp):
        return ()
    return tuple(op.operands)


class Effect(NamedTuple):
    """Buffers a step reads or writes, and those it writes."""

    touched: frozenset[SSAValue]
    changed: frozenset[SSAValue]


def changed(op: Operation, written: dict[KernelOp, frozenset[int]] | None = None) -> list[SSAValue]:
    """Buffers an op of the program writes. `written` remembers what kernels store to."""
    known = {} if written is None else written
    match op:
        case CallOp():
            kernel = SymbolTable.lookup_symbol(op, op.callee)
            assert isinstance(kernel, KernelOp)
            if kernel not in known:
                known[kernel] = written_arguments(kernel)
            return [op.buffers[number] for number in sorted(known[kernel])]
        case ExchangeOp():
            return [op.destination]
        case CollectiveOp():
            return list(op.buffers[1:])
        case _:
            return []


def effects_of(steps: Sequence[Operation]) -> dict[Operation, Effect]:
    """What each step does to buffers; the same in whatever order the steps stand."""
    written: dict[KernelOp, frozenset[int]] = {}
    return {op: Effect(frozenset(touched(op)), frozenset(changed(op, written))) for op in steps}


def schedule(program: ProgramOp) -> Schedule:
    """The program's steps and where its exchanges are waited for."""
    steps = tuple(program.body.block.ops)
    return schedule_of(program, steps, effects_of(steps))


def schedule_of(
    program: ProgramOp, steps: tuple[Operation, ...], effects: dict[Operation, Effect]
) -> Schedule:
    """The same for the program's steps in another order than they stand in."""
    waits: dict[ExchangeOp, int] = {}
    open_: list[ExchangeOp] = []
    for step, op in enumerate(steps):
        effect = effects[op]
        for exchange in list(open_):
            if exchange.destination in effect.touched or not effect.changed.isdisjoint(
                exchange.sources
            ):
                waits[exchange] = step
                open_.remove(exchange)
        if isinstance(op, ExchangeOp):
            open_.append(op)
    for exchange in open_:
        waits[exchange] = len(steps)
    in_order = {op: waits[op] for op in steps if isinstance(op, ExchangeOp)}
    return Schedule(program, steps, in_order)


@dataclass(frozen=True)
class Lifetime:
    """A buffer must keep its content over the steps [start, end)."""

    start: int
    end: int


def lifetimes(plan: Schedule) -> dict[AllocOp, Lifetime]:
    """When each buffer is in use. Buffers with images live throughout, outputs to the end.

    An exchange's destination is taken from the exchange's step (a neighbour may write as soon as
    the barrier has passed), its sources until its end is awaited (the list parser still reads
    them).
    """
    last = len(plan.steps)
    first_use: dict[SSAValue, int] = {}
    end: dict[SSAValue, int] = {}
    for step, op in enumerate(plan.steps):
        match op:
            case ImageOp():
                first_use[op.buffer], end[op.buffer] = 0, last
            case InputOp():
                first_use[op.buffer] = 0
                end[op.buffer] = max(end.get(op.buffer, 0), step + 1)
            case OutputOp():
                first_use.setdefault(op.buffer, step)
                end[op.buffer] = last
            case ExchangeOp():
                waited = plan.waits[op]
                for value in (op.destination, *op.sources):
                    first_use.setdefault(value, step)
                    end[value] = max(end.get(value, 0), waited, step + 1)
            case _:
                for value in touched(op):
                    first_use.setdefault(value, step)
                    end[value] = max(end.get(value, 0), step + 1)
    result = {}
    for op in plan.allocs:
        start = first_use.get(op.result, 0)
        result[op] = Lifetime(start, max(end.get(op.result, 0), start + 1))
    return result


def makers(plan: Schedule) -> dict[AllocOp, str]:
    """By buffer, the model's node it is for: of the first step that writes it, or its own
    location."""
    result = {}
    writer: dict[SSAValue, Operation] = {}
    for op in plan.steps:
        for value in changed(op):
            writer.setdefault(value, op)
    for alloc in plan.allocs:
        op = writer.get(alloc.result, alloc)
        result[alloc] = get_location(alloc) or get_location(op) or alloc.label.data
    return result
