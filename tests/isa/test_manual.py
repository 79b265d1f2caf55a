"""docs/isa.md is what the rows say."""

from __future__ import annotations

from pathlib import Path

from dojocc.runtime.isa import TABLE
from dojocc.runtime.isa.asm_text import signature
from dojocc.runtime.isa.manual import encoding, manual

PAGE = Path(__file__).resolve().parents[2] / "docs" / "isa.md"


def test_the_committed_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == manual(), (
        "run `python -m dojocc.runtime.isa.manual > docs/isa.md`"
    )


def test_entries_show_form_and_bits():
    assert signature("vld") == "vld v<d>, a<a>, d<fmt>, <f:imm8> (p)"
    assert encoding(TABLE["vld"]) == "0x40:31..24 p:23..21 d:20..16 a:15..12 fmt:11..8 f:7..0"
    assert encoding(TABLE["lil"]) == "0x11:31..24 d:20..16 | n:31..0"


def test_every_latency_says_where_it_is_from():
    for row in TABLE.values():
        assert f"({row.origin})" in manual()
