"""Optimizers as ops: parameter, gradient and state to new parameter and new state.

The formulas are PyTorch's, in FP32, all element by element.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import log
from typing import Any, NamedTuple

from xdsl.ir import SSAValue

from dojocc.dialects.op import OpList
from dojocc.passes.rewriting import shape

State = Mapping[str, SSAValue]
TINY = 1e-6  # keeps a gradient of nothing from being divided by nothing, as PyTorch does
MOMENTUM, FIRST, SECOND = "momentum", "first moment", "second moment"


class Step(NamedTuple):
    """What is new each step: the learning rate, and the step's number from 1."""

    rate: SSAValue
    number: SSAValue


class Knobs(NamedTuple):
    """The numbers of one parameter's update, from a pass's options."""

    momentum: float
    nesterov: bool
    beta1: float
    beta2: float
    epsilon: float
    decay: float
    apart: bool  # decay is applied to the parameter, not added to the gradient

    @staticmethod
    def of(options: Any, decay: float) -> Knobs:
        return Knobs(
            options.momentum,
            options.nesterov,
            options.beta1,
            options.beta2,
            options.epsilon,
            decay,
            options.optimizer == "adamw",
        )


Formula = Callable[
    [OpList, Knobs, Step, SSAValue, SSAValue, State], tuple[SSAValue, dict[str, SSAValue]]
]


class Optimizer(NamedTuple):
    """Which state a parameter has, and the formula."""

    parts: Callable[[Any], tuple[str, ...]]
    formula: Formula


def scaled(b: OpList, x: SSAValue, factor: float) -> SSAValue:
    return b("multiply", x, b.splat(factor, x))


def spread(b: OpList, scalar: SSAValue, like: SSAValue) -> SSAValue:
    return b.broadcast(scalar, shape(like), ())


def decayed(
    b: OpList, knobs: Knobs, step: Step, x: SSAValue, gradient: SSAValue
) -> tuple[SSAValue, SSAValue]:
    """Parameter and gradient with weight decay, in one or the other."""
    if not knobs.decay:
        return x, gradient
    if not knobs.apart:
        return x, b("add", gradient, scaled(b, x, knobs.decay))
    lost = scaled(b, step.rate, knobs.decay)
    return b("subtract", x, b("multiply", x, spread(b, lost, x))), gradient


def sgd(
    b: OpList, knobs: Knobs, step: Step, x: SSAValue, gradient: SSAValue, state: State
) -> tuple[SSAValue, dict[str, SSAValue]]:
    """x - rate v with v = momentum v + gradient; nesterov looks one step ahead."""
    x, gradient = decayed(b, knobs, step, x, gradient)
    after: dict[str, SSAValue] = {}
    if MOMENTUM in state:
        moved = b("add", scaled(b, state[MOMENTUM], knobs.momentum), gradient)
        after[MOMENTUM] = moved
        ahead = b("add", gradient, scaled(b, moved, knobs.momentum)) if knobs.nesterov else moved
        gradient = ahead
    return b("subtract", x, b("multiply", gradient, spread(b, step.rate, x))), after


def adam(
    b: OpList, knobs: Knobs, step: Step, x: SSAValue, gradient: SSAValue, state: State
) -> tuple[SSAValue, dict[str, SSAValue]]:
    """x - rate m' / (sqrt(v') + epsilon), m' and v' without the bias towards their start at 0."""
    x, gradient = decayed(b, knobs, step, x, gradient)
    first = moving(b, state[FIRST], gradient, knobs.beta1)
    second = moving(b, state[SECOND], b("multiply", gradient, gradient), knobs.beta2)
    reach = b("divide", step.rate, missing(b, step.number, knobs.beta1))
    shrink = b("sqrt", missing(b, step.number, knobs.beta2))
    root = b("divide", b("sqrt", second), spread(b, shrink, second))
    below = b("add", root, b.splat(knobs.epsilon, root))
    change = b("divide", b("multiply", first, spread(b, reach, first)), below)
    return b("subtract", x, change), {FIRST: first, SECOND: second}


def moving(b: OpList, average: SSAValue, new: SSAValue, beta: float) -> SSAValue:
    """beta average + (1 - beta) new."""
    return b("add", scaled(b, average, beta), scaled(b, new, 1 - beta))


def missing(b: OpList, number: SSAValue, beta: float) -> SSAValue:
    """1 - beta to the power of the step's number.

    With u = number log beta that is -(exp(u) - 1). Near 0, where the difference would lose all its
    digits (a second moment's first steps), by the series u + u^2/2 + ... instead.
    """
    if beta == 0:
        return b.splat(1.0, number)
    u = scaled(b, number, log(beta))
    series = b.splat(1.0, u)
    for order in range(8, 1, -1):  # 1 + u/2 (1 + u/3 (1 + ...)): below 1e-8 for u above -1/2
        series = b("add", scaled(b, b("multiply", u, series), 1 / order), b.splat(1.0, u))
    near = b("compare", u, b.splat(-0.5, u), direction="GT")
    power = b("exponential_minus_one", u)
    return b("negate", b("select", near, b("multiply", u, series), power))


def clipped(
    b: OpList, gradients: Mapping[str, SSAValue], most: float
) -> tuple[dict[str, SSAValue], SSAValue]:
    """All gradients times min(1, most / their joint norm), and that norm."""
    total: SSAValue | None = None
    for gradient in gradients.values():
        square = b("multiply", gradient, gradient)
        part = b("reduce", square, kind="sum", dims=range(len(shape(gradient))))
        total = part if total is None else b("add", total, part)
    assert total is not None
    norm = b("sqrt", total)
    share = b("divide", b.splat(most, norm), b("add", norm, b.splat(TINY, norm)))
    factor = b("minimum", share, b.splat(1.0, share))
    rows = gradients.items()
    return {name: b("multiply", each, spread(b, factor, each)) for name, each in rows}, norm


def moments(options: Any) -> tuple[str, ...]:
    return (FIRST, SECOND)


OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": Optimizer(lambda options: (MOMENTUM,) if options.momentum else (), sgd),
    "adam": Optimizer(moments, adam),
    "adamw": Optimizer(moments, adam),
}
