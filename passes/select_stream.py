"""Streams of the grid's nodes: thread 0 computes, thread 1 communicates.

Thread 0 calls kernels with their parameters in x8.. and, for an exchange, clears its destination if
needed, posts `ready`, and later waits for the arrivals. Thread 1 waits for `ready`, meets all nodes
at the region barrier and starts the transfer list.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from xdsl.ir import Operation, SSAValue

from dojocc.dialects.disa import InstructionOp, KernelOp, instruction
from dojocc.dialects.location import describe, get_location
from dojocc.dialects.tile import CallOp, CollectiveOp, ExchangeOp
from dojocc.passes.allocate import ALIGNMENT, reserved_bytes
from dojocc.passes.parameters import (
    Parameters,
    arrivals,
    cleared_lines,
    node_table,
    table_of,
)
from dojocc.passes.route import buffer_address
from dojocc.passes.route_semaphores import READY
from dojocc.passes.select_kernel import DESCRIPTORS, FIRST_PARAMETER
from dojocc.runtime.errors import DoesNotFit
from dojocc.runtime.isa.instr import KINDS

TABLE_BASE = 15
"""The address generator that reads the parameter table."""
SCRATCH = 1
WINDOW = KINDS["imm8"].high + 1
"""Words of the parameter table that one base reaches."""
CLEAR = "clear"
"""The subroutine that clears a buffer: x8 its address, x9 its 64-byte lines."""
BARRIER_REGION = 0
MARKS = (1 << 16) - 1
Marked = CallOp | ExchangeOp | CollectiveOp


@dataclass(eq=False)
class Streams:
    """The streams under construction. `held` is what a parameter register is known to hold; `calls`
    has each call's place on thread 0 and its arguments, None for those that differ between nodes;
    `helpers` have the streams of threads 2 and 3, where there are any, as their own thread 0."""

    resources: dict[str, np.ndarray]
    parameters: Parameters
    nodes: int
    compute: list[InstructionOp] = field(default_factory=list)
    communicate: list[InstructionOp] = field(default_factory=list)
    marks: list[tuple[str, str]] = field(default_factory=list)
    held: dict[int, object] = field(default_factory=dict)
    calls: list[tuple[int, list[int | None]]] = field(default_factory=list)
    number: dict[Operation, int] = field(default_factory=dict)
    current: int = -1
    base: int = -1
    clears: bool = False
    built_in: dict[str, KernelOp] = field(default_factory=dict)
    helpers: dict[int, Streams] = field(default_factory=dict)

    def mark(self, op: Marked) -> int:
        """What follows on thread 0 belongs to `op`; the number of its mark."""
        if op not in self.number:
            self.number[op] = self.new_mark(op)
        if self.current != self.number[op]:
            self.current = self.number[op]
            self.compute.append(instruction("mark", self.current))
        return self.current

    def new_mark(self, op: Marked) -> int:
        if len(self.marks) > MARKS:
            raise DoesNotFit(
                "the program has more ops than trace markers have numbers",
                where=describe(op),
                numbers=f"need more than {MARKS + 1}",
            )
        source = get_location(op) or (op.mark.data if op.mark is not None else "")
        match op:
            case CallOp():
                name = op.callee.string_value()
            case ExchangeOp():
                kind = "exchange" if op.resource is None else "load"
                name = f"{kind} {op.number.value.data}"
            case CollectiveOp():
                name = f"collective {op.number.value.data}"
        self.marks.append((name, source))
        return len(self.marks) - 1

    def read_word(self, register: int, word: int) -> None:
        """Load a word of this node's parameters."""
        window = word // WINDOW
        if self.base < 0:
            self.compute.append(instruction("aclr", TABLE_BASE))
            self.base = 0
        if window != self.base:
            self.compute.append(instruction("abasei", TABLE_BASE, window * WINDOW * 4))
            self.base = window
        self.compute.append(instruction("ldx", register, TABLE_BASE, word % WINDOW))

    def set_number(self, register: int, value: int) -> None:
        """Register = a number, unless it holds it already."""
        if self.held.get(register) == ("number", value):
            return
        self.held[register] = ("number", value)
        kind = KINDS["imm16"]
        short = kind.low <= value <= kind.high
        self.compute.append(instruction("li" if short else "lil", register, value))

    def call(self, name: str, arguments: list[int | None]) -> None:
        """Call a kernel whose parameter registers hold `arguments`."""
        self.calls.append((len(self.compute), arguments))
        self.compute.append(instruction("call", name))

    def set_value(self, register: int, value: int | str, added: int, op: Operation) -> None:
        """Register = a number or this node's entry of a table, plus `added`."""
        if isinstance(value, int):
            self.set_number(register, value + added)
            return
        self.set_entry(register, node_table(self.resources, value, self.nodes, op), added)

    def set_entry(self, register: int, table: np.ndarray, added: int = 0) -> None:
        """Register = this node's entry of a table, plus `added`."""
        what, place = self.parameters.find(table)
        if what == "number":
            self.set_number(register, place + added)
            return
        content = ("word", place, added)
        if self.held.get(register) == content:
            return
        self.held[register] = content
        self.read_word(register, place)
        if added:
            self.compute.append(instruction("addi", register, register, added))


