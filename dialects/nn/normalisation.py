"""Softmax, log_softmax and layer_norm along rows, and batch_norm_inference; all composite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue
from xdsl.irdl import operand_def, prop_def, result_def

from dojocc.dialects.domain import Dim, IterationDomain, Map, dim, identity, parallel_dims
from dojocc.dialects.nn.rules import require, require_axis, require_float, shapes
from dojocc.dialects.numerics import Numerics
from dojocc.dialects.op import BY_DECOMPOSITION, NNOp, OpList, Types, nn_op
from dojocc.dialects.properties import FLOAT, INT
from dojocc.dialects.types import tensor


class Row(NNOp):
    """Each result element needs its operand's whole row: the dims from `axis`, or `axis` alone."""

    FUSIBLE: ClassVar[str] = "row"
    FLOPS: ClassVar[int] = 5
    COMPOSITE: ClassVar[bool] = True

    def row_axes(self) -> tuple[int, ...]:
        """The dims that make up a row."""
        return (self.p.axis,)

    def _domain(self, rest: tuple[Map, ...] = ()) -> IterationDomain:
        shape, axes = self.result_type.get_shape(), self.row_axes()
        dims = tuple(
            Dim(f"d{axis}", size, "reduction" if axis in axes else "parallel")
            for axis, size in enumerate(shape)
        )
        every = identity(len(shape))
        return IterationDomain(dims, (every, *rest), (every,))

    def iteration_domain(self) -> IterationDomain:
        return self._domain()


class SoftmaxLike(Row):
    """One operand and the axis along which the result is normalised."""

    x = operand_def(TensorType)
    result = result_def(TensorType)
    axis = prop_def(INT)

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        require_float(cls.name, types[0])
        require_axis(cls.name, p.axis, types[0])
        return [tensor(types[0].get_shape(), types[0].element_type)]

    def _spread(self, b: OpList, kind: str, x: SSAValue) -> SSAValue:
        """A reduction along the axis, repeated to the full shape."""
        axis, shape = self.p.axis, self.result_type.get_shape()
        kept = [other for other in range(len(shape)) if other != axis]
        return b.broadcast(b("reduce", x, kind=kind, dims=[axis]), shape, kept)


