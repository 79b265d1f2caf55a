"""Ranges of whole numbers in vector registers: how far an indexed access can reach.

Indices are data, but programs clamp them: what constants, lane numbers, minima and maxima leave is
known for each lane without the data. A register without a range may hold anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from dojocc.runtime.engines.tree import Block, Call, Loop, Op

LANES = 16
LIMITS = np.iinfo(np.int32)


class Range(NamedTuple):
    """Lowest and highest number of every lane."""

    low: np.ndarray
    high: np.ndarray


def product(a: Range, b: Range) -> Range:
    ends = np.stack([x * y for x in a for y in b])
    return Range(ends.min(0), ends.max(0))


ANYTHING = Range(np.full(LANES, LIMITS.min, np.int64), np.full(LANES, LIMITS.max, np.int64))
RULES: dict[str, Callable[[Range, Range], Range]] = {
    "viadd": lambda a, b: Range(a.low + b.low, a.high + b.high),
    "visub": lambda a, b: Range(a.low - b.high, a.high - b.low),
    "vimul": product,
    "vimin": lambda a, b: Range(np.minimum(a.low, b.low), np.minimum(a.high, b.high)),
    "vimax": lambda a, b: Range(np.maximum(a.low, b.low), np.maximum(a.high, b.high)),
}


@dataclass
class Ranges:
    """The ranges of one thread's vector registers, on all nodes that go on. Those of `chosen` come
    from lanes that a predicate chose: they hold, but some of their numbers may never be."""

    known: dict[int, Range] = field(default_factory=dict)
    chosen: set[int] = field(default_factory=set)

    def op(self, op: Op) -> None:
        """A vector instruction; only the nodes that carry it out count."""
        written = [operand for operand in op.row.outputs if operand.kind == "v"]
        if not written:
            return
        number = int(op.fields[written[0].name])
        found = self.result(op)
        masked = op.row.mask is not None and int(op.fields[op.row.mask.name]) != 0
        if found is not None and masked:
            old = self.known.get(number, ANYTHING)
            found = Range(np.minimum(old.low, found.low), np.maximum(old.high, found.high))
        loose = op.name == "vsel" or masked or bool(self.chosen & set(vectors(op)))
        self.lose(number)
        inside = found is not None and (found.low >= LIMITS.min) & (found.high <= LIMITS.max)
        if found is not None and np.all(inside):
            self.known[number] = found
            self.chosen |= {number} if loose else set()

    def lose(self, number: int) -> None:
        self.known.pop(number, None)
        self.chosen.discard(number)

    def result(self, op: Op) -> Range | None:
        """None for an instruction of which nothing is known, or that may wrap round."""
        if op.name == "vlii":
            number = np.full(LANES, int(op.fields["n"]), np.int64)
            return Range(number, number)
        if op.name == "viota":
            return Range(np.arange(LANES), np.arange(LANES))
        if op.name == "vsel":
            a, b = (self.known.get(int(op.fields[name]), ANYTHING) for name in "ab")
            return Range(np.minimum(a.low, b.low), np.maximum(a.high, b.high))
        if op.name not in RULES:
            return None
        a, b = (self.known.get(int(op.fields[name]), ANYTHING) for name in "ab")
        return RULES[op.name](a, b)

    def forget(self, block: Block) -> None:
        """What a block writes is not known: it may be as before, or as any turn of it left it."""
        for item in block.items:
            match item:
                case Op():
                    for operand in item.row.outputs:
                        if operand.kind == "v":
                            self.lose(int(item.fields[operand.name]))
                case Loop() | Call():
                    self.forget(item.body)

    def bounded(self, register: int) -> bool:
        """True where constants bound the indices in a register."""
        found = self.known.get(register, ANYTHING)
        return bool((found.low > LIMITS.min).all() and (found.high < LIMITS.max).all())

    def reach(self, register: int) -> tuple[int, int] | None:
        """The lowest and highest index of any lane, if these bounds are met."""
        if not self.bounded(register) or register in self.chosen:
            return None
        found = self.known[register]
        return int(found.low.min()), int(found.high.max())


def vectors(op: Op) -> list[int]:
    """The vector registers that an instruction reads."""
    return [int(op.fields[each.name]) for each in op.row.inputs if each.kind == "v"]
