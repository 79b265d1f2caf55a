"""Builds a Program from the assembler's syntax tree, statement by statement.

`ClassDraft` collects one class's code; the data statements (tensors, images, ports, lists) stand in
asm_data.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from lark import Token, Tree

from dojocc.runtime.errors import AssemblyError, DojoError
from dojocc.runtime.isa import asm_data
from dojocc.runtime.isa.asm_source import Source, first_token, parts
from dojocc.runtime.isa.asm_text import (
    OperandError,
    nearest,
    parse_operand,
    signature,
)
from dojocc.runtime.isa.codec import encode
from dojocc.runtime.isa.instr import TABLE, Instr, Row
from dojocc.runtime.program import Mark, Program, ProgramClass
from dojocc.runtime.target import Target
from dojocc.runtime.targets import from_dict, load_target

THREADS = 4


@dataclass
class KernelDraft:
    """A kernel while its end, or its place in the kernel table, is not known."""

    name: str
    token: Token
    start: int
    end: int | None
    place: int | None


@dataclass
class ClassDraft:
    """One class while its code is collected."""

    name: str
    token: Token
    grid: tuple[int, int]
    nodes: list[int]
    words: list[int] = field(default_factory=list)
    debug: list[int] = field(default_factory=list)
    mark: int = -1
    entries: list[int] = field(default_factory=lambda: [-1] * THREADS)
    kernels: list[KernelDraft] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    calls: list[tuple[int, str, Token]] = field(default_factory=list)

    def emit(self, words: list[int]) -> None:
        self.words += words
        self.debug += [self.mark] * len(words)


class Builder:
    """Takes statements in order, gives the program."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.target: Target | None = None
        self.build: dict[str, Any] = {}
        self.marks: list[Mark] = []
        self.classes: list[ClassDraft] = []
        self.data = asm_data.Data(source)

    def add(self, item: Tree | Token) -> None:
        """One statement or label."""
        if isinstance(item, Token):
            self.label(item)
        elif hasattr(self, f"add_{item.data.rstrip('_')}"):
            getattr(self, f"add_{item.data.rstrip('_')}")(item)
        else:
            self.data.add(item)

    def program(self) -> Program:
        """The finished program; Program checks it as a whole."""
        if self.target is None:
            raise AssemblyError(
                "the program names no target", self.source.filename, help="add `.target d1-die`"
            )
        classes = tuple(self.finished(draft) for draft in self.classes)
        return Program(
            target=self.target,
            classes=classes,
            images=tuple(self.data.images),
            inputs=tuple(self.data.ports["input"]),
            outputs=tuple(self.data.ports["output"]),
            tensors=self.data.tensors,
            lists=self.data.lists([draft.name for draft in self.classes]),
            marks=tuple(self.marks),
            build=self.build,
            dram=tuple(self.data.dram),
            routes=self.data.routes(),
        )

    def finished(self, draft: ClassDraft) -> ProgramClass:
        for word, name, token in draft.calls:
            if name not in draft.labels:
                raise self.source.error(
                    token,
                    f"class {draft.name} has no kernel or label {name!r}",
                    nearest(name, draft.labels),
                )
            draft.words[word] = draft.labels[name]
        return ProgramClass(
            name=draft.name,
            nodes=np.array(draft.nodes, np.int64),
            grid=draft.grid,
            code=np.array(draft.words, np.uint32),
            entries=(draft.entries[0], draft.entries[1], draft.entries[2], draft.entries[3]),
            debug=np.array(draft.debug, np.int32),
            kernels=self.kernels(draft),
        )

    def kernels(self, draft: ClassDraft) -> tuple[tuple[str, int, int], ...]:
        """The kernel table: each at its stated place, the others in order between."""
        table: dict[int, tuple[str, int, int]] = {}
        free = iter(range(len(draft.kernels)))
        for kernel in sorted(draft.kernels, key=lambda k: k.place is None):
            if kernel.end is None:
                what = f"kernel {kernel.name} has no end"
                raise self.source.error(kernel.token, what, "close it with .endkernel")
            place = kernel.place
            if place is None:
                place = next(number for number in free if number not in table)
            if place in table or place >= len(draft.kernels):
                count = f"{len(draft.kernels)} kernels"
                what = f"kernel {kernel.name} cannot have place {place}"
                raise self.source.error(kernel.token, what, "each place once, from 0", count)
            table[place] = (kernel.name, kernel.start, kernel.end)
        return tuple(table[place] for place in sorted(table))

    def draft(self, token: Token) -> ClassDraft:
        """The class that code at `token` belongs to."""
        if not self.classes:
            raise self.source.error(
                token, f"{token} outside a class", "start one with `.class NAME 1x1 nodes 0`"
            )
        return self.classes[-1]

    def add_target(self, tree: Tree) -> None:
        token = first_token(tree)
        if self.target is not None:
            raise self.source.error(token, "the target is named twice")
        try:
            if token.type == "JSON":
                self.target = from_dict(self.json(token), self.source.filename)
                return
            name = self.source.name(tree)
            beside = self.source.folder / name
            self.target = load_target(beside if name.endswith(".toml") else name)
        except AssemblyError:
            raise
        except DojoError as error:
            raise self.source.error(token, error.what, error.help, error.numbers) from error

    def add_build(self, tree: Tree) -> None:
        self.build = self.json(first_token(tree))

    def json(self, token: Token) -> dict[str, Any]:
        try:
            return json.loads(token)
        except (ValueError, RecursionError) as error:
            raise self.source.error(token, f"no valid JSON table: {error}") from None

    def add_mark(self, tree: Tree) -> None:
        self.marks.append(Mark(*(self.source.string(token) for token in parts(tree))))

    def add_class(self, tree: Tree) -> None:
        name, grid, *nodes = parts(tree)
        rows, _, cols = grid.partition("x")
        draft = ClassDraft(self.source.name(name), first_token(name), (int(rows), int(cols)), [])
        for token in nodes:
            low, _, high = token.partition("..")
            start = self.source.integer(token) if token.type == "NUMBER" else int(low)
            stop = start if token.type == "NUMBER" else int(high)
            if stop - start > 1 << 22:
                raise self.source.error(token, f"{token} is too long", numbers=f"{stop - start}")
            draft.nodes += range(start, stop + 1)
        if len(draft.nodes) != draft.grid[0] * draft.grid[1]:
            raise self.source.error(
                grid, f"grid {grid} does not hold {len(draft.nodes)} nodes", "rows x columns"
            )
        self.classes.append(draft)

    def add_thread(self, tree: Tree) -> None:
        token = first_token(tree)
        draft = self.draft(token)
        thread = self.source.integer(token, 0, THREADS - 1)
        if draft.entries[thread] >= 0:
            what = f"class {draft.name} has two streams for thread {token}"
            raise self.source.error(token, what)
        draft.entries[thread] = len(draft.words)

    def add_kernel(self, tree: Tree) -> None:
        name_tree, *place = parts(tree)
        token = first_token(name_tree)
        draft = self.draft(token)
        name, start = self.source.name(name_tree), len(draft.words)
        number = self.source.integer(place[0]) if place else None
        draft.kernels.append(KernelDraft(name, token, start, None, number))
        self.define(draft, name, token)

    def add_endkernel(self, tree: Tree) -> None:
        token, *names = parts(tree)
        draft = self.draft(token)
        name = self.source.name(names[0]) if names else None
        for kernel in reversed(draft.kernels):
            if kernel.end is None and name in (None, kernel.name):
                kernel.end = len(draft.words)
                return
        what = f"no kernel {name} is open" if name else "no kernel is open"
        raise self.source.error(first_token(names[0]) if names else token, what)

    def add_debug(self, tree: Tree) -> None:
        token = first_token(tree)
        self.draft(token).mark = self.source.integer(token, -1, 2**31 - 1)

    def add_word(self, tree: Tree) -> None:
        token = first_token(tree)
        self.draft(token).emit([self.source.integer(token, 0, 2**32 - 1)])

    def label(self, token: Token) -> None:
        draft = self.draft(token)
        self.define(draft, str(token)[:-1], token)

    def define(self, draft: ClassDraft, name: str, token: Token) -> None:
        """Name the present word, for calls."""
        if name in draft.labels:
            raise self.source.error(token, f"{name} is defined twice in class {draft.name}")
        draft.labels[name] = len(draft.words)

    def add_instruction(self, tree: Tree) -> None:
        mnemonic = first_token(tree)
        draft = self.draft(mnemonic)
        row = TABLE.get(str(mnemonic))
        if row is None:
            help_ = nearest(str(mnemonic), TABLE) or "docs/isa.md lists the instructions"
            raise self.source.error(mnemonic, f"there is no instruction {str(mnemonic)!r}", help_)
        operands = [first_token(item) for item in parts(tree)[1:]]
        masked = isinstance(parts(tree)[-1], Tree) and parts(tree)[-1].data == "mask"
        self.check_count(row, mnemonic, operands, masked)
        values = []
        for operand, token in zip(row.operands, operands, strict=False):
            if row.mnemonic == "call" and token.type != "NUMBER":
                name = self.source.string(token) if token.type == "STRING" else str(token)
                draft.calls.append((len(draft.words) + 1, name, token))
                values.append(0)
                continue
            try:
                values.append(parse_operand(operand, token))
            except OperandError as error:
                what = f"{row.mnemonic}: {token} is no operand {operand.name}"
                raise self.source.error(token, what, f"expected {error.expected}") from None
        draft.emit(encode(Instr(row.mnemonic, tuple(values))))

    def check_count(self, row: Row, mnemonic: Token, operands: list[Token], masked: bool) -> None:
        """As many operands as the row has; a mask only where it takes one."""
        help_ = f"write {signature(row.mnemonic)}"
        if masked and row.mask is None:
            raise self.source.error(operands[-1], f"{row.mnemonic} takes no predicate", help_)
        need = len(row.operands) - (row.mask is not None)
        have = len(operands) - masked
        if have != need:
            at = operands[need] if have > need else mnemonic
            numbers = f"have {have}, need {need}"
            raise self.source.error(at, f"{row.mnemonic}: wrong number of operands", help_, numbers)
