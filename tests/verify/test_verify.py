"""The verifier: no alarm on compiled programs, and planted faults found."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from acceptance_cases import compiled
from planted import (
    FAULTS,
    Fault,
    missing_post,
    missing_wait,
    overlapping_buffers,
    shifted_destination,
)
from program_levels import Source, lower, sources
from zoo_models import zoo

from dojocc.runtime.program import Program
from dojocc.runtime.verify import verify
from dojocc.runtime.verify.findings import Finding

QUICK = ("softmax_axes", "conv_stride", "attention", "embedding", "conv_grouped", "reductions")
ALWAYS_FOUND = (
    "missing_post",
    "missing_wait",
    "missing_list",
    "shortened_wait",
    "missing_far_post",
    "missing_home_post",
    "wrong_peer",
    "overlapping_buffers",
)
"""Faults that no order of events and no padding makes harmless."""
PLANTED = 1000
LEAST_SHARE = 0.8


def program_of(name: str) -> Program:
    source = next(each for each in sources() if each.name == name)
    return lower(source, "bf16", "tiny").program


@pytest.mark.parametrize("name", QUICK)
def test_compiled_programs_are_sound(name: str) -> None:
    report = verify(program_of(name))
    assert report.sound, report.findings[0]
    assert report.checked["flows"] > 0 and report.checked["steps"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("source", sources(), ids=lambda source: source.name)
def test_all_programs_are_sound(source: Source) -> None:
    for precision in ("fp32", "bf16"):
        report = verify(lower(source, precision, "tiny").program)
        assert report.sound, report.findings[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.MODELS)
def test_zoo_models_are_sound(name: str) -> None:
    report = verify(compiled(name, "tiny", "bf16").program)
    assert report.sound, report.findings[0]


@pytest.mark.parametrize("name", ALWAYS_FOUND)
def test_planted_faults_are_found(name: str) -> None:
    random = np.random.default_rng(3)
    for case in ("softmax_axes", "conv_stride", "mlp"):
        for _ in range(3):
            planted = FAULTS[name](program_of(case), random)
            if planted is not None:
                assert not verify(planted).sound, (name, case)


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


def test_without_its_buffer_table_a_program_is_still_checked() -> None:
    program = program_of("softmax_axes")
    bare = replace(program, build={k: v for k, v in program.build.items() if k != "buffers"})
    assert verify(bare).sound
    planted = missing_post(bare, np.random.default_rng(1))
    assert planted is not None and not verify(planted).sound


@pytest.mark.slow
def test_a_thousand_planted_faults() -> None:
    """Prints the share found of each kind. Those missed leave a program that is consistent in
    itself (docs/verify.md says which), or change nothing."""
    random, programs = np.random.default_rng(1), [program_of(each.name) for each in sources()]
    caught: Counter[str] = Counter()
    planted: Counter[str] = Counter()
    while planted.total() < PLANTED:
        for name, fault in FAULTS.items():
            changed = fault(programs[int(random.integers(len(programs)))], random)
            if changed is not None:
                planted[name] += 1
                caught[name] += not verify(changed).sound
    for name in FAULTS:
        print(f"{name:22s} {caught[name]} of {planted[name]}")
    print(f"{caught.total()} of {planted.total()} found")
    assert all(caught[name] == planted[name] for name in ALWAYS_FOUND)
    assert caught.total() >= LEAST_SHARE * planted.total()
