"""The manual docs/isa.md, from the rows; `python -m dojocc.runtime.isa.manual` prints it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator

from dojocc.runtime.formats import FORMATS
from dojocc.runtime.isa import TABLE
from dojocc.runtime.isa.asm_text import signature
from dojocc.runtime.isa.instr import KINDS, OPCODE_LOW, Operand, Row

INTRODUCTION = """\
# Instruction set

Generated from `runtime/isa/`; change the rows there, then run
`python -m dojocc.runtime.isa.manual > docs/isa.md`. Tesla has not published Dojo's instruction
set: this one is this project's, shaped by the published facts. Every latency and issue time says
whether it is published, derived from published numbers, or assumed.

## State

A node has SRAM, 64 counting semaphores, 16 format descriptors and 4 threads. A thread has 32 scalar
registers x0-x31 (64 bits, x0 reads 0), 32 vector registers v0-v31 (64 bytes: 16 lanes of FP32 or
INT32, or a packed matrix operand), lane predicates p0-p7 (p0: all lanes), matrix accumulators m0-m7
(8 x 8 FP32), address generators a0-a15 and 6 loop levels.

## Encoding

Words have 32 bits: the opcode in bits 31-24, fields below it; an operand of 32 bits follows in a
word of its own. Bits outside the fields are 0; anything else traps, and so does opcode 0. `(p)` is
an optional predicate, written `(p3)`: lanes where it is false keep the old destination, or are not
stored. Issue is how many cycles the unit is busy, latency when the result may be used.
"""


def manual() -> str:
    """The whole manual."""
    lines = [INTRODUCTION, "## Operands", "", *kind_lines(), "", *format_lines(), ""]
    every = sorted(TABLE.values(), key=lambda row: row.opcode)
    modules = {inspect.getmodule(row.body): None for row in every}
    lines += ["## Overview", "", *overview_lines(), ""]
    for module in modules:
        head, _, rest = (inspect.getdoc(module) or "").partition("\n")
        lines += [f"## {head.rstrip('.')}", "", *([rest.strip(), ""] if rest.strip() else [])]
        for row in every:
            lines += [*entry(row), ""] if inspect.getmodule(row.body) is module else []
    return "\n".join(lines).rstrip("\n") + "\n"


def kind_lines() -> Iterator[str]:
    yield "| written | is | bits |"
    yield "|---|---|---|"
    for name, kind in KINDS.items():
        text = (
            f"{kind.prefix}{kind.low} to {kind.prefix}{kind.high}" if name != "f32" else "1.5, inf"
        )
        yield f"| `{text}` ({name}) | {kind.meaning} | {kind.width} |"


def format_lines() -> Iterator[str]:
    names = ", ".join(f"d{index} {name}" for index, name in enumerate(FORMATS))
    yield f"Format descriptors at start: {names}. Assembly also takes the format's name."


def overview_lines() -> Iterator[str]:
    """Mnemonics by unit."""
    yield "| unit | instructions |"
    yield "|---|---|"
    for unit in dict.fromkeys(row.unit for row in TABLE.values()):
        names = [f"`{row.mnemonic}`" for row in TABLE.values() if row.unit == unit]
        yield f"| {unit} | {' '.join(names)} |"


def entry(row: Row) -> list[str]:
    """One instruction's entry."""
    traits = [f"reduction: {row.reduces}" if row.reduces else "", "of products" * row.product]
    detail = f"Unit {row.unit}; issue {row.issue}, latency {row.latency} cycles ({row.origin})."
    if any(traits):
        detail += f" Declared {' '.join(filter(None, traits))}."
    return [f"### `{signature(row.mnemonic)}`", "", row.doc, "", detail, "", f"`{encoding(row)}`"]


def encoding(row: Row) -> str:
    """Fields from the highest bit down, following words after a bar."""
    words = [f"{row.opcode:#04x}:{OPCODE_LOW + 7}..{OPCODE_LOW}"]
    words += [field(o) for o in in_word(row, 0)]
    text = " ".join(words)
    return " | ".join([text, *(field(o) for n in range(1, row.words) for o in in_word(row, n))])


def in_word(row: Row, word: int) -> list[Operand]:
    return sorted((o for o in row.operands if o.word == word), key=lambda o: -o.low)


def field(operand: Operand) -> str:
    return f"{operand.name}:{operand.low + operand.width - 1}..{operand.low}"


if __name__ == "__main__":
    sys.stdout.write(manual())
