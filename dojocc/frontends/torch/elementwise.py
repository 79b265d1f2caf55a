"""Element-wise ATen ops: arithmetic, comparison, logic, casts, choice."""

from __future__ import annotations

import math

from xdsl.dialects.builtin import f32, i1, i32
from xdsl.ir import Attribute, SSAValue

from dojocc.frontends.build import Builder, NotSupported, element_of, shape_of
from dojocc.frontends.composites.arithmetic import (
    floor_quotient,
    floor_remainder,
    is_infinite,
    short_power,
    truncated,
    whole_power,
)
from dojocc.frontends.composites.indexing import chosen
from dojocc.frontends.composites.narrow import BFLOAT16, FLOAT16, rounded_to, wrapped_to
from dojocc.frontends.composites.trigonometry import FUNCTIONS, arc_tangent_of_two
from dojocc.frontends.torch.dtypes import BITS, lanes_of
from dojocc.frontends.torch.node import Node, as_float, handles

FLOAT_UNARY = {
    "exp": "exponential",
    "log": "log",
    "sqrt": "sqrt",
    "rsqrt": "rsqrt",
    "sin": "sine",
    "cos": "cosine",
    "tanh": "tanh",
    "sigmoid": "logistic",
    "erf": "erf",
    "expm1": "exponential_minus_one",
    "log1p": "log_plus_one",
}
"""Functions whose result is a float, whatever the operand is."""
UNARY = {"abs": "abs", "neg": "negate", "sign": "sign", "sgn": "sign"}
ROUNDING = {"floor": "floor", "ceil": "ceil", "round": "round_nearest_even", "trunc": None}
LOGARITHMS = {"log2": 1 / math.log(2), "log10": 1 / math.log(10)}
LOGIC = {"and": "and", "or": "or", "xor": "xor"}
COMPARE = {name: name.upper() for name in ("eq", "ne", "lt", "le", "gt", "ge")}
SMALL = {"float16": FLOAT16, "bfloat16": BFLOAT16}


def pair(
    node: Node, element_type: Attribute, left: str = "self", right: str = "other"
) -> tuple[SSAValue, SSAValue]:
    """Two arguments on equal lanes, broadcast together."""
    values = node.like(left, element_type), node.like(right, element_type)
    first, second = node.b.together(*values)
    return first, second


@handles(*FLOAT_UNARY)
def float_unary(node: Node) -> SSAValue:
    return node.b.emit(FLOAT_UNARY[node.op], as_float(node.x(), node.b))


@handles(*UNARY)
def unary(node: Node) -> SSAValue:
    x = node.x()
    return x if element_of(x) == i1 else node.b.emit(UNARY[node.op], x)


@handles(*ROUNDING)
def rounding(node: Node) -> SSAValue:
    """Integers stay as they are; round may count decimals."""
    b, x = node.b, node.x()
    if element_of(x) != f32:
        return x
    if node.op == "trunc":
        return truncated(b, x)
    scale = 10.0 ** node.number("decimals", 0) if node.op == "round" else 1
    return b.scaled(b.emit(str(ROUNDING[node.op]), b.scaled(x, scale)), 1 / scale)


@handles(*FUNCTIONS)
def trigonometric(node: Node) -> SSAValue:
    return FUNCTIONS[node.op](node.b, as_float(node.x(), node.b))


@handles(*LOGARITHMS)
def logarithm(node: Node) -> SSAValue:
    return node.b.scaled(node.b.emit("log", as_float(node.x(), node.b)), LOGARITHMS[node.op])


@handles("exp2")
def power_of_two(node: Node) -> SSAValue:
    return node.b.emit("exponential", node.b.scaled(as_float(node.x(), node.b), math.log(2)))


@handles("erfc")
def rest_of_error_function(node: Node) -> SSAValue:
    value = node.b.emit("erf", as_float(node.x(), node.b))
    return node.b.emit("subtract", node.b.like(value, 1), value)


