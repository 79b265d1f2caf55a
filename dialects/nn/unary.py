"""Element-wise ops of one operand."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType, i1
from xdsl.ir import SSAValue

from dojocc.dialects.nn.elementwise import RULE, Unary
from dojocc.dialects.nn.rules import require, require_float
from dojocc.dialects.numerics import Numerics
from dojocc.dialects.op import ZERO_GRADIENT, OpList, Types, nn_op
from dojocc.dialects.types import FLOATS, tensor, text_of


@nn_op
class AbsOp(Unary):
    """|x|."""

    name = "nn.abs"
    FLOAT_ONLY: ClassVar[bool] = False
    GRADIENT: ClassVar[str] = RULE

    def value(self, x: np.ndarray, numerics: Numerics) -> np.ndarray:
        return np.abs(x)

    def slope(self, b: OpList) -> SSAValue | None:
        return b("sign", self.x)


@nn_op
class NegateOp(Unary):
    """-x."""

    name = "nn.negate"
    FLOAT_ONLY: ClassVar[bool] = False
    GRADIENT: ClassVar[str] = RULE

    def value(self, x: np.ndarray, numerics: Numerics) -> np.ndarray:
        return np.negative(x)

    def gradient(self, b: OpList, upstream: SSAValue) -> list[SSAValue | None] | None:
        return [b("negate", upstream)]


@nn_op
class SignOp(Unary):
    """-1, 0 or 1; NaN stays NaN."""

    name = "nn.sign"
    FLOAT_ONLY: ClassVar[bool] = False
    GRADIENT: ClassVar[str] = ZERO_GRADIENT

    def value(self, x: np.ndarray, numerics: Numerics) -> np.ndarray:
        return np.sign(x)


@nn_op
class FloorOp(Unary):
    """The largest integer not above x."""

    name = "nn.floor"
    GRADIENT: ClassVar[str] = ZERO_GRADIENT

    def value(self, x: np.ndarray, numerics: Numerics) -> np.ndarray:
        return np.floor(x)


@nn_op
class CeilOp(Unary):
    """The smallest integer not below x."""

    name = "nn.ceil"
    GRADIENT: ClassVar[str] = ZERO_GRADIENT

    def value(self, x: np.ndarray, numerics: Numerics) -> np.ndarray:
        return np.ceil(x)


@nn_op
class RoundNearestEvenOp(Unary):
    """The nearest integer, ties to the even one."""

    name = "nn.round_nearest_even"
    GRADIENT: ClassVar[str] = ZERO_GRADIENT

    def value(self, x: np.ndarray, numerics: Numerics) -> np.ndarray:
        return np.rint(x)


@nn_op
class ExponentialOp(Unary):
    """e to the x, as exp2(x log2 e)."""

    name = "nn.exponential"
    GRADIENT: ClassVar[str] = RULE

    def value(self, x: np.ndarray, numerics: Numerics) -> np.ndarray:
        return numerics.exp(x)

    def slope(self, b: OpList) -> SSAValue | None:
        return self.results[0]


@nn_op
class ExponentialMinusOneOp(Unary):
    """exp(x) - 1, both steps rounded (no better near 0 than the machine is)."""

    name = "nn.exponential_minus_one"
    FLOPS: ClassVar[int] = 2
    GRADIENT: ClassVar[str] = RULE

    def value(self, x: np.ndarray, numerics: Numerics) -> np.ndarray:
        return numerics.exp(x) - np.float32(1)

    def slope(self, b: OpList) -> SSAValue | None:
        return b("exponential", self.x)


@nn_op
class LogOp(Unary):
    """The natural logarithm, as log2(x) ln 2."""

    name = "nn.log"
    GRADIENT: ClassVar[str] = RULE

    def value(self, x: np.ndarray, numerics: Numerics) -> np.ndarray:
        return numerics.log(x)

    def gradient(self, b: OpList, upstream: SSAValue) -> list[SSAValue | None] | None:
        return [b("divide", upstream, self.x)]


@nn_op
class LogPlusOneOp(Unary):
    """log(1 + x), both steps rounded."""

    name = "nn.log_plus_one"
    FLOPS: ClassVar[int] = 2
    GRADIENT: ClassVar[str] = RULE

    def value(self, x: np.ndarray, numerics: Numerics) -> np.ndarray:
        return numerics.log(np.float32(1) + x)

    def gradient(self, b: OpList, upstream: SSAValue) -> list[SSAValue | None] | None:
        return [b("divide", upstream, b("add", self.x, b.splat(1.0, self.x)))]


@nn_op
class SqrtOp(Unary):
    """The square root, correctly rounded."""

    name = "nn.sqrt"
    GRADIENT: ClassVar[str] = RULE

    def value(self, x: np.ndarray, numerics: Numerics) -> np.ndarray:
        return np.sqrt(x)

    def slope(self, b: OpList) -> SSAValue | None:
        return b("divide", b.splat(0.5, self.x), self.results[0])


@nn_op
class RsqrtOp(Unary):
    """One over the square root."""

    name = "nn.rsqrt"
    GRADIENT: ClassVar[str] = RULE

    def value(self, x: np.ndarray, numerics: Numerics) -> np.ndarray:
        return numerics.rsqrt(x)

    def slope(self, b: OpList) -> SSAValue | None:
        return b("multiply", b.splat(-0.5, self.x), b("divide", self.results[0], self.x))


@nn_op
class SineOp(Unary):
    """sin x, x in radians."""

    name = "nn.sine"
    GRADIENT: ClassVar[str] = RULE

    def value(self, x: np.ndarray, numerics: Numerics) -> np.ndarray:
        return numerics.sin(x)

    def slope(self, b: OpList) -> SSAValue | None:
        return b("cosine", self.x)


@nn_op
class CosineOp(Unary):
    """cos x, x in radians."""

    name = "nn.cosine"
    GRADIENT: ClassVar[str] = RULE

    def value(self, x: np.ndarray, numerics: Numerics) -> np.ndarray:
        return numerics.cos(x)

    def slope(self, b: OpList) -> SSAValue | None:
        return b("negate", b("sine", self.x))


@nn_op
class TanhOp(Unary):
    """The hyperbolic tangent."""

    name = "nn.tanh"
    GRADIENT: ClassVar[str] = RULE

    def value(self, x: np.ndarray, numerics: Numerics) -> np.ndarray:
        return numerics.tanh(x)

    def slope(self, b: OpList) -> SSAValue | None:
        y = self.results[0]
        return b("subtract", b.splat(1.0, self.x), b("multiply", y, y))


@nn_op
class LogisticOp(Unary):
    """1 / (1 + exp(-x))."""

    name = "nn.logistic"
    FLOPS: ClassVar[int] = 4
    GRADIENT: ClassVar[str] = RULE

    def value(self, x: np.ndarray, numerics: Numerics) -> np.ndarray:
        return numerics.logistic(x)

    def slope(self, b: OpList) -> SSAValue | None:
        y = self.results[0]
        return b("multiply", y, b("subtract", b.splat(1.0, self.x), y))


@nn_op
class ErfOp(Unary):
    """The error function."""

    name = "nn.erf"
    GRADIENT: ClassVar[str] = RULE

    def value(self, x: np.ndarray, numerics: Numerics) -> np.ndarray:
        return numerics.erf(x)

    def slope(self, b: OpList) -> SSAValue | None:
        bell = b("exponential", b("negate", b("multiply", self.x, self.x)))
        return b("multiply", b.splat(1.1283791670955126, self.x), bell)


@nn_op
class NotOp(Unary):
    """Logical not of i1, bitwise not of integers."""

    name = "nn.not"
    GRADIENT: ClassVar[str] = ZERO_GRADIENT

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        require(types[0].element_type not in FLOATS, cls.name, "needs integers", text_of(types[0]))
        return [tensor(types[0].get_shape(), types[0].element_type)]

    def value(self, x: np.ndarray, numerics: Numerics) -> np.ndarray:
        return np.invert(x)


@nn_op
class IsFiniteOp(Unary):
    """True where x is neither infinite nor NaN; gives i1."""

    name = "nn.is_finite"
    GRADIENT: ClassVar[str] = ZERO_GRADIENT

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        require_float(cls.name, types[0])
        return [tensor(types[0].get_shape(), i1)]

    def value(self, x: np.ndarray, numerics: Numerics) -> np.ndarray:
        return np.isfinite(x)
