"""The light models of ONNX's suite with random weights, compared with ONNX Runtime.

As shipped every weight is 0.02, so that nearly any mistake goes unseen; here each ConstantOfShape
becomes a random tensor of its shape, scaled so that activations keep their size.
"""

from __future__ import annotations

from math import prod, sqrt
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import ModelProto, numpy_helper

FOLDER = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def light_models() -> list[Path]:
    """The nine models that come with the onnx package."""
    return sorted(FOLDER.glob("light_*.onnx"))


def randomised(model: ModelProto, seed: int = 0) -> ModelProto:
    """The model with random tensors for its ConstantOfShape nodes, and what a last Softmax takes
    as one more output.

    Matrices and filters are normal with variance 2 / fan-in; vectors lie in [0.5, 1), so that they
    serve as variances too.
    """
    result = ModelProto()
    result.CopyFrom(model)
    random = np.random.default_rng(seed)
    shapes = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    kept = []
    for node in model.graph.node:
        if node.op_type != "ConstantOfShape":
            kept.append(node)
            continue
        shape = [int(size) for size in shapes[node.input[0]]]
        if len(shape) > 1:
            scale = sqrt(2 / max(prod(shape[1:]), 1))
            values = random.standard_normal(shape, np.float32) * np.float32(scale)
        else:
            values = random.uniform(0.5, 1, shape).astype(np.float32)
        result.graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
    for node in kept[-1:]:
        if node.op_type == "Softmax":  # which hides what comes before it where it saturates
            result.graph.output.append(onnx.ValueInfoProto(name=node.input[0]))
            result.graph.output[-1].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    del result.graph.node[:]
    result.graph.node.extend(kept)
    held = {tensor.name for tensor in result.graph.initializer}
    inputs = [value for value in result.graph.input if value.name not in held]
    del result.graph.input[:]
    result.graph.input.extend(inputs)
    used = {name for node in kept for name in node.input}
    tensors = [tensor for tensor in result.graph.initializer if tensor.name in used]
    del result.graph.initializer[:]
    result.graph.initializer.extend(tensors)
    result.ir_version = max(result.ir_version, 4)  # initialisers need not be inputs
    return result


def feeds_of(model: ModelProto, seed: int = 1) -> dict[str, np.ndarray]:
    """Random images."""
    random = np.random.default_rng(seed)
    return {
        value.name: random.standard_normal(
            [dim.dim_value for dim in value.type.tensor_type.shape.dim], np.float32
        )
        for value in model.graph.input
    }


def expected(model: ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """What ONNX Runtime gives."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return [np.asarray(array) for array in session.run(None, feeds)]
