"""Numbers narrower than a lane, computed on lanes: integers that wrap, floats that round."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects.builtin import f32, i32
from xdsl.ir import SSAValue

from dojocc.frontends.build import Builder


def wrapped_to(b: Builder, x: SSAValue, bits: int, signed: bool) -> SSAValue:
    """INT32 lanes modulo 2 ** bits."""
    mask = b.like(x, (1 << bits) - 1)
    if not signed:
        return b.emit("and", x, mask)
    half = 1 << bits - 1
    return b.plus(b.emit("and", b.plus(x, half), mask), -half)


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


FLOAT16 = SmallFloat(10, -14, 65504.0, True)
BFLOAT16 = SmallFloat(7, -126, 255 / 128 * 2.0**127, True)
EXPONENT = 0x7F800000


def rounded_to(b: Builder, x: SSAValue, row: SmallFloat, saturate: bool) -> SSAValue:
    """FP32 lanes rounded to the nearest number of a small float, ties to even.

    The distance of its numbers at x is a power of two, got from the exponent bits of x: x over it,
    rounded to an integer, times it. Beyond the largest: that, infinity or NaN.
    """
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
