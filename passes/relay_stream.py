"""Streams of a relayed exchange: thread 1 starts its lists, step by step; thread 0 goes on
computing and waits where what has come is used.

One region barrier stands in front, as before an exchange that is pushed: behind it every node's
destination may be written. Thread 1 waits only for transfers that all nodes start behind that
barrier, in the order of the program, so no two of its waits can be for each other.
"""

from __future__ import annotations

from dojocc.dialects.disa import instruction
from dojocc.dialects.tile import ExchangeOp
from dojocc.passes.collective_stream import Reader, stream_reader
from dojocc.passes.relay_steps import END, RelayStep, RelaySteps
from dojocc.passes.select_stream import Streams, begin_exchange


def start_relay(streams: Streams, op: ExchangeOp, relay: RelaySteps) -> None:
    """Thread 0 clears the destination if asked and tells thread 1; that runs all steps."""
    begin_exchange(streams, op)
    semaphores = semaphores_of(op)
    reader = Reader(streams.communicate, streams.parameters)
    before: dict[int, RelayStep] = {}
    for place, step in enumerate(relay.steps):
        if step.chain in before:
            last = before[step.chain]
            reader.wait(semaphores[last.far], last.arrivals)
        streams.communicate.append(instruction("push", op.number.value.data + place))
        before[step.chain] = step
    streams.communicate.append(instruction("post", semaphores[END], 1))


def await_relay(streams: Streams, op: ExchangeOp, relay: RelaySteps) -> None:
    """Thread 0 waits for the last arrivals, for what this node sends, and for thread 1."""
    streams.mark(op)
    stream_reader(streams).wait(semaphores_of(op)[END], relay.ends)


def semaphores_of(op: ExchangeOp) -> list[int]:
    """The semaphores of a relayed exchange that has been routed."""
    assert op.semaphores is not None
    return [each.value.data for each in op.semaphores]
