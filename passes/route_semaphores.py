"""Semaphores by interval: who waits on which, over which steps of the program."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.dialects.builtin import ArrayAttr

from dojocc.dialects.location import describe
from dojocc.dialects.tile import CollectiveOp, ExchangeOp
from dojocc.dialects.tile_types import whole
from dojocc.passes.collective_steps import lists_numbered, steps_of
from dojocc.passes.liveness import Schedule
from dojocc.passes.solve.intervals import Crowded, assign, most_overlapping
from dojocc.runtime.errors import DoesNotFit, InputError
from dojocc.runtime.target import Target

READY = 0
"""The semaphore on which thread 0 tells thread 1 that the node is ready for its next exchange."""
GREETINGS = (1, 2)
"""Semaphores on which nodes tell each other before a collective that their buffers are free: before
its first lists, and before others."""
LARGEST_LIST = (1 << 16) - 1


def number_semaphores(plan: Schedule, target: Target, resources: dict[str, np.ndarray]) -> None:
    """Semaphores by interval: an exchange holds one from its step to its wait, a collective several
    during its step."""
    numbers = [number for op in plan.moving for number in lists_numbered(op)]
    if len(set(numbers)) != len(numbers) or max(numbers, default=0) > LARGEST_LIST:
        raise InputError(
            "exchanges need different numbers below 65536", numbers=f"have {sorted(numbers)[-8:]}"
        )
    nodes = int(np.prod(plan.program.shape))
    free = semaphores_for_exchanges(target)
    if any(steps_of(resources, op, nodes).greetings for op in plan.collectives):
        free = [number for number in free if number not in GREETINGS]
    held: dict[ExchangeOp | CollectiveOp, list[int]] = {}
    for thread in (0, 1):
        holders, spans = semaphores_held(plan, thread)
        for step, op in enumerate(plan.steps):
            if isinstance(op, CollectiveOp) and thread == 0:
                count = steps_of(resources, op, nodes).semaphores
                holders += [op] * count
                spans += [(step, step + 1)] * count
        chosen = given_out(holders, spans, free)
        free = sorted(set(free).difference(chosen))
        for op, semaphore in zip(holders, chosen, strict=True):
            held.setdefault(op, []).append(semaphore)
    for op, mine in held.items():
        if isinstance(op, CollectiveOp) or op.relay is not None:
            op.semaphores = ArrayAttr([whole(number) for number in mine])
        else:
            op.semaphore = whole(mine[0])


def given_out(
    holders: Sequence[ExchangeOp | CollectiveOp], spans: Sequence[tuple[int, int]], free: list[int]
) -> list[int]:
    """The semaphore of every span."""
    try:
        return assign(spans, free)
    except Crowded as crowded:
        raise DoesNotFit(
            "more exchanges are under way at once than a node has semaphores for,"
            f" at step {crowded.position}",
            where=describe(holders[crowded.holders[-1]]),
            numbers=f"need {len(crowded.holders)}, have {crowded.places}",
            help="let fewer exchanges start before the first is used",
        ) from crowded


Held = tuple[list[ExchangeOp | CollectiveOp], list[tuple[int, int]]]


def semaphores_held(plan: Schedule, thread: int) -> Held:
    """Exchanges, and the steps [start, end) over which each holds a semaphore that `thread` waits
    on: thread 0 for its end, thread 1 for the steps of a relay. No semaphore is for both."""
    holders: list[ExchangeOp | CollectiveOp] = []
    spans = []
    starts = {op: step for step, op in enumerate(plan.steps)}
    for op in plan.exchanges:
        passing = 0 if op.counters is None else op.counters.value.data - 1
        for _ in range(passing if thread else 1):
            holders.append(op)
            spans.append((starts[op], max(plan.waits[op], starts[op] + 1)))
    return holders, spans


def semaphores_needed(plan: Schedule) -> int:
    """How many semaphores exchanges hold at once, at most."""
    return sum(most_overlapping(semaphores_held(plan, thread)[1]) for thread in (0, 1))


def semaphores_for_exchanges(target: Target) -> list[int]:
    """The semaphores that exchanges may use."""
    return [number for number in range(target.node.semaphores) if number != READY]
