"""The benchmarks: what they count is right, and the paper's models keep their promises (slow)."""

from __future__ import annotations

import json
import sys

import pytest
from cli_run import TINY

from bench.__main__ import as_json, as_markdown, main
from bench.measure import measure, multiply_accumulates
from dojocc.compiler import Options
from dojocc.passes.precision import PRECISIONS
from dojocc.zoo import MODELS, build

ALLOWED = {"fp32": 1e-5, "bf16": 2e-2}
MOST_PADDING = 1.6  # multiply-accumulates of ResNet-50's run over the model's own
COMPILE_SECONDS = 60


def test_multiply_accumulates_are_those_of_the_layers() -> None:
    batch, widths = 4, (20, 24, 16, 10)
    want = batch * sum(a * b for a, b in zip(widths, widths[1:], strict=False))
    assert multiply_accumulates(build("mlp", "tiny"), Options(target=TINY)) == want


def test_rows_as_text_and_json() -> None:
    row = measure("mlp", "tiny", "bf16", repeats=1, target=TINY)
    assert row.ratio == row.run_seconds / row.onnxruntime_seconds
    assert row.first_ratio == row.first_run_seconds / row.onnxruntime_first_seconds
    assert row.first_run_seconds > row.run_seconds, "a first run also makes the machine"
    assert row.matrix_ratio is not None and row.matrix_ratio >= 1
    assert row.matrix_ratio == row.mmac * 256 / row.macs
    assert row.relative_error < ALLOWED["bf16"] and row.lifted_share > 0.99
    failure = {"model": "gpt", "precision": "fp32", "error": "it broke\n  where: here"}
    table = as_markdown([row], [failure]).splitlines()
    assert table[2].startswith("| mlp | bf16 |") and "failed: it broke" in table[3]
    assert "| ratio of first runs |" in table[0] and "| ratio of later runs |" in table[0]
    assert [line.count("|") for line in table] == [14] * 4
    found = json.loads(as_json([row], [failure]))
    assert found["schema"] == "dojocc.bench/1" and found["rows"][0]["ratio"] == row.ratio
    assert found["rows"][0]["first_ratio"] == row.first_ratio


def test_a_model_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "resnet5"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2 and "no model is called resnet5" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", MODELS)
def test_full_size_models(name: str, precision: str) -> None:
    row = measure(name, "paper", precision, repeats=1)
    assert row.relative_error < ALLOWED[precision]
    assert row.lifted_share > 0.99
    assert row.compile_seconds < COMPILE_SECONDS
    if name == "resnet50" and precision == "bf16":
        assert row.matrix_ratio is not None and 1 <= row.matrix_ratio < MOST_PADDING
