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
"""What address generators 0, 1 and 2 walk over."""
LINES, ROWS, STRIDES = FIRST_PARAMETER + 3, FIRST_PARAMETER + 4, FIRST_PARAMETER + 5
"""Registers of the numbers of lines and rows, and of a stride that differs between nodes."""
PAIR_LEVEL, FIRST_LEVEL, TERM_LEVEL = 0, 1, 3
"""Loops over a pair, outermost; over lines and rows; and over several terms, innermost."""


class Adder:
    """Additions of one op on one thread. Only what differs from the addition before is set."""

    def __init__(self, streams: Streams, op: CollectiveOp) -> None:
        self.streams = streams
        self.op = op
        self.strides: dict[tuple[int, int], object] = {}
        self.cleared = False

    def prepare(self, addition: Addition) -> None:
        """Addresses, strides and counts."""
        columns, streams = addition.columns, self.streams
        if not self.cleared:
            streams.compute += [instruction("aclr", generator) for generator in range(3)]
            self.cleared = True
        self.number(LINES, columns["lines"])
        along, across = levels(addition)
        if addition.in_rows:
            self.number(ROWS, columns["count"])
        for generator, side in enumerate(SIDES):
            self.stride(generator, along, LINE)
            if addition.in_rows:
                self.stride_by_node(generator, across, columns[f"{side}_stride"])
            if addition.pair:
                self.stride_by_node(generator, PAIR_LEVEL, columns[f"{side}_pair"])
        if addition.terms > 1:
            self.stride(1, TERM_LEVEL, int(columns["term_stride"][0]))
        buffers = (addition.into_buffer, addition.left_buffer, addition.right_buffer)
        for generator, side in enumerate(SIDES):
            self.base(generator, columns[side], buffer_address(self.op.buffers[buffers[generator]]))

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
        register = FIRST_PARAMETER + generator
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


def kernel_name(op: CollectiveOp, addition: Addition) -> str:
    shape = ("_columns" if addition.by_columns else "_rows") if addition.in_rows else ""
    terms = f"_of_{addition.terms}" if addition.terms > 1 else ""
    pair = "_pair" if addition.pair else ""
    return f"combine_{op.combine.data}_{format_of(op)}{shape}{pair}{terms}"


def levels(addition: Addition) -> tuple[int, int]:
    """Loop levels over lines, and over rows: the longer loop is the inner one."""
    inner = int(addition.in_rows and not addition.by_columns)
    return FIRST_LEVEL + inner, FIRST_LEVEL + 1 - inner


def adder_kernel(name: str, op: CollectiveOp, addition: Addition) -> KernelOp:
    """The subroutine: into = right (+) left over whole vectors, or right (+) all terms of left.
    Generators 0 to 2 stand ready."""
    fmt = format_of(op)
    descriptor, (both, gather) = DESCRIPTORS[fmt], MNEMONICS[op.combine.data, fmt]
    along, across = levels(addition)
    loops = {along: LINES} | ({across: ROWS} if addition.in_rows else {})
    code = [instruction("loop", PAIR_LEVEL, 2)] if addition.pair else []
    code += [instruction("loopx", level, loops[level]) for level in sorted(loops)]
    if addition.terms > 1:
        code += [
            instruction("vld", 2, 2, descriptor, 0, ALL_LANES),
            instruction("loop", TERM_LEVEL, addition.terms),
            instruction("vld", 0, 1, descriptor, 0, ALL_LANES),
            instruction(gather, 2, 0, ALL_LANES),
            instruction("end"),
        ]
    else:
        code += [
            instruction("vld", 0, 1, descriptor, 0, ALL_LANES),
            instruction("vld", 1, 2, descriptor, 0, ALL_LANES),
            instruction(both, 2, 0, 1, ALL_LANES),
        ]
    code.append(instruction("vst", 2, 0, descriptor, 0, ALL_LANES))
    ends = [instruction("end") for _ in range(len(loops) + addition.pair)]
    return KernelOp(name, [*code, *ends, instruction("ret")])
