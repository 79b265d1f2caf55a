"""Transfers against what the build record says their exchange is for."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from planted import plant
from program_levels import Lowered, lower, sources

from dojocc.dialects.mesh import ExchangeOp, need_layout
from dojocc.runtime.lists import rows_of_entries
from dojocc.runtime.program import Program
from dojocc.runtime.verify.exchanges import check_exchanges
from dojocc.runtime.verify.findings import Report
from dojocc.runtime.verify.movement import element_map

MOVING = ("movement", "reshapes", "pad_values", "conv_stride", "attention", "pools", "rotary")
OF_LISTS = ("wrong_peer", "swapped_routes", "shifted_destination", "truncated", "wrong_stride")


@cache
def lowered(name: str) -> Lowered:
    return lower(next(each for each in sources() if each.name == name), "bf16", "tiny")


def findings(program: Program) -> list[tuple[str, str]]:
    report = Report()
    check_exchanges(program, report)
    assert all(each.kind == "exchange" for each in report.findings)
    return [(each.what, each.numbers) for each in report.findings]


@pytest.mark.parametrize("name", MOVING)
def test_steps_say_what_the_region_does(name: str) -> None:
    """The verifier's own reading of the steps gives the map of the mesh dialect's ops."""
    exchanges = [op for op in lowered(name).mesh.module.walk() if isinstance(op, ExchangeOp)]
    assert exchanges
    for op in exchanges:
        arrays, base = [], 0
        for value in op.operands:
            shape = need_layout(value, op).shape
            arrays.append(np.arange(base, base + np.prod(shape)).reshape(shape))
            base += int(np.prod(shape))
        np.testing.assert_array_equal(element_map(arrays, op.steps()), op.index_map())


def test_every_exchange_of_a_program_is_in_its_record() -> None:
    program = lowered("movement").program
    rows = program.build["exchanges"]
    numbers = [number for row in rows for number in range(row[0], row[0] + row[4])]
    assert numbers == np.unique(program.lists["list"]).tolist()
    report = Report()
    check_exchanges(program, report)
    assert report.sound and report.checked["exchanges"] == len(rows)


@pytest.mark.parametrize("fault", OF_LISTS)
def test_each_fault_of_a_list_is_an_exchange_fault(fault: str) -> None:
    random, seen = np.random.default_rng(11), 0
    for name in ("conv_stride", "attention", "reshapes"):
        program = lowered(name).program
        for _ in range(4):
            changed = plant(fault, program, random)
            if changed is not None:
                seen += 1
                assert findings(changed), (fault, name)
    assert seen


def test_a_missing_entry_names_the_bytes_and_nodes() -> None:
    program = lowered("conv_stride").program
    changed = replace(program, lists=rows_of_entries(program.entries[1:]))
    ((what, numbers),) = findings(changed)
    assert what == "elements of the destination that no entry brings"
    assert numbers.startswith("from byte ") and "on nodes (" in numbers


def test_half_an_element_is_named() -> None:
    program = lowered("attention").program
    lists = program.entries.copy()
    lists["bytes"][0] -= 1
    assert ("an entry moves a part of an element", "1 B of 2") in findings(
        replace(program, lists=rows_of_entries(lists))
    )


def test_an_entry_from_another_buffer_is_named() -> None:
    program = lowered("attention").program
    lists = program.entries.copy()
    lists["src"][0] = 0
    (first, *_) = findings(replace(program, lists=rows_of_entries(lists)))
    assert first[0] == "an entry reads outside the exchange's sources"
    lists["src"][0], lists["dst"][0] = program.entries["src"][0], 0
    (first, *_) = findings(replace(program, lists=rows_of_entries(lists)))
    assert first[0] == "an entry writes outside the destination"


def test_a_record_that_makes_no_sense_is_a_finding() -> None:
    program = lowered("attention").program
    row = list(program.build["exchanges"][0])
    for broken in ([*row[:3], [["melt", [0], {}]]], [row[0], 10_000, *row[2:]], row[:2], 7):
        build = {**program.build, "exchanges": [broken]}
        ((what, _),) = findings(replace(program, build=build))
        assert what == "its record cannot be read"
