"""Ops whose result is known at import (constants, shapes, ranges), and folding of known values."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from dojocc.frontends.onnx.node import Node, Refusal, handles

FOLD_FLOATS = 1 << 16
FOLD_INTEGERS = 1 << 22
RANDOM = ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform")


@handles("Constant")
def constant(node: Node) -> np.ndarray:
    """The one attribute it has, under whichever name."""
    if len(node.proto.attribute) != 1:
        given = [each.name for each in node.proto.attribute]
        raise Refusal(f"a constant has one attribute, its value; this one has {given or 'none'}")
    row = node.proto.attribute[0]
    value = node.attr(row.name)
    match row.name:
        case "value":
            if value.data_location == onnx.TensorProto.EXTERNAL:
                raise Refusal("external data is supported for initialisers only")
            return numpy_helper.to_array(value)
        case "value_int" | "value_ints":
            return np.array(value, np.int64)
        case "value_float" | "value_floats":
            return np.array(value, np.float32)
    raise Refusal(f"constants given by {row.name} are not supported")


@handles("ConstantOfShape")
def constant_of_shape(node: Node) -> np.ndarray:
    value = node.attr("value")
    filler = numpy_helper.to_array(value).reshape(()) if value is not None else np.float32(0)
    return np.full(node.integers(0, "the shape"), filler)


@handles("Shape")
def shape(node: Node) -> np.ndarray:
    return np.array(node.shape()[node.attr("start", 0) : node.attr("end")], np.int64)


@handles("Size")
def size(node: Node) -> np.ndarray:
    return np.array(np.prod(node.shape(), dtype=np.int64))


@handles("Range")
def range_(node: Node) -> np.ndarray:
    start, limit, delta = (
        node.require(i, name) for i, name in enumerate(("start", "limit", "delta"))
    )
    count = max(int(np.ceil((limit - start) / delta)), 0)
    return (start + np.arange(count) * delta).astype(start.dtype).reshape(-1)


@handles("NonZero")
def non_zero(node: Node) -> np.ndarray:
    return np.array(np.nonzero(node.require(0, "the tensor")), np.int64)


def foldable(node: Node) -> bool:
    """All operands known, and small enough that the result is not a copy of a large weight."""
    given = [value for value in node.operands if value is not None]
    arrays = [value for value in given if isinstance(value, np.ndarray)]
    if not arrays or len(arrays) < len(given):
        return False
    if node.op in RANDOM or any(
        row.type == onnx.AttributeProto.GRAPH for row in node.proto.attribute
    ):
        return False
    limits = ((a, FOLD_INTEGERS if a.dtype.kind in "biu" else FOLD_FLOATS) for a in arrays)
    return all(array.size <= limit for array, limit in limits)


def fold(node: Node) -> tuple[np.ndarray, ...] | None:
    """The node's values by ONNX's own reference, or None where that has no word on it."""
    feeds = {
        f"operand{i}": value
        for i, value in enumerate(node.operands)
        if isinstance(value, np.ndarray)
    }
    copy = onnx.NodeProto()
    copy.CopyFrom(node.proto)
    copy.ClearField("input")
    names = (f"operand{i}" for i in range(node.count))
    copy.input.extend(name if name in feeds else "" for name in names)
    infos = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
        )
        for name, value in feeds.items()
    ]
    outputs = [onnx.ValueInfoProto(name=name) for name in copy.output if name]
    graph = helper.make_graph([copy], "fold", infos, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", node.opset)])
    try:
        with np.errstate(all="ignore"):
            results = ReferenceEvaluator(model).run(None, feeds)
    except (RuntimeError, NotImplementedError, TypeError, ValueError, IndexError, AttributeError):
        return None
    found = iter(results)  # pyright: ignore[reportArgumentType]
    values = tuple(np.asarray(next(found)) if name else None for name in copy.output)
    return values  # pyright: ignore[reportReturnType]
