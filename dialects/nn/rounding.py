"""Ops of values that are stored in a narrow format: where, how they are rounded, and random bits.

A narrow float is a value of the format at its default bias; another bias is a power of two that the
value is multiplied by before and divided by after, which changes no bit of the mantissa.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType, f32, i32
from xdsl.ir import SSAValue
from xdsl.irdl import operand_def, prop_def, result_def

from dojocc.dialects.nn.elementwise import RULE, Elementwise, Unary
from dojocc.dialects.nn.rules import require, require_float, require_word
from dojocc.dialects.numerics import Numerics
from dojocc.dialects.op import ZERO_GRADIENT, OpList, Types, nn_op
from dojocc.dialects.properties import WORD
from dojocc.dialects.types import tensor, text_of
from dojocc.runtime.formats import FORMATS, round_to

AS_IT_IS = "none"
NARROW = tuple(name for name, row in FORMATS.items() if row.kind != "int" and row.bits < 32)
MIXING = ((16, 0x7FEB352D), (15, 0x846CA68B - 2**32))
"""Rounds of random_bits: x xor (x >> first), times second, as INT32."""
LAST_SHIFT = 16


@nn_op
class StoredAsOp(Unary):
    """x, with the wish that it be stored in `format`, and what is sent back through it in
    `backward`; `tensor` names it. Pass round-stores makes the wish true; by itself it is x."""

    name = "nn.stored_as"
    GRADIENT: ClassVar[str] = RULE

    tensor = prop_def(WORD)
    format = prop_def(WORD)
    backward = prop_def(WORD)

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        require_float(cls.name, types[0])
        for prop in ("format", "backward"):
            require_word(cls.name, prop, getattr(p, prop), (*NARROW, AS_IT_IS))
        return [tensor(types[0].get_shape(), types[0].element_type)]

    def value(self, x: np.ndarray, numerics: Numerics) -> np.ndarray:
        return x

    def decompose(self, b: OpList) -> SSAValue | None:
        return self.x

    def gradient(self, b: OpList, upstream: SSAValue) -> list[SSAValue | None] | None:
        p = self.p
        if p.backward == AS_IT_IS:
            return [upstream]
        name = f"gradient of {p.tensor}"
        sent = b("stored_as", upstream, tensor=name, format=p.backward, backward=AS_IT_IS)
        return [sent]


@nn_op
class RoundToOp(Unary):
    """x rounded to the nearest value of a format, ties to even; beyond its range its largest."""

    name = "nn.round_to"
    GRADIENT: ClassVar[str] = ZERO_GRADIENT

    format = prop_def(WORD)

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        require_word(cls.name, "format", p.format, NARROW)
        return super().infer(types, p)

    def value(self, x: np.ndarray, numerics: Numerics) -> np.ndarray:
        return np.asarray(round_to(np.asarray(x, np.float32), self.p.format), np.float32)


@nn_op
class RoundStochasticallyOp(Elementwise):
    """x rounded up or down to a value of a format, up with the odds of how near that is.

    `bits` holds 32 random bits for each element.
    """

    name = "nn.round_stochastically"
    GRADIENT: ClassVar[str] = ZERO_GRADIENT

    x = operand_def(TensorType)
    bits = operand_def(TensorType)
    result = result_def(TensorType)
    format = prop_def(WORD)

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        x, bits = types
        require_word(cls.name, "format", p.format, NARROW)
        require_float(cls.name, x)
        require(
            bits.element_type == i32 and bits.get_shape() == x.get_shape(),
            cls.name,
            "needs 32 random bits for each element",
            f"{text_of(x)} with bits {text_of(bits)}",
        )
        return [tensor(x.get_shape(), f32)]

    def compute(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> np.ndarray:
        x, bits = arrays
        random = np.ascontiguousarray(bits, np.int32).view(np.uint32).reshape(bits.shape)
        x = np.asarray(x, np.float32)
        found = round_to(x, self.p.format, rounding="stochastic", random=random)
        return np.asarray(found, np.float32)


@nn_op
class RandomBitsOp(Unary):
    """32 random bits of a number: a bijection of INT32 in which each bit of x moves half of all.

    A counter goes in, an element's index in its whole tensor mixed with a key, so the bits depend
    neither on how the tensor is spread nor on the order of the work.
    """

    name = "nn.random_bits"
    GRADIENT: ClassVar[str] = ZERO_GRADIENT

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        require(types[0].element_type == i32, cls.name, "needs counters of i32", text_of(types[0]))
        return [tensor(types[0].get_shape(), i32)]

    def value(self, x: np.ndarray, numerics: Numerics) -> np.ndarray:
        word = np.asarray(x).astype(np.uint32)
        for shift, factor in MIXING:
            word = (word ^ (word >> np.uint32(shift))) * np.uint32(factor % 2**32)
        return (word ^ (word >> np.uint32(LAST_SHIFT))).astype(np.int32)
