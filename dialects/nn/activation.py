"""Activation functions: each is a formula over simpler element-wise ops, written once.

The formula is the decomposition; the reference runs it on arrays in FP32, so both round at the same
places. Gradients go through the decomposition, where no better rule is written.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Block, SSAValue
from xdsl.irdl import prop_def

from dojocc.dialects.nn.elementwise import Unary
from dojocc.dialects.nn.fused import evaluate
from dojocc.dialects.nn.rules import require_word
from dojocc.dialects.numerics import Numerics
from dojocc.dialects.op import BY_DECOMPOSITION, OpList, Types, nn_op
from dojocc.dialects.properties import FLOAT, WORD
from dojocc.dialects.types import tensor

APPROXIMATIONS = ("none", "tanh")


class Activation(Unary):
    """An element-wise composite of one operand."""

    COMPOSITE: ClassVar[bool] = True
    GRADIENT: ClassVar[str] = BY_DECOMPOSITION
    FLOPS: ClassVar[int] = 4

    def formula(self, b: OpList, x: SSAValue) -> SSAValue:
        """The value, from simpler ops."""
        raise NotImplementedError(self.name)

    def decompose(self, b: OpList) -> SSAValue | None:
        return self.formula(b, self.x)

    def value(self, x: np.ndarray, numerics: Numerics) -> np.ndarray:
        block = Block(arg_types=[tensor(x.shape)])
        b = OpList()
        result = self.formula(b, block.args[0])
        environment: dict[SSAValue, np.ndarray] = {block.args[0]: x}
        for op in b.ops:
            arrays = [environment[value] for value in op.operands]
            environment[op.results[0]] = evaluate(op, arrays, numerics, {})[0]
        return environment[result]


@nn_op
class GeluOp(Activation):
    """x/2 (1 + erf(x / sqrt 2)), or with `approximate = "tanh"` the tanh form."""

    name = "nn.gelu"
    FLOPS: ClassVar[int] = 5
    approximate = prop_def(WORD)

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        require_word(cls.name, "approximate", p.approximate, APPROXIMATIONS)
        return super().infer(types, p)

    def formula(self, b: OpList, x: SSAValue) -> SSAValue:
        if self.p.approximate == "none":
            bell = b("erf", b("multiply", x, b.splat(0.7071067811865476, x)))
        else:
            cube = b("multiply", b("multiply", x, x), x)
            inner = b("add", x, b("multiply", cube, b.splat(0.044715, x)))
            bell = b("tanh", b("multiply", inner, b.splat(0.7978845608028654, x)))
        half = b("multiply", x, b.splat(0.5, x))
        return b("multiply", half, b("add", bell, b.splat(1.0, x)))


@nn_op
class SiluOp(Activation):
    """x times logistic(x)."""

    name = "nn.silu"

    def formula(self, b: OpList, x: SSAValue) -> SSAValue:
        return b("multiply", x, b("logistic", x))


@nn_op
class HardSigmoidOp(Activation):
    """alpha x + beta, held between 0 and 1."""

    name = "nn.hard_sigmoid"
    alpha = prop_def(FLOAT)
    beta = prop_def(FLOAT)

    def formula(self, b: OpList, x: SSAValue) -> SSAValue:
        return _hard_sigmoid(b, x, self.p.alpha, self.p.beta)


@nn_op
class HardSwishOp(Activation):
    """x times hard_sigmoid(x) with alpha 1/6 and beta 1/2."""

    name = "nn.hard_swish"
    FLOPS: ClassVar[int] = 5

    def formula(self, b: OpList, x: SSAValue) -> SSAValue:
        return b("multiply", x, _hard_sigmoid(b, x, 1 / 6, 0.5))


def _hard_sigmoid(b: OpList, x: SSAValue, alpha: float, beta: float) -> SSAValue:
    line = b("add", b("multiply", x, b.splat(alpha, x)), b.splat(beta, x))
    return b("minimum", b("maximum", line, b.splat(0.0, x)), b.splat(1.0, x))


@nn_op
class LeakyReluOp(Activation):
    """x, or alpha x where x is negative."""

    name = "nn.leaky_relu"
    FLOPS: ClassVar[int] = 2
    alpha = prop_def(FLOAT)

    def formula(self, b: OpList, x: SSAValue) -> SSAValue:
        positive = b("compare", x, b.splat(0.0, x), direction="GE")
        return b("select", positive, x, b("multiply", x, b.splat(self.p.alpha, x)))


@nn_op
class EluOp(Activation):
    """x, or alpha (exp(x) - 1) where x is negative."""

    name = "nn.elu"
    alpha = prop_def(FLOAT)

    def formula(self, b: OpList, x: SSAValue) -> SSAValue:
        return _elu(b, x, self.p.alpha)


@nn_op
class SeluOp(Activation):
    """gamma times elu(x)."""

    name = "nn.selu"
    FLOPS: ClassVar[int] = 5
    alpha = prop_def(FLOAT)
    gamma = prop_def(FLOAT)

    def formula(self, b: OpList, x: SSAValue) -> SSAValue:
        return b("multiply", _elu(b, x, self.p.alpha), b.splat(self.p.gamma, x))


def _elu(b: OpList, x: SSAValue, alpha: float) -> SSAValue:
    positive = b("compare", x, b.splat(0.0, x), direction="GT")
    below = b("multiply", b("exponential_minus_one", x), b.splat(alpha, x))
    return b("select", positive, x, below)


@nn_op
class SoftplusOp(Activation):
    """log(1 + exp(x)), as max(x, 0) + log(1 + exp(-|x|)) so that nothing overflows."""

    name = "nn.softplus"
    FLOPS: ClassVar[int] = 6
    GRADIENT: ClassVar[str] = "rule"

    def formula(self, b: OpList, x: SSAValue) -> SSAValue:
        return _softplus(b, x)

    def slope(self, b: OpList) -> SSAValue | None:
        return b("logistic", self.x)  # at 0, too, where the formula has a kink


@nn_op
class MishOp(Activation):
    """x times tanh(softplus(x))."""

    name = "nn.mish"
    FLOPS: ClassVar[int] = 8

    def formula(self, b: OpList, x: SSAValue) -> SSAValue:
        return b("multiply", x, b("tanh", _softplus(b, x)))


def _softplus(b: OpList, x: SSAValue) -> SSAValue:
    tail = b("log_plus_one", b("exponential", b("negate", b("abs", x))))
    return b("add", b("maximum", x, b.splat(0.0, x)), tail)


@nn_op
class SoftsignOp(Activation):
    """x / (1 + |x|)."""

    name = "nn.softsign"
    FLOPS: ClassVar[int] = 3

    def formula(self, b: OpList, x: SSAValue) -> SSAValue:
        return b("divide", x, b("add", b("abs", x), b.splat(1.0, x)))
