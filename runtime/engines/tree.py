"""The instruction words of one program class as a tree: straight-line instructions, loops, kernel
calls.

Takes a class's code; gives `Block`s that both engines and the timing model walk. Control is
structured in the instruction set, so the tree is exact and is built once per class.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from dojocc.runtime.engines.thread import Scalar
from dojocc.runtime.errors import MachineStop
from dojocc.runtime.isa.codec import decode
from dojocc.runtime.isa.instr import TABLE, Access, Row

MAX_CALL_DEPTH = 16
BLOCKING_UNITS = ("sync", "network")  # what may block or reach another node


@dataclass(frozen=True, eq=False)
class Op:
    """One decoded instruction: its row, its operand values by name, and the index of its first
    word.
    """

    row: Row
    fields: dict[str, int | float]
    word: int

    @cached_property
    def name(self) -> str:
        return self.row.mnemonic

    @property
    def access(self) -> Access:
        """What a memory instruction touches."""
        assert self.row.access is not None, f"`{self.name}` touches no memory"
        return self.row.access


@dataclass(eq=False)
class Loop:
    """A hardware loop: `level`, trip count (`count`, or scalar register `register`), body."""

    level: int
    count: int | None
    register: int | None
    body: Block
    word: int
    cache: dict = field(default_factory=dict)

    def trips(self, x: list[Scalar]) -> Scalar:
        """Iterations on the nodes that have scalar registers `x`."""
        return (self.count or 0) if self.register is None else x[self.register]


@dataclass(eq=False)
class Call:
    """A call of the kernel that starts at word `target`."""

    target: int
    body: Block
    word: int


@dataclass(eq=False)
class Block:
    """A sequence of ops, loops and calls; `pure` when nothing inside may block or leave the
    node.
    """

    items: list[Op | Loop | Call] = field(default_factory=list)
    pure: bool = True


class Tree:
    """Decoded streams of one class: `threads[t]` is thread t's block, or None when it has no
    stream.
    """

    def __init__(self, code: np.ndarray, entries: tuple[int, ...]) -> None:
        self.code = code
        self.kernels: dict[tuple[int, int], Block] = {}
        self.open: list[int] = []
        self.threads = [None if entry < 0 else self.block(entry, ("halt",))[0] for entry in entries]

    def block(
        self, word: int, closers: tuple[str, ...], levels: tuple[int, ...] = ()
    ) -> tuple[Block, int]:
        """Decode from `word` to the first closing mnemonic; gives the block and the word after
        it.
        """
        block = Block()
        while True:
            if not 0 <= word < len(self.code):
                raise MachineStop(
                    "the stream runs off the end of the code",
                    where=f"word {word}",
                    numbers=f"the class has {len(self.code)} words",
                    help=f"close it with `{closers[0]}`",
                )
            instr, following = decode(self.code, word)
            name = instr.mnemonic
            if name in closers:
                return block, following
            if name in ("halt", "ret", "end"):
                raise MachineStop(
                    f"`{name}` where `{closers[0]}` must close the block", where=f"word {word}"
                )
            row = TABLE[name]
            fields = {o.name: v for o, v in zip(row.operands, instr.operands, strict=True)}
            word = self.append(block, row, fields, word, following, levels)

    def append(
        self,
        block: Block,
        row: Row,
        fields: dict[str, int | float],
        word: int,
        following: int,
        levels: tuple[int, ...],
    ) -> int:
        """Add one item to `block`; gives the word to go on at."""
        if row.mnemonic in ("loop", "loopx"):
            level = int(fields["L"])
            if levels and level <= levels[-1]:
                raise MachineStop(
                    f"loop level {level} opened inside level {levels[-1]}",
                    where=f"word {word}",
                    help="inner loops use higher levels",
                )
            body, following = self.block(following, ("end",), (*levels, level))
            count = int(fields["n"]) if row.mnemonic == "loop" else None
            register = int(fields["a"]) if row.mnemonic == "loopx" else None
            item: Op | Loop | Call = Loop(level, count, register, body, word)
            block.pure &= body.pure
        elif row.mnemonic == "call":
            target = int(fields["n"])
            body = self.kernel(target, word, levels)
            item = Call(target, body, word)
            block.pure &= body.pure
        else:
            item = Op(row, fields, word)
            block.pure &= row.unit not in BLOCKING_UNITS
        block.items.append(item)
        return following

    def kernel(self, target: int, word: int, levels: tuple[int, ...]) -> Block:
        """The body of the kernel at `target`, decoded once for each set of enclosing loops."""
        key = (target, levels[-1] if levels else -1)
        if key in self.kernels:
            return self.kernels[key]
        if target in self.open or len(self.open) >= MAX_CALL_DEPTH:
            raise MachineStop(
                "recursive or too deep call", where=f"word {word}", numbers=f"target {target}"
            )
        self.open.append(target)
        body, _ = self.block(target, ("ret",), levels)
        self.open.pop()
        self.kernels[key] = body
        return body
