"""Instructions to words and back, from the rows' fields alone; what is no instruction traps."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from dojocc.runtime.errors import InputError, MachineStop
from dojocc.runtime.isa.instr import BY_OPCODE, KINDS, OPCODE_LOW, Instr, Operand, Row

__all__ = [
    "EncodingError",
    "IllegalInstruction",
    "Instr",
    "decode",
    "decode_all",
    "encode",
    "encode_all",
]

NAN_BITS = 0x7FC00000


class EncodingError(InputError):
    """An operand's value does not fit its field."""


class IllegalInstruction(MachineStop):
    """A word is no instruction."""


def float_bits(value: float) -> int:
    """FP32 bits of a number; every NaN is the quiet one."""
    if value != value:
        return NAN_BITS
    with np.errstate(over="ignore"):
        return int(np.float32(value).view(np.uint32))


def field_bits(row: Row, operand: Operand, value: int | float) -> int:
    """The operand's value as an unsigned field."""
    if operand.kind == "f32":
        return float_bits(float(value))
    kind = KINDS[operand.kind]
    if int(value) != value or not kind.low <= value <= kind.high:
        raise EncodingError(
            f"{row.mnemonic}: operand {operand.name} cannot be {value}",
            numbers=f"a {kind.meaning} is {kind.low} to {kind.high}",
        )
    return int(value) & ((1 << operand.width) - 1)


def encode(instr: Instr) -> list[int]:
    """The 32-bit words of one instruction."""
    row = instr.row
    words = [row.opcode << OPCODE_LOW] + [0] * (row.words - 1)
    for operand, value in zip(row.operands, instr.operands, strict=True):
        words[operand.word] |= field_bits(row, operand, value) << operand.low
    return words


def field_value(row: Row, operand: Operand, word: int, index: int) -> int | float:
    """The operand's value from its word; traps on values that the kind does not have."""
    bits = (word >> operand.low) & ((1 << operand.width) - 1)
    if operand.kind == "f32":
        if bits & 0x7FFFFFFF > 0x7F800000 and bits != NAN_BITS:
            raise trap(f"{row.mnemonic}: NaN operand with payload", index, word)
        return struct.unpack("<f", struct.pack("<I", bits))[0]
    kind = KINDS[operand.kind]
    value = bits - (1 << operand.width) if kind.low < 0 and bits >> (operand.width - 1) else bits
    if not kind.low <= value <= kind.high:
        raise trap(
            f"{row.mnemonic}: operand {operand.name} is {value}, no {kind.meaning}", index, word
        )
    return value


def decode(words: Sequence[int] | np.ndarray, index: int = 0) -> tuple[Instr, int]:
    """The instruction at `index` and the index of the next one."""
    if not 0 <= index < len(words):
        raise IllegalInstruction(
            "no instruction: past the end of the code", f"word {index}", f"{len(words)} words"
        )
    word = int(words[index])
    row = BY_OPCODE.get(word >> OPCODE_LOW)
    if row is None:
        raise trap(f"no instruction has opcode 0x{word >> OPCODE_LOW:02x}", index, word)
    if index + row.words > len(words):
        raise trap(f"{row.mnemonic} needs {row.words} words and the code ends", index, word)
    parts = [word, *(int(words[index + offset]) for offset in range(1, row.words))]
    spare = word & ~used_bits(row)
    if spare:
        raise trap(f"{row.mnemonic}: bits 0x{spare:08x} are set outside its fields", index, word)
    values = tuple(
        field_value(row, operand, parts[operand.word], index) for operand in row.operands
    )
    return Instr(row.mnemonic, values), index + row.words


def used_bits(row: Row) -> int:
    """Bits of the first word that mean something."""
    bits = 0xFF << OPCODE_LOW
    for operand in row.operands:
        bits |= operand.bits if operand.word == 0 else 0
    return bits


def trap(what: str, index: int, word: int) -> IllegalInstruction:
    return IllegalInstruction(
        f"illegal instruction: {what}", where=f"word {index}", numbers=f"0x{word:08x}"
    )


def encode_all(instrs: Sequence[Instr]) -> np.ndarray:
    """The words of a straight run of instructions."""
    return np.array([word for instr in instrs for word in encode(instr)], np.uint32)


def decode_all(words: Sequence[int] | np.ndarray) -> list[tuple[int, Instr]]:
    """(word index, instruction) of every instruction."""
    result, index = [], 0
    while index < len(words):
        instr, following = decode(words, index)
        result.append((index, instr))
        index = following
    return result
