"""Trigonometric and hyperbolic functions that the machine has no instruction for."""

from __future__ import annotations

import math
from functools import reduce

from xdsl.ir import SSAValue

from dojocc.frontends.build import Builder
from dojocc.frontends.onnx.node import Node, handles

ARC_TANGENT = (8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1)
"""Odd powers from 9 down to 3 on |x| <= tan(pi / 8): Cephes' atanf, within 2 units in the last."""
EIGHTH = math.tan(math.pi / 8)


@handles("Tan")
def tangent(node: Node) -> SSAValue:
    return node.b.emit("divide", node.b.emit("sine", node.x()), node.b.emit("cosine", node.x()))


@handles("Sinh", "Cosh")
def hyperbolic(node: Node) -> SSAValue:
    """(e^x -+ e^-x) / 2."""
    b, x = node.b, node.x()
    up, down = b.emit("exponential", x), b.emit("exponential", b.emit("negate", x))
    return b.scaled(b.emit("subtract" if node.op == "Sinh" else "add", up, down), 0.5)


@handles("Atanh")
def inverse_hyperbolic_tangent(node: Node) -> SSAValue:
    """(log(1 + x) - log(1 - x)) / 2."""
    b, x = node.b, node.x()
    up, down = b.emit("log_plus_one", x), b.emit("log_plus_one", b.emit("negate", x))
    return b.scaled(b.emit("subtract", up, down), 0.5)


@handles("Asinh", "Acosh")
def inverse_hyperbolic(node: Node) -> SSAValue:
    """sign(x) log(|x| + sqrt(x^2 + 1)); log(x + sqrt(x^2 - 1))."""
    b, x = node.b, node.x()
    size = b.emit("abs", x) if node.op == "Asinh" else x
    inside = b.plus(b.emit("multiply", x, x), 1 if node.op == "Asinh" else -1)
    result = b.emit("log", b.emit("add", size, b.emit("sqrt", inside)))
    return result if node.op == "Acosh" else b.emit("multiply", b.emit("sign", x), result)


@handles("Atan")
def arc_tangent(node: Node) -> SSAValue:
    return arc_tangent_of(node.b, node.x())


@handles("Asin")
def arc_sine(node: Node) -> SSAValue:
    """2 atan(x / (1 + sqrt(1 - x^2)))."""
    b, x = node.b, node.x()
    root = b.emit("sqrt", b.plus(b.emit("negate", b.emit("multiply", x, x)), 1))
    return b.scaled(arc_tangent_of(b, b.emit("divide", x, b.plus(root, 1))), 2)


@handles("Acos")
def arc_cosine(node: Node) -> SSAValue:
    """2 atan(sqrt(1 - x) / sqrt(1 + x))."""
    b, x = node.b, node.x()
    above, below = b.plus(b.emit("negate", x), 1), b.plus(x, 1)
    ratio = b.emit("divide", b.emit("sqrt", above), b.emit("sqrt", below))
    return b.scaled(arc_tangent_of(b, ratio), 2)


def arc_tangent_of(b: Builder, x: SSAValue) -> SSAValue:
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
