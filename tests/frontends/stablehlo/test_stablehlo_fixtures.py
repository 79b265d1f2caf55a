"""StableHLO text, pretty and generic, with the results that JAX had; needs no JAX."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import dojocc
from dojocc.dialects.context import DojoContext
from dojocc.dialects.interpret_nn import run_nn
from dojocc.frontends.read import STABLEHLO, kind_of, read_model
from dojocc.frontends.stablehlo.node import HANDLERS

FOLDER = Path(__file__).parents[2] / "data" / "stablehlo"
FILES = sorted(FOLDER.glob("*.mlir"))
VALUES = load_file(FOLDER / "values.safetensors")
WRITTEN = {"stablehlo.custom_call", "stablehlo.logistic", "chlo.is_inf"}
"""Ops that JAX writes otherwise now: test_stablehlo_text.py has them."""
COMPILED = ("mlp", "conv_last", "scan", "two_indices", "add_rows", "cond", "attention")


def values(path: Path, kind: str) -> list[np.ndarray]:
    """Inputs or results of a file's case, in order."""
    name, found = path.name.split(".")[0], []
    while (key := f"{name}.{kind}{len(found)}") in VALUES:
        found.append(VALUES[key])
    return found


def assert_close(found: np.ndarray, wanted: np.ndarray) -> None:
    assert found.shape == wanted.shape and found.dtype.kind == wanted.dtype.kind
    if wanted.dtype.kind != "f":
        np.testing.assert_array_equal(found, wanted)
    scale = max(float(np.abs(wanted).max()), 1e-3)
    np.testing.assert_allclose(found, wanted, atol=3e-6 * scale, rtol=3e-6)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_fixture(path: Path) -> None:
    assert kind_of(path) == STABLEHLO
    context = DojoContext()
    module = read_model(path, context)
    found = run_nn(context, module, values(path, "in"))
    wanted = values(path, "out")
    assert len(found) == len(wanted)
    for result, want in zip(found.values(), wanted, strict=True):
        assert_close(result, want)


@pytest.mark.parametrize("name", COMPILED)
def test_streams(name: str) -> None:
    """The same through instruction streams."""
    path = FOLDER / f"{name}.mlir"
    session = dojocc.Session(dojocc.compile(path, precision="fp32"))
    feeds = {
        row.name: value for row, value in zip(session.get_inputs(), values(path, "in"), strict=True)
    }
    for result, want in zip(session.run(None, feeds), values(path, "out"), strict=True):
        assert_close(result, want)


def test_every_handler_has_a_case() -> None:
    texts = "\n".join(path.read_text() for path in FILES)
    missing = {name for name in HANDLERS if f"{name} " not in texts and f'"{name}"' not in texts}
    assert missing == WRITTEN
