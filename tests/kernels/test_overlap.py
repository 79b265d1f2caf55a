"""Epilogues of several blocks are put in an order that hides latencies, each in its own order."""

from __future__ import annotations

from xdsl.ir import Block

from dojocc.dialects.tile import AccReadOp, AccZeroOp, VectorOp
from dojocc.passes.kernels.overlap import MOST_LIVE, issue_times, overlapped

PORTS = {"load": 2}


def piece(length: int) -> list:
    """A read of an accumulator and a chain of vector ops behind it."""
    cell = AccZeroOp()
    ops = [AccReadOp(cell.result, 0)]
    for _ in range(length):
        ops.append(VectorOp("vneg", [ops[-1].results[0]]))
    Block([cell, *ops])
    for op in ops:
        op.detach()
    return ops


def test_each_piece_keeps_its_order_and_all_ops_are_there() -> None:
    pieces = [piece(3) for _ in range(6)]
    order = overlapped(pieces, PORTS)
    assert sorted(map(id, order)) == sorted(id(op) for ops in pieces for op in ops)
    for ops in pieces:
        assert [op for op in order if op in ops] == ops


def test_a_second_piece_starts_while_the_first_waits() -> None:
    first, second = piece(1), piece(1)
    order = overlapped([first, second], PORTS)
    assert order.index(second[0]) < order.index(first[1])


def test_a_piece_by_itself_waits_for_every_result() -> None:
    times = issue_times(piece(2))
    assert times[1] - times[0] >= 4 and times[2] - times[1] >= 4


def test_no_more_is_held_than_registers_allow() -> None:
    order = overlapped([piece(12) for _ in range(32)], PORTS)
    place = {op: number for number, op in enumerate(order)}
    open_, most = 0, 0
    ends = {}
    for op in order:
        uses = [place[use.operation] for use in op.results[0].uses if use.operation in place]
        last = max(uses, default=place[op])
        ends.setdefault(last, []).append(op)
        open_ += 1
        open_ -= len(ends.pop(place[op], []))
        most = max(most, open_)
    assert most <= MOST_LIVE + 2
    assert overlapped([], PORTS) == []
