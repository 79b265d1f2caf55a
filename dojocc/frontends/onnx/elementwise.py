"""Element-wise ONNX ops: arithmetic, comparison, logic, casts, choice."""

from __future__ import annotations

import math
from functools import reduce

import numpy as np
from xdsl.dialects.builtin import f32, i1, i32
from xdsl.ir import SSAValue

from dojocc.frontends.build import element_of, shape_of
from dojocc.frontends.onnx.node import Node, Refusal, handles

UNARY = {
    "Abs": "abs",
    "Neg": "negate",
    "Sign": "sign",
    "Exp": "exponential",
    "Log": "log",
    "Sqrt": "sqrt",
    "Sin": "sine",
    "Cos": "cosine",
    "Tanh": "tanh",
    "Sigmoid": "logistic",
    "Erf": "erf",
    "Floor": "floor",
    "Ceil": "ceil",
    "Round": "round_nearest_even",
    "Not": "not",
    "BitwiseNot": "not",
}
BINARY = {"Add": "add", "Sub": "subtract", "Mul": "multiply", "Div": "divide"}
LOGIC = {
    "And": "and",
    "Or": "or",
    "Xor": "xor",
    "BitwiseAnd": "and",
    "BitwiseOr": "or",
    "BitwiseXor": "xor",
}
COMPARE = {"Less": "LT", "LessOrEqual": "LE", "Greater": "GT", "GreaterOrEqual": "GE"}
VARIADIC = {"Sum": "add", "Max": "maximum", "Min": "minimum"}
NOT_ON_INTEGERS = ("Exp", "Log", "Sqrt", "Sin", "Cos", "Tanh", "Sigmoid", "Erf")


def two(node: Node) -> tuple[SSAValue, SSAValue]:
    """Both operands, broadcast together."""
    left, right = node.b.together(node.x(0), node.x(1))
    return left, right


@handles(*UNARY)
def unary(node: Node) -> SSAValue:
    if node.op in NOT_ON_INTEGERS:
        node.need_float()
    return node.b.emit(UNARY[node.op], node.x())


@handles(*BINARY, *LOGIC)
def binary(node: Node) -> SSAValue:
    return node.b.emit((BINARY | LOGIC)[node.op], *two(node))


@handles(*COMPARE)
def compare(node: Node) -> SSAValue:
    return node.b.compare(COMPARE[node.op], node.x(0), node.x(1))


@handles("Equal")
def equal(node: Node) -> SSAValue:
    return node.b.compare("EQ", node.x(0), node.x(1))


@handles(*VARIADIC)
def variadic(node: Node) -> SSAValue:
    values = node.b.together(*(node.x(i) for i in range(node.count)))
    return reduce(lambda a, b: node.b.emit(VARIADIC[node.op], a, b), values)


@handles("Mean")
def mean(node: Node) -> SSAValue:
    values = node.b.together(*(node.x(i) for i in range(node.count)))
    total = reduce(lambda a, b: node.b.emit("add", a, b), values)
    return node.b.scaled(total, 1 / len(values))


@handles("Mod")
def mod(node: Node) -> SSAValue:
    """C's fmod, or the remainder with the divisor's sign."""
    left, right = two(node)
    rest = node.b.emit("remainder", left, right)
    if node.attr("fmod", 0):
        return rest
    zero = node.b.like(rest, 0)
    differs = node.b.emit(
        "xor", node.b.compare("LT", rest, zero), node.b.compare("LT", right, zero)
    )
    wrong = node.b.emit("and", differs, node.b.compare("NE", rest, zero))
    return node.b.select(wrong, node.b.emit("add", rest, right), rest)


@handles("Pow")
def power(node: Node) -> SSAValue:
    """The result has the base's type. Squares and cubes are products, as in ONNX Runtime."""
    exponent = node.known(1)
    base = node.x(0)
    if exponent is not None and exponent.size == 1 and node.rank(1) <= node.rank(0):
        short = short_power(node, base, float(exponent.reshape(-1)[0]))
        if short is not None:
            return short
    if element_of(base) == i32 and node.is_float(1):
        raise Refusal("an integer base with a float exponent is not supported")
    return node.b.binary("power", base, node.b.convert(node.x(1), element_of(base)))


def short_power(node: Node, x: SSAValue, exponent: float) -> SSAValue | None:
    square = x if exponent not in (2, 3) else node.b.emit("multiply", x, x)
    match exponent:
        case 1 | 2:
            return square
        case 3:
            return node.b.emit("multiply", square, x)
        case 0.5 if element_of(x) == f32:
            return node.b.emit("sqrt", x)
        case _:
            return None


@handles("Reciprocal")
def reciprocal(node: Node) -> SSAValue:
    return node.b.emit("divide", node.b.like(node.x(), 1), node.x())


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
def inverse_tangent(node: Node) -> SSAValue:
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


@handles("Clip")
def clip(node: Node) -> SSAValue:
    """Bounds are attributes before opset 11, inputs since; either may be left out."""
    x = node.x()
    low, high = clip_bound(node, 1, "min"), clip_bound(node, 2, "max")
    if low is not None and high is not None:
        return node.b.emit("clamp", low, x, high)
    if low is not None:
        return node.b.binary("maximum", x, low)
    return x if high is None else node.b.binary("minimum", x, high)


def clip_bound(node: Node, index: int, name: str) -> SSAValue | None:
    """A bound as a rank-0 tensor of the operand's element type."""
    if node.opset < 11:
        number = node.attr(name)
        return None if number is None else node.b.full(number, (), element_of(node.x()))
    return node.b.reshape(node.x(index), ()) if node.has(index) else None


@handles("Cast")
def cast(node: Node) -> SSAValue:
    return node.b.convert(node.x(), node.element_type(node.attr("to")))


@handles("CastLike")
def cast_like(node: Node) -> SSAValue:
    return node.b.convert(node.x(), element_of(node.x(1)))


@handles("IsNaN")
def is_nan(node: Node) -> SSAValue:
    return node.b.compare("NE", node.x(), node.x())


@handles("IsInf")
def is_infinite(node: Node) -> SSAValue:
    b, x = node.b, node.x()
    sides = [
        b.like(x, sign * math.inf)
        for sign, name in ((1, "positive"), (-1, "negative"))
        if node.attr(f"detect_{name}", 1)
    ]
    if not sides:
        return b.full(0, shape_of(x), i1)
    return reduce(lambda p, q: b.emit("or", p, q), [b.compare("EQ", x, side) for side in sides])


@handles("Where")
def where(node: Node) -> SSAValue:
    condition, yes, no = (node.x(i) for i in range(3))
    if element_of(yes) != i1:
        return node.b.select(condition, yes, no)
    condition, yes, no = node.b.together(condition, yes, no)
    kept = node.b.emit("and", condition, yes)
    return node.b.emit("or", kept, node.b.emit("and", node.b.emit("not", condition), no))


@handles("Identity")
def identity(node: Node) -> SSAValue | np.ndarray:
    return node.operand(0)


@handles("Dropout")
def dropout(node: Node) -> tuple[SSAValue, SSAValue | None]:
    """The identity: this is inference."""
    training = node.require(2, "training_mode") if node.has(2) else None
    ratio = node.known(1)
    if training is not None and bool(training) and (ratio is None or float(ratio) != 0):
        raise Refusal("training_mode is on: random dropout is not supported")
    mask = np.ones(node.shape(), np.bool_) if node.uses(1) else None
    return node.x(), None if mask is None else node.materialise(mask, node.proto.output[1])
