"""Values from nothing: constant and iota."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, TensorType, f32, i1
from xdsl.irdl import BaseAttr, opt_prop_def, prop_def, result_def, traits_def
from xdsl.traits import Pure

from dojocc.dialects.domain import IterationDomain, identity, parallel_dims
from dojocc.dialects.location import describe
from dojocc.dialects.nn.rules import require, require_axis
from dojocc.dialects.numerics import Numerics
from dojocc.dialects.op import ZERO_GRADIENT, NNOp, Types, nn_op
from dojocc.dialects.properties import ANY, INT, INTS, WORD
from dojocc.dialects.types import (
    SMALL_CONSTANT,
    array_of,
    as_element,
    dense_of,
    dtype_of,
    element_type_of,
    elements,
    tensor,
)
from dojocc.runtime.errors import InputError


@nn_op
class ConstantOp(NNOp):
    """A value known at compile time: up to 32 elements in the text, more in a named resource."""

    name = "nn.constant"
    FUSIBLE: ClassVar[str] = "structure"
    FLOPS: ClassVar[int] = 0
    GRADIENT: ClassVar[str] = ZERO_GRADIENT

    result = result_def(TensorType)
    value = opt_prop_def(BaseAttr(DenseIntOrFPElementsAttr))
    resource = opt_prop_def(WORD)
    shape = opt_prop_def(INTS)
    element_type = opt_prop_def(ANY)

    traits = traits_def(Pure())

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        require(
            (p.value is None) != (p.resource is None),
            cls.name,
            "needs either a value or a resource",
        )
        if p.value is None:
            require(
                p.shape is not None and p.element_type is not None,
                cls.name,
                f"resource {p.resource!r} needs a shape and an element type",
            )
            return [tensor(p.shape or (), p.element_type or f32)]
        type = p.value.get_type()
        require(
            p.shape is None and p.element_type is None,
            cls.name,
            "a value brings its own shape and element type",
        )
        require(
            elements(type) <= SMALL_CONSTANT,
            cls.name,
            "too large to stand in the text",
            f"{elements(type)} elements, at most {SMALL_CONSTANT}",
            "make it a resource",
        )
        return [tensor(type.get_shape(), type.element_type)]

    def array(self, resources: Mapping[str, np.ndarray]) -> np.ndarray:
        """The value, as its element type holds it."""
        p = self.p
        if p.value is not None:
            return array_of(p.value)
        if p.resource not in resources:
            raise InputError(
                f"constant names resource {p.resource!r}, which is not there",
                where=describe(self),
                numbers=f"{len(resources)} resources are",
            )
        held = resources[p.resource]
        if tuple(held.shape) != p.shape:
            raise InputError(
                f"resource {p.resource!r} has another shape than its constant",
                where=describe(self),
                numbers=f"{list(held.shape)} held, {list(p.shape)} declared",
            )
        return as_element(held, p.element_type)

    def compute(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> np.ndarray:
        return self.array({})

    def iteration_domain(self) -> IterationDomain:
        shape = self.result_type.get_shape()
        return IterationDomain(parallel_dims(shape), (), (identity(len(shape)),))


def constant_properties(
    array: np.ndarray, name: str, resources: dict[str, np.ndarray]
) -> dict[str, Any]:
    """Properties of a constant with an array's value: in the text if small, else a free name."""
    element_type = element_type_of(array.dtype)
    if array.size <= SMALL_CONSTANT and array.size > 0:
        return {"value": dense_of(array, element_type)}
    key, number = name, 1
    while key in resources and resources[key] is not array:
        key, number = f"{name}.{number}", number + 1
    resources[key] = array
    return {"resource": key, "shape": array.shape, "element_type": element_type}


@nn_op
class IotaOp(NNOp):
    """Each element holds its own index along `dim`."""

    name = "nn.iota"
    FUSIBLE: ClassVar[str] = "structure"
    GRADIENT: ClassVar[str] = ZERO_GRADIENT

    result = result_def(TensorType)
    dim = prop_def(INT)
    shape = prop_def(INTS)
    element_type = prop_def(ANY)

    traits = traits_def(Pure())

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        type = tensor(p.shape, p.element_type)
        require_axis(cls.name, p.dim, type)
        require(p.element_type != i1, cls.name, "needs a numeric element type, not i1")
        return [type]

    def compute(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> np.ndarray:
        p = self.p
        line = np.arange(p.shape[p.dim], dtype=dtype_of(p.element_type))
        place = [-1 if axis == p.dim else 1 for axis in range(len(p.shape))]
        return np.broadcast_to(line.reshape(place), p.shape)

    def iteration_domain(self) -> IterationDomain:
        shape = self.result_type.get_shape()
        return IterationDomain(parallel_dims(shape), (), (identity(len(shape)),))
