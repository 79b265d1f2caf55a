"""Shapes of a model's inputs: fixed sizes from the file, the rest from the user's `shapes`."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from math import prod

import onnx

from dojocc.dialects.types import MOST_ELEMENTS
from dojocc.frontends.onnx.kinds import ELEMENT_TYPES
from dojocc.frontends.onnx.node import type_name
from dojocc.runtime.errors import InputError

Shapes = Mapping[str, Sequence[int]]


def input_shapes(
    inputs: Sequence[onnx.ValueInfoProto], shapes: Shapes | None, model: str
) -> dict[str, tuple[int, ...]]:
    """A static shape for every input. A named dim set through one input holds for all."""
    shapes = shapes or {}
    names = [value.name for value in inputs]
    for name in shapes:
        if name not in names:
            raise unknown_input(name, names, model)
    symbols: dict[str, int] = {}
    for value in inputs:
        if value.name in shapes:
            bind(value, shapes[value.name], symbols, model)
    result, missing = {}, []
    for value in inputs:
        check_type(value, model)
        if value.name in shapes:
            result[value.name] = tuple(int(size) for size in shapes[value.name])
        else:
            result[value.name] = fixed_shape(value, symbols, missing)
    if missing:
        value = next(value for value in inputs if value.name == missing[0][0])
        raise InputError(
            f"{len(missing)} dimension{'s' if len(missing) > 1 else ''} of the model's inputs "
            f"{'have' if len(missing) > 1 else 'has'} no size: "
            + ", ".join(f"dimension {dim} ({symbol}) of {name!r}" for name, dim, symbol in missing),
            where=model,
            help=f"give the shape, for instance --shape {value.name}={example(value, symbols)}",
        )
    for name, shape in result.items():
        refuse_huge(name, shape, model)
    return result


def refuse_huge(name: str, shape: Sequence[int], model: str) -> None:
    """Before anything is made in an input's size."""
    if prod(shape) > MOST_ELEMENTS:
        raise InputError(
            f"input {name!r} is too large for any machine",
            where=model,
            numbers=f"{'x'.join(map(str, shape))} are {prod(shape)} elements, at most "
            f"{MOST_ELEMENTS} are taken",
            help="check the shape, or give another with --shape",
        )


def unknown_input(name: str, names: Sequence[str], model: str) -> InputError:
    near = difflib.get_close_matches(name, names, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    listed = ", ".join(map(repr, names)) or "none"
    return InputError(
        f"a shape is given for {name!r}, which is no input of the model",
        where=model,
        help=f"{hint}the inputs are {listed}",
    )


def check_type(value: onnx.ValueInfoProto, model: str) -> None:
    if not value.type.HasField("tensor_type"):
        kind = value.type.WhichOneof("value") or "no type"
        raise InputError(f"input {value.name!r} is not a tensor ({kind})", where=model)
    kind = value.type.tensor_type.elem_type
    if kind not in ELEMENT_TYPES:
        known = ", ".join(type_name(k) for k in ELEMENT_TYPES)
        what = f"input {value.name!r} has element type {type_name(kind)}, which is not supported"
        raise InputError(what, where=model, help=f"supported: {known}")


def dims_of(value: onnx.ValueInfoProto) -> list[onnx.TensorShapeProto.Dimension] | None:
    tensor = value.type.tensor_type
    return list(tensor.shape.dim) if tensor.HasField("shape") else None


def bind(value: onnx.ValueInfoProto, given: Sequence[int], symbols: dict[str, int], model: str):
    """Check the user's shape against the file's and note what its named dims are."""
    dims = dims_of(value)
    shown = "x".join(str(size) for size in given)
    declared = "x".join(_text(dim) for dim in dims) if dims is not None else "unknown"
    clash = InputError(
        f"the shape given for input {value.name!r} is not one the model takes",
        where=model,
        numbers=f"given {shown or 'scalar'}, the model has {declared or 'scalar'}",
    )
    if any(size < 1 for size in given) or dims is not None and len(dims) != len(given):
        raise clash
    for dim, size in zip(dims or [], given, strict=dims is not None):
        if dim.HasField("dim_value") and dim.dim_value != size:
            raise clash
        if dim.dim_param and symbols.setdefault(dim.dim_param, int(size)) != size:
            raise clash


def _text(dim: onnx.TensorShapeProto.Dimension) -> str:
    return str(dim.dim_value) if dim.HasField("dim_value") else dim.dim_param or "?"


def fixed_shape(
    value: onnx.ValueInfoProto, symbols: Mapping[str, int], missing: list[tuple[str, int, str]]
) -> tuple[int, ...]:
    """The file's shape; dims without a size are added to `missing`."""
    shape = []
    dims = dims_of(value)
    if dims is None:
        missing.append((value.name, 0, "no shape at all"))
    for number, dim in enumerate(dims or []):
        size = dim.dim_value if dim.HasField("dim_value") else symbols.get(dim.dim_param, 0)
        if size < 1:
            missing.append(
                (value.name, number, repr(dim.dim_param) if dim.dim_param else "unnamed")
            )
        shape.append(size)
    return tuple(shape)


def example(value: onnx.ValueInfoProto, symbols: Mapping[str, int]) -> str:
    """The shape as --shape takes it, with 1 where the size is open."""
    dims = dims_of(value)
    if dims is None:
        return "1x3x224x224"
    return "x".join(str(dim.dim_value or symbols.get(dim.dim_param, 1)) for dim in dims)
