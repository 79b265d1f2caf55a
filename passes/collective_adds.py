"""Additions of a collective on one thread: addresses set up ahead, then a subroutine that adds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dojocc.dialects.disa import InstructionOp, KernelOp, instruction
from dojocc.dialects.mesh import LayoutAttr
from dojocc.dialects.tile import AllocOp, CollectiveOp
from dojocc.passes.collective_steps import Addition
from dojocc.passes.route import buffer_address
from dojocc.passes.select_kernel import DESCRIPTORS, FIRST_PARAMETER
from dojocc.passes.select_stream import Streams

LINE = 64
ALL_LANES = 0
MNEMONICS = {
    ("sum", "FP32"): ("vadd", "vacc"),
    ("max", "FP32"): ("vmax", "vmaxa"),
    ("min", "FP32"): ("vmin", "vmina"),
    ("sum", "INT32"): ("viadd", "viacc"),
    ("max", "INT32"): ("vimax", "vimaxa"),
    ("min", "INT32"): ("vimin", "vimina"),
}
"""The instructions that combine 16 lanes: of two registers, and into one."""
SIDES = ("into", "left", "right")
"""What address generators 0, 1 and 2 walk over; 3 to 5 over those of the second of a pair."""
LINES, ROWS, STRIDES = FIRST_PARAMETER + 3, FIRST_PARAMETER + 4, FIRST_PARAMETER + 5
"""Registers of the numbers of lines and rows, and of a stride that differs between nodes."""
OUTER, INNER, TERMS = range(3)
"""Levels of the loops over lines and rows, and over several terms."""


class Adder:
    """Additions of one op on one thread. Only what differs from the addition before is set."""

    def __init__(self, streams: Streams, op: CollectiveOp) -> None:
        self.streams = streams
        self.op = op
        self.strides: dict[tuple[int, int], object] = {}
        self.cleared: set[int] = set()

    def prepare(self, addition: Addition) -> None:
        """Addresses, strides and counts."""
        columns = addition.columns
        for half in range(1 + addition.pair):
            self.clear(half)
            for place, side in used_sides(addition):
                self.set_strides(addition, half * len(SIDES) + place, side)
        if not addition.unrolled:
            self.number(LINES, columns["lines"])
        if addition.in_rows:
            self.number(ROWS, columns["count"])
        buffers = (addition.into_buffer, addition.left_buffer, addition.right_buffer)
        addresses = [buffer_address(self.op.buffers[number]) for number in buffers]
        for half in range(1 + addition.pair):
            for place, side in used_sides(addition):
                table = columns[f"{side}_other" if half else side]
                self.base(half * len(SIDES) + place, table, addresses[place])

    def clear(self, half: int) -> None:
        """Generators of one of a pair walk from line to line."""
        if half in self.cleared:
            return
        self.cleared.add(half)
        for generator in range(half * len(SIDES), (half + 1) * len(SIDES)):
            self.streams.compute.append(instruction("aclr", generator))
            self.streams.compute.append(instruction("apitch", generator, LINE))

    def set_strides(self, addition: Addition, generator: int, side: str) -> None:
        along, across = levels(addition)
        if not addition.unrolled:
            self.stride(generator, along, LINE)
        if addition.in_rows:
            self.stride_by_node(generator, across, addition.columns[f"{side}_stride"])
        if addition.terms > 1 and side == "left":
            self.stride(generator, TERMS, int(addition.columns["term_stride"][0]))

    def number(self, register: int, table: np.ndarray) -> None:
        set_table(self.streams, register, table, 0)

    def stride(self, generator: int, level: int, value: int) -> None:
        if self.strides.get((generator, level)) != value:
            self.streams.compute.append(instruction("astr", generator, level, value))
            self.strides[generator, level] = value

    def stride_by_node(self, generator: int, level: int, table: np.ndarray) -> None:
        what, value = self.streams.parameters.find(table)
        if what == "number":
            self.stride(generator, level, value)
            return
        if self.strides.get((generator, level)) != (what, value):
            set_table(self.streams, STRIDES, table, 0)
            self.streams.compute.append(instruction("astrx", generator, level, STRIDES))
            self.strides[generator, level] = (what, value)

    def base(self, generator: int, table: np.ndarray, added: int) -> None:
        what, value = self.streams.parameters.find(table)
        if what == "number":
            self.streams.compute.append(instruction("abasei", generator, value + added))
            return
        register = FIRST_PARAMETER + generator % len(SIDES)
        set_table(self.streams, register, table, added)
        self.streams.compute.append(instruction("abase", generator, register))

    def add(self, addition: Addition, kernels: dict[str, KernelOp]) -> None:
        """The call; its subroutine is made if there is none yet."""
        name = kernel_name(self.op, addition)
        if name not in kernels:
            kernels[name] = adder_kernel(name, self.op, addition)
        self.streams.compute.append(instruction("call", name))


def set_table(streams: Streams, register: int, table: np.ndarray, added: int) -> None:
    """Register = this node's entry of a table, plus `added`; from a register that has it where
    there is one, which is quicker than a load."""
    what, place = streams.parameters.find(table)
    if what == "number":
        streams.set_number(register, place + added)
        return
    content = ("word", place, added)
    if streams.held.get(register) == content:
        return
    for other, held in held_words(streams):
        if held[1] == place:
            code = instruction("addi", register, other, added - held[2])
            break
    else:
        streams.read_word(register, place)
        code = instruction("addi", register, register, added)
    streams.compute.append(code)
    streams.held[register] = content


def held_words(streams: Streams) -> Iterator[tuple[int, tuple[str, int, int]]]:
    """Registers that hold a word of the table plus a number."""
    for register, content in streams.held.items():
        if isinstance(content, tuple) and content[0] == "word":
            yield register, content


def format_of(op: CollectiveOp) -> str:
    alloc = op.buffers[0].owner
    assert isinstance(alloc, AllocOp) and isinstance(alloc.layout, LayoutAttr)
    return alloc.layout.data.fmt


def used_sides(addition: Addition) -> list[tuple[int, str]]:
    """(place, name) of the sides that need a generator: where a sum replaces what has arrived, one
    serves both."""
    return [each for each in enumerate(SIDES) if each[1] != "into" or not addition.in_place]


def kernel_name(op: CollectiveOp, addition: Addition) -> str:
    shape = ("_columns" if addition.by_columns else "_rows") if addition.in_rows else ""
    if addition.unrolled:
        shape = f"_runs_of_{addition.unrolled}"
    terms = f"_terms_{addition.terms}" if addition.terms > 1 else ""
    pair = "_pair" if addition.pair else ""
    place = "_in_place" if addition.in_place else ""
    return f"combine_{op.combine.data}_{format_of(op)}{shape}{pair}{terms}{place}"


def levels(addition: Addition) -> tuple[int, int]:
    """Loop levels over lines, and over rows: the longer loop is the inner one."""
    inner = addition.in_rows and not addition.by_columns and not addition.unrolled
    return (INNER, OUTER) if inner else (OUTER, INNER)


def adder_kernel(name: str, op: CollectiveOp, addition: Addition) -> KernelOp:
    """The subroutine: into = right (+) left over whole vectors, or right (+) all terms of left.
    Generators 0 to 2 stand ready, 3 to 5 too for a pair."""
    along, across = levels(addition)
    loops = {} if addition.unrolled else {along: LINES}
    loops |= {across: ROWS} if addition.in_rows else {}
    code = [instruction("loopx", level, loops[level]) for level in sorted(loops)]
    code += combined(op, addition)
    code += [instruction("end") for _ in loops]
    return KernelOp(name, [*code, instruction("ret")])


def combined(op: CollectiveOp, addition: Addition) -> list[InstructionOp]:
    """The body of the loops: all loads, then the additions, then all stores."""
    fmt = format_of(op)
    descriptor, (both, gather) = DESCRIPTORS[fmt], MNEMONICS[op.combine.data, fmt]
    lines = range(max(addition.unrolled, 1))
    parts = [
        (half * len(SIDES), line, 2 * (half * len(lines) + line))
        for half in range(1 + addition.pair)
        for line in lines
    ]  # first generator, line, first of two vector registers

    def load(side: int, register: int) -> list[InstructionOp]:
        return [
            instruction("vld", v + register, first + side, descriptor, line, ALL_LANES)
            for first, line, v in parts
        ]

    code = load(2, 0)
    if addition.terms > 1:
        code.append(instruction("loop", TERMS, addition.terms))
        code += load(1, 1)
        code += [instruction(gather, v, v + 1, ALL_LANES) for _, _, v in parts]
        code.append(instruction("end"))
    else:
        code += load(1, 1)
        code += [instruction(both, v, v + 1, v, ALL_LANES) for _, _, v in parts]
    into = SIDES.index("left" if addition.in_place else "into")
    return code + [
        instruction("vst", v, first + into, descriptor, line, ALL_LANES) for first, line, v in parts
    ]
