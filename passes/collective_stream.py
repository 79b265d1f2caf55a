"""Streams of a collective: thread 1 starts each step's transfers, threads 0 and 2 add what arrives,
for every other chain each.

All go through the steps of the chains in one order, so that the transfers of one chain are under
way while another adds. A second thread that adds fills the vector unit while the first waits or
sets up. One region barrier stands in front: behind it every node's buffers are free,
and from there on each step waits only for what it reads.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dojocc.dialects.disa import InstructionOp, KernelOp, instruction
from dojocc.dialects.mesh import LayoutAttr
from dojocc.dialects.tile import AllocOp, CollectiveOp
from dojocc.passes.collective_steps import (
    DONE,
    ENDED,
    SENT,
    START,
    Addition,
    Step,
    Steps,
    steps_of,
)
from dojocc.passes.parameters import Parameters
from dojocc.passes.route import READY, buffer_address
from dojocc.passes.select_kernel import DESCRIPTORS, FIRST_PARAMETER
from dojocc.passes.select_stream import BARRIER_REGION, SCRATCH, TABLE_BASE, WINDOW, Streams, clear
from dojocc.runtime.isa.instr import KINDS

LINE = 64
ALL_LANES = 0
MNEMONICS = {
    ("sum", "FP32"): "vadd",
    ("max", "FP32"): "vmax",
    ("min", "FP32"): "vmin",
    ("sum", "INT32"): "viadd",
    ("max", "INT32"): "vimax",
    ("min", "INT32"): "vimin",
}
"""The instruction that combines 16 lanes."""


def run_collective(streams: Streams, op: CollectiveOp) -> None:
    """Both threads' instructions for one collective."""
    steps = steps_of(streams.resources, op, streams.nodes)
    number = streams.mark(op)
    if op.clears is not None:
        clear(streams, op.buffers[op.clears.value.data])
    streams.compute.append(instruction("post", READY, 1))
    streams.communicate += [
        instruction("mark", number),
        instruction("wait", READY, 1),
        instruction("rbar", BARRIER_REGION),
    ]
    transfer_steps(streams, op, steps)
    helper = second_adder(streams, op, steps, number)
    add_steps(streams, streams, op, steps, second=False)
    if helper is not None:
        add_steps(streams, helper, op, steps, second=True)
        helper.compute.append(instruction("post", semaphores_of(op)[ENDED], 1))
    end(streams, op, steps)


def second_adder(streams: Streams, op: CollectiveOp, steps: Steps, mark: int) -> Streams | None:
    """Thread 2, started by thread 0; None where thread 0 has to add for one chain only."""
    if not any(map(steps.second_adder, steps.go)):
        return None
    if streams.helper is None:
        streams.helper = Streams(streams.resources, streams.parameters, streams.nodes)
    start = semaphores_of(op)[START]
    streams.compute.append(instruction("post", start, 1))
    streams.helper.compute += [instruction("mark", mark), instruction("wait", start, 1)]
    return streams.helper


def semaphores_of(op: CollectiveOp) -> list[int]:
    assert op.semaphores is not None
    return [each.value.data for each in op.semaphores]


def transfer_steps(streams: Streams, op: CollectiveOp, steps: Steps) -> None:
    """Thread 1: the list of each step, behind the end of the step before."""
    semaphores = semaphores_of(op)
    reader = Reader(streams.communicate, streams.parameters)
    before: dict[int, Step] = {}
    waited: set[int] = set()
    for place, step in enumerate(steps.steps):
        if step.chain in before:
            pass_step(streams, reader, before[step.chain], steps, semaphores)
        elif step.chain in steps.after:
            ended = [before[chain] for chain in steps.after[step.chain] if chain not in waited]
            for last in ended:
                pass_step(streams, reader, last, steps, semaphores)
                waited.add(last.chain)
            if step.chain in steps.begin:
                # What the chain's thread reads, another one may have added.
                begin = semaphores[steps.begin[step.chain]]
                streams.communicate.append(instruction("post", begin, 1))
        streams.communicate.append(instruction("push", op.number.value.data + place))
        before[step.chain] = step
    ends = [step for step in before.values() if not step.additions and not steps.followed(step)]
    for step in ends:
        reader.wait(semaphores[step.far], step.arrivals)
    if ends:
        streams.communicate.append(instruction("post", semaphores[DONE], 1))


def pass_step(
    streams: Streams, reader: Reader, step: Step, steps: Steps, semaphores: list[int]
) -> None:
    """Thread 1 waits for the end of a step."""
    if step.additions:
        streams.communicate.append(instruction("wait", semaphores[steps.go[step.chain]], 1))
    else:
        reader.wait(semaphores[step.far], step.arrivals)