@nn_op
class SoftmaxOp(SoftmaxLike):
    """exp(x - max) * (1 / sum of the same) along `axis`."""

    name = "nn.softmax"
    GRADIENT: ClassVar[str] = "rule"

    def compute(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> np.ndarray:
        (x,), axis = arrays, self.p.axis
        with np.errstate(all="ignore"):
            power = numerics.exp(x - numerics.max(x, axis))
            return power * numerics.reciprocal(numerics.sum(power, axis))

    def decompose(self, b: OpList) -> SSAValue | None:
        power = b("exponential", b("subtract", self.x, self._spread(b, "max", self.x)))
        total = self._spread(b, "sum", power)
        return b("multiply", power, b("divide", b.splat(1.0, power), total))

    def gradient(self, b: OpList, upstream: SSAValue) -> list[SSAValue | None] | None:
        y = self.results[0]
        weighted = b("multiply", upstream, y)
        return [b("subtract", weighted, b("multiply", y, self._spread(b, "sum", weighted)))]


@nn_op
class LogSoftmaxOp(SoftmaxLike):
    """x - max - log(sum of exp(x - max)) along `axis`."""

    name = "nn.log_softmax"
    GRADIENT: ClassVar[str] = "rule"

    def compute(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> np.ndarray:
        (x,), axis = arrays, self.p.axis
        with np.errstate(all="ignore"):
            below = x - numerics.max(x, axis)
            return below - numerics.log(numerics.sum(numerics.exp(below), axis))

    def decompose(self, b: OpList) -> SSAValue | None:
        below = b("subtract", self.x, self._spread(b, "max", self.x))
        total = self._spread(b, "sum", b("exponential", below))
        return b("subtract", below, b("log", total))

    def gradient(self, b: OpList, upstream: SSAValue) -> list[SSAValue | None] | None:
        shares = b("exponential", self.results[0])
        total = self._spread(b, "sum", upstream)
        return [b("subtract", upstream, b("multiply", shares, total))]


@nn_op
class LayerNormOp(Row):
    """(x - mean) * rsqrt(variance + epsilon) * scale + bias over the dims from `axis` on.

    Two passes: the mean, then the mean square of the rest. scale and bias have those dims' shape.
    """

    name = "nn.layer_norm"
    FLOPS: ClassVar[int] = 8
    GRADIENT: ClassVar[str] = BY_DECOMPOSITION

    x = operand_def(TensorType)
    scale = operand_def(TensorType)
    bias = operand_def(TensorType)
    result = result_def(TensorType)
    axis = prop_def(INT)
    epsilon = prop_def(FLOAT)

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        x = types[0]
        require_float(cls.name, x)
        require_axis(cls.name, p.axis, x)
        for type in types[1:]:
            require_float(cls.name, type)
            require(
                type.get_shape() == x.get_shape()[p.axis :],
                cls.name,
                f"scale and bias must have the shape of the dims from {p.axis} on",
                shapes(types),
            )
        return [tensor(x.get_shape(), x.element_type)]

    def row_axes(self) -> tuple[int, ...]:
        return tuple(range(self.p.axis, self.result_type.get_num_dims()))

    def compute(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> np.ndarray:
        x, scale, bias = arrays
        axes, epsilon = self.row_axes(), np.float32(self.p.epsilon)
        centred = x - numerics.mean(x, axes)
        variance = numerics.mean(centred * centred, axes)
        return centred * numerics.rsqrt(variance + epsilon) * scale + bias

    def iteration_domain(self) -> IterationDomain:
        row = tuple(dim(axis) for axis in self.row_axes())
        return self._domain((row, row))

    def decompose(self, b: OpList) -> SSAValue | None:
        shape, axes = self.result_type.get_shape(), self.row_axes()
        element = self.result_type.element_type
        kept = list(range(self.p.axis))
        mean = b("reduce", self.x, kind="mean", dims=axes)
        centred = b("subtract", self.x, b.broadcast(mean, shape, kept))
        variance = b("reduce", b("multiply", centred, centred), kind="mean", dims=axes)
        spread = b("rsqrt", b("add", variance, b.splat(self.p.epsilon, variance)))
        normal = b("multiply", centred, b.broadcast(spread, shape, kept))
        scale, bias = (
            b.broadcast(_as(b, value, element), shape, axes) for value in (self.scale, self.bias)
        )
        return b("add", b("multiply", normal, scale), bias)


@nn_op
class BatchNormInferenceOp(NNOp):
    """(x - mean) * rsqrt(variance + epsilon) * scale + offset, vectors along dim `feature`."""

    name = "nn.batch_norm_inference"
    FUSIBLE: ClassVar[str] = "elementwise"
    FLOPS: ClassVar[int] = 5
    GRADIENT: ClassVar[str] = BY_DECOMPOSITION
    COMPOSITE: ClassVar[bool] = True

    x = operand_def(TensorType)
    scale = operand_def(TensorType)
    offset = operand_def(TensorType)
    mean = operand_def(TensorType)
    variance = operand_def(TensorType)
    result = result_def(TensorType)
    epsilon = prop_def(FLOAT)
    feature = prop_def(INT)

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        x = types[0]
        require_float(cls.name, x)
        require_axis(cls.name, p.feature, x)
        for type in types[1:]:
            require_float(cls.name, type)
            require(
                type.get_shape() == (x.get_shape()[p.feature],),
                cls.name,
                f"scale, offset, mean and variance must be vectors along dim {p.feature}",
                shapes(types),
            )
        return [tensor(x.get_shape(), x.element_type)]

    def compute(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> np.ndarray:
        x = arrays[0]
        place = [-1 if axis == self.p.feature else 1 for axis in range(x.ndim)]
        scale, offset, mean, variance = (array.reshape(place) for array in arrays[1:])
        spread = numerics.rsqrt(variance + np.float32(self.p.epsilon))
        return (x - mean) * (spread * scale) + offset

    def iteration_domain(self) -> IterationDomain:
        shape = self.result_type.get_shape()
        every, vector = identity(len(shape)), (dim(self.p.feature),)
        return IterationDomain(parallel_dims(shape), (every, *[vector] * 4), (every,))

    def decompose(self, b: OpList) -> SSAValue | None:
        shape, axis = self.result_type.get_shape(), [self.p.feature]
        element = self.result_type.element_type
        scale, offset, mean, variance = (_as(b, value, element) for value in self.operands[1:])
        spread = b("rsqrt", b("add", variance, b.splat(self.p.epsilon, variance)))
        factor = b.broadcast(b("multiply", spread, scale), shape, axis)
        centred = b("subtract", self.x, b.broadcast(mean, shape, axis))
        return b("add", b("multiply", centred, factor), b.broadcast(offset, shape, axis))


def _as(b: OpList, value: SSAValue, element_type: Any) -> SSAValue:
    """The value in an element type, converted where it has another."""
    if value.type.element_type == element_type:  # pyright: ignore[reportAttributeAccessIssue]
        return value
    return b("convert", value, element_type=element_type)
