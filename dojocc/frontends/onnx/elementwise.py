"""Element-wise ONNX ops: arithmetic, comparison, logic, casts, choice."""

from __future__ import annotations

import math
from functools import reduce

import numpy as np
from onnx import TensorProto, helper
from xdsl.dialects.builtin import f32, i1, i32
from xdsl.ir import SSAValue

from dojocc.frontends.build import element_of, shape_of
from dojocc.frontends.composites.arithmetic import floor_remainder, short_power, whole_power
from dojocc.frontends.onnx.kinds import BITS
from dojocc.frontends.onnx.narrow import SMALL, power_of_two, rounded_to, wrapped_to
from dojocc.frontends.onnx.node import Node, Refusal, Value, handles, type_name

IEEE = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
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
    if node.attr("fmod", 0):
        return node.b.emit("remainder", left, right)
    return floor_remainder(node.b, left, right)


@handles("Pow")
def power(node: Node) -> SSAValue:
    """The result has the base's type. Squares and cubes are products, as in ONNX Runtime."""
    exponent = node.known(1)
    base = node.x(0)
    if exponent is not None and exponent.size == 1 and node.rank(1) <= node.rank(0):
        short = short_power(node.b, base, float(exponent.reshape(-1)[0]))
        if short is not None:
            return short
    if element_of(base) == f32:
        return node.b.binary("power", base, node.b.convert(node.x(1), f32))
    if not node.is_float(1):
        return whole_power(node.b, *two(node))
    b = node.b
    real = b.binary("power", b.convert(base, f32), node.x(1))
    near = b.emit("round_nearest_even", real)
    off = b.emit("abs", b.emit("subtract", real, near))
    close = b.compare("LT", off, b.scaled(b.emit("abs", real), 1e-5))
    return b.convert(b.select(close, near, real), i32)


@handles("Reciprocal")
def reciprocal(node: Node) -> SSAValue:
    return node.b.emit("divide", node.b.like(node.x(), 1), node.x())


@handles("BitShift")
def bit_shift(node: Node) -> SSAValue:
    """A product with or a division by 2 ** n, made of its exponent bits.

    Past the lane's width zeros come in from below, the sign from above.
    """
    b, (x, steps) = node.b, two(node)
    below, beyond = b.compare("LT", steps, b.like(steps, 0)), b.like(steps, 30)
    outside = b.emit("or", below, b.compare("GT", steps, beyond))
    near = b.select(outside, b.like(steps, 0), steps)
    exponent = b.emit("multiply", b.plus(near, 127), b.like(steps, 1 << 23))
    power = b.convert(b.emit("bitcast_convert", exponent, element_type=f32), i32)
    if node.attr("direction") == "LEFT":
        last = b.compare("EQ", steps, b.like(steps, 31))
        far = b.select(last, b.emit("multiply", x, b.like(x, -(1 << 31))), b.like(x, 0))
        return b.select(outside, far, b.emit("multiply", x, power))
    negative = b.compare("LT", x, b.like(x, 0))
    size = b.select(negative, b.emit("not", x), x)
    moved = b.select(outside, b.like(x, 0), b.emit("divide", size, power))
    return b.select(negative, b.emit("not", moved), moved)


@handles("BitCast")
def bit_cast(node: Node) -> SSAValue:
    """Lanes are 32 bits; other widths would join or split elements."""
    kind, source = node.attr("to"), node.kind()
    if {kind, source} <= {TensorProto.FLOAT, TensorProto.INT32, TensorProto.UINT32}:
        target = node.element_type(kind)
        x = node.x()
        if element_of(x) == target:
            return x
        return node.b.emit("bitcast_convert", x, element_type=target)
    if kind in BITS and source in BITS and BITS[kind][0] == BITS[source][0]:
        return wrapped_to(node.b, node.x(), kind)
    raise Refusal(f"{type_name(source)} to {type_name(kind)} is not supported")


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
def cast(node: Node) -> Value:
    return casted(node, node.attr("to"))


@handles("CastLike")
def cast_like(node: Node) -> Value:
    return casted(node, node.kind(1))


def casted(node: Node, kind: int) -> Value:
    """Integers wrap, floats are cut toward zero or rounded to the small float."""
    if 0 in node.shape():
        return np.zeros(node.shape(), helper.tensor_dtype_to_np_dtype(kind))
    if kind == TensorProto.FLOAT8E8M0 and node.kind() != kind:
        return power_of_two(node.b, node.b.convert(node.x(), f32), node.attr("round_mode", "up"))
    saturate = bool(node.attr("saturate", 1)) and kind not in IEEE
    x, b = node.x(), node.b
    if kind in (TensorProto.INT4, TensorProto.UINT4, TensorProto.INT2, TensorProto.UINT2):
        x = b.emit("round_nearest_even", x) if element_of(x) == f32 else x
    result = b.convert(x, node.element_type(kind))
    if kind in BITS and kind != node.kind():
        return wrapped_to(b, result, kind)
    if kind in SMALL and kind != node.kind():
        return rounded_to(b, result, kind, saturate)
    return result


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
