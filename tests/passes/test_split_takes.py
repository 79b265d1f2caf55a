"""Rows of a table too tall for a node are the rows that NumPy takes, at nn and on the machine."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

import dojocc
from dojocc.dialects.context import DojoContext
from dojocc.dialects.interpret_nn import run_nn
from dojocc.frontends.onnx import import_onnx
from dojocc.passes.pipeline import NN_PIPELINE, default_passes, run_pipeline
from dojocc.passes.split_takes import SplitTakes
from dojocc.runtime.targets import load_target

TINY = "tests/targets/tiny.toml"
ROWS, WIDTH = 12001, 40
INDICES = np.array([[0, 1, ROWS - 1, 6001], [6000, -1, 77, ROWS // 2]], np.int64)


def table() -> np.ndarray:
    return np.random.default_rng(3).standard_normal((ROWS, WIDTH), np.float32)


def gather_model():
    values = table()
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "indices"], ["output"], axis=0)],
        "gather",
        [helper.make_tensor_value_info("indices", TensorProto.INT64, INDICES.shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, (*INDICES.shape, WIDTH))],
        [numpy_helper.from_array(values, "table")],
    )
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def test_split_rows_are_the_rows_at_nn() -> None:
    ctx = DojoContext()
    ctx.target = load_target(TINY)
    module = import_onnx(gather_model(), ctx)
    steps = [step for step in NN_PIPELINE if step.make.name not in ("precision",)]
    run_pipeline(
        ctx, module, default_passes(steps[: [s.make for s in steps].index(SplitTakes) + 1])
    )
    assert [op.name for op in module.walk() if op.name == "nn.reduce"], "nothing was split"
    found = run_nn(ctx, module, {"indices": INDICES.astype(np.int32)})
    np.testing.assert_array_equal(found["output"], table()[INDICES])


def test_split_rows_are_the_rows_on_the_machine() -> None:
    program = dojocc.compile(gather_model(), target=TINY, precision="fp32")
    (found,) = dojocc.Session(program).run(None, {"indices": INDICES})
    np.testing.assert_array_equal(found, table()[INDICES])
