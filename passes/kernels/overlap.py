"""Straight-line code of several equal, independent pieces, ordered so that they overlap.

A node issues in order: a piece by itself waits for every result. Each piece keeps its own order;
an op goes where the piece's start and the latencies before it would put it.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import Operation, SSAValue

from dojocc.dialects.tile import (
    AccReadOp,
    GatherOp,
    InBoundsOp,
    LoadOp,
    SplatOp,
    StoreOp,
    VectorOp,
)
from dojocc.runtime.isa.instr import TABLE, Row

MOST_LIVE = 20
"""Vectors that overlapping pieces may hold together; operands of the products take others."""

ROWS = {
    LoadOp: "vld",
    GatherOp: "vgat",
    StoreOp: "vst",
    AccReadOp: "mread",
    InBoundsOp: "pinb",
    SplatOp: "vli",
}
"""An instruction with the unit and latency of each op that is not named by its instruction."""


def row_of(op: Operation) -> Row:
    """The instruction that an op becomes, as far as unit and latency go."""
    return TABLE[op.mnemonic.data if isinstance(op, VectorOp) else ROWS.get(type(op), "vmov")]


def issue_times(ops: Sequence[Operation]) -> list[int]:
    """When each op of one piece could issue, in its order, on a machine of its own."""
    ready: dict[SSAValue, int] = {}
    times, now = [], 0
    for op in ops:
        now = max([now, *(ready.get(value, 0) for value in op.operands)])
        times.append(now)
        ready.update(dict.fromkeys(op.results, now + row_of(op).latency))
    return times


def busiest(ops: Sequence[Operation], ports: dict[str, int]) -> int:
    """Cycles of the unit that one piece uses most: how soon the next one may follow."""
    work: dict[str, int] = {}
    for op in ops:
        row = row_of(op)
        work[row.unit] = work.get(row.unit, 0) + row.issue
    return max([-(-amount // ports.get(unit, 1)) for unit, amount in work.items()], default=1)


def held(ops: Sequence[Operation], times: Sequence[int]) -> int:
    """Cycles that a piece's values are held, summed."""
    place = dict(zip(ops, times, strict=True))
    total = 0
    for op, made in place.items():
        for value in op.results:
            last = [place[use.operation] for use in value.uses if use.operation in place]
            total += max([made, *last]) - made + 1
    return total


def overlapped(pieces: Sequence[Sequence[Operation]], ports: dict[str, int]) -> list[Operation]:
    """All ops of the pieces, which start one after another as fast as units and registers allow."""
    if not pieces:
        return []
    every = [issue_times(ops) for ops in pieces]
    step = max(busiest(ops, ports) for ops in pieces)
    longest = max(held(ops, times) for ops, times in zip(pieces, every, strict=True))
    step = max(step, -(-longest // MOST_LIVE))
    order = [
        (number * step + time, number, place)
        for number, times in enumerate(every)
        for place, time in enumerate(times)
    ]
    return [pieces[number][place] for _, number, place in sorted(order)]
