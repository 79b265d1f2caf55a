"""ONNX's element types narrower than a lane: integers that wrap, floats that round."""

from __future__ import annotations

from typing import Any

from onnx import TensorProto
from xdsl.dialects.builtin import f32, i32
from xdsl.ir import SSAValue

from dojocc.frontends.build import Builder
from dojocc.frontends.composites import narrow
from dojocc.frontends.composites.narrow import BFLOAT16, EXPONENT, FLOAT16, SmallFloat
from dojocc.frontends.onnx.kinds import BITS


def wrapped_to(b: Builder, x: SSAValue, kind: int) -> SSAValue:
    """INT32 lanes modulo 2 ** bits of an integer kind."""
    return narrow.wrapped_to(b, x, *BITS[kind])


def clamped_to(b: Builder, x: SSAValue, kind: int) -> SSAValue:
    """FP32 or INT32 lanes brought into the range of an integer kind."""
    if kind not in BITS:
        return x
    low, high = integer_range(kind)
    return b.emit("minimum", b.emit("maximum", x, b.like(x, low)), b.like(x, high))


def integer_range(kind: int) -> tuple[int, int]:
    bits, signed = BITS[kind]
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)


SMALL: dict[Any, SmallFloat] = {
    TensorProto.FLOAT16: FLOAT16,
    TensorProto.BFLOAT16: BFLOAT16,
    TensorProto.FLOAT8E4M3FN: SmallFloat(3, -6, 448.0, False),
    TensorProto.FLOAT8E4M3FNUZ: SmallFloat(3, -7, 240.0, False, signed_zero=False),
    TensorProto.FLOAT8E5M2: SmallFloat(2, -14, 57344.0, True),
    TensorProto.FLOAT8E5M2FNUZ: SmallFloat(2, -15, 57344.0, False, signed_zero=False),
    TensorProto.FLOAT4E2M1: SmallFloat(1, 0, 6.0, False, nan=False),
}


def rounded_to(b: Builder, x: SSAValue, kind: int, saturate: bool) -> SSAValue:
    """FP32 lanes rounded to the nearest number of a small float kind, ties to even."""
    return narrow.rounded_to(b, x, SMALL[kind], saturate) if kind in SMALL else x


def power_of_two(b: Builder, x: SSAValue, mode: str) -> SSAValue:
    """FP32 lanes as float8e8m0: the power of two not below, not above or next to |x|."""
    bits = b.emit("bitcast_convert", x, element_type=i32)
    power = b.emit("and", bits, b.like(bits, EXPONENT))
    power = b.emit("bitcast_convert", power, element_type=f32)
    ratio = b.emit("divide", b.emit("abs", x), power)
    if mode != "down":
        more = {"up": ("GT", 1), "nearest": ("GE", 1.5)}[mode]
        above = b.compare(more[0], ratio, b.like(x, more[1]))
        power = b.select(above, b.scaled(power, 2), power)
    return b.emit("maximum", power, b.like(x, 2.0**-127))
