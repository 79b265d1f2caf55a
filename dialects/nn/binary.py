"""Element-wise ops of two operands of one type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue
from xdsl.irdl import operand_def, result_def

from dojocc.dialects.nn.elementwise import RULE, Elementwise
from dojocc.dialects.nn.rules import require, require_numeric, require_same, shapes
from dojocc.dialects.numerics import Numerics
from dojocc.dialects.op import ZERO_GRADIENT, OpList, Types, nn_op
from dojocc.dialects.types import FLOATS, tensor

Gradients = list[SSAValue | None] | None


class Binary(Elementwise):
    """Two operands of one type; result of the same type."""

    x = operand_def(TensorType)
    y = operand_def(TensorType)
    result = result_def(TensorType)

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        require_same(cls.name, types)
        require_numeric(cls.name, types[0])
        return [tensor(types[0].get_shape(), types[0].element_type)]

    def compute(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> np.ndarray:
        with np.errstate(all="ignore"):
            return self.value(arrays[0], arrays[1], numerics)

    def value(self, x: np.ndarray, y: np.ndarray, numerics: Numerics) -> np.ndarray:
        """The function of two arrays."""
        raise NotImplementedError(self.name)


class Logical(Binary):
    """Bitwise on integers, logical on i1."""

    GRADIENT: ClassVar[str] = ZERO_GRADIENT

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        require_same(cls.name, types)
        require(types[0].element_type not in FLOATS, cls.name, "needs integers", shapes(types))
        return [tensor(types[0].get_shape(), types[0].element_type)]


@nn_op
class AddOp(Binary):
    """x + y."""

    name = "nn.add"
    GRADIENT: ClassVar[str] = RULE

    def value(self, x: np.ndarray, y: np.ndarray, numerics: Numerics) -> np.ndarray:
        return np.add(x, y)

    def gradient(self, b: OpList, upstream: SSAValue) -> Gradients:
        return [upstream, upstream]


@nn_op
class SubtractOp(Binary):
    """x - y."""

    name = "nn.subtract"
    GRADIENT: ClassVar[str] = RULE

    def value(self, x: np.ndarray, y: np.ndarray, numerics: Numerics) -> np.ndarray:
        return np.subtract(x, y)

    def gradient(self, b: OpList, upstream: SSAValue) -> Gradients:
        return [upstream, b("negate", upstream)]


@nn_op
class MultiplyOp(Binary):
    """x y."""

    name = "nn.multiply"
    GRADIENT: ClassVar[str] = RULE

    def value(self, x: np.ndarray, y: np.ndarray, numerics: Numerics) -> np.ndarray:
        return np.multiply(x, y)

    def gradient(self, b: OpList, upstream: SSAValue) -> Gradients:
        return [b("multiply", upstream, self.y), b("multiply", upstream, self.x)]


@nn_op
class DivideOp(Binary):
    """x / y; integers truncate toward zero, and division by zero gives 0."""

    name = "nn.divide"
    GRADIENT: ClassVar[str] = RULE

    def value(self, x: np.ndarray, y: np.ndarray, numerics: Numerics) -> np.ndarray:
        if x.dtype == np.float32:
            return np.divide(x, y)
        wide, divisor = x.astype(np.int64), y.astype(np.int64)
        quotient = np.abs(wide) // np.where(divisor == 0, 1, np.abs(divisor))
        signed = quotient * np.sign(wide) * np.sign(divisor)
        return signed.astype(x.dtype)

    def gradient(self, b: OpList, upstream: SSAValue) -> Gradients:
        share = b("divide", upstream, self.y)
        return [share, b("negate", b("multiply", share, self.results[0]))]


@nn_op
class MaximumOp(Binary):
    """The larger; NaN if either is NaN."""

    name = "nn.maximum"
    GRADIENT: ClassVar[str] = RULE

    def value(self, x: np.ndarray, y: np.ndarray, numerics: Numerics) -> np.ndarray:
        return np.maximum(x, y)

    def gradient(self, b: OpList, upstream: SSAValue) -> Gradients:
        return _by_choice(b, b("compare", self.x, self.y, direction="GT"), upstream)


@nn_op
class MinimumOp(Binary):
    """The smaller; NaN if either is NaN."""

    name = "nn.minimum"
    GRADIENT: ClassVar[str] = RULE

    def value(self, x: np.ndarray, y: np.ndarray, numerics: Numerics) -> np.ndarray:
        return np.minimum(x, y)

    def gradient(self, b: OpList, upstream: SSAValue) -> Gradients:
        return _by_choice(b, b("compare", self.x, self.y, direction="LT"), upstream)


def _by_choice(b: OpList, first: SSAValue, upstream: SSAValue) -> Gradients:
    """The whole gradient to the operand chosen; to the second where they are equal."""
    zero = b.splat(0, upstream)
    return [b("select", first, upstream, zero), b("select", first, zero, upstream)]


@nn_op
class PowerOp(Binary):
    """x to the y, as exp2(y log2 |x|); below 0 by the parity of y, NaN unless it is whole."""

    name = "nn.power"
    FLOPS: ClassVar[int] = 6
    GRADIENT: ClassVar[str] = RULE

    def value(self, x: np.ndarray, y: np.ndarray, numerics: Numerics) -> np.ndarray:
        if x.dtype != np.float32:
            return np.where(y < 0, 0, np.power(x, np.maximum(y, 0))).astype(x.dtype)
        size = numerics.exp2(y * numerics.log2(np.abs(x)))
        half = y * np.float32(0.5)
        odd = np.floor(half) != half
        signed = np.where(odd, -size, size)
        signed = np.where(np.floor(y) == y, signed, np.float32(np.nan))
        result = np.where(x < 0, signed, size)
        return np.where((y == 0) | (x == 1), np.float32(1), result)

    def gradient(self, b: OpList, upstream: SSAValue) -> Gradients:
        lower = b("power", self.x, b("subtract", self.y, b.splat(1.0, self.y)))
        by_x = b("multiply", upstream, b("multiply", self.y, lower))
        by_y = b("multiply", upstream, b("multiply", self.results[0], b("log", self.x)))
        return [by_x, by_y]


@nn_op
class RemainderOp(Binary):
    """What is left of x after whole multiples of y, with the sign of x; integer x by 0 gives x."""

    name = "nn.remainder"
    FLOPS: ClassVar[int] = 4
    GRADIENT: ClassVar[str] = RULE

    def value(self, x: np.ndarray, y: np.ndarray, numerics: Numerics) -> np.ndarray:
        if x.dtype == np.float32:
            return np.fmod(x, y)
        return np.where(y == 0, x, np.fmod(x, np.where(y == 0, 1, y)))

    def gradient(self, b: OpList, upstream: SSAValue) -> Gradients:
        quotient = b("divide", self.x, self.y)
        size = b("floor", b("abs", quotient))
        whole = b("multiply", b("sign", quotient), size)
        return [upstream, b("negate", b("multiply", upstream, whole))]


@nn_op
class AndOp(Logical):
    """x and y."""

    name = "nn.and"

    def value(self, x: np.ndarray, y: np.ndarray, numerics: Numerics) -> np.ndarray:
        return np.bitwise_and(x, y)


@nn_op
class OrOp(Logical):
    """x or y."""

    name = "nn.or"

    def value(self, x: np.ndarray, y: np.ndarray, numerics: Numerics) -> np.ndarray:
        return np.bitwise_or(x, y)


@nn_op
class XorOp(Logical):
    """Either x or y, not both."""

    name = "nn.xor"

    def value(self, x: np.ndarray, y: np.ndarray, numerics: Numerics) -> np.ndarray:
        return np.bitwise_xor(x, y)
