"""ONNX's element types: which lanes hold them, what narrows, which type a node gives.

Floats of every width compute as FP32 and integers of every width as INT32; a value's own ONNX type
is its *kind*. Integers of 8 and 16 bits wrap behind arithmetic, casts to small floats round.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper
from xdsl.dialects.builtin import f32, i1, i32
from xdsl.ir import Attribute, SSAValue

from dojocc.frontends.build import element_of
from dojocc.frontends.onnx.functions import schema_of

FLOATS = (
    TensorProto.FLOAT,
    TensorProto.DOUBLE,
    TensorProto.FLOAT16,
    TensorProto.BFLOAT16,
    TensorProto.FLOAT8E4M3FN,
    TensorProto.FLOAT8E4M3FNUZ,
    TensorProto.FLOAT8E5M2,
    TensorProto.FLOAT8E5M2FNUZ,
    TensorProto.FLOAT8E8M0,
    TensorProto.FLOAT4E2M1,
)
INTEGERS = (
    TensorProto.INT32,
    TensorProto.INT64,
    TensorProto.INT16,
    TensorProto.INT8,
    TensorProto.INT4,
    TensorProto.INT2,
    TensorProto.UINT64,
    TensorProto.UINT32,
    TensorProto.UINT16,
    TensorProto.UINT8,
    TensorProto.UINT4,
    TensorProto.UINT2,
)
ELEMENT_TYPES: dict[Any, Attribute] = {
    **dict.fromkeys(FLOATS, f32),
    **dict.fromkeys(INTEGERS, i32),
    TensorProto.BOOL: i1,
}
BITS: dict[Any, tuple[int, bool]] = {
    TensorProto.INT16: (16, True),
    TensorProto.INT8: (8, True),
    TensorProto.INT4: (4, True),
    TensorProto.INT2: (2, True),
    TensorProto.UINT16: (16, False),
    TensorProto.UINT8: (8, False),
    TensorProto.UINT4: (4, False),
    TensorProto.UINT2: (2, False),
}
"""Integer kinds narrower than a lane: bits, and whether they are signed."""
AS_THEY_ARE = (TensorProto.FLOAT, TensorProto.INT32, TensorProto.BOOL)
NAMES: dict[str, int] = {
    f"tensor({'float' if name == 'FLOAT' else name.lower()})": number
    for name, number in TensorProto.DataType.items()  # pyright: ignore[reportAttributeAccessIssue]
}
TYPE_ATTRIBUTES = ("to", "dtype", "output_dtype", "output_datatype")


def narrowing(kind: int) -> str | None:
    """What holds numbers of this kind, where it is not what ONNX says."""
    if kind in AS_THEY_ARE or kind not in ELEMENT_TYPES:
        return None
    if kind in FLOATS:
        return "float32"
    return "int32 lanes"


def kind_of(value: Any) -> int | None:
    """The kind of a known array, or the likeliest of an nn value."""
    if isinstance(value, np.ndarray):
        return int(helper.np_dtype_to_tensor_dtype(value.dtype))
    if isinstance(value, SSAValue):
        by_lane = {i1: TensorProto.BOOL, i32: TensorProto.INT64}
        return by_lane.get(element_of(value), TensorProto.FLOAT)
    return None


def result_kinds(proto: NodeProto, opset: int, kinds: Sequence[int | None]) -> list[int | None]:
    """The kind of each output by the op's schema; None where the schema leaves it open."""
    schema = schema_of(proto.op_type, opset, proto.domain)
    if schema is None:
        return [None] * len(proto.output)
    known: dict[str, int | None] = {}
    for number, kind in enumerate(kinds):
        if schema.inputs and kind is not None:
            row = schema.inputs[min(number, len(schema.inputs) - 1)]
            known.setdefault(row.type_str, kind)
    allowed = {row.type_param_str: row.allowed_type_strs for row in schema.type_constraints}
    return [
        result_kind(proto, schema.outputs[min(i, len(schema.outputs) - 1)], known, allowed)
        for i in range(len(proto.output))
    ]


def result_kind(proto: NodeProto, row: Any, known: dict, allowed: dict) -> int | None:
    if row.type_str in known:
        return known[row.type_str]
    if row.type_str in NAMES:
        return NAMES[row.type_str]
    for attribute in proto.attribute:
        if attribute.name in TYPE_ATTRIBUTES and attribute.type == onnx.AttributeProto.INT:
            return attribute.i or None
    if proto.op_type == "QuantizeLinear":
        return TensorProto.UINT8
    choices = list(allowed.get(row.type_str, ()))
    return NAMES.get(choices[0]) if len(choices) == 1 else None
