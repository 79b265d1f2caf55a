"""Ops that are made of others: their ONNX function bodies, and the model's own functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx
from onnx import AttributeProto, FunctionProto, NodeProto, TypeProto, defs
from onnx.onnx_cpp2py_export.defs import SchemaError


def schema_of(op: str, opset: int, domain: str = "") -> Any:  # onnx has no type stubs for it
    try:
        return defs.get_schema(op, opset, "" if domain == "ai.onnx" else domain)
    except (SchemaError, TypeError):  # TypeError: a damaged name or version
        return None


def has_body(op: str, opset: int, domain: str = "") -> bool:
    """True if the standard defines the op by others at this opset."""
    schema = schema_of(op, opset, domain)
    return schema is not None and (schema.has_function or schema.has_context_dependent_function)


def standard_body(node: NodeProto, opset: int, types: Sequence[TypeProto]) -> FunctionProto | None:
    """The op's body at an opset, for operands of these types; None where there is none."""
    schema = schema_of(node.op_type, opset, node.domain)
    if schema is None:
        return None
    if schema.has_function:
        versions = [v for v in schema.function_opset_versions if v <= opset]
        raw = schema.get_function_with_opset_version(max(versions)) if versions else b""
    elif schema.has_context_dependent_function:
        known = [v for v in schema.context_dependent_function_opset_versions if v <= opset]
        rows = [kind.SerializeToString() for kind in types]
        named = node.SerializeToString()
        raw = (
            schema.get_context_dependent_function_with_opset_version(max(known), named, rows)
            if known
            else b""
        )
    else:
        raw = b""
    if not raw:
        return None
    body = FunctionProto()
    body.ParseFromString(raw)
    return body


def body_opset(function: FunctionProto, outer: int) -> int:
    """The standard domain's version a body is written in."""
    versions = [row.version for row in function.opset_import if row.domain in ("", "ai.onnx")]
    return versions[0] if versions else outer


def call_attributes(
    function: FunctionProto, node: NodeProto, opset: int
) -> dict[str, AttributeProto]:
    """The caller's attributes over the function's and the op's defaults."""
    rows = {row.name: row for row in function.attribute_proto}
    schema = schema_of(node.op_type, opset, node.domain)
    if schema is not None:
        for name, row in schema.attributes.items():
            if row.default_value.name:
                rows[name] = row.default_value
    rows.update({row.name: row for row in node.attribute})
    return rows


def bound(node: NodeProto, attributes: dict[str, AttributeProto]) -> NodeProto:
    """A body's node with references to the caller's attributes put in; unset ones are left out."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    del copy.attribute[:]
    for row in node.attribute:
        if not row.ref_attr_name:
            copy.attribute.append(row)
        elif row.ref_attr_name in attributes:
            value = AttributeProto()
            value.CopyFrom(attributes[row.ref_attr_name])
            value.name = row.name
            copy.attribute.append(value)
    return copy
