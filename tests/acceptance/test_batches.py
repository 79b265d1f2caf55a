"""Batches whose share of a node is smaller than a block of rows give what ONNX Runtime gives."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from zoo_models import zoo

import dojocc


@pytest.mark.parametrize(("name", "batch"), [("resnet50", 2), ("lenet", 19), ("vit", 3)])
def test_tiny_models_in_batches(name: str, batch: int) -> None:
    model = zoo.build(name, "tiny", batch=batch)
    feeds = zoo.inputs(model)
    (wanted,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)
    (found,) = dojocc.Session(dojocc.compile(model, precision="bf16")).run(None, feeds)
    error = np.linalg.norm(np.float64(found) - wanted) / np.linalg.norm(wanted)
    assert error < 2e-2, f"{name} in batches of {batch}: relative error {error:.1e}"
