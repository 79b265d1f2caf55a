"""What every thread of a class does, in order: accesses with their bytes, synchronisation, lists.

Streams are run without data: loops whose body only touches memory and vectors are taken whole, all
others step by step. A thread's place in its trace is its position: the clock of sync.py.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import numpy as np

from dojocc.runtime.engines.tree import Block, Call, Loop, Op, Tree
from dojocc.runtime.formats import FORMATS
from dojocc.runtime.program import Program
from dojocc.runtime.verify.footprint import box_runs
from dojocc.runtime.verify.ranges import Ranges
from dojocc.runtime.verify.registers import Registers, Touch, Undecidable, Value

BUDGET = 400_000
"""Steps of one thread after which it is said to run too long to follow."""
BLOCKING = ("sync", "network")
SETS = ("x", "a", "d", "s")
"""Kinds of registers that a loop taken whole may not set."""


@dataclass(frozen=True, eq=False)
class Step:
    """One position of a trace. `name` is the mnemonic; `value` what a sync instruction needs or
    names, on each node; `touches` the bytes of a memory instruction, `indexed` if they are not
    known: only the base is; not `bounded` if nothing keeps an index within bounds."""

    name: str
    word: int
    call: int
    value: Value = 0
    number: int = 0
    touches: tuple[Touch, ...] = ()
    writes: bool = False
    sure: bool = True
    indexed: bool = False
    bounded: bool = True
    constant: bool = False


@dataclass(eq=False)
class Tracer:
    """Follows one thread of a class. `calls` are the words of calls, with the scalar registers."""

    program: Program
    cls: int
    tree: Tree
    constants: Constants
    steps: list[Step] = field(default_factory=list)
    calls: list[tuple[int, list[Value]]] = field(default_factory=list)
    ranges: Ranges = field(default_factory=Ranges)
    call: int = -1

    def __post_init__(self) -> None:
        item = self.program.classes[self.cls]
        self.registers = Registers(len(item.nodes), identity(self.program, self.cls))

    def block(self, block: Block, loops: tuple[tuple[int, Value], ...] = ()) -> None:
        for item in block.items:
            match item:
                case Op():
                    self.op(item, loops)
                case Loop():
                    self.loop(item, loops)
                case Call():
                    self.calls.append((item.word, list(self.registers.x)))
                    outer, self.call = self.call, item.word if self.call < 0 else self.call
                    self.block(item.body, loops)
                    self.call = outer

    def add(self, step: Step) -> None:
        self.steps.append(step)
        if len(self.steps) > BUDGET:
            raise Undecidable(f"thread takes more than {BUDGET} steps that depend on each other")

    def op(self, op: Op, loops: tuple[tuple[int, Value], ...]) -> None:
        row, registers = op.row, self.registers
        kinds = [operand.kind for operand in row.outputs]
        if row.access is not None:
            reach, bounded = None, True
            if row.access.indexed:
                reach = self.ranges.reach(int(op.fields["b"]))
                bounded = self.ranges.bounded(int(op.fields["b"]))
            touches, sure = registers.touches(op, loops, reach)
            self.add(
                Step(
                    op.name,
                    op.word,
                    self.call,
                    touches=tuple(touches),
                    writes=row.access.kind == "store",
                    sure=sure,
                    indexed=row.access.indexed and reach is None,
                    bounded=bounded,
                )
            )
        elif op.name == "ldx":
            self.load_scalar(op)
        elif row.unit == "sync":
            self.sync(op)
        elif row.unit == "network":
            self.add(Step(op.name, op.word, self.call, number=int(op.fields["n"])))
        elif "p" in kinds:
            registers.predicate(op, tuple(level for level, _ in loops))
        elif "x" in kinds:
            registers.scalar(op)
        elif "a" in kinds:
            registers.address(op)
        elif op.name == "dset":
            registers.formats[int(op.fields["d"])] = list(FORMATS)[int(op.fields["code"])]
        self.ranges.op(op)

    def sync(self, op: Op) -> None:
        fields, x = op.fields, self.registers.x
        number = int(fields["s"]) if "s" in fields else int(fields["n"])
        value = x[int(fields["a"])] if "a" in fields else int(fields["n"])
        self.add(Step(op.name, op.word, self.call, value=value, number=number))

    def load_scalar(self, op: Op) -> None:
        """A scalar from memory: of an image, which must not have been written over."""
        registers, generator = self.registers, self.registers.a[int(op.fields["a"])]
        base = registers.at(generator.base, generator.strides, ()) + 4 * int(op.fields["n"])
        box = {"counts": [], "strides": [], "granules": 1, "pitch": 0, "elements": 1, "item": 4}
        touches = tuple(registers.grouped(base, box, []))
        self.add(Step(op.name, op.word, self.call, touches=touches, constant=True))
        value = self.constants.word(self.cls, base)
        if value is None:
            raise Undecidable("`ldx` takes a scalar from memory that no image fills")
        registers.set_scalar(int(op.fields["d"]), value)

    # -- loops -----------------------------------------------------------------------------------

    def loop(self, loop: Loop, loops: tuple[tuple[int, Value], ...]) -> None:
        """Whole if its body allows it and its accesses keep their order, else step by step."""
        count = np.maximum(loop.trips(self.registers.x), 0)
        count = int(count) if np.ndim(count) == 0 else count
        if np.max(count) == 0:
            return
        if plain(loop.body):
            mark = len(self.steps)
            masks, ranges = dict(self.registers.masks), copy.deepcopy(self.ranges)
            self.ranges.forget(loop.body)
            self.block(loop.body, (*loops, (loop.level, count)))
            self.ranges.forget(loop.body)
            if loops or keeps_order(self.steps[mark:], self.registers.nodes):
                return
            del self.steps[mark:]
            self.registers.masks, self.ranges = masks, ranges
        self.step_by_step(loop, count)

    def step_by_step(self, loop: Loop, count: Value) -> None:
        registers, uneven = self.registers, isinstance(count, np.ndarray)
        if uneven and blocks(loop.body):
            raise Undecidable("a loop that synchronises runs another number of times on each node")
        outer = registers.active
        for turn in range(int(np.max(count))):
            registers.counters[loop.level] = turn
            if uneven:
                going = count > turn
                registers.active = np.asarray(going if outer is None else going & outer)
            self.block(loop.body)
        registers.counters[loop.level] = 0
        registers.active = outer
        if uneven:
            self.ranges.forget(loop.body)


@dataclass(eq=False)
class Constants:
    """Words of images: what `ldx` may read."""

    program: Program
    contents: dict[int, np.ndarray] = field(default_factory=dict)

    def word(self, cls: int, address: Value) -> Value | None:
        low, high = int(np.min(address)), int(np.max(address)) + 4
        for number, image in enumerate(self.program.images):
            here = self.program.classes[cls].name == image.cls
            if here and image.address <= low and high <= image.address + image.layout.bytes:
                content = self.content(number)
                place = np.asarray(address) - image.address
                index = place[..., None] + np.arange(4)
                rows = np.arange(len(content))[:, None]
                words = np.ascontiguousarray(content[rows, index]).view("<i4")[:, 0]
                return words.astype(np.int64)
        return None

    def content(self, number: int) -> np.ndarray:
        if number not in self.contents:
            image = self.program.images[number]
            memory = np.zeros((image.layout.nodes, image.layout.bytes), np.uint8)
            image.layout.write(self.program.content(image), memory, 0)
            self.contents[number] = memory
        return self.contents[number]


def identity(program: Program, cls: int) -> np.ndarray:
    """[nodes, 6]: what `rdid` reads."""
    item, target = program.classes[cls], program.target
    row, col = np.divmod(item.nodes, target.cols)
    across = target.cols // target.die.cols
    die = row // target.die.rows * across + col // target.die.cols
    grid_row, grid_col = np.divmod(np.arange(len(item.nodes)), max(item.grid[1], 1))
    return np.stack([item.nodes, row, col, die, grid_row, grid_col], 1)


def plain(block: Block) -> bool:
    """True when a loop body leaves alone all that decides addresses and control."""
    for item in block.items:
        match item:
            case Op():
                if item.row.unit in BLOCKING or any(o.kind in SETS for o in item.row.outputs):
                    return False
            case Loop():
                if not plain(item.body):
                    return False
            case Call():
                return False
    return True


def blocks(block: Block) -> bool:
    return any(
        item.row.unit in BLOCKING if isinstance(item, Op) else blocks(item.body)
        for item in block.items
    )


def keeps_order(steps: list[Step], nodes: int) -> bool:
    """True when loads of a loop nest taken whole may be judged in the order of its instructions.

    That is so for a load and a store that share no byte, or that walk in step: the same strides on
    the same loops, and no byte twice but in iterations where neither moves.
    """
    for store in (step for step in steps if step.writes):
        for load in (step for step in steps if not step.writes):
            if store.indexed or load.indexed:
                return False
            if not apart(store, load, nodes) and not in_step(store, load):
                return False
    return True


def apart(store: Step, load: Step, nodes: int) -> bool:
    low = np.zeros((2, nodes), np.int64)
    high = np.zeros((2, nodes), np.int64)
    for side, step in enumerate((store, load)):
        for touch in step.touches:
            first, last = box_runs(touch.box).span
            low[side, touch.nodes], high[side, touch.nodes] = (
                touch.bases + first,
                touch.bases + last,
            )
    empty = (high <= low).any(0)
    return bool((empty | (high[0] <= low[1]) | (high[1] <= low[0])).all())


def in_step(store: Step, load: Step) -> bool:
    if len(store.touches) != len(load.touches):
        return False
    for one, other in zip(store.touches, load.touches, strict=True):
        if not np.array_equal(one.nodes, other.nodes):
            return False
        walks = [tuple(zip(t.box.counts, t.box.strides, strict=True)) for t in (one, other)]
        shared = 0
        while shared < min(map(len, walks)) and walks[0][shared] == walks[1][shared]:
            shared += 1
        reach = np.max(reach_of(one, other, shared))
        moving = [
            (abs(stride), count)
            for stride, count in zip(one.box.strides[:shared], one.box.counts, strict=False)
            if stride and count > 1
        ]
        for stride, count in sorted(moving):
            if stride < reach:
                return False
            reach += stride * (count - 1)
    return True


def reach_of(one: Touch, other: Touch, shared: int) -> np.ndarray:
    """Bytes between the first and last byte that either touches in one turn of the shared loops."""
    ends = []
    for touch in (one, other):
        box = touch.box
        moves = [*zip(box.counts[shared:], box.strides[shared:], strict=True)]
        moves += [(box.granules, box.pitch), (box.elements, box.item)]
        low = sum(min(stride * (count - 1), 0) for count, stride in moves)
        high = sum(max(stride * (count - 1), 0) for count, stride in moves) + box.item
        ends.append((touch.bases + low, touch.bases + high))
    return np.maximum(ends[0][1], ends[1][1]) - np.minimum(ends[0][0], ends[1][0])


def trace(program: Program, cls: int, constants: Constants) -> list[Tracer]:
    """A class's four threads, followed; a thread without a stream takes no step."""
    item = program.classes[cls]
    tree = Tree(item.code, item.entries)
    found = []
    for block in tree.threads:
        tracer = Tracer(program, cls, tree, constants)
        if block is not None:
            tracer.block(block)
        found.append(tracer)
    return found
