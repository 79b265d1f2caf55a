"""Arithmetic that takes a few ops: remainders, powers, bounds."""

from __future__ import annotations

import math

from xdsl.dialects.builtin import f32, i32
from xdsl.ir import SSAValue

from dojocc.frontends.build import Builder, element_of


def floor_remainder(b: Builder, left: SSAValue, right: SSAValue) -> SSAValue:
    """What is left of a division rounded down: it has the divisor's sign."""
    rest = b.emit("remainder", left, right)
    zero = b.like(rest, 0)
    differs = b.emit("xor", b.compare("LT", rest, zero), b.compare("LT", right, zero))
    wrong = b.emit("and", differs, b.compare("NE", rest, zero))
    return b.select(wrong, b.emit("add", rest, right), rest)


def floor_quotient(b: Builder, left: SSAValue, right: SSAValue) -> SSAValue:
    """A division rounded down; of integers by way of the remainder, which is exact."""
    if element_of(left) == f32:
        return b.emit("floor", b.emit("divide", left, right))
    rest = floor_remainder(b, left, right)
    return b.emit("divide", b.emit("subtract", left, rest), right)


def truncated(b: Builder, x: SSAValue) -> SSAValue:
    """FP32 rounded toward zero."""
    below = b.compare("LT", x, b.like(x, 0))
    return b.select(below, b.emit("ceil", x), b.emit("floor", x))


def whole_power(b: Builder, base: SSAValue, exponent: SSAValue) -> SSAValue:
    """By squaring, over the bits of an exponent below 32; 1 / base^n, cut off, if negative."""
    sign = b.compare("LT", exponent, b.like(exponent, 0))
    size = b.emit("minimum", b.emit("abs", exponent), b.like(exponent, 31))
    result = b.like(base, 1)
    for bit in range(5):
        there = b.compare("NE", b.emit("and", size, b.like(size, 1 << bit)), b.like(size, 0))
        result = b.select(there, b.emit("multiply", result, base), result)
        base = b.emit("multiply", base, base)
    return b.select(sign, b.emit("divide", b.like(result, 1), result), result)


def short_power(b: Builder, x: SSAValue, exponent: float) -> SSAValue | None:
    """Squares and cubes as products, square roots as such; None for other exponents."""
    square = x if exponent not in (2, 3) else b.emit("multiply", x, x)
    match exponent:
        case 1 | 2:
            return square
        case 3:
            return b.emit("multiply", square, x)
        case 0.5 if element_of(x) == f32:
            return b.emit("sqrt", x)
        case _:
            return None


def is_infinite(b: Builder, x: SSAValue) -> SSAValue:
    return b.compare("EQ", b.emit("abs", x), b.like(x, math.inf))


def counting(b: Builder, truth: SSAValue) -> SSAValue:
    """i1 as numbers that can be added up."""
    return b.convert(truth, i32)
