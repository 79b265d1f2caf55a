"""Models on a training tile and on the wafer (8,850 nodes) give what ONNX Runtime gives."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from zoo_models import zoo

import dojocc

QUICK = [("mlp", "d2-wafer"), ("lenet", "d1-training-tile")]
ALL = [(name, target) for name in zoo.MODELS for target in ("d1-training-tile", "d2-wafer")]


def check(name: str, target: str) -> None:
    model = zoo.build(name, "tiny")
    feeds = zoo.inputs(model)
    (wanted,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)
    program = dojocc.compile(model, target=target, precision="bf16")
    (found,) = dojocc.Session(program).run(None, feeds)
    error = np.linalg.norm(np.float64(found) - wanted) / np.linalg.norm(wanted)
    assert error < 2e-2, f"{name} on {target}: relative error {error:.1e}"


@pytest.mark.parametrize(("name", "target"), QUICK)
def test_tiny_models_on_larger_targets(name: str, target: str) -> None:
    check(name, target)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "target"), ALL)
def test_every_tiny_model_on_larger_targets(name: str, target: str) -> None:
    check(name, target)
