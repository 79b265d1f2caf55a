"""Small ONNX models, their import and run at the nn level, and the same in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import ModelProto, TensorProto, helper, numpy_helper

from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import input_names, main_function
from dojocc.dialects.interpret_nn import run_nn
from dojocc.dialects.types import dtype_of
from dojocc.frontends.onnx import import_onnx

Arrays = Mapping[str, np.ndarray]


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def model_of(
    nodes: Sequence[onnx.NodeProto],
    inputs: Arrays,
    weights: Arrays | None = None,
    opset: int = 17,
    outputs: Sequence[str] = ("y",),
    shapes: Mapping[str, Sequence[int | str]] | None = None,
) -> ModelProto:
    """A model whose inputs have the arrays' types and, unless `shapes` says else, their shapes."""
    infos = []
    for name, array in inputs.items():
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        shape = (shapes or {}).get(name, array.shape)
        infos.append(helper.make_tensor_value_info(name, kind, shape))
    held = [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()]
    results = [onnx.ValueInfoProto(name=name) for name in outputs]
    for row in results:
        row.type.tensor_type.elem_type = TensorProto.FLOAT
    graph = helper.make_graph(nodes, "case", infos, results, held)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("test", 1)]
    version = max(helper.find_min_ir_version_for(opsets[:1], ignore_unknown=True), 8)
    return helper.make_model(graph, opset_imports=opsets, ir_version=min(version, 11))


def node_model(
    op: str, inputs: Arrays, weights: Arrays | None = None, opset: int = 17, **attributes: Any
) -> ModelProto:
    """One node on all inputs, then all weights."""
    names = [*inputs, *(weights or {})]
    node = helper.make_node(op, names, ["y"], name="the_node", **attributes)
    return model_of([node], inputs, weights, opset)


def run_imported(
    model: Any, inputs: Arrays, shapes: Any = None, context: DojoContext | None = None
) -> list[np.ndarray]:
    """The model's results through the frontend and the nn interpreter."""
    context = DojoContext() if context is None else context
    module = import_onnx(model, context, shapes)
    module.verify()
    function = main_function(module)
    types: Any = function.function_type.inputs.data
    feeds = {
        name: np.asarray(inputs[name]).astype(dtype_of(type.element_type))
        for name, type in zip(input_names(function), types, strict=True)
    }
    return list(run_nn(context, module, feeds).values())


def run_onnxruntime(model: ModelProto, inputs: Arrays) -> list[np.ndarray]:
    """The model's results in ONNX Runtime; output types are inferred first."""
    copy = ModelProto()
    copy.CopyFrom(model)
    for row in copy.graph.output:
        row.ClearField("type")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    inferred = onnx.shape_inference.infer_shapes(copy)
    session = onnxruntime.InferenceSession(inferred.SerializeToString(), options)
    return session.run(None, dict(inputs))


def assert_matches_onnxruntime(model: ModelProto, inputs: Arrays, tolerance: float = 1e-5) -> None:
    """Equal shapes, relative L2 error below the tolerance, integers and truth values equal."""
    found, wanted = run_imported(model, inputs), run_onnxruntime(model, inputs)
    assert len(found) == len(wanted)
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.shape == theirs.shape
        if theirs.dtype.kind != "f":
            np.testing.assert_array_equal(ours, theirs)
            continue
        assert np.array_equal(np.isfinite(ours), np.isfinite(theirs))
        finite = np.isfinite(theirs)
        error = np.linalg.norm(ours[finite] - theirs[finite])
        assert error <= tolerance * max(float(np.linalg.norm(theirs[finite])), 1e-30)
