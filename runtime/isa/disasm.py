"""Disassembler: Program -> the canonical text that asm.py reads back to the same program.

Tensors of up to INLINE_BYTES are written as numbers;
longer ones as hexadecimal, or by reference to a safetensors file that `sidecar_bytes` gives.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
from safetensors.numpy import save as save_safetensors

from dojocc.runtime.axes import UNSPLIT
from dojocc.runtime.isa.asm_data import FIELDS, KINDS
from dojocc.runtime.isa.asm_text import quote, spell_instruction, spell_name
from dojocc.runtime.isa.codec import IllegalInstruction, decode
from dojocc.runtime.isa.instr import Instr
from dojocc.runtime.layout import Layout
from dojocc.runtime.program import Port, Program, ProgramClass
from dojocc.runtime.target import Target
from dojocc.runtime.targets import list_targets, load_target, to_dict

INLINE_BYTES = 1024
OPENERS, CLOSERS = ("loop", "loopx"), ("end",)


def disassemble(program: Program, sidecar: str | None = None) -> str:
    """The whole program as text; `sidecar` names the file that long tensors are referred to in."""
    lines = [spell_target(program.target)]
    if program.build:
        lines.append(f".build {json.dumps(program.build, sort_keys=True)}")
    for mark in program.marks:
        lines.append(
            " ".join([".mark", quote(mark.op), *([quote(mark.source)] * (mark.source != ""))])
        )
    lines += [spell_tensor(name, array, sidecar) for name, array in program.tensors.items()]
    for item in program.classes:
        lines += ["", *class_lines(item)]
    lines.append("")
    for image in program.images:
        place = spell_place(image.name, image.cls, image.address, image.layout)
        lines.append(f".image {place} tensor {quote(image.tensor)}")
    lines += [spell_port(".input", port) for port in program.inputs]
    lines += [spell_port(".output", port) for port in program.outputs]
    for dram in program.dram:
        lines.append(
            f".dram {quote(dram.name)} dip {dram.dip} at {dram.address} tensor {quote(dram.tensor)}"
        )
    lines += list_lines(program)
    lines += route_lines(program)
    return "\n".join(lines).rstrip("\n") + "\n"


def sidecar_bytes(program: Program) -> bytes:
    """The safetensors file that `disassemble(program, sidecar=...)` refers to."""
    return save_safetensors(
        {name: array for name, array in program.tensors.items() if array.nbytes > INLINE_BYTES}
    )


def listing(program: Program) -> str:
    """The code alone, each instruction with its word index and words."""
    lines = []
    for item in program.classes:
        lines.append(class_header(item))
        for start, words, text in code_items(item):
            shown = " ".join(f"{int(word):08x}" for word in words)
            lines.append(f"{start:7d}  {shown:<18} {text}" if len(words) else text)
        lines.append("")
    return "\n".join(lines)


def spell_target(target: Target) -> str:
    """A shipped target by name, any other in full."""
    if target.name in list_targets() and load_target(target.name) == target:
        return f".target {quote(target.name)}"
    return f".target {json.dumps(to_dict(target))}"


def spell_tensor(name: str, array: np.ndarray, sidecar: str | None) -> str:
    head = f".tensor {quote(name)}"
    if sidecar is not None and array.nbytes > INLINE_BYTES:
        return f"{head} from {quote(sidecar)}"
    shape = ", ".join(map(str, array.shape))
    text = [f"{head} {array.dtype.name} [{shape}] ="]
    flat = np.ascontiguousarray(array).reshape(-1)
    if array.nbytes <= INLINE_BYTES and not (flat != flat).any():
        text += [
            str(value) for value in flat.astype(np.uint8 if array.dtype == bool else flat.dtype)
        ]
    else:
        text.append(f'hex "{flat.tobytes().hex()}"')
    return " ".join(text)


def class_header(item: ProgramClass) -> str:
    rows, cols = item.grid
    return " ".join([f".class {spell_name(item.name)} {rows}x{cols} nodes", *ranges(item.nodes)])


def ranges(nodes: np.ndarray) -> Iterator[str]:
    """Ascending runs of node ids as `a..b`."""
    if not len(nodes):
        return
    starts = np.flatnonzero(np.concatenate([[True], np.diff(nodes) != 1]))
    for start, stop in zip(starts, [*starts[1:], len(nodes)], strict=True):
        first, last = int(nodes[start]), int(nodes[stop - 1])
        yield str(first) if first == last else f"{first}..{last}"


def class_lines(item: ProgramClass) -> list[str]:
    return [class_header(item), *(text for _, _, text in code_items(item))]


def code_items(item: ProgramClass) -> Iterator[tuple[int, np.ndarray, str]]:
    """(word index, words, text) of everything in a class's code; directives have no words."""
    kernels = sorted(item.kernels, key=lambda kernel: kernel[1])
    targets: dict[int, str] = {}
    for name, start, _ in kernels:
        if [kernel[0] for kernel in kernels].count(name) == 1:
            targets.setdefault(start, spell_name(name))
    borders = {*item.entries, *(place for kernel in kernels for place in kernel[1:])}
    nothing, word, mark, depth = item.code[:0], 0, -1, 0
    while True:
        for text in directives(item, kernels, word):
            depth = 0
            yield word, nothing, text
        if word >= len(item.code):
            return
        if item.debug[word] != mark:
            mark = int(item.debug[word])
            yield word, nothing, f"  .debug {mark}"
        instr, following = instruction_at(item, word, borders)
        depth -= depth > 0 and instr is not None and instr.mnemonic in CLOSERS
        yield (
            word,
            item.code[word:following],
            "  " * (depth + 1) + spell(item, instr, word, targets),
        )
        depth += instr is not None and instr.mnemonic in OPENERS
        word = following


