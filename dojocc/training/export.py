"""Trained weights for others: a safetensors file, or the ONNX model with new numbers in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from safetensors.numpy import save

from dojocc.runtime.errors import InputError
from dojocc.runtime.files import write_atomically


def write_weights(path: str | Path, weights: Mapping[str, np.ndarray]) -> None:
    """All weights by name."""
    write_atomically(path, save(dict(weights)))


def with_weights(model: onnx.ModelProto, weights: Mapping[str, np.ndarray]) -> onnx.ModelProto:
    """A copy of the model whose initialisers of these names hold these numbers, in their types."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    places = {tensor.name: tensor for tensor in copy.graph.initializer}
    for name, array in weights.items():
        tensor = places.get(name)
        if tensor is None:
            raise InputError(
                f"the ONNX model has no weight '{name}'", help="export to .safetensors instead"
            )
        if tuple(tensor.dims) != array.shape:
            raise InputError(
                f"weight '{name}' of the ONNX model has another shape",
                numbers=f"{list(tensor.dims)} there, {list(array.shape)} trained",
            )
        kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
        tensor.CopyFrom(numpy_helper.from_array(array.astype(kind), name))
    return copy


def write_onnx(
    path: str | Path, model: onnx.ModelProto | str | Path, weights: Mapping[str, np.ndarray]
) -> None:
    """The model with trained weights, in one file."""
    source = model if isinstance(model, onnx.ModelProto) else onnx.load(str(model))
    write_atomically(path, with_weights(source, weights).SerializeToString())
