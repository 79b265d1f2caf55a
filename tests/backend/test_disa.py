"""The disa dialect: every row as an op, text and words there and back, what is refused."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Region
from xdsl.parser import Parser
from xdsl.utils.exceptions import ParseError, VerifyException

from dojocc.dialects.context import DojoContext
from dojocc.dialects.disa import (
    OPS,
    ClassOp,
    InstructionOp,
    KernelOp,
    ProgramOp,
    ThreadOp,
    from_words,
    instruction,
    to_instr,
    to_op,
    to_words,
    word_count,
)
from dojocc.dialects.disa_structure import verify_loops
from dojocc.runtime.isa.codec import decode_all, encode
from dojocc.runtime.isa.instr import KINDS, TABLE, Instr, Operand

CONTROL = {"loop", "loopx", "end", "ret", "halt", "call"}


def operand_values(operand: Operand) -> st.SearchStrategy[int | float]:
    if operand.kind == "f32":
        return st.floats(width=32, allow_nan=False)
    kind = KINDS[operand.kind]
    return st.integers(kind.low, kind.high)


@st.composite
def instructions(draw: st.DrawFn, names: list[str]) -> Instr:
    row = TABLE[draw(st.sampled_from(names))]
    return Instr(row.mnemonic, tuple(draw(operand_values(o)) for o in row.operands))


def program(ops: list[InstructionOp], kernels: list[KernelOp] | None = None) -> ModuleOp:
    thread = ThreadOp(0, [*ops, instruction("halt")])
    body = Region(Block([thread, *(kernels or [])]))
    return ModuleOp([ProgramOp("main", Region(Block([ClassOp("grid", (1, 1), [0], body)])))])


def parsed(text: str) -> ModuleOp:
    return Parser(DojoContext(), text).parse_module()


def instrs(module: ModuleOp) -> list[Instr]:
    return [to_instr(op) for op in module.walk() if isinstance(op, InstructionOp)]


@pytest.mark.parametrize("name", sorted(TABLE))
def test_every_row_is_an_op_with_its_manual_entry(name: str) -> None:
    op = OPS[name]
    assert op.name == f"disa.{name}"
    assert op.__doc__ == TABLE[name].doc
    assert set(op.get_irdl_definition().properties) == {o.name for o in TABLE[name].operands}


@settings(max_examples=60, deadline=None)
@given(st.lists(instructions(sorted(set(TABLE) - CONTROL)), max_size=12))
def test_instructions_survive_text_and_words(code: list[Instr]) -> None:
    module = program([to_op(instr) for instr in code])
    module.verify()
    text = str(module)
    again = parsed(text)
    again.verify()
    assert str(again) == text
    assert instrs(again) == [*code, Instr("halt")]
    words = to_words([to_op(instr) for instr in code])
    assert words == [word for instr in code for word in encode(instr)]
    assert [to_instr(op) for op in from_words(words)] == [i for _, i in decode_all(words)]
    assert word_count(from_words(words)) == len(words)


@pytest.mark.parametrize("value", (math.inf, -math.inf, math.nan, -0.0, 1e-45, 3.4028235e38, 1e22))
def test_any_float_survives_text(value: float) -> None:
    (found, _) = instrs(parsed(str(program([instruction("vli", 1, value, 0)]))))
    assert encode(found) == encode(Instr("vli", (1, value, 0)))


def test_calls_by_name_are_resolved_and_named_again() -> None:
    words = to_words([instruction("call", "k")], {"k": 40})
    assert words == encode(Instr("call", (40,)))
    assert "call @k" in str(program(from_words(words, {40: "k"})))
    with pytest.raises(VerifyException, match="call of kernel 'k', which has no place"):
        to_words([instruction("call", "k")])


REFUSED = {
    "disa.vadd v1, v2, a3": "operand b is a vector register",
    "disa.vadd v1, v2, v32": "must lie in 0..31, not 32",
    "disa.li x1, 40000": "must lie in -32768..32767, not 40000",
    "disa.loop L1, 4": "disa.halt inside a loop",
    "disa.end": "end without a loop",
    "disa.loop L1, 4 disa.loop L0, 4 disa.end disa.end": "level 0 stands inside level 1",
    "disa.call @missing": "kernel @missing, which class grid lacks",
    "disa.ret": "hold no ret",
}


@pytest.mark.parametrize("code", REFUSED)
def test_wrong_code_is_refused(code: str) -> None:
    text = (
        "disa.program @main marks [] { disa.class @grid grid [1, 1] nodes [0] {"
        f" disa.thread 0 {{ {code} disa.halt }} }} }}"
    )
    with pytest.raises(VerifyException, match=re.escape(REFUSED[code])):
        parsed(text).verify()


def test_a_loop_without_an_end_is_refused() -> None:
    with pytest.raises(VerifyException, match=r"loops on levels \[1, 3\] have no end"):
        verify_loops([instruction("loop", 1, 4), instruction("loop", 3, 2)])


def test_a_register_that_is_none_is_shown_where_it_stands() -> None:
    with pytest.raises(ParseError, match="'q1' is no register"):
        parsed('"builtin.module"() ({ disa.vmov q1, v2 }) : () -> ()')


def test_kernels_that_call_each_other_are_refused() -> None:
    kernels = [
        KernelOp("f", [instruction("call", "g"), instruction("ret")]),
        KernelOp("g", [instruction("call", "f"), instruction("ret")]),
    ]
    with pytest.raises(VerifyException, match="circle: f -> g -> f"):
        program([], kernels).verify()


def test_a_node_in_two_classes_is_refused() -> None:
    classes = [
        ClassOp(name, (1, 2), nodes, Region(Block([ThreadOp(0, [instruction("halt")])])))
        for name, nodes in (("a", [0, 1]), ("b", [1, 2]))
    ]
    with pytest.raises(VerifyException, match="node 1 is in class a and in b"):
        ModuleOp([ProgramOp("main", Region(Block(classes)))]).verify()


def test_words_are_what_the_machine_decodes() -> None:
    code = np.array(to_words([instruction("vadd", 3, 1, 2, 5)]), np.uint32)
    ((_, found),) = decode_all(code)
    assert found == Instr("vadd", (3, 1, 2, 5))
