"""Activation functions and softmax."""

from __future__ import annotations

from xdsl.ir import SSAValue

from dojocc.frontends.build import NotSupported, shape_of
from dojocc.frontends.torch.elementwise import converted
from dojocc.frontends.torch.node import Node, as_float, handles

PLAIN = {
    "silu": "silu",
    "mish": "mish",
    "hardswish": "hard_swish",
}
SELU = {"alpha": 1.6732632423543772, "gamma": 1.0507009873554805}


@handles("relu")
def relu(node: Node) -> SSAValue:
    return node.b.emit("maximum", node.x(), node.b.like(node.x(), 0))


@handles("silu", "mish", "hardswish")
def plain(node: Node) -> SSAValue:
    return node.b.emit(PLAIN[node.op], node.x())


@handles("hardsigmoid")
def hard_sigmoid(node: Node) -> SSAValue:
    return node.b.emit("hard_sigmoid", node.x(), alpha=1 / 6, beta=0.5)


@handles("gelu")
def gelu(node: Node) -> SSAValue:
    return node.b.emit("gelu", node.x(), approximate=node.raw("approximate", "none"))


@handles("leaky_relu")
def leaky_relu(node: Node) -> SSAValue:
    return node.b.emit("leaky_relu", node.x(), alpha=float(node.number("negative_slope", 0.01)))


@handles("elu")
def elu(node: Node) -> SSAValue:
    """scale (x above 0, alpha (exp(input_scale x) - 1) below)."""
    b, x = node.b, node.x()
    alpha, scale = float(node.number("alpha", 1)), float(node.number("scale", 1))
    inner = float(node.number("input_scale", 1))
    if inner == 1 and scale == 1:
        return b.emit("elu", x, alpha=alpha)
    bent = b.scaled(b.emit("exponential_minus_one", b.scaled(x, inner)), alpha)
    return b.scaled(b.select(b.compare("GT", x, b.like(x, 0)), x, bent), scale)


@handles("selu")
def selu(node: Node) -> SSAValue:
    return node.b.emit("selu", node.x(), **SELU)


@handles("celu")
def celu(node: Node) -> SSAValue:
    """max(x, 0) + min(alpha (exp(x / alpha) - 1), 0)."""
    b, x, alpha = node.b, node.x(), float(node.number("alpha", 1))
    bent = b.scaled(b.emit("exponential_minus_one", b.scaled(x, 1 / alpha)), alpha)
    above = b.emit("maximum", x, b.like(x, 0))
    return b.emit("add", above, b.emit("minimum", bent, b.like(x, 0)))


@handles("softplus")
def softplus(node: Node) -> SSAValue:
    """log(1 + exp(beta x)) / beta, and x itself where beta x is beyond the threshold."""
    b, x = node.b, node.x()
    beta, threshold = float(node.number("beta", 1)), float(node.number("threshold", 20))
    scaled = b.scaled(x, beta)
    result = b.scaled(b.emit("softplus", scaled), 1 / beta)
    return b.select(b.compare("GT", scaled, b.like(x, threshold)), x, result)


@handles("log_sigmoid")
def log_sigmoid(node: Node) -> SSAValue:
    """-softplus(-x)."""
    b = node.b
    return b.emit("negate", b.emit("softplus", b.emit("negate", node.x())))


@handles("prelu", "_prelu_kernel")
def parametric_relu(node: Node) -> SSAValue:
    """max(x, 0) + slope min(x, 0); the slope is one number, or one a channel (dim 1)."""
    b, x, slope = node.b, node.x(), node.x("weight")
    zero, shape = b.like(x, 0), shape_of(x)
    if shape_of(slope) == (1,):
        slope = b.reshape(slope, ())
    elif node.op == "prelu" and len(shape_of(slope)) == 1 and len(shape) > 1:
        slope = b.reshape(slope, (shape[1], *[1] * (len(shape) - 2)))
    below = b.binary("multiply", slope, b.emit("minimum", x, zero))
    return b.emit("add", b.emit("maximum", x, zero), below)


@handles("threshold")
def threshold(node: Node) -> SSAValue:
    b, x = node.b, node.x()
    above = b.compare("GT", x, b.like(x, node.number("threshold")))
    return b.select(above, x, b.like(x, node.number("value")))


@handles("glu")
def gated(node: Node) -> SSAValue:
    """The first half times the logistic function of the second."""
    b, shape, axis = node.b, node.shape(), node.axis(default=-1)
    half = shape[axis] // 2
    parts = []
    for start in (0, half):
        low, high = [0] * len(shape), list(shape)
        low[axis], high[axis] = start, start + half
        parts.append(b.slice(node.x(), low, high))
    return b.emit("multiply", parts[0], b.emit("logistic", parts[1]))


@handles("softmax", "_softmax", "log_softmax", "_log_softmax")
def softmax(node: Node) -> SSAValue:
    b, x, axis = node.b, as_float(node.x(), node.b), node.axis()
    name = "log_softmax" if "log" in node.op else "softmax"
    if not shape_of(x):
        return b.reshape(b.emit(name, b.reshape(x, (1,)), axis=0), ())
    return converted(node, b.emit(name, x, axis=axis), node.result.dtype)


@handles("native_dropout")
def dropout(node: Node) -> tuple[SSAValue, SSAValue]:
    """The identity: this is inference."""
    if node.raw("train", False) and node.number("p", 0.5):
        raise NotSupported("random dropout is on; call module.eval() before exporting")
    b, x = node.b, node.x("input")
    return x, b.compare("EQ", b.like(x, 0), b.like(x, 0))
