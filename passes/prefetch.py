"""Pass `prefetch`: exchanges start earlier, so that data move while kernels compute."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.tile import AllocOp, CallOp, ExchangeOp, ImageOp, InputOp
from dojocc.passes.allocate import ALIGNMENT, buffers_of, reserved_bytes
from dojocc.passes.base import Pass
from dojocc.passes.liveness import (
    Effect,
    Schedule,
    effects_of,
    lifetimes,
    schedule_of,
    the_program,
)
from dojocc.passes.parameters import collect
from dojocc.passes.route_semaphores import (
    semaphores_for_exchanges,
    semaphores_held,
    semaphores_needed,
)
from dojocc.passes.solve.packing import pack
from dojocc.passes.solve.prefetch import Transfer, earlier_starts, largest_sound
from dojocc.passes.target_of import target_of
from dojocc.runtime.errors import UsageError

TRIAL_EFFORT = 300
"""Decisions made to see whether a schedule still packs: the first of those that allocate makes."""


@dataclass(frozen=True)
class Prefetch(Pass):
    """Let transfers run while earlier kernels compute: double buffering between kernels.

    Takes: form tile, kernels and schedule complete, without addresses; the context has a target.

    Leaves: form tile, the same steps with exchanges earlier in the schedule. Calls keep their
      order, exchanges are awaited before the same step as ever.

    How:
    1. An exchange of what is there from the start (constants kept spread, inputs) may start as
       early as `ahead` stages before its use, a stage being a kernel that reads such an exchange:
       with 1, one buffer is in use while the next is filled. An exchange of computed values may
       start right behind the step that makes its last source.
    2. None passes a step that touches its destination or changes a source of it, nor the step
       before which thread 0 awaits an exchange that does: so every step finds the values it found,
       and thread 0 waits nowhere it did not. All nodes run the same order, so thread 1's barriers
       meet as they did.
    3. Each goes up only as far as SRAM and semaphores reach at every step between (brought data
       first, since they move most). A trial packing must then succeed; moves that spoil it are
       found by halving, and those exchanges stay where they were (all, where none packs as is).

    Fails: UsageError when `ahead` is negative.
    """

    ahead: int = 1

    name: ClassVar[str] = "prefetch"
    takes: ClassVar[str] = "tile"
    leaves: ClassVar[str] = "tile"

    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:
        if self.ahead < 0:
            raise UsageError(
                "pass 'prefetch' cannot run a negative number of stages ahead",
                numbers=f"ahead={self.ahead}",
                help="0 leaves constants where they are, 1 is double buffering",
            )
        target = target_of(ctx, self.name)
        program = the_program(op)
        steps = tuple(program.body.block.ops)
        moves = Moves.of(schedule_of(program, steps, effects_of(steps)), self.ahead)
        capacity = target.node.sram_bytes - collect(ctx.resources, moves.plan).bytes
        semaphores = len(semaphores_for_exchanges(target))
        starts = moves.starts(capacity, semaphores)

        def sound(kept: frozenset[int]) -> bool:
            return moves.fit({step: starts[step] for step in kept}, capacity, semaphores)

        tight = not sound(frozenset())
        chosen = frozenset() if tight else largest_sound(sorted(starts), sound)
        order = moves.order({step: starts[step] for step in chosen})
        for each in steps:
            each.detach()
        program.body.block.add_ops(order)
        passed = sum(moves.passes_call(starts[step], step) for step in chosen)
        ctx.remarks.append(
            f"prefetch: {passed} of {len(moves.plan.exchanges)} exchanges start kernels earlier"
        )


@dataclass(frozen=True, eq=False)
class Moves:
    """What may move in a schedule: by the step of an exchange, the earliest it may start before."""

    plan: Schedule
    effects: dict[Operation, Effect]
    earliest: dict[int, int]
    brought: frozenset[int]

    @classmethod
    def of(cls, plan: Schedule, ahead: int) -> Moves:
        effects = effects_of(plan.steps)
        floors = {
            step: after_conflicts(plan, effects, step)
            for step, op in enumerate(plan.steps)
            if isinstance(op, ExchangeOp)
        }
        brought = frozenset(step for step in floors if there_from_start(plan, effects, step))
        stages = sorted({use_of(plan, step) for step in brought})
        for step in brought:
            turn = bisect_left(stages, use_of(plan, step)) - ahead
            floors[step] = min(step, max(floors[step], stages[turn] if turn >= 0 else 0))
        return cls(plan, effects, floors, brought)

    def starts(self, capacity: int, semaphores: int) -> dict[int, int]:
        """By step of an exchange that can start earlier, the step before which it does.

        Those that pass nothing but buffers are among them: so exchanges that start behind the same
        call keep their order.
        """
        chosen = [*sorted(self.brought), *sorted(self.earliest.keys() - self.brought)]
        transfers = [
            Transfer(step, self.earliest[step], bytes_filled(self.plan.steps[step]))
            for step in chosen
        ]
        found = earlier_starts(
            transfers, in_use(self.plan), under_way(self.plan), capacity, semaphores
        )
        return {step: start for step, start in zip(chosen, found, strict=True) if start < step}

    def passes_call(self, start: int, step: int) -> bool:
        """True where a kernel runs between the two steps."""
        return any(isinstance(op, CallOp) for op in self.plan.steps[start:step])

    def order(self, starts: dict[int, int]) -> tuple[Operation, ...]:
        """The steps with these exchanges moved; buffers and their first content go ahead of them.

        Of what starts before the same step, that goes first which stood first.
        """
        place = {op: step for step, op in enumerate(self.plan.steps)}
        key = {op: (step, 1, step) for op, step in place.items()}
        content: dict[SSAValue, list[Operation]] = {}
        for op in self.plan.steps:
            if isinstance(op, ImageOp | InputOp):
                content.setdefault(op.buffer, []).append(op)
        for step, start in starts.items():
            exchange = self.plan.steps[step]
            ahead = [exchange]
            for value in exchange.operands:
                assert isinstance(value.owner, AllocOp)
                ahead += [value.owner, *content.get(value, ())]
            for op in ahead:
                key[op] = min(key[op], (start, 0, place[op]))
        return tuple(sorted(self.plan.steps, key=key.__getitem__))

    def fit(self, starts: dict[int, int], capacity: int, semaphores: int) -> bool:
        """True where the moved schedule's buffers find places and its exchanges semaphores."""
        plan = schedule_of(self.plan.program, self.order(starts), self.effects)
        if semaphores_needed(plan) > semaphores:
            return False
        packing = pack(buffers_of(lifetimes(plan)), ALIGNMENT, capacity, TRIAL_EFFORT)
        return packing.peak <= capacity