@handles("reciprocal")
def reciprocal(node: Node) -> SSAValue:
    x = as_float(node.x(), node.b)
    return node.b.emit("divide", node.b.like(x, 1), x)


@handles("square")
def square(node: Node) -> SSAValue:
    return node.b.emit("multiply", node.x(), node.x())


@handles("frac")
def fraction(node: Node) -> SSAValue:
    return node.b.emit("subtract", node.x(), truncated(node.b, node.x()))


@handles("add", "sub", "rsub")
def add(node: Node) -> SSAValue:
    """self + alpha other; rsub is other - alpha self. Sums of truth values are `or`."""
    b = node.b
    left, right = pair(node, node.element_type)
    if element_of(left) == i1:
        return b.emit("or", left, right)
    left, right = (right, left) if node.op == "rsub" else (left, right)
    right = b.scaled(right, node.number("alpha", 1))
    return b.emit("add" if node.op == "add" else "subtract", left, right)


@handles("mul")
def multiply(node: Node) -> SSAValue:
    left, right = pair(node, node.element_type)
    return node.b.emit("and" if element_of(left) == i1 else "multiply", left, right)


@handles("div", "true_divide", "floor_divide")
def divide(node: Node) -> SSAValue:
    """Without a rounding mode the quotient of integers is a float."""
    b = node.b
    left, right = pair(node, node.element_type)
    mode = "floor" if node.op == "floor_divide" else node.raw("rounding_mode")
    if mode == "floor":
        return floor_quotient(b, left, right)
    quotient = b.emit("divide", left, right)
    return truncated(b, quotient) if mode == "trunc" and element_of(left) == f32 else quotient


@handles("remainder", "fmod")
def remainder(node: Node) -> SSAValue:
    left, right = pair(node, node.element_type)
    if node.op == "fmod":
        return node.b.emit("remainder", left, right)
    return floor_remainder(node.b, left, right)


@handles("maximum", "minimum", "fmax", "fmin")
def extreme(node: Node) -> SSAValue:
    return larger(node, node.op.endswith("max") or node.op == "maximum")


def larger(node: Node, largest: bool) -> SSAValue:
    """The larger or smaller of self and other; of truth values that is or, and and."""
    left, right = pair(node, node.element_type)
    if element_of(left) == i1:
        return node.b.emit("or" if largest else "and", left, right)
    return node.b.emit("maximum" if largest else "minimum", left, right)


@handles("pow")
def power(node: Node) -> SSAValue:
    """Squares, cubes and roots by short forms; integers by squaring."""
    b, exponent = node.b, node.raw("exponent")
    if isinstance(exponent, int | float) and not isinstance(exponent, bool):
        base = node.like("self", node.element_type)
        short = short_power(b, base, float(exponent))
        if short is not None:
            return short
        if exponent == 0:
            return b.like(base, 1)
        if exponent == -1 and element_of(base) == f32:
            return b.emit("divide", b.like(base, 1), base)
    left, right = pair(node, node.element_type, "self", "exponent")
    if element_of(left) == f32:
        return b.emit("power", left, right)
    return whole_power(b, left, right)


@handles("atan2")
def arc_tangent_of(node: Node) -> SSAValue:
    return arc_tangent_of_two(node.b, *pair(node, f32))


@handles("hypot")
def hypotenuse(node: Node) -> SSAValue:
    b, (left, right) = node.b, pair(node, f32)
    squares = b.emit("add", b.emit("multiply", left, left), b.emit("multiply", right, right))
    return b.emit("sqrt", squares)


@handles("addcmul", "addcdiv")
def add_product(node: Node) -> SSAValue:
    """self + value tensor1 tensor2, or tensor1 / tensor2."""
    b = node.b
    left, right = pair(node, node.element_type, "tensor1", "tensor2")
    term = b.emit("multiply" if node.op == "addcmul" else "divide", left, right)
    return b.binary(
        "add", node.like("self", node.element_type), b.scaled(term, node.number("value", 1))
    )


