"""Quantised ops: integers with a scale and a zero point, computed in FP32.

Sums of integer products are exact while they stay below 2 ** 24, FP32's integers.
"""

from __future__ import annotations

from collections.abc import Sequence

from onnx import TensorProto
from xdsl.dialects.builtin import f32, i32
from xdsl.ir import SSAValue

from dojocc.frontends.build import normal_axis, shape_of
from dojocc.frontends.composites.convolution import add_channel_bias
from dojocc.frontends.onnx.contraction import convolved
from dojocc.frontends.onnx.kinds import BITS
from dojocc.frontends.onnx.narrow import SMALL, integer_range, rounded_to
from dojocc.frontends.onnx.node import Node, Refusal, handles, type_name


def spread(node: Node, index: int, shape: Sequence[int]) -> SSAValue:
    """A scale or zero point in FP32 over `shape`: one, one a row of `axis`, or one a block."""
    b, value = node.b, node.b.convert(node.x(index), f32)
    own = shape_of(value)
    if len(own) == 0 or own == (1,) and len(shape) != 1:
        return b.broadcast(b.reshape(value, ()), shape)
    axis = normal_axis(node.attr("axis", 1), len(shape))
    if len(own) == 1 and len(shape) >= 1:
        return b.emit("broadcast_in_dim", value, dims=(axis,), shape=shape)
    block = node.attr("block_size", 0)
    if not block or len(own) != len(shape):
        raise Refusal(f"scale of shape {list(own)} for {list(shape)}")
    wide = [*own[: axis + 1], block, *own[axis + 1 :]]
    dims = [i for i in range(len(wide)) if i != axis + 1]
    rows = b.emit("broadcast_in_dim", value, dims=dims, shape=wide)
    rows = b.reshape(rows, [*own[:axis], own[axis] * block, *own[axis + 1 :]])
    return b.slice(rows, [0] * len(shape), shape)


@handles("QuantizeLinear")
def quantise(node: Node) -> SSAValue:
    """round(x / scale) + zero point, saturated; small floats are rounded as casts are."""
    b, x = node.b, node.b.convert(node.x(), f32)
    kind = node.kind(2) if node.has(2) else node.attr("output_dtype") or TensorProto.UINT8
    ratio = b.emit("divide", x, spread(node, 1, shape_of(x)))
    if kind in SMALL:
        return rounded_to(b, ratio, kind, bool(node.attr("saturate", 1)))
    whole = b.emit("round_nearest_even", ratio)
    if node.has(2):
        whole = b.emit("add", whole, spread(node, 2, shape_of(x)))
    return saturated(node, whole, kind)


def saturated(node: Node, whole: SSAValue, kind: int) -> SSAValue:
    """Whole FP32 numbers as integers of a kind, at most its ends."""
    if kind not in BITS:
        raise Refusal(f"quantising to {type_name(kind)} is not supported")
    low, high = integer_range(kind)
    b = node.b
    inside = b.emit("minimum", b.emit("maximum", whole, b.like(whole, low)), b.like(whole, high))
    return b.convert(inside, i32)


@handles("DequantizeLinear")
def dequantise(node: Node) -> SSAValue:
    """(x - zero point) scale."""
    b, x = node.b, node.b.convert(node.x(), f32)
    if node.has(2):
        x = b.emit("subtract", x, spread(node, 2, shape_of(x)))
    return b.emit("multiply", x, spread(node, 1, shape_of(x)))


def centred(node: Node, index: int, zero: int, rows: bool) -> SSAValue:
    """A matrix operand in FP32 less its zero point: one, or one a row (of the left) or column."""
    b, x = node.b, node.b.convert(node.x(index), f32)
    if not node.has(zero):
        return x
    point = b.convert(node.x(zero), f32)
    own = shape_of(point)
    if len(own) == 1 and own[0] > 1 and rows:
        point = b.reshape(point, (*own, 1))
    return b.binary("subtract", x, b.reshape(point, ()) if own == (1,) else point)


@handles("MatMulInteger")
def integer_product(node: Node) -> SSAValue:
    left, right = centred(node, 0, 2, True), centred(node, 1, 3, False)
    return node.b.convert(node.b.matmul(left, right), i32)


@handles("QLinearMatMul")
def quantised_product(node: Node) -> SSAValue:
    """Both factors centred, their product scaled by a b / y, rounded and saturated."""
    b = node.b
    product = b.matmul(centred(node, 0, 2, True), centred(node, 3, 5, False))
    left, right, result = (b.convert(node.x(i), f32) for i in (1, 4, 6))
    if len(shape_of(left)) == 1 and shape_of(left)[0] > 1:
        left = b.reshape(left, (*shape_of(left), 1))
    ratio = b.binary("divide", b.binary("multiply", left, right), result)
    return requantised(node, b.binary("multiply", product, ratio), 7)


def requantised(node: Node, x: SSAValue, zero: int) -> SSAValue:
    b = node.b
    whole = b.emit("round_nearest_even", x)
    point = b.convert(node.x(zero), f32)
    point = b.reshape(point, ()) if shape_of(point) == (1,) else point
    return saturated(node, b.binary("add", whole, point), node.kind(zero))


def channel_centred(node: Node, index: int, zero: int) -> SSAValue:
    """Weights in FP32 less their zero point: one, or one an output channel."""
    b, weight = node.b, node.b.convert(node.x(index), f32)
    if not node.has(zero):
        return weight
    point = b.convert(node.x(zero), f32)
    ones = [1] * (len(shape_of(weight)) - 1)
    sizes = shape_of(point)
    return b.binary("subtract", weight, b.reshape(point, [*sizes, *ones] if sizes else ()))


@handles("ConvInteger")
def integer_convolution(node: Node) -> SSAValue:
    x = centred(node, 0, 2, False)
    return node.b.convert(convolved(node, x, channel_centred(node, 1, 3)), i32)


@handles("QLinearConv")
def quantised_convolution(node: Node) -> SSAValue:
    """The convolution of what is left without zero points, then as QLinearMatMul."""
    b = node.b
    sums = convolved(node, centred(node, 0, 2, False), channel_centred(node, 3, 5))
    if node.has(8):
        sums = add_channel_bias(node.b, sums, b.convert(node.x(8), f32))
    left, right, result = (b.convert(node.x(i), f32) for i in (1, 4, 6))
    ratio = b.binary("divide", b.binary("multiply", left, right), result)
    if len(shape_of(ratio)) == 1:
        ratio = b.reshape(ratio, [*shape_of(ratio), *[1] * (len(shape_of(sums)) - 2)])
    return requantised(node, b.binary("multiply", sums, ratio), 7)
