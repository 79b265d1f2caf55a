"""Streams of a relayed exchange: thread 1 starts its lists, step by step; thread 0 goes on
computing and waits where what has come is used.

One region barrier stands in front, as before an exchange that is pushed: behind it every node's
destination may be written. Thread 1 waits only for transfers that all nodes start behind that
barrier, in the order of the program, so no two of its waits can be for each other. Two relays that
are started and awaited together, one along rows and one along columns, take turns step by step:
the panels of a product, say.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dojocc.dialects.disa import instruction
from dojocc.dialects.tile import ExchangeOp
from dojocc.passes.collective_stream import Reader, stream_reader
from dojocc.passes.relay_steps import END, RelayStep, RelaySteps
from dojocc.passes.select_stream import Streams, begin_exchange

ROW, COLUMN = 0, 1


def side_by_side(first: RelaySteps, second: RelaySteps, columns: int) -> bool:
    """True where the steps of one relay go along rows and those of the other along columns: they
    load different links, so each hides behind the other."""
    axes = [axes_of(relay, columns) for relay in (first, second)]
    return axes in ([{ROW}, {COLUMN}], [{COLUMN}, {ROW}])


def axes_of(relay: RelaySteps, columns: int) -> set[int]:
    """Along which axes of the grid members pass on what they have, behind the first step, in which
    they take it from its holders."""
    found: set[int] = set()
    begun: set[int] = set()
    for step in relay.steps:
        if step.chain not in begun:
            begun.add(step.chain)
            continue
        away = step.moves[step.moves["src_node"] != step.moves["dst_node"]]
        rows, cols = (
            np.subtract(*divided)
            for divided in zip(
                np.divmod(away["src_node"], columns),
                np.divmod(away["dst_node"], columns),
                strict=True,
            )
        )
        found |= {COLUMN} if rows.any() else set()
        found |= {ROW} if cols.any() else set()
    return found


def start_relays(streams: Streams, moving: Sequence[tuple[ExchangeOp, RelaySteps]]) -> None:
    """Thread 0 clears destinations if asked and tells thread 1; that runs all steps, of several
    relays in turn."""
    marks = [begin_exchange(streams, op) for op, _ in moving]
    reader = Reader(streams.communicate, streams.parameters)
    before: list[dict[int, RelayStep]] = [{} for _ in moving]
    last = len(moving) - 1
    for place in range(max(len(relay.steps) for _, relay in moving)):
        for number, (op, relay) in enumerate(moving):
            if place >= len(relay.steps):
                continue
            step, semaphores = relay.steps[place], semaphores_of(op)
            if number != last:
                streams.communicate.append(instruction("mark", marks[number]))
                last = number
            if step.chain in before[number]:
                done = before[number][step.chain]
                reader.wait(semaphores[done.far], done.arrivals)
            streams.communicate.append(instruction("push", op.number.value.data + place))
            before[number][step.chain] = step
    for op, _ in moving:
        streams.communicate.append(instruction("post", semaphores_of(op)[END], 1))


def await_relay(streams: Streams, op: ExchangeOp, relay: RelaySteps) -> None:
    """Thread 0 waits for the last arrivals, for what this node sends, and for thread 1."""
    streams.mark(op)
    stream_reader(streams).wait(semaphores_of(op)[END], relay.ends)


def semaphores_of(op: ExchangeOp) -> list[int]:
    """The semaphores of a relayed exchange that has been routed."""
    assert op.semaphores is not None
    return [each.value.data for each in op.semaphores]
