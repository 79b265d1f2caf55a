"""Activation functions."""

from __future__ import annotations

from math import prod

from xdsl.ir import SSAValue

from dojocc.frontends.build import shape_of
from dojocc.frontends.onnx.node import Node, Refusal, handles


@handles("Relu")
def relu(node: Node) -> SSAValue:
    return node.b.emit("maximum", node.x(), node.b.like(node.x(), 0))


@handles("LeakyRelu")
def leaky_relu(node: Node) -> SSAValue:
    return node.b.emit("leaky_relu", node.x(), alpha=node.attr("alpha", 0.01))


@handles("PRelu")
def parametric_relu(node: Node) -> SSAValue:
    """max(x, 0) + slope min(x, 0); the slope broadcasts to x, or has one number a channel."""
    b, x, slope = node.b, node.x(), node.weight(1)
    zero, shape = b.like(x, 0), shape_of(x)
    if len(shape) > 1 and shape_of(slope) == (shape[1],) and shape[-1] != shape[1]:
        slope = b.reshape(slope, (shape[1], *[1] * (len(shape) - 2)))
    slope = b.broadcast(slope, shape)
    below = b.emit("multiply", slope, b.emit("minimum", x, zero))
    return b.emit("add", b.emit("maximum", x, zero), below)


@handles("ThresholdedRelu")
def thresholded_relu(node: Node) -> SSAValue:
    b, x = node.b, node.x()
    above = b.compare("GT", x, b.like(x, node.attr("alpha", 1.0)))
    return b.emit("select", above, x, b.like(x, 0))


@handles("Elu")
def elu(node: Node) -> SSAValue:
    return node.b.emit("elu", node.x(), alpha=node.attr("alpha", 1.0))


@handles("Selu")
def selu(node: Node) -> SSAValue:
    alpha = node.attr("alpha", 1.67326319217681884765625)
    gamma = node.attr("gamma", 1.05070102214813232421875)
    return node.b.emit("selu", node.x(), alpha=alpha, gamma=gamma)


@handles("Celu")
def celu(node: Node) -> SSAValue:
    """max(x, 0) + min(alpha (exp(x / alpha) - 1), 0)."""
    b, x, alpha = node.b, node.x(), node.attr("alpha", 1.0)
    bent = b.emit("exponential_minus_one", b.scaled(x, 1 / alpha))
    below = b.emit("minimum", b.scaled(bent, alpha), b.like(x, 0))
    return b.emit("add", b.emit("maximum", x, b.like(x, 0)), below)


@handles("HardSigmoid")
def hard_sigmoid(node: Node) -> SSAValue:
    slope, shift = node.attr("alpha", 0.2), node.attr("beta", 0.5)
    return node.b.emit("hard_sigmoid", node.x(), alpha=slope, beta=shift)


PLAIN = {
    "HardSwish": "hard_swish",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Mish": "mish",
}


@handles(*PLAIN)
def plain(node: Node) -> SSAValue:
    return node.b.emit(PLAIN[node.op], node.x())


@handles("Swish")
def swish(node: Node) -> SSAValue:
    """x sigmoid(alpha x)."""
    alpha = node.attr("alpha", 1.0)
    if alpha == 1:
        return node.b.emit("silu", node.x())
    gate = node.b.emit("logistic", node.b.scaled(node.x(), alpha))
    return node.b.emit("multiply", node.x(), gate)


@handles("Gelu")
def gelu(node: Node) -> SSAValue:
    form = node.attr("approximate", "none")
    if form not in ("none", "tanh"):
        raise Refusal(f"approximate={form!r} is neither none nor tanh")
    return node.b.emit("gelu", node.x(), approximate=form)


@handles("Shrink")
def shrink(node: Node) -> SSAValue:
    """x + bias below -lambd, x - bias above lambd, 0 between."""
    b, x = node.b, node.x()
    bias, edge = node.attr("bias", 0.0), node.attr("lambd", 0.5)
    zero = b.like(x, 0)
    upper = b.select(b.compare("GT", x, b.like(x, edge)), b.plus(x, -bias), zero)
    return b.select(b.compare("LT", x, b.like(x, -edge)), b.plus(x, bias), upper)


@handles("Softmax", "LogSoftmax")
def softmax(node: Node) -> SSAValue:
    """Before opset 13 the tensor counts as two-dimensional, split at the axis."""
    b, x = node.b, node.x()
    name = "softmax" if node.op == "Softmax" else "log_softmax"
    shape = shape_of(x)
    axis = node.attr("axis", -1 if node.opset >= 13 else 1)
    if not -len(shape) <= axis < max(len(shape), 1):
        raise Refusal(f"axis {axis} is outside rank {len(shape)}")
    axis %= len(shape)
    if node.opset >= 13 or axis == len(shape) - 1:
        return b.emit(name, x, axis=axis)
    rows = b.reshape(x, (*shape[:axis], prod(shape[axis:])))
    return b.reshape(b.emit(name, rows, axis=axis), shape)
