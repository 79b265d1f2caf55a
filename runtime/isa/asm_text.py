"""Instructions as text: one operand or instruction to its canonical spelling and back.

Shared by the assembler and the disassembler, so that the two cannot drift apart.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable

import numpy as np

from dojocc.runtime.formats import FORMATS
from dojocc.runtime.isa.instr import KINDS, TABLE, Instr, Operand

NAME = re.compile(r"[A-Za-z_$][\w$./-]*\Z", re.ASCII)
INTEGER = re.compile(r"[+-]?(0x[0-9a-fA-F]+|\d+)\Z", re.ASCII)
NO_BARE = ("inf", "nan")  # the lexer takes these for numbers


class OperandError(ValueError):
    """The text is no operand of that kind; `expected` says what is."""

    def __init__(self, expected: str) -> None:
        super().__init__(expected)
        self.expected = expected


def quote(text: str) -> str:
    """Text in quotes, on one line and in ASCII."""
    return json.dumps(text)


def spell_name(name: str) -> str:
    """A name as it is where the grammar takes it, else in quotes."""
    return name if NAME.match(name) and not name.startswith(NO_BARE) else quote(name)


def spell_float(value: float) -> str:
    """The shortest text that reads back as the same FP32 number."""
    with np.errstate(over="ignore"):
        return str(np.float32(value))


def parse_integer(text: str) -> int:
    """A whole number in decimal or hexadecimal."""
    if not INTEGER.match(text):
        raise OperandError("a whole number, decimal or 0x...")
    return int(text, 16 if "x" in text else 10)


def parse_float(text: str) -> float:
    """An FP32 number, rounded to nearest."""
    try:
        with np.errstate(over="ignore"):
            value = float(np.float32(float(text)))
    except ValueError:
        raise OperandError("an FP32 number such as 1.5, -2e-3, inf or nan") from None
    if np.isinf(value) and "inf" not in text:
        raise OperandError("an FP32 number of at most 3.4028235e+38")
    return value


def spell_operand(operand: Operand, value: int | float) -> str:
    """An operand's canonical text."""
    if operand.kind == "f32":
        return spell_float(float(value))
    return f"{KINDS[operand.kind].prefix}{int(value)}"


def parse_operand(operand: Operand, text: str) -> int | float:
    """The value of an operand's text; OperandError says what would have been right."""
    kind = KINDS[operand.kind]
    if operand.kind == "f32":
        return parse_float(text)
    if operand.kind == "d" and text in FORMATS:
        return list(FORMATS).index(text)
    expected = f"a {kind.meaning} {kind.prefix}{kind.low} to {kind.prefix}{kind.high}"
    number = text[len(kind.prefix) :] if text.startswith(kind.prefix) else ""
    if kind.prefix and not (number.isascii() and number.isdecimal()):
        raise OperandError(expected)
    value = parse_integer(number)
    if not kind.low <= value <= kind.high:
        raise OperandError(expected)
    return value


def spell_instruction(instr: Instr, target: str | None = None) -> str:
    """Canonical text of an instruction; `target` names the kernel that a call reaches."""
    row = instr.row
    count = len(row.operands) - (row.mask is not None)
    pairs = list(zip(row.operands, instr.operands, strict=True))
    texts = [spell_operand(operand, value) for operand, value in pairs[:count]]
    if target is not None:
        texts[-1] = target
    mask = f" (p{int(instr.operands[-1])})" if row.mask is not None and instr.operands[-1] else ""
    return " ".join(filter(None, [row.mnemonic, ", ".join(texts)])) + mask


def nearest(word: str, known: Iterable[str]) -> str | None:
    """`did you mean ...?` for the most similar known word."""
    found = difflib.get_close_matches(word, list(known), 3, 0.6)
    return f"did you mean {' or '.join(found)}?" if found else None


def signature(mnemonic: str) -> str:
    """How an instruction is written, for messages and the manual: `vadd d:v, a:v, b:v (p)`."""
    row = TABLE[mnemonic]
    shown = [operand for operand in row.operands if operand.role != "mask"]
    texts = [
        f"{KINDS[o.kind].prefix}<{o.name}>" if KINDS[o.kind].prefix else f"<{o.name}:{o.kind}>"
        for o in shown
    ]
    return " ".join(filter(None, [mnemonic, ", ".join(texts)])) + (" (p)" if row.mask else "")
