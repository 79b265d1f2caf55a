"""`dojocc verify` on program files: what is compiled is sound, what is spoilt is not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from planted import plant
from zoo_models import zoo

import dojocc
from dojocc.cli.main import main
from dojocc.runtime.program import load, save

NAMED = ("overlapping_buffers", "missing_post", "swapped_routes", "shortened_wait", "wrong_peer")
QUICK = [("mlp", "d1-die"), ("vit", "d1-die"), ("lenet", "d1-training-tile")]
ALL = [(name, target) for name in zoo.MODELS for target in ("d1-die", "d1-training-tile")]


def verdict(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict]:
    code = main(["verify", str(path), "--json"])
    return code, json.loads(capsys.readouterr().out)


def check(name: str, target: str, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(dojocc.compile(zoo.build(name, "tiny"), target=target, precision="bf16"), path)
    code, answer = verdict(path, capsys)
    assert (code, answer["findings"]) == (0, [])
    assert min(answer["checked"][what] for what in ("exchanges", "calls", "steps")) > 0


@pytest.mark.parametrize(("name", "target"), QUICK)
def test_compiled_models_are_sound(
    name: str, target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check(name, target, tmp_path / "model.dojo", capsys)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "target"), ALL)
def test_every_tiny_model_is_sound(
    name: str, target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check(name, target, tmp_path / "model.dojo", capsys)


def test_a_spoilt_file_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "lenet.dojo"
    save(dojocc.compile(zoo.build("lenet", "tiny"), precision="bf16"), path)
    random, program = np.random.default_rng(5), load(path)
    for fault in NAMED:
        spoilt = plant(fault, program, random)
        assert spoilt is not None, fault
        save(spoilt, path)
        code, answer = verdict(path, capsys)
        assert code == 1 and answer["findings"], fault
