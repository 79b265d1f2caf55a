"""Batches whose share of a node is smaller than a block of rows give what ONNX Runtime gives."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from program_levels import relative_error
from zoo_models import zoo

import dojocc
from dojocc.runtime.lists import DRAM_LOAD
from dojocc.runtime.program import Program

BOUND = 2e-2


@pytest.mark.parametrize(("name", "batch"), [("resnet50", 2), ("lenet", 19), ("vit", 3)])
def test_tiny_models_in_batches(name: str, batch: int) -> None:
    check(name, "tiny", batch)


def check(name: str, size: str, batch: int) -> Program:
    """Values against ONNX Runtime's; the program."""
    model = zoo.build(name, size, batch=batch)
    feeds = zoo.inputs(model)
    (wanted,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)
    program = dojocc.compile(model, precision="bf16")
    (found,) = dojocc.Session(program).run(None, feeds)
    error = relative_error(np.asarray(found), np.asarray(wanted))
    assert error < BOUND, f"{name} in batches of {batch}: relative error {error:.1e}"
    return program


@pytest.mark.slow
def test_bert_base_in_batches_of_8_takes_weights_from_dram() -> None:
    program = check("bert", "paper", 8)
    rows = program.entries[program.entries["kind"] == DRAM_LOAD]
    loaded = int((rows["bytes"].astype(np.int64) * rows["count0"] * rows["count1"]).sum())
    held = sum(program.tensors[each.tensor].nbytes for each in program.dram)
    assert held <= loaded < 1.5 * held and len(program.dram) >= 16
