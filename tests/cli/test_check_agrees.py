"""`dojocc check` says of a model what `dojocc compile` then does: of the zoo, of random graphs, of
files with something wrong, of models that do not fit."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from cli_run import TINY, dojocc
from onnx_mutants import mutant
from registry_graphs import graph_of
from zoo_models import zoo

from dojocc.frontends.ir_file import write_ir

QUICK_MUTANTS, MUTANTS = range(20), range(20, 100)
QUICK = ("mlp", "lenet", "gpt")
slow = pytest.mark.slow
NETWORKS = [pytest.param(n, marks=[] if n in QUICK else slow) for n in zoo.MODELS]


def agree(path: Path, folder: Path, *words: str) -> bool:
    """Whether both accept it; the same first words where both refuse."""
    checked = dojocc("check", path, "--target", TINY, "--json", *words)
    compiled = dojocc("compile", path, "--target", TINY, "-o", folder / "prog.dojo", *words)
    assert (checked.code, compiled.code) in ((0, 0), (1, 1)), (checked.out, compiled.err)
    assert checked.json()["ok"] == (checked.code == 0)
    if checked.code:
        assert all(row["what"] for row in checked.json()["problems"])
    return compiled.code == 0


@pytest.mark.parametrize("name", NETWORKS)
def test_small_networks(name: str, tmp_path: Path) -> None:
    onnx.save(zoo.build(name, "tiny"), tmp_path / "model.onnx")
    agree(tmp_path / "model.onnx", tmp_path)


@pytest.mark.parametrize("seeds", [QUICK_MUTANTS, pytest.param(MUTANTS, marks=slow)], ids=str)
def test_mutated_files(seeds: range, tmp_path: Path) -> None:
    """Most are refused, for all kinds of reasons."""
    accepted = 0
    for seed in seeds:
        (tmp_path / "model.onnx").write_bytes(mutant(seed))
        accepted += agree(tmp_path / "model.onnx", tmp_path)
    assert 0 < accepted < len(seeds)


def test_random_graphs(tmp_path: Path) -> None:
    for seed in range(0, 200, 20):
        graph = graph_of(seed)
        write_ir(tmp_path / "model.mlir", graph.module, graph.context)
        assert agree(tmp_path / "model.mlir", tmp_path, "--precision", "fp32")


def test_a_model_that_does_not_fit(tmp_path: Path) -> None:
    onnx.save(zoo.build("mlp", "tiny", batch=300_000), tmp_path / "model.onnx")
    assert not agree(tmp_path / "model.onnx", tmp_path)
