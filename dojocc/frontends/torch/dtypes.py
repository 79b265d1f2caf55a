"""PyTorch's element types: which lanes hold them, and what narrows."""

from __future__ import annotations

from xdsl.dialects.builtin import f32, i1, i32
from xdsl.ir import Attribute

from dojocc.frontends.build import NotSupported

FLOATS = ("float32", "float64", "float16", "bfloat16")
BITS = {"int8": (8, True), "uint8": (8, False), "int16": (16, True), "uint16": (16, False)}
"""Integers narrower than a lane: bits, and whether they are signed."""
INTEGERS = ("int32", "int64", "uint32", *BITS)
ELEMENT_TYPES: dict[str, Attribute] = {
    **dict.fromkeys(FLOATS, f32),
    **dict.fromkeys(INTEGERS, i32),
    "bool": i1,
}
AS_THEY_ARE = ("float32", "int32", "bool")
ONNX_WORDS = {"float32": "float", "float64": "double"}


def lanes_of(dtype: str) -> Attribute:
    """The element type that holds a PyTorch type."""
    if dtype not in ELEMENT_TYPES:
        raise NotSupported(f"element type {dtype} is not supported")
    return ELEMENT_TYPES[dtype]


def narrowing(dtype: str) -> str | None:
    """What holds numbers of this type, where it is not the type itself."""
    if dtype in AS_THEY_ARE or dtype not in ELEMENT_TYPES:
        return None
    return "float32" if dtype in FLOATS else "int32 lanes"


def source_word(dtype: str) -> str:
    """The word that interfaces use for a type: ONNX's."""
    return ONNX_WORDS.get(dtype, dtype)