def call_kernel(streams: Streams, op: CallOp) -> None:
    """Parameters, then the call."""
    streams.mark(op)
    given = [
        (offset, buffer_address(value))
        for value, offset in zip(op.buffers, op.offset_values, strict=True)
    ]
    given += [(scalar, 0) for scalar in op.scalar_values]
    for place, (value, added) in enumerate(given):
        streams.set_value(FIRST_PARAMETER + place, value, added, op)
    numbers = [value + added if isinstance(value, int) else None for value, added in given]
    streams.call(op.callee.string_value(), numbers)


def start_exchange(streams: Streams, op: ExchangeOp) -> None:
    """Clear the destination if asked, tell thread 1, and let that start the list behind the
    barrier; a load concerns nobody else and needs no barrier."""
    if not len(table_of(streams.resources, op)):
        clear_destination(streams, op)
        return
    begin_exchange(streams, op)
    start = "push" if op.resource is None else "dld"
    streams.communicate.append(instruction(start, op.number.value.data))


def begin_exchange(streams: Streams, op: ExchangeOp) -> int:
    """What stands in front of an exchange's first list, on both threads; the number of its mark."""
    number = clear_destination(streams, op)
    streams.compute.append(instruction("post", READY, 1))
    streams.communicate += [instruction("mark", number), instruction("wait", READY, 1)]
    if op.resource is None:
        streams.communicate.append(instruction("rbar", BARRIER_REGION))
    return number


def clear_destination(streams: Streams, op: ExchangeOp) -> int:
    """Zeros over the destination if asked, on the nodes that need them; the number of the
    exchange's mark."""
    number = streams.mark(op)
    if op.zero_fill is not None:
        lines = None if op.bare is None else cleared_lines(streams.resources, op, streams.nodes)
        clear(streams, op.destination, lines)
    return number


def clear(streams: Streams, buffer: SSAValue, each: np.ndarray | None = None) -> None:
    """Zero bytes over a whole buffer; its address and size are whole lines. `each`: lines by node,
    where only some nodes do so."""
    lines = reserved_bytes(buffer.owner) // ALIGNMENT  # pyright: ignore[reportArgumentType]
    address = buffer_address(buffer)
    streams.set_number(FIRST_PARAMETER, address)
    if each is None:
        streams.set_number(FIRST_PARAMETER + 1, lines)
    else:
        streams.set_entry(FIRST_PARAMETER + 1, each)
    streams.call(CLEAR, [address, lines if each is None else None])
    streams.clears = True


def await_exchange(streams: Streams, op: ExchangeOp) -> None:
    """Wait for the entries that come to this node and those it sends."""
    table = table_of(streams.resources, op)
    if not len(table):
        return
    assert op.semaphore is not None
    streams.mark(op)
    semaphore = op.semaphore.value.data
    what, value = streams.parameters.find(arrivals(op, table, streams.nodes))
    if what == "number" and value <= KINDS["imm16"].high:
        streams.compute.append(instruction("wait", semaphore, value))
        return
    if what == "number":
        streams.compute.append(instruction("lil", SCRATCH, value))
    else:
        streams.read_word(SCRATCH, value)
    streams.compute.append(instruction("waitx", semaphore, SCRATCH))


def clear_kernel() -> KernelOp:
    """The subroutine that `clear` calls."""
    address, lines, generator, level, zero = FIRST_PARAMETER, FIRST_PARAMETER + 1, 0, 0, 0
    return KernelOp(
        CLEAR,
        [
            instruction("aclr", generator),
            instruction("abase", generator, address),
            instruction("astr", generator, level, ALIGNMENT),
            instruction("vli", zero, 0.0, 0),
            instruction("loopx", level, lines),
            instruction("vst", zero, generator, DESCRIPTORS["FP32"], 0, 0),
            instruction("end"),
            instruction("ret"),
        ],
    )
