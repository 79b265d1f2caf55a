"""What a program says of an op: from its marks, debug map, kernels and build record."""

from __future__ import annotations

import difflib
from typing import Any

from dojocc.runtime.isa.codec import decode
from dojocc.runtime.program import Program, ProgramClass


def names_of(program: Program) -> list[str]:
    """Every op the program knows: by mark, and by the record of its mapping."""
    marks = [mark.source or mark.op for mark in program.marks if not is_kernel(mark.op)]
    return list(dict.fromkeys([*marks, *program.build.get("mapping", {})]))


def is_kernel(op: str) -> bool:
    return op.startswith("kernel ")


def nearest_names(program: Program, text: str) -> list[str]:
    """The first quoted name, or the whole, of the ops whose names look most alike."""
    short = {name.split("'")[1] if "'" in name else name: name for name in names_of(program)}
    return difflib.get_close_matches(text, short, 3, 0.4)


def explain(program: Program, text: str) -> list[dict[str, Any]]:
    """A row for every op whose name holds `text`; an op named exactly so comes alone."""
    names = [name for name in names_of(program) if text.lower() in name.lower()]
    exact = [name for name in names if f"'{text}'" in name]
    return [about(program, name) for name in exact or names]


def about(program: Program, name: str) -> dict[str, Any]:
    marks = {
        number
        for number, mark in enumerate(program.marks)
        if name in (mark.source, mark.op) and not is_kernel(mark.op)
    }
    words: dict[str, int] = {}
    kernels: dict[str, dict[str, Any]] = {}
    for item in program.classes:
        mine = [index for index, mark in enumerate(item.debug.tolist()) if mark in marks]
        if mine:
            words[item.name] = len(mine)
        for kernel in called(item, mine):
            kernels.setdefault(kernel["name"], kernel)
    mapping = program.build.get("mapping", {}).get(name, "")
    return {
        "op": name,
        "mapping": [part for part in mapping.split("; ") if part],
        "kernels_weighed": program.build.get("choices", {}).get(name, []),
        "words": words,
        "kernels": list(kernels.values()),
        "remarks": [text for text in program.build.get("remarks", []) if name in text],
    }


def called(item: ProgramClass, indices: list[int]) -> list[dict[str, Any]]:
    """The kernels that the stream words at `indices` call."""
    starts = {start: (name, end) for name, start, end in item.kernels}
    code = item.code.tolist()
    found, after = [], 0
    for index in indices:
        if index < after:
            continue  # an operand word of the instruction before
        instruction, after = decode(code, index)
        if instruction.mnemonic == "call" and instruction.operands[0] in starts:
            start = int(instruction.operands[0])
            name, end = starts[start]
            mix = instruction_mix(code, start, end)
            found.append({"name": name, "words": end - start, "instructions": mix})
    return found


def instruction_mix(code: list[int], start: int, end: int) -> dict[str, int]:
    """How many of each instruction stand in [start, end), the most frequent first."""
    mix: dict[str, int] = {}
    while start < end:
        instruction, start = decode(code, start)
        mix[instruction.mnemonic] = mix.get(instruction.mnemonic, 0) + 1
    return dict(sorted(mix.items(), key=lambda row: (-row[1], row[0])))
