"""The verifier on collectives: rings both ways are in order, and faults in them are still found."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from planted import FAULTS, code_of, with_code

from bench.collectives import program_of, rounded, without_holes
from dojocc.runtime.isa.codec import encode
from dojocc.runtime.program import Program
from dojocc.runtime.targets import load_target
from dojocc.runtime.verify import followed, run, verify
from dojocc.runtime.verify.findings import Report

GRID, SIZE = (4, 6), 64 << 10
SAMPLES = 2
COUNTED = ("missing_post", "missing_wait", "missing_list", "shortened_wait", "missing_far_post")


@cache
def all_reduce() -> Program:
    die = without_holes(load_target("d1-die"))
    target = replace(die, die=replace(die.die, rows=GRID[0], cols=GRID[1]))
    return program_of("all_reduce", target, rounded(SIZE, GRID[0] * GRID[1]))


def test_an_all_reduce_with_rings_both_ways_is_in_order() -> None:
    report = verify(all_reduce())
    assert report.sound, report.findings[0]


def test_questions_are_what_shows_that() -> None:
    """Clocks of pairs, but floors over all nodes of a list: additions seem to race with the lists
    that bring their sums back. The answers leave nothing of it."""
    program = all_reduce()
    steps = followed(program, Report())
    assert steps is not None
    floors, suspects = run(program, steps, True)
    assert {each.kind for each in floors.findings} == {"race"}
    assert suspects
    answered, _ = run(program, steps, True, suspects)
    assert answered.sound


@pytest.mark.parametrize("name", COUNTED)
def test_faults_in_it_are_found(name: str) -> None:
    random = np.random.default_rng(1)
    for _ in range(SAMPLES):
        changed = FAULTS[name](all_reduce(), random)
        assert changed is not None
        assert not verify(changed).sound


def test_a_list_that_starts_before_its_wait_is_a_race() -> None:
    """Posts and waits balance as before; only the order is another."""
    program = all_reduce()
    code = code_of(program)
    places = [
        (one, other)
        for one, other in zip(code, code[1:], strict=False)
        if one[1].mnemonic == "wait" and other[1].mnemonic == "push"
    ]
    random = np.random.default_rng(1)
    for number in random.choice(len(places), SAMPLES, replace=False).tolist():
        (word, wait), (_, push) = places[number]
        report = verify(with_code(program, {word: [*encode(push), *encode(wait)]}))
        assert "race" in {each.kind for each in report.findings}