def add_steps(
    streams: Streams, adder: Streams, op: CollectiveOp, steps: Steps, second: bool
) -> None:
    """One thread that adds: what arrives for its chains is added, then thread 1 may go on."""
    semaphores = semaphores_of(op)
    reader = stream_reader(adder)
    begun: set[int] = set()
    for step in steps.steps:
        if not step.additions or steps.second_adder(step.chain) != second:
            continue
        if step.chain in steps.begin and step.chain not in begun:
            adder.compute.append(instruction("wait", semaphores[steps.begin[step.chain]], 1))
            begun.add(step.chain)
        reader.wait(semaphores[step.far], step.arrivals)
        for addition in step.additions:
            add(adder, op, addition)
            name = adder_name(op, addition)
            if name not in streams.built_in:
                streams.built_in[name] = adder_kernel(name, op, addition)
        if steps.followed(step):
            adder.compute.append(instruction("post", semaphores[steps.go[step.chain]], 1))


def end(streams: Streams, op: CollectiveOp, steps: Steps) -> None:
    """Thread 0 goes on when everything has arrived and everything it sent has left."""
    semaphores = semaphores_of(op)
    if any(not step.additions and not steps.followed(step) for step in steps.steps):
        streams.compute.append(instruction("wait", semaphores[DONE], 1))
    if any(map(steps.second_adder, steps.go)):
        streams.compute.append(instruction("wait", semaphores[ENDED], 1))
    stream_reader(streams).wait(semaphores[SENT], steps.sent)


def stream_reader(streams: Streams) -> Reader:
    return Reader(streams.compute, streams.parameters, streams)


class Reader:
    """Reads words of the parameter table on one thread. Thread 0's streams know where its table
    generator stands; thread 1's is set up anew by each reader."""

    def __init__(
        self, code: list[InstructionOp], parameters: Parameters, streams: Streams | None = None
    ) -> None:
        self.code = code
        self.parameters = parameters
        self.streams = streams
        self.base = -1

    def word(self, register: int, word: int) -> None:
        if self.streams is not None:
            self.streams.read_word(register, word)
            return
        if self.base < 0:
            self.code.append(instruction("aclr", TABLE_BASE))
        if max(self.base, 0) != word // WINDOW:
            self.code.append(instruction("abasei", TABLE_BASE, word // WINDOW * WINDOW * 4))
        self.base = word // WINDOW
        self.code.append(instruction("ldx", register, TABLE_BASE, word % WINDOW))

    def wait(self, semaphore: int, counts: np.ndarray) -> None:
        """Wait for so many posts on each node."""
        what, value = self.parameters.find(counts)
        if what == "number" and value <= KINDS["imm16"].high:
            if value:
                self.code.append(instruction("wait", semaphore, value))
            return
        if what == "number":
            self.code.append(instruction("lil", SCRATCH, value))
        else:
            self.word(SCRATCH, value)
        self.code.append(instruction("waitx", semaphore, SCRATCH))


def add(streams: Streams, op: CollectiveOp, addition: Addition) -> None:
    """Parameters, then the call: addresses of into, left and right, lines; with rows also their
    number and strides."""
    buffers = (addition.into_buffer, addition.left_buffer, addition.right_buffer)
    added = [buffer_address(op.buffers[number]) for number in buffers] + [0] * 5
    for place, (table, base) in enumerate(zip(addition.tables(), added, strict=False)):
        set_table(streams, FIRST_PARAMETER + place, table, base)
    streams.compute.append(instruction("call", adder_name(op, addition)))


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


def adder_name(op: CollectiveOp, addition: Addition) -> str:
    shape = ("_columns" if addition.by_columns else "_rows") if addition.in_rows else ""
    return f"combine_{op.combine.data}_{format_of(op)}{shape}"


def adder_kernel(name: str, op: CollectiveOp, addition: Addition) -> KernelOp:
    """The subroutine: into = left (+) right over whole vectors; x8 to x10 are addresses, x11 lines,
    x12 rows and x13 to x15 their strides. The longer loop is the inner one."""
    fmt = format_of(op)
    descriptor, mnemonic = DESCRIPTORS[fmt], MNEMONICS[op.combine.data, fmt]
    lines, rows, strides = FIRST_PARAMETER + 3, FIRST_PARAMETER + 4, FIRST_PARAMETER + 5
    along = 1 if addition.in_rows and not addition.by_columns else 0
    loops = {along: lines} | ({1 - along: rows} if addition.in_rows else {})
    code = []
    for generator in range(3):
        code.append(instruction("aclr", generator))
        code.append(instruction("abase", generator, FIRST_PARAMETER + generator))
        code.append(instruction("astr", generator, along, LINE))
        if addition.in_rows:
            code.append(instruction("astrx", generator, 1 - along, strides + generator))
    code += [instruction("loopx", level, loops[level]) for level in sorted(loops)]
    code += [
        instruction("vld", 0, 1, descriptor, 0, ALL_LANES),
        instruction("vld", 1, 2, descriptor, 0, ALL_LANES),
        instruction(mnemonic, 2, 0, 1, ALL_LANES),
        instruction("vst", 2, 0, descriptor, 0, ALL_LANES),
    ]
    return KernelOp(name, [*code, *(instruction("end") for _ in loops), instruction("ret")])
