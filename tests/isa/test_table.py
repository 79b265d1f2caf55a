"""A row that contradicts itself is refused when it is made."""

from __future__ import annotations

import numpy as np
import pytest

from dojocc.runtime.isa.instr import TABLE, Access, Instr, Row, define, parse_form

GOOD = {
    "mnemonic": "test",
    "opcode": 1,
    "operands": parse_form("=d:v@rd <a:v@ra ?p:p@mask"),
    "unit": "vector",
    "issue": 1,
    "latency": 4,
    "origin": "assumed",
    "doc": "A row for tests.",
    "body": lambda d, a: d + a,
}


def row(**changes) -> Row:
    return Row(**{**GOOD, **changes})


def test_the_good_row_is_accepted():
    assert row(reduces="add").mask is not None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"unit": "magic"}, "unknown unit magic"),
        ({"issue": 0}, "issue 0 must be at least 1"),
        ({"origin": "guessed"}, "must say one of published, derived, assumed"),
        ({"doc": ""}, "has no manual entry"),
        ({"opcode": 256}, "opcode 256 must be 1 to 255"),
        ({"operands": parse_form("=d:v@rd <a:v@18")}, "bits of operand a .* are taken"),
        ({"operands": parse_form("=d:v@rd <a:u16@20")}, "are taken or outside the word"),
        ({"operands": parse_form("=d:v@rd <d:v@ra")}, "operand names repeat"),
        ({"operands": parse_form(">d:v@rd <a:v@ra")}, "body takes .*'d', 'a'.*operands read .*'a'"),
        ({"operands": parse_form("=d:v@rd ?p:p@mask <a:v@ra")}, "mask must be .* last"),
        (
            {"body": lambda a: a, "operands": parse_form("<a:v@ra"), "reduces": "max"},
            "reads and writes",
        ),
        ({"reduces": "max", "product": True}, "only a sum accumulates products"),
    ],
)
def test_a_wrong_row_is_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        row(**changes)


def test_mnemonics_and_opcodes_are_taken_once():
    columns = {name: GOOD[name] for name in ("unit", "issue", "latency", "origin")}
    before = dict(TABLE)
    with pytest.raises(ValueError, match="vadd is defined twice"):
        define("vadd", 0xFE, "", "Again.", lambda: None, **columns)
    with pytest.raises(ValueError, match="opcode 0x70 of other is taken by vadd"):
        define("other", 0x70, "", "Again.", lambda: None, **columns)
    assert before == TABLE


def test_an_access_counts_its_lanes():
    with pytest.raises(ValueError, match="of 16 lanes"):
        Access("load", 4, None, 2)
    with pytest.raises(ValueError, match="raw accesses, and only they"):
        Access("load", 4, 8, 4)


def test_instr_takes_a_missing_mask_as_all_lanes():
    assert Instr("vadd", (1, 2, 3)) == Instr("vadd", (1, 2, 3, 0))
    assert Instr("vadd", (1, 2, 3, 5))["p"] == 5
    with pytest.raises(ValueError, match="vadd takes 4 operands"):
        Instr("vadd", (1, 2))
    with pytest.raises(ValueError, match="no instruction is called 'vad'"):
        Instr("vad", (1, 2))


def test_bodies_do_not_warn(recwarn):
    big = np.full(16, 3e38, np.float32)
    assert np.isinf(TABLE["vadd"].body(big, big)).all()
    assert np.isnan(TABLE["vdiv"].body(big * 0, big * 0)).all()
    assert not recwarn.list
