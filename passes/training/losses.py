"""Losses as ops: what a model gives, and what it should have given, to one number.

Each is a mean over all that is judged: samples, and positions within them.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from xdsl.dialects.builtin import TensorType, i32
from xdsl.ir import SSAValue

from dojocc.dialects.op import OpList
from dojocc.dialects.types import FLOATS, tensor, text_of
from dojocc.passes.rewriting import element, shape
from dojocc.runtime.errors import UnsupportedError, UsageError

CLASSES = ("cross-entropy",)
"""Losses whose labels are numbers of classes."""


def labels_type(loss: str, given: SSAValue, axis: int) -> TensorType:
    """The type of what an output is compared with."""
    assert isinstance(given.type, TensorType)
    if element(given) not in FLOATS:
        raise UnsupportedError("a loss needs a float output", numbers=text_of(given.type))
    if loss not in CLASSES:
        return tensor(shape(given))
    place = class_axis(given, axis)
    return tensor([size for other, size in enumerate(shape(given)) if other != place], i32)


def class_axis(given: SSAValue, axis: int) -> int:
    """The dim of the classes, counted from the front."""
    rank = len(shape(given))
    if not -rank <= axis < rank:
        raise UsageError(
            f"the output has no dim {axis} of classes",
            numbers=f"{text_of(given.type)} has dims 0 to {rank - 1}",
            help="choose the dim with axis=",
        )
    return axis % rank


def cross_entropy(b: OpList, given: SSAValue, labels: SSAValue, axis: int) -> SSAValue:
    """Minus the mean log probability of the labelled classes; labels are their numbers."""
    sizes, place = shape(given), class_axis(given, axis)
    others = [dim for dim in range(len(sizes)) if dim != place]
    numbers = b("iota", dim=place, shape=sizes, element_type=i32)
    hit = b("compare", numbers, b.broadcast(labels, sizes, others), direction="EQ")
    logs = b("log_softmax", given, axis=place)
    return negative_mean(b, b("select", hit, logs, b.splat(0.0, logs)), sizes, place)


def soft_cross_entropy(b: OpList, given: SSAValue, labels: SSAValue, axis: int) -> SSAValue:
    """The same with a probability for every class as labels."""
    place = class_axis(given, axis)
    logs = b("log_softmax", given, axis=place)
    return negative_mean(b, b("multiply", labels, logs), shape(given), place)


def negative_mean(b: OpList, terms: SSAValue, sizes: tuple[int, ...], place: int) -> SSAValue:
    """Minus the sum of all terms over the number of judgements, which `place` is no dim of."""
    total = b("reduce", terms, kind="sum", dims=range(len(sizes)))
    return b("multiply", total, b.splat(-1.0 / (prod(sizes) // sizes[place]), total))


def mean_square(b: OpList, given: SSAValue, labels: SSAValue, axis: int) -> SSAValue:
    """The mean square of the difference."""
    apart = b("subtract", given, labels)
    return b("reduce", b("multiply", apart, apart), kind="mean", dims=range(len(shape(given))))


def binary_cross_entropy(b: OpList, given: SSAValue, labels: SSAValue, axis: int) -> SSAValue:
    """The mean of log(1 + exp(x)) - x t: x are logits, t probabilities."""
    apart = b("subtract", b("softplus", given), b("multiply", given, labels))
    return b("reduce", apart, kind="mean", dims=range(len(shape(given))))


Loss = Callable[[OpList, SSAValue, SSAValue, int], SSAValue]
LOSSES: dict[str, Loss] = {
    "cross-entropy": cross_entropy,
    "soft-cross-entropy": soft_cross_entropy,
    "mse": mean_square,
    "bce": binary_cross_entropy,
}