def after_conflicts(plan: Schedule, effects: dict[Operation, Effect], step: int) -> int:
    """The earliest step before which the exchange at `step` finds what it should."""
    op = plan.steps[step]
    assert isinstance(op, ExchangeOp)
    earliest = 0
    for before, other in enumerate(plan.steps[:step]):
        effect = effects[other]
        if op.destination in effect.touched or not effect.changed.isdisjoint(op.sources):
            behind = plan.waits[other] if isinstance(other, ExchangeOp) else before + 1
            earliest = max(earliest, behind)
    return min(earliest, step)


def there_from_start(plan: Schedule, effects: dict[Operation, Effect], step: int) -> bool:
    """True where no step before the exchange at `step` changes what it sends."""
    sources = plan.steps[step].operands[1:]
    return all(effects[op].changed.isdisjoint(sources) for op in plan.steps[:step])


def use_of(plan: Schedule, step: int) -> int:
    """The step before which the exchange at `step` is awaited."""
    op = plan.steps[step]
    assert isinstance(op, ExchangeOp)
    return plan.waits[op]


def bytes_filled(op: Operation) -> int:
    """What the destination of an exchange takes on each node."""
    assert isinstance(op, ExchangeOp) and isinstance(op.destination.owner, AllocOp)
    return reserved_bytes(op.destination.owner)


def in_use(plan: Schedule) -> list[int]:
    """Bytes live at each step."""
    change = np.zeros(len(plan.steps) + 1, np.int64)
    for alloc, life in lifetimes(plan).items():
        change[life.start] += reserved_bytes(alloc)
        change[life.end] -= reserved_bytes(alloc)
    return np.cumsum(change)[:-1].tolist()


def under_way(plan: Schedule) -> list[int]:
    """Semaphores held by exchanges started and not yet awaited, at each step."""
    change = np.zeros(len(plan.steps) + 1, np.int64)
    for start, end in (span for thread in (0, 1) for span in semaphores_held(plan, thread)[1]):
        change[start] += 1
        change[end] -= 1
    return np.cumsum(change)[:-1].tolist()
