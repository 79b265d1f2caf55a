"""Element-wise StableHLO and CHLO ops."""

from __future__ import annotations

import math

import numpy as np
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, f32, i1, i32
from xdsl.ir import SSAValue

from dojocc.frontends.build import NotSupported, element_of, shape_of
from dojocc.frontends.composites.arithmetic import is_infinite, whole_power
from dojocc.frontends.composites.indexing import chosen
from dojocc.frontends.composites.narrow import BFLOAT16, FLOAT16, rounded_to, wrapped_to
from dojocc.frontends.composites.trigonometry import FUNCTIONS, arc_tangent_of_two
from dojocc.frontends.stablehlo.node import Node, element_name, handles

UNARY = {
    **{name: name for name in "negate sign exponential log sqrt rsqrt sine cosine tanh".split()},
    **{name: name for name in "logistic floor ceil round_nearest_even is_finite not".split()},
    **{name: name for name in "exponential_minus_one log_plus_one".split()},
    "abs": "abs",
    "chlo.erf": "erf",
}
BINARY = ("add", "subtract", "multiply", "divide", "maximum", "minimum", "remainder")
OF_TRUTH = {"add": "or", "maximum": "or", "multiply": "and", "minimum": "and"}
LOGIC = ("and", "or", "xor")
SAME = ("optimization_barrier",)
SMALL = {"bf16": BFLOAT16, "f16": FLOAT16}
BITS = {"i8": (8, True), "ui8": (8, False), "i16": (16, True), "ui16": (16, False)}
TRIGONOMETRIC = {"tan": "tan"} | {f"chlo.{name}": name for name in FUNCTIONS if name != "tan"}


def settled(node: Node, value: SSAValue) -> SSAValue:
    """Integers narrower than a lane wrap."""
    word = element_name(node.op.results[0].type)
    return wrapped_to(node.b, value, *BITS[word]) if word in BITS else value


@handles(*UNARY)
def unary(node: Node) -> SSAValue:
    key = node.op.name.removeprefix("stablehlo.")
    return settled(node, node.b.emit(UNARY[key], node.x()))


@handles(*BINARY)
def binary(node: Node) -> SSAValue:
    name = node.name
    if element_of(node.x()) == i1:
        if name not in OF_TRUTH:
            raise NotSupported("this op on truth values")
        name = OF_TRUTH[name]
    return settled(node, node.b.emit(name, node.x(0), node.x(1)))


@handles(*LOGIC)
def logic(node: Node) -> SSAValue:
    return node.b.emit(node.name, node.x(0), node.x(1))


@handles("power")
def power(node: Node) -> SSAValue:
    if element_of(node.x()) == f32:
        return node.b.emit("power", node.x(0), node.x(1))
    return settled(node, whole_power(node.b, node.x(0), node.x(1)))


@handles("atan2")
def arc_tangent(node: Node) -> SSAValue:
    return arc_tangent_of_two(node.b, node.x(0), node.x(1))


@handles(*TRIGONOMETRIC)
def trigonometric(node: Node) -> SSAValue:
    return FUNCTIONS[node.name](node.b, node.x())


@handles("chlo.erfc")
def rest_of_error_function(node: Node) -> SSAValue:
    value = node.b.emit("erf", node.x())
    return node.b.emit("subtract", node.b.like(value, 1), value)


@handles("chlo.square")
def square(node: Node) -> SSAValue:
    return node.b.emit("multiply", node.x(), node.x())


@handles("chlo.is_inf")
def infinite(node: Node) -> SSAValue:
    return is_infinite(node.b, node.x())


@handles("cbrt")
def cube_root(node: Node) -> SSAValue:
    b, x = node.b, node.x()
    size = b.emit("power", b.emit("abs", x), b.like(x, 1 / 3))
    return b.emit("multiply", b.emit("sign", x), size)


@handles("round_nearest_afz")
def round_away(node: Node) -> SSAValue:
    """Halves go away from zero."""
    b, x = node.b, node.x()
    size = b.emit("floor", b.plus(b.emit("abs", x), 0.5))
    return b.emit("multiply", b.emit("sign", x), size)


@handles("compare")
def compare(node: Node) -> SSAValue:
    """Truth values compare as 0 and 1; unsigned lanes must not reach the sign bit."""
    left, right = node.x(0), node.x(1)
    if element_of(left) == i1:
        left, right = (node.b.convert(x, i32) for x in (left, right))
    return node.b.emit("compare", left, right, direction=node.require("comparison_direction"))


@handles("select")
def select(node: Node) -> SSAValue:
    condition = node.x()
    if not shape_of(condition):
        condition = node.b.broadcast(condition, node.shape(1))
    return chosen(node.b, condition, node.x(1), node.x(2))


@handles("clamp")
def clamp(node: Node) -> SSAValue:
    return node.b.emit("clamp", node.x(0), node.x(1), node.x(2))


@handles("convert")
def convert(node: Node) -> SSAValue:
    """Floats are cut toward zero to integers; small floats round."""
    value = node.b.convert(node.x(), node.element_type)
    word = element_name(node.op.results[0].type)
    if word in SMALL and element_name(node.op.operands[0].type) != word:
        return rounded_to(node.b, value, SMALL[word], saturate=False)
    return settled(node, value)


@handles("reduce_precision")
def reduce_precision(node: Node) -> SSAValue:
    word = node.raw("format")
    pair = (node.raw("exponent_bits"), node.raw("mantissa_bits"))
    if word == "e8m7" or pair == (8, 7):
        return rounded_to(node.b, node.x(), BFLOAT16, saturate=False)
    if word == "e5m10" or pair == (5, 10):
        return rounded_to(node.b, node.x(), FLOAT16, saturate=False)
    raise NotSupported(f"format {word or pair}; e8m7 and e5m10 are supported")


@handles("bitcast_convert")
def bitcast(node: Node) -> SSAValue:
    words = {element_name(value.type) for value in (*node.op.operands, *node.op.results)}
    if not words <= {"f32", "i32", "ui32"}:
        raise NotSupported(f"between {' and '.join(sorted(words))}; only 32 bits are supported")
    if element_of(node.x()) == node.element_type:
        return node.x()
    return node.b.emit("bitcast_convert", node.x(), element_type=node.element_type)


@handles(*SAME)
def same(node: Node) -> list[SSAValue]:
    return list(node.operands)


MARKS = ("Sharding", "annotate_device_placement", "SPMDFullToShardShape", "SPMDShardToFullShape")


@handles("custom_call")
def custom_call(node: Node) -> SSAValue:
    """Marks for placement are passed through."""
    if node.raw("call_target_name") in MARKS:
        return node.x()
    raise NotSupported("calls of custom code are not supported")


@handles("constant")
def constant(node: Node) -> SSAValue:
    value = node.op.properties["value"]
    if not isinstance(value, DenseIntOrFPElementsAttr):
        raise NotSupported(f"a constant of kind {value.name}")
    shape = node.wanted
    array = array_of(value)
    if array.size == 1 and math.prod(shape) > 1:
        return node.b.full(array.reshape(()).item(), shape, node.element_type)
    return node.b.convert(node.b.constant(array.reshape(shape), "constant"), node.element_type)


def array_of(value: DenseIntOrFPElementsAttr) -> np.ndarray:
    """The numbers; FP32 and INT32 straight from the bytes, a splat as one."""
    word = element_name(value.get_type())
    packed = {"f32": np.float32, "f64": np.float64, "i32": np.int32, "i64": np.int64}
    if word in packed:
        return np.frombuffer(value.data.data, packed[word])
    array = np.array(value.get_values())
    return array.astype(np.bool_) if word == "i1" else array
