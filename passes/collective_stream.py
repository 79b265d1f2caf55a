"""Streams of a collective: thread 1 starts each step's transfers, threads 0, 2 and 3 add what
arrives, for some of the chains each.

All go through the steps of the chains in one order, so that the transfers of one chain are under
way while another adds. Several threads that add fill the vector unit while one of them waits or
sets up. In front nodes tell those that will push to them that their buffers are free, or meet at
one region barrier; from there on each step waits only for what it reads.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dojocc.dialects.disa import InstructionOp, instruction
from dojocc.dialects.tile import CollectiveOp
from dojocc.passes.collective_adds import Adder
from dojocc.passes.collective_steps import (
    DONE,
    ENDED,
    SENT,
    START,
    Step,
    Steps,
    steps_of,
)
from dojocc.passes.parameters import Parameters
from dojocc.passes.route_semaphores import GREETINGS, READY
from dojocc.passes.select_stream import BARRIER_REGION, SCRATCH, TABLE_BASE, WINDOW, Streams, clear
from dojocc.runtime.isa.instr import KINDS


def run_collective(streams: Streams, op: CollectiveOp) -> None:
    """Both threads' instructions for one collective."""
    steps = steps_of(streams.resources, op, streams.nodes)
    number = streams.mark(op)
    if op.clears is not None:
        clear(streams, op.buffers[op.clears.value.data])
    streams.compute.append(instruction("post", READY, 1))
    streams.communicate += [instruction("mark", number), instruction("wait", READY, 1)]
    if steps.greetings is None:
        streams.communicate.append(instruction("rbar", BARRIER_REGION))
    transfer_steps(streams, op, steps)
    start_adders(streams, op, steps, number)
    for thread in steps.adders:
        add_steps(streams, op, steps, thread)
    end(streams, op, steps)


def start_adders(streams: Streams, op: CollectiveOp, steps: Steps, mark: int) -> None:
    """Thread 0 starts the other threads that add."""
    for place, thread in enumerate(steps.adders[1:]):
        if thread not in streams.helpers:
            streams.helpers[thread] = Streams(streams.resources, streams.parameters, streams.nodes)
        start = semaphores_of(op)[START + place]
        streams.compute.append(instruction("post", start, 1))
        code = streams.helpers[thread].compute
        code += [instruction("mark", mark), instruction("wait", start, 1)]


def semaphores_of(op: CollectiveOp) -> list[int]:
    assert op.semaphores is not None
    return [each.value.data for each in op.semaphores]


def transfer_steps(streams: Streams, op: CollectiveOp, steps: Steps) -> None:
    """Thread 1: the list of each step, behind the end of the step before."""
    semaphores = semaphores_of(op)
    reader = Reader(streams.communicate, streams.parameters)
    before: dict[int, Step] = {}
    waited: set[int] = set()
    greeted = Greeted(reader, steps)
    for place, step in enumerate(steps.steps):
        waits = step.chain in before or step.chain in steps.after
        greeted.come_to(place, waits)
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
        reader.wait_all(step, semaphores)
    if ends:
        streams.communicate.append(instruction("post", semaphores[DONE], 1))


class Greeted:
    """What thread 1 tells other nodes and hears from them on its way through the lists."""

    def __init__(self, reader: Reader, steps: Steps) -> None:
        self.reader = reader
        self.greetings = steps.greetings
        self.told = bool(steps.go)  # threads that add tell others, while they wait

    def come_to(self, place: int, waits: bool) -> None:
        """List number `place` is next; before it the thread waits for the end of a step or not."""
        greetings = self.greetings
        if greetings is None:
            return
        if place == 0:
            tell(self.reader, GREETINGS[0], greetings.first.told)
            self.reader.wait(GREETINGS[0], greetings.first.awaited)
        if greetings.others is None:
            return
        if not self.told and (waits or place == greetings.place):
            tell(self.reader, GREETINGS[1], greetings.others.told)
            self.told = True
        if place == greetings.place:
            self.reader.wait(GREETINGS[1], greetings.others.awaited)


def tell(reader: Reader, semaphore: int, told: Sequence[np.ndarray]) -> None:
    """Post to nodes [nodes] of each table."""
    for peers in told:
        reader.load(SCRATCH, peers)
        reader.code.append(instruction("rpost", SCRATCH, semaphore))


def pass_step(
    streams: Streams, reader: Reader, step: Step, steps: Steps, semaphores: list[int]
) -> None:
    """Thread 1 waits for the end of a step."""
    if step.additions:
        streams.communicate.append(instruction("wait", semaphores[steps.go[step.chain]], 1))
    else:
        reader.wait_all(step, semaphores)


def add_steps(streams: Streams, op: CollectiveOp, steps: Steps, thread: int) -> None:
    """One thread that adds: what arrives for its chains is added, then thread 1 may go on."""
    semaphores = semaphores_of(op)
    stream = streams.helpers.get(thread, streams)
    reader, adder = stream_reader(stream), Adder(stream, op)
    if steps.greetings is not None and steps.greetings.others is not None:
        mine = steps.adders.index(thread)
        tell(reader, GREETINGS[1], steps.greetings.others.told[mine :: len(steps.adders)])
    begun: set[int] = set()
    for step in steps.steps:
        if not step.additions or steps.adder[step.chain] != thread:
            continue
        if step.chain in steps.begin and step.chain not in begun:
            stream.compute.append(instruction("wait", semaphores[steps.begin[step.chain]], 1))
            begun.add(step.chain)
        # What does not depend on the arrivals stands in front of the wait for them.
        adder.prepare(step.additions[0])
        reader.wait_all(step, semaphores)
        for number, addition in enumerate(step.additions):
            if number:
                adder.prepare(addition)
            adder.add(addition, streams.built_in)
        if steps.followed(step):
            stream.compute.append(instruction("post", semaphores[steps.go[step.chain]], 1))
    if thread != steps.adders[0]:
        stream.compute.append(instruction("post", semaphores[ENDED], 1))


def end(streams: Streams, op: CollectiveOp, steps: Steps) -> None:
    """Thread 0 goes on when everything has arrived and everything it sent has left."""
    semaphores = semaphores_of(op)
    if any(not step.additions and not steps.followed(step) for step in steps.steps):
        streams.compute.append(instruction("wait", semaphores[DONE], 1))
    if len(steps.adders) > 1:
        streams.compute.append(instruction("wait", semaphores[ENDED], len(steps.adders) - 1))
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

    def wait_all(self, step: Step, semaphores: list[int]) -> None:
        """Wait for all that arrives in a step."""
        for place, arrivals in step.awaited:
            self.wait(semaphores[place], arrivals)

    def wait(self, semaphore: int, counts: np.ndarray) -> None:
        """Wait for so many posts on each node."""
        what, value = self.parameters.find(counts)
        if what == "number" and value <= KINDS["imm16"].high:
            if value:
                self.code.append(instruction("wait", semaphore, value))
            return
        self.load(SCRATCH, counts)
        self.code.append(instruction("waitx", semaphore, SCRATCH))

    def load(self, register: int, table: np.ndarray) -> None:
        """Register = this node's entry of a table."""
        what, value = self.parameters.find(table)
        if what == "number":
            self.code.append(instruction("lil", register, value))
        else:
            self.word(register, value)
