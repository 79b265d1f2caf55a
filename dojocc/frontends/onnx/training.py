"""Optimiser steps of ai.onnx.preview.training: one update of every tensor."""

from __future__ import annotations

from xdsl.ir import SSAValue

from dojocc.frontends.build import Builder
from dojocc.frontends.onnx.node import Node, Refusal, handles

DOMAIN = "ai.onnx.preview.training"


def groups(node: Node, states: int) -> list[list[SSAValue]]:
    """[x, gradient, state...] of each tensor; operands 0 and 1 are the rate and the step count."""
    count = (node.count - 2) // (2 + states)
    return [[node.x(2 + kind * count + i) for kind in range(2 + states)] for i in range(count)]


def regularised(b: Builder, gradient: SSAValue, x: SSAValue, share: float) -> SSAValue:
    return gradient if share == 0 else b.emit("add", gradient, b.scaled(x, share))


def flat(updates: list[tuple[SSAValue, ...]]) -> tuple[SSAValue, ...]:
    """All new tensors, then all new states of the first kind, and so on."""
    return tuple(value for column in zip(*updates, strict=True) for value in column)


@handles(f"{DOMAIN}.Adagrad")
def adagrad(node: Node) -> tuple[SSAValue, ...]:
    """x - rate g / (sqrt(h + g^2) + epsilon), the rate decayed by the step count."""
    b = node.b
    steps = int(node.integers(1, "the step count")[0])
    rate = b.scaled(b.reshape(node.x(0), ()), 1 / (1 + steps * node.attr("decay_factor", 0.0)))
    updates = []
    for x, gradient, squares in groups(node, 1):
        gradient = regularised(b, gradient, x, node.attr("norm_coefficient", 0.0))
        squares = b.emit("add", squares, b.emit("multiply", gradient, gradient))
        size = b.plus(b.emit("sqrt", squares), node.attr("epsilon", 1e-6))
        step = b.binary("multiply", b.emit("divide", gradient, size), rate)
        updates.append((b.emit("subtract", x, step), squares))
    return flat(updates)


@handles(f"{DOMAIN}.Adam")
def adam(node: Node) -> tuple[SSAValue, ...]:
    """Averages of g and g^2; the rate corrected for their start at zero."""
    b = node.b
    steps = int(node.integers(1, "the step count")[0])
    alpha, beta = node.attr("alpha", 0.9), node.attr("beta", 0.999)
    share = node.attr("norm_coefficient", 0.0)
    correction = (1 - beta**steps) ** 0.5 / (1 - alpha**steps) if steps > 0 else 1.0
    rate = b.scaled(b.reshape(node.x(0), ()), correction)
    after = 1 - node.attr("norm_coefficient_post", 0.0)
    updates = []
    for x, gradient, mean, square in groups(node, 2):
        gradient = regularised(b, gradient, x, share)
        mean = b.emit("add", b.scaled(mean, alpha), b.scaled(gradient, 1 - alpha))
        power = b.scaled(b.emit("multiply", gradient, gradient), 1 - beta)
        square = b.emit("add", b.scaled(square, beta), power)
        size = b.plus(b.emit("sqrt", square), node.attr("epsilon", 1e-6))
        step = b.binary("multiply", b.emit("divide", mean, size), rate)
        updates.append((b.scaled(b.emit("subtract", x, step), after), mean, square))
    return flat(updates)


@handles(f"{DOMAIN}.Momentum")
def momentum(node: Node) -> tuple[SSAValue, ...]:
    """v = alpha v + beta g (beta is 1 at the first step); nesterov looks one step ahead."""
    b = node.b
    steps = int(node.integers(1, "the step count")[0])
    alpha, mode = node.attr("alpha"), node.attr("mode")
    beta = node.attr("beta") if steps > 0 else 1.0
    if mode not in ("standard", "nesterov"):
        raise Refusal(f"mode={mode!r} is neither standard nor nesterov")
    rate = b.reshape(node.x(0), ())
    updates = []
    for x, gradient, speed in groups(node, 1):
        gradient = regularised(b, gradient, x, node.attr("norm_coefficient"))
        speed = b.emit("add", b.scaled(speed, alpha), b.scaled(gradient, beta))
        step = speed
        if mode == "nesterov":
            step = b.emit("add", gradient, b.scaled(speed, alpha))
        updates.append((b.emit("subtract", x, b.binary("multiply", step, rate)), speed))
    return flat(updates)
