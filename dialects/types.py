"""Tensor types and the NumPy arrays that stand for their values.

bf16 and f32 tensors are float32 arrays (bf16 ones hold values already rounded), i1 tensors are bool
arrays, integer tensors are arrays of their own width.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from xdsl.dialects.builtin import (
    DenseIntOrFPElementsAttr,
    NoneAttr,
    TensorType,
    bf16,
    f32,
    i1,
    i8,
    i16,
    i32,
)
from xdsl.ir import Attribute

from dojocc.runtime.formats import round_to

ELEMENT_DTYPES: dict[Attribute, np.dtype] = {
    f32: np.dtype(np.float32),
    bf16: np.dtype(np.float32),
    i32: np.dtype(np.int32),
    i16: np.dtype(np.int16),
    i8: np.dtype(np.int8),
    i1: np.dtype(np.bool_),
}
STORED_BYTES: dict[Attribute, int] = {f32: 4, bf16: 2, i32: 4, i16: 2, i8: 1, i1: 1}
FLOATS = (f32, bf16)
SMALL_CONSTANT = 32
MOST_ELEMENTS = 2**31 - 1
"""Of one tensor: offsets and counts of transfer lists are 32-bit numbers."""


def tensor(shape: Sequence[int], element_type: Attribute = f32) -> TensorType:
    """A static tensor type."""
    return TensorType(element_type, [int(size) for size in shape])


def text_of(type: Attribute) -> str:
    """`2x3xf32`, as an error message names a type."""
    if not isinstance(type, TensorType):
        return str(type)
    return "x".join([*map(str, type.get_shape()), str(type.element_type)])


def same_type(left: Attribute, right: Attribute) -> bool:
    """Equal shape and element type, whatever the encoding (the layout) says."""
    if not isinstance(left, TensorType) or not isinstance(right, TensorType):
        return left == right
    return left.element_type == right.element_type and left.get_shape() == right.get_shape()


def with_encoding(type: TensorType, encoding: Attribute | None) -> TensorType:
    """The same tensor with another encoding (None takes it away)."""
    return TensorType(
        type.element_type, type.get_shape(), NoneAttr() if encoding is None else encoding
    )


def elements(type: TensorType) -> int:
    """How many elements a tensor has."""
    return prod(type.get_shape())


def stored_bytes(type: TensorType) -> int:
    """Bytes of a tensor's elements, without padding."""
    return elements(type) * STORED_BYTES[type.element_type]


def dtype_of(element_type: Attribute) -> np.dtype:
    """The dtype of the arrays that hold values of this element type."""
    return ELEMENT_DTYPES[element_type]


def as_element(array: np.ndarray, element_type: Attribute) -> np.ndarray:
    """Values as the element type holds them: bf16 rounds to nearest even, floats are FP32."""
    if element_type == bf16:
        return round_to(np.asarray(array, np.float32), "BF16").astype(np.float32, copy=False)
    return np.asarray(array).astype(dtype_of(element_type), copy=False)


def element_type_of(dtype: np.dtype) -> Attribute:
    """The element type that holds arrays of a dtype as they are."""
    for element_type, held in ELEMENT_DTYPES.items():
        if held == np.dtype(dtype):
            return element_type
    raise TypeError(f"no element type holds NumPy's {np.dtype(dtype)}")


def dense_of(array: np.ndarray, element_type: Attribute | None = None) -> DenseIntOrFPElementsAttr:
    """A dense attribute with an array's values; a splat is stored in full, so keep it small."""
    array = np.asarray(array)
    element_type = element_type_of(array.dtype) if element_type is None else element_type
    values = as_element(array, element_type).reshape(-1)
    type: Any = tensor(array.shape, element_type)
    return DenseIntOrFPElementsAttr.from_list(type, values.tolist())


def array_of(dense: DenseIntOrFPElementsAttr) -> np.ndarray:
    """The values of a dense attribute."""
    values = np.array(dense.get_values())
    return as_element(values, dense.get_element_type()).reshape(dense.get_shape())