def directives(item: ProgramClass, kernels: list[tuple[str, int, int]], word: int) -> Iterator[str]:
    """Ends and starts of kernels and streams at a word."""
    for name, start, end in kernels:
        if end == word and start < end:
            yield f".endkernel {spell_name(name)}"
    for name, start, end in kernels:
        if start == word:
            place = item.kernels.index((name, start, end))
            natural = place == kernels.index((name, start, end))
            yield f".kernel {spell_name(name)}" + ("" if natural else f", {place}")
            if end == start:
                yield f".endkernel {spell_name(name)}"
    for thread, entry in enumerate(item.entries):
        if entry == word:
            yield f".thread {thread}"


def instruction_at(item: ProgramClass, word: int, borders: set[int]) -> tuple[Instr | None, int]:
    """The instruction at a word, or None where the words cannot be written as one."""
    try:
        instr, following = decode(item.code, word)
    except IllegalInstruction:
        return None, word + 1
    inside = range(word + 1, following)
    if any(place in borders or item.debug[place] != item.debug[word] for place in inside):
        return None, word + 1
    return instr, following


def spell(item: ProgramClass, instr: Instr | None, word: int, targets: dict[int, str]) -> str:
    if instr is None:
        return f".word 0x{int(item.code[word]):08x}"
    if instr.mnemonic == "call":
        return spell_instruction(instr, targets.get(int(instr["n"])))
    return spell_instruction(instr)


def spell_place(name: str, cls: str, address: int, layout: Layout) -> str:
    return f"{quote(name)} in {spell_name(cls)} at {address} {spell_layout(layout)}"


def spell_layout(layout: Layout) -> str:
    rows, cols = layout.grid
    split = "" if layout.split == UNSPLIT else f" split {layout.split[0]}x{layout.split[1]}"
    text = [f"layout {layout.fmt} {rows}x{cols}{split}"]
    for size, dim in zip(layout.shape, layout.dims, strict=True):
        axes = " ".join(dim.axes) or "-"
        text.append(f"({size}: {axes}, {dim.step}, {dim.offset}, {dim.extent}, {dim.physical})")
    return " ".join(text)


def spell_port(directive: str, port: Port) -> str:
    place = spell_place(port.name, port.cls, port.address, port.layout)
    shape = ", ".join(map(str, port.shape))
    source = f" from {quote(port.source)}" if port.source else ""
    return f"{directive} {place} as {port.dtype} [{shape}]{source}"


def list_lines(program: Program) -> Iterator[str]:
    """Transfer lists, a header for every list and class, then its rows."""
    before = None
    names = [spell_name(item.name) for item in program.classes]
    for row in program.lists:
        key = (int(row["list"]), int(row["cls"]))
        if key != before:
            yield f"\n.list {key[0]}, {names[key[1]]}"
        before = key
        dram = row["kind"] >= 2
        peer = "dip" if dram else names[int(row["peer_cls"])]
        text = [f"  .{KINDS[int(row['kind'])]} {row['node']}, {peer} {row['peer']}"]
        text += [
            f"{name}={row[name]}"
            for name, default in FIELDS.items()
            if row[name] != default and (dram or name != "peer_cls")
        ]
        yield ", ".join(text)


def route_lines(program: Program) -> Iterator[str]:
    """Routes, a line each with all legs, then the sets that lists have of their own."""
    table = program.routes
    first = table.first().tolist()
    rows = table.legs.tolist()
    for start, stop in zip(first, first[1:], strict=False):
        legs = ", ".join(f"{end} on {layer}" for *_, end, layer in rows[start:stop])
        yield f".route {', '.join(map(str, rows[start][:3]))}, {legs}"
    for number, chosen in table.lists.tolist():
        yield f".listset {number}, {chosen}"
