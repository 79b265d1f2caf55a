"""Numbers narrower than a lane, computed on lanes: integers that wrap, floats that round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from onnx import TensorProto
from xdsl.dialects.builtin import f32, i32
from xdsl.ir import SSAValue

from dojocc.frontends.build import Builder
from dojocc.frontends.onnx.kinds import BITS


def wrapped_to(b: Builder, x: SSAValue, kind: int) -> SSAValue:
    """INT32 lanes modulo 2 ** bits of an integer kind."""
    bits, signed = BITS[kind]
    mask = b.like(x, (1 << bits) - 1)
    if not signed:
        return b.emit("and", x, mask)
    half = 1 << bits - 1
    return b.plus(b.emit("and", b.plus(x, half), mask), -half)


def clamped_to(b: Builder, x: SSAValue, kind: int) -> SSAValue:
    """FP32 or INT32 lanes brought into the range of an integer kind."""
    if kind not in BITS:
        return x
    low, high = integer_range(kind)
    return b.emit("minimum", b.emit("maximum", x, b.like(x, low)), b.like(x, high))


def integer_range(kind: int) -> tuple[int, int]:
    bits, signed = BITS[kind]
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)


@dataclass(frozen=True)
class SmallFloat:
    """A float of fewer bits: mantissa bits, the least exponent of a normal number, the largest.

    `infinite` and `nan` say whether it has them; `signed_zero` whether it has -0.
    """

    mantissa: int
    least: int
    largest: float
    infinite: bool
    nan: bool = True
    signed_zero: bool = True


SMALL: dict[Any, SmallFloat] = {
    TensorProto.FLOAT16: SmallFloat(10, -14, 65504.0, True),
    TensorProto.BFLOAT16: SmallFloat(7, -126, 255 / 128 * 2.0**127, True),
    TensorProto.FLOAT8E4M3FN: SmallFloat(3, -6, 448.0, False),
    TensorProto.FLOAT8E4M3FNUZ: SmallFloat(3, -7, 240.0, False, signed_zero=False),
    TensorProto.FLOAT8E5M2: SmallFloat(2, -14, 57344.0, True),
    TensorProto.FLOAT8E5M2FNUZ: SmallFloat(2, -15, 57344.0, False, signed_zero=False),
    TensorProto.FLOAT4E2M1: SmallFloat(1, 0, 6.0, False, nan=False),
}
EXPONENT = 0x7F800000


def rounded_to(b: Builder, x: SSAValue, kind: int, saturate: bool) -> SSAValue:
    """FP32 lanes rounded to the nearest number of a small float kind, ties to even.

    The distance of its numbers at x is a power of two, got from the exponent bits of x: x over it,
    rounded to an integer, times it. Beyond the largest: that, infinity or NaN.
    """
    row = SMALL.get(kind)
    if row is None:
        return x
    bits = b.emit("bitcast_convert", x, element_type=i32)
    power = b.emit("and", bits, b.like(bits, EXPONENT))
    power = b.emit("bitcast_convert", power, element_type=f32)
    step = b.emit("maximum", power, b.like(x, 2.0**row.least))
    step = b.emit("minimum", step, b.like(x, 2.0**127))
    step = b.scaled(step, 2.0**-row.mantissa)
    near = b.emit("multiply", b.emit("round_nearest_even", b.emit("divide", x, step)), step)
    size = b.emit("abs", near)
    beyond = b.compare("GT", size, b.like(x, row.largest))
    last = b.emit("multiply", b.emit("sign", x), b.like(x, row.largest))
    if not saturate and row.nan:
        last = b.emit("multiply", last, b.like(x, float("inf")))
        if not row.infinite:
            last = b.emit("subtract", last, last)
    near = b.select(beyond, last, near)
    if not row.signed_zero:
        near = b.select(b.compare("EQ", near, b.like(x, 0)), b.like(x, 0), near)
    if not row.nan:
        near = b.select(b.compare("EQ", near, near), near, b.like(x, 0))
    return near


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