@handles("lerp")
def interpolate(node: Node) -> SSAValue:
    """self + weight (end - self)."""
    b = node.b
    start, end = pair(node, f32, "self", "end")
    step = b.binary("multiply", node.like("weight", f32), b.emit("subtract", end, start))
    return b.binary("add", start, step)


@handles(*(f"logical_{name}" for name in LOGIC))
def logical(node: Node) -> SSAValue:
    left, right = node.b.together(node.like("self", i1), node.like("other", i1))
    return node.b.emit(LOGIC[node.op.removeprefix("logical_")], left, right)


@handles(*(f"bitwise_{name}" for name in LOGIC))
def bitwise(node: Node) -> SSAValue:
    left, right = pair(node, node.element_type)
    return node.b.emit(LOGIC[node.op.removeprefix("bitwise_")], left, right)


@handles("logical_not", "bitwise_not")
def invert(node: Node) -> SSAValue:
    b, x = node.b, node.x()
    if node.op == "logical_not":
        return b.emit("not", b.convert(x, i1))
    result = b.emit("not", x)
    kind = node.dtype()
    return wrapped_to(b, result, *BITS[kind]) if kind in BITS else result


@handles(*COMPARE)
def compare(node: Node) -> SSAValue:
    """Truth values compare as the integers 0 and 1."""
    kind = node.promoted("self", "other")
    left, right = pair(node, i32 if kind == i1 else kind)
    return node.b.emit("compare", left, right, direction=COMPARE[node.op])


@handles("isnan", "isinf", "isfinite")
def kind_of_number(node: Node) -> SSAValue:
    b, x = node.b, node.x()
    if element_of(x) != f32:
        return b.full(node.op == "isfinite", shape_of(x), i1)
    if node.op == "isnan":
        return b.compare("NE", x, x)
    return is_infinite(b, x) if node.op == "isinf" else b.emit("is_finite", x)


@handles("where")
def where(node: Node) -> SSAValue:
    if not node.has("self"):
        raise NotSupported("places of true values: the result's size depends on data")
    condition = node.b.convert(node.x("condition"), i1)
    return chosen(node.b, condition, *pair(node, node.element_type))


@handles("masked_fill")
def masked_fill(node: Node) -> SSAValue:
    x, value = node.like("self", node.element_type), node.like("value", node.element_type)
    return chosen(node.b, node.x("mask"), value, x)


@handles("clamp", "clamp_min", "clamp_max", "hardtanh", "relu6")
def clamp(node: Node) -> SSAValue:
    """Bounds are numbers or tensors; either may be left out."""
    b, x = node.b, node.like("self", node.element_type)
    names = ("min_val", "max_val") if node.op == "hardtanh" else ("min", "max")
    low, high = (node.like(name, node.element_type) if node.has(name) else None for name in names)
    if node.op == "relu6":
        low, high = (b.full(number, (), element_of(x)) for number in (0, 6))
    if low is not None and high is not None and not shape_of(low) and not shape_of(high):
        return b.emit("clamp", low, x, high)
    x = x if low is None else b.binary("maximum", x, low)
    return x if high is None else b.binary("minimum", x, high)


@handles("_to_copy")
def convert(node: Node) -> SSAValue:
    return converted(node, node.x(), node.wanted() or node.dtype())


def converted(node: Node, x: SSAValue, dtype: str, source: str = "self") -> SSAValue:
    """Argument `source`, x, as another type: floats are cut toward zero to integers, integers
    wrap, small floats round.
    """
    b: Builder = node.b
    result = b.convert(x, lanes_of(dtype))
    if dtype == node.dtype(source):
        return result
    if dtype in BITS:
        return wrapped_to(b, result, *BITS[dtype])
    return rounded_to(b, result, SMALL[dtype], saturate=False) if dtype in SMALL else result
