"""The verifier: no alarm on compiled programs, and planted faults found."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from acceptance_cases import compiled
from planted import (
    FAULTS,
    Fault,
    missing_post,
    missing_wait,
    overlapping_buffers,
    plant,
    shifted_address,
    shifted_destination,
)
from program_levels import Source, lower, sources
from zoo_models import zoo

from dojocc.runtime.isa.codec import encode
from dojocc.runtime.isa.instr import Instr
from dojocc.runtime.program import Program
from dojocc.runtime.verify import verify
from dojocc.runtime.verify.findings import Finding

QUICK = ("softmax_axes", "conv_stride", "attention", "embedding", "conv_grouped", "reductions")
TABLES = ("buffers", "exchanges", "calls")
QUICK_PLANTED, PLANTED = 102, 1000
LEAST_SHARE = 0.99


@cache
def program_of(name: str, target: str = "tiny") -> Program:
    source = next(each for each in sources() if each.name == name)
    return lower(source, "bf16", target).program


@pytest.mark.parametrize("name", QUICK)
def test_compiled_programs_are_sound(name: str) -> None:
    report = verify(program_of(name))
    assert report.sound, report.findings[0]
    assert report.checked["flows"] > 0 and report.checked["steps"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("source", sources(), ids=lambda source: source.name)
def test_all_programs_are_sound(source: Source) -> None:
    for precision in ("fp32", "bf16"):
        for target in ("tiny", "tiny-holes"):
            report = verify(lower(source, precision, target).program)
            assert report.sound, report.findings[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.MODELS)
def test_zoo_models_are_sound(name: str) -> None:
    report = verify(compiled(name, "tiny", "bf16").program)
    assert report.sound, report.findings[0]


def found(change: Fault, case: str = "softmax_axes") -> list[Finding]:

    planted = change(program_of(case), np.random.default_rng(5))
    assert planted is not None
    return verify(planted).findings


def test_a_missing_post_is_a_deadlock_with_its_numbers() -> None:
    (finding, *_) = found(missing_post)
    assert finding.kind == "deadlock" and "can never be passed" in finding.what
    assert "class grid, thread" in finding.where and "nodes (" in finding.where
    assert "needs" in finding.numbers


def test_a_missing_wait_leaves_posts() -> None:
    assert any("is left raised at the end" in each.what for each in found(missing_wait))


def test_overlapping_buffers_are_named() -> None:
    texts = [each.what for each in found(overlapping_buffers) if each.kind == "overlap"]
    assert any("alive together" in text for text in texts)


def test_a_transfer_into_another_place_says_which_list() -> None:
    assert any("list" in each.where for each in found(shifted_destination))


def test_a_kernel_called_with_another_address_is_named() -> None:
    texts = [each for each in found(shifted_address) if each.kind == "call"]
    assert texts and texts[0].what == "a kernel gets another argument"
    assert texts[0].numbers.startswith("x") and ", not " in texts[0].numbers


def test_a_kernel_that_is_not_called_is_named() -> None:
    program = program_of("softmax_axes")
    _, word, *_ = program.build["calls"][0]
    code = program.classes[0].code.copy()
    (nop,) = encode(Instr("nop", ()))
    code[word : word + 2] = nop
    classes = (replace(program.classes[0], code=code), *program.classes[1:])
    kinds = [each.what for each in verify(replace(program, classes=classes)).findings]
    assert "a kernel is not called where it should be" in kinds


def test_without_its_buffer_table_a_program_is_still_checked() -> None:
    program = program_of("softmax_axes")
    bare = replace(program, build={k: v for k, v in program.build.items() if k not in TABLES})
    assert verify(bare).sound
    planted = missing_post(bare, np.random.default_rng(1))
    assert planted is not None and not verify(planted).sound


def shares(programs: list[Program], count: int) -> dict[str, tuple[int, int]]:
    """By kind of fault, how many of how many real ones are found."""
    random, caught, planted = np.random.default_rng(1), Counter(), Counter()
    while planted.total() < count:
        for name in FAULTS:
            changed = plant(name, programs[int(random.integers(len(programs)))], random)
            if changed is not None:
                planted[name] += 1
                caught[name] += not verify(changed).sound
    return {name: (caught[name], planted[name]) for name in FAULTS}


def test_a_hundred_planted_faults_are_found() -> None:
    found = shares([program_of(name) for name in QUICK], QUICK_PLANTED)
    assert all(planted for _, planted in found.values())
    assert all(caught == planted for caught, planted in found.values()), found


@pytest.mark.slow
def test_a_thousand_planted_faults() -> None:
    """Prints the share found of each kind."""
    targets = ("tiny", "tiny-holes")
    programs = [program_of(each.name, target) for each in sources() for target in targets]
    found = shares(programs, PLANTED)
    for name, (caught, planted) in found.items():
        print(f"{name:22s} {caught} of {planted}")
    caught, planted = (sum(column) for column in zip(*found.values(), strict=True))
    print(f"{caught} of {planted} found")
    assert caught >= LEAST_SHARE * planted
    assert all(part >= LEAST_SHARE * whole for part, whole in found.values()), found
