"""Every pass: a contract in four parts, options that survive text, forms, lowering cases."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from filecheck_harness import FOLDER, read_case
from xdsl.utils.arg_spec import parse_pipeline

from dojocc.dialects.forms import FORMS
from dojocc.passes import base, pipeline
from dojocc.passes.base import PARTS, SAME, Pass
from dojocc.passes.pipeline import PIPELINE, TRAINING, parse_passes, pipeline_text

PASSES = sorted({step.make for step in (*PIPELINE, *TRAINING)}, key=lambda make: make.name)
PASSES_FOLDER = Path(base.__file__).resolve().parent
every_pass = pytest.mark.parametrize("make", PASSES, ids=lambda make: make.name)


def cases_of(name: str) -> list[Path]:
    return sorted((FOLDER / name).glob("*.mlir"))


@every_pass
def test_contract_has_four_parts(make: type[Pass]) -> None:
    contract = make.contract()
    assert tuple(contract) == PARTS
    assert all(contract.values())


@every_pass
def test_takes_and_leaves_are_forms(make: type[Pass]) -> None:
    assert make.takes in FORMS
    assert make.leaves in FORMS or make.leaves == SAME


@every_pass
def test_is_a_frozen_dataclass_in_a_file_of_its_name(make: type[Pass]) -> None:
    assert dataclasses.is_dataclass(make) and make.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert (PASSES_FOLDER / f"{make.name.replace('-', '_')}.py").exists()


@every_pass
def test_options_survive_text(make: type[Pass]) -> None:
    plain = make()
    assert parse_passes(pipeline_text([plain])) == (plain,)
    for field in dataclasses.fields(make):
        value = getattr(plain, field.name)
        other = value + 1 if type(value) is int else value
        if type(value) is float:
            other = value / 2 or 0.5  # a share stays a share
        changed = dataclasses.replace(plain, **{field.name: other})
        assert parse_passes(str(changed.spec(include_default=True))) == (changed,)


@every_pass
def test_has_two_lowering_cases_and_a_refusal(make: type[Pass]) -> None:
    read = [read_case(path) for path in cases_of(make.name)]
    refused = [case for case in read if case.errors]
    assert len(read) - len(refused) >= 2, f"tests/filecheck/{make.name} has {len(read)} cases"
    assert refused, f"tests/filecheck/{make.name} has no case that is refused"


@every_pass
def test_its_cases_run_it(make: type[Pass]) -> None:
    for path in cases_of(make.name):
        first = path.read_text().split("\n", 1)[0].removeprefix("// RUN: ")
        names = [spec.name for spec in parse_pipeline(first.strip())]
        assert make.name in names, f"{path.name} runs {names}"


def test_every_pass_class_is_in_the_pipeline_or_comes_from_outside() -> None:
    found = set()
    for path in PASSES_FOLDER.glob("*.py"):
        if "(Pass):" in path.read_text():
            found.add(path.stem.replace("_", "-"))
    assert found == set(pipeline.available_passes())


def test_passes_do_not_whisper_in_attributes() -> None:
    """Facts pass from one pass to the next as declared properties, not as loose attributes."""
    for path in PASSES_FOLDER.rglob("*.py"):
        assert "attributes[" not in path.read_text(), path.name
