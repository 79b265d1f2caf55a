"""Models of the zoo compiled once a test process, and what ONNX Runtime says of them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import onnxruntime
from program_levels import Arrays, Lowered, lower_module
from zoo_models import zoo

from dojocc.dialects.context import DojoContext
from dojocc.frontends.onnx import import_onnx
from dojocc.runtime.targets import load_target

SEED = 7
PRECISIONS = ("fp32", "bf16")


def feeds(name: str, size: str) -> Arrays:
    return zoo.inputs(zoo.build(name, size), SEED)


def narrowed(arrays: Arrays) -> Arrays:
    """As the levels below ONNX take them: whole numbers as int32."""
    return {
        name: array.astype(np.int32) if array.dtype == np.int64 else array
        for name, array in arrays.items()
    }


@lru_cache(maxsize=4)
def compiled(name: str, size: str, precision: str, target: str = "d1-die") -> Lowered:
    context = DojoContext(target=load_target(target))
    module = import_onnx(zoo.build(name, size), context)
    return lower_module(context, module, narrowed(feeds(name, size)), precision)


@lru_cache(maxsize=4)
def onnx_outputs(name: str, size: str) -> Arrays:
    model = zoo.build(name, size)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, feeds(name, size)), strict=True))
