"""Accesses by index: bounded by what clamps the index, held to the buffer that they start in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from program_levels import lower, sources

from dojocc.runtime.isa.codec import decode_all, encode
from dojocc.runtime.isa.instr import Instr
from dojocc.runtime.program import Program
from dojocc.runtime.verify import verify
from dojocc.runtime.verify.findings import Finding

GATHERS = ("embedding", "take_columns")


def program_of(name: str) -> Program:
    return lower(next(each for each in sources() if each.name == name), "bf16", "tiny").program


def changed(program: Program, old: str, new: list[Instr]) -> list[Finding]:
    """What is found when the first `old` becomes `new`."""
    code = program.classes[0].code.copy()
    word = next(word for word, instr in decode_all(code) if instr.mnemonic == old)
    words = [part for instr in new for part in encode(instr)]
    code[word : word + len(words)] = words
    classes = (replace(program.classes[0], code=code), *program.classes[1:])
    return verify(replace(program, classes=classes)).findings


@pytest.mark.parametrize("name", GATHERS)
def test_a_clamp_that_lets_an_index_out_of_the_buffer_is_found(name: str) -> None:
    program = program_of(name)
    assert verify(program).sound
    (register, last, mask) = next(
        instr.operands
        for _, instr in decode_all(program.classes[0].code)
        if instr.mnemonic == "vlii" and instr.operands[1] > 1
    )
    code = program.classes[0].code.copy()
    word = next(
        word
        for word, instr in decode_all(code)
        if instr.mnemonic == "vlii" and instr.operands[1] == last
    )
    wider = encode(Instr("vlii", (register, last + 400, mask)))
    code[word : word + len(wider)] = wider
    classes = (replace(program.classes[0], code=code), *program.classes[1:])
    found = verify(replace(program, classes=classes)).findings
    assert any(each.kind == "capacity" and "`vgat`" in each.where for each in found)


@pytest.mark.parametrize("missing", ["vimin", "vimax"])
def test_an_index_without_a_bound_is_found(missing: str) -> None:
    found = changed(program_of("take_columns"), missing, [Instr("nop", ())])
    assert [each.kind for each in found] == ["unknown"]
    assert found[0].what == "an access by an index that nothing bounds: it may leave its buffer"
