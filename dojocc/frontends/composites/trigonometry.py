"""Trigonometric and hyperbolic functions that the machine has no instruction for."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce

from xdsl.ir import SSAValue

from dojocc.frontends.build import Builder

ARC_TANGENT = (8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1)
"""Odd powers from 9 down to 3 on |x| <= tan(pi / 8): Cephes' atanf, within 2 units in the last."""
EIGHTH = math.tan(math.pi / 8)


def tangent(b: Builder, x: SSAValue) -> SSAValue:
    return b.emit("divide", b.emit("sine", x), b.emit("cosine", x))


def hyperbolic_sine(b: Builder, x: SSAValue) -> SSAValue:
    """(e^x - e^-x) / 2."""
    up, down = b.emit("exponential", x), b.emit("exponential", b.emit("negate", x))
    return b.scaled(b.emit("subtract", up, down), 0.5)


def hyperbolic_cosine(b: Builder, x: SSAValue) -> SSAValue:
    """(e^x + e^-x) / 2."""
    up, down = b.emit("exponential", x), b.emit("exponential", b.emit("negate", x))
    return b.scaled(b.emit("add", up, down), 0.5)


def inverse_hyperbolic_tangent(b: Builder, x: SSAValue) -> SSAValue:
    """(log(1 + x) - log(1 - x)) / 2."""
    up, down = b.emit("log_plus_one", x), b.emit("log_plus_one", b.emit("negate", x))
    return b.scaled(b.emit("subtract", up, down), 0.5)


def inverse_hyperbolic_sine(b: Builder, x: SSAValue) -> SSAValue:
    """sign(x) log(|x| + sqrt(x^2 + 1))."""
    root = b.emit("sqrt", b.plus(b.emit("multiply", x, x), 1))
    result = b.emit("log", b.emit("add", b.emit("abs", x), root))
    return b.emit("multiply", b.emit("sign", x), result)


def inverse_hyperbolic_cosine(b: Builder, x: SSAValue) -> SSAValue:
    """log(x + sqrt(x^2 - 1))."""
    root = b.emit("sqrt", b.plus(b.emit("multiply", x, x), -1))
    return b.emit("log", b.emit("add", x, root))


def arc_sine(b: Builder, x: SSAValue) -> SSAValue:
    """2 atan(x / (1 + sqrt(1 - x^2)))."""
    root = b.emit("sqrt", b.plus(b.emit("negate", b.emit("multiply", x, x)), 1))
    return b.scaled(arc_tangent(b, b.emit("divide", x, b.plus(root, 1))), 2)


def arc_cosine(b: Builder, x: SSAValue) -> SSAValue:
    """2 atan(sqrt(1 - x) / sqrt(1 + x))."""
    above, below = b.plus(b.emit("negate", x), 1), b.plus(x, 1)
    ratio = b.emit("divide", b.emit("sqrt", above), b.emit("sqrt", below))
    return b.scaled(arc_tangent(b, ratio), 2)


def arc_tangent(b: Builder, x: SSAValue) -> SSAValue:
    """|x| > 1 by pi/2 - atan(1 / x), then |x| > tan(pi/8) by pi/4 + atan((x - 1) / (x + 1))."""
    size = b.emit("abs", x)
    large = b.compare("GT", size, b.like(x, 1))
    inner = b.select(large, b.emit("divide", b.like(x, 1), size), size)
    middle = b.compare("GT", inner, b.like(x, EIGHTH))
    turned = b.emit("divide", b.plus(inner, -1), b.plus(inner, 1))
    small = b.select(middle, turned, inner)
    square = b.emit("multiply", small, small)
    series = reduce(
        lambda total, number: b.plus(b.emit("multiply", total, square), number),
        ARC_TANGENT[1:],
        b.like(x, ARC_TANGENT[0]),
    )
    angle = b.emit("add", b.emit("multiply", b.emit("multiply", series, square), small), small)
    angle = b.select(middle, b.plus(angle, math.pi / 4), angle)
    angle = b.select(large, b.emit("subtract", b.like(x, math.pi / 2), angle), angle)
    return b.select(b.compare("LT", x, b.like(x, 0)), b.emit("negate", angle), angle)


def arc_tangent_of_two(b: Builder, y: SSAValue, x: SSAValue) -> SSAValue:
    """The angle of (x, y): atan(y / x), and half a turn more on the left.

    On the axis x = 0 the quotient is infinite, and its arc tangent a quarter turn.
    """
    zero = b.like(x, 0)
    both = b.emit("and", b.compare("EQ", x, zero), b.compare("EQ", y, zero))
    angle = arc_tangent(b, b.emit("divide", y, b.select(both, b.like(x, 1), x)))
    half = b.select(b.compare("LT", y, zero), b.like(x, -math.pi), b.like(x, math.pi))
    return b.select(b.compare("LT", x, zero), b.emit("add", angle, half), angle)


FUNCTIONS: dict[str, Callable[[Builder, SSAValue], SSAValue]] = {
    "tan": tangent,
    "sinh": hyperbolic_sine,
    "cosh": hyperbolic_cosine,
    "asin": arc_sine,
    "acos": arc_cosine,
    "atan": arc_tangent,
    "asinh": inverse_hyperbolic_sine,
    "acosh": inverse_hyperbolic_cosine,
    "atanh": inverse_hyperbolic_tangent,
}
"""By the name that NumPy's users know."""
