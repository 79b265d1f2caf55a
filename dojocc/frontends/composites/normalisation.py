"""Normalisations that are no op of the nn dialect, written out."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from xdsl.ir import SSAValue

from dojocc.frontends.build import Builder, shape_of


def centred(b: Builder, x: SSAValue, axes: Sequence[int], epsilon: float):
    """(x - mean) / sqrt(variance + epsilon) over the axes, the mean and the reciprocal root."""
    mean = b.reduce("mean", x, axes)
    shifted = b.binary("subtract", x, mean)
    variance = b.reduce("mean", b.emit("multiply", shifted, shifted), axes)
    root = b.emit("rsqrt", b.plus(variance, epsilon))
    return b.binary("multiply", shifted, root), mean, root


def by_channel(b: Builder, row: SSAValue, rank: int) -> SSAValue:
    """One number a channel, shaped to broadcast along dim 1."""
    return b.reshape(row, (shape_of(row)[0], *[1] * (rank - 2)))


def scaled_by_channel(
    b: Builder, x: SSAValue, scale: SSAValue | None, bias: SSAValue | None
) -> SSAValue:
    """x times and plus one number a channel (dim 1), where there are such."""
    rank = len(shape_of(x))
    if scale is not None:
        x = b.binary("multiply", x, by_channel(b, scale, rank))
    return x if bias is None else b.binary("add", x, by_channel(b, bias, rank))


def instance_norm(
    b: Builder, x: SSAValue, scale: SSAValue | None, bias: SSAValue | None, epsilon: float
) -> SSAValue:
    """Each channel of each image by itself."""
    normal, _, _ = centred(b, x, range(2, len(shape_of(x))), epsilon)
    return scaled_by_channel(b, normal, scale, bias)


def grouped(b: Builder, x: SSAValue, groups: int, epsilon: float):
    """[batch, groups, rest] normalised along the rest, with mean and reciprocal root."""
    shape = shape_of(x)
    split = b.reshape(x, (shape[0], groups, prod(shape[1:]) // groups))
    return centred(b, split, [2], epsilon)


def group_norm(
    b: Builder,
    x: SSAValue,
    groups: int,
    scale: SSAValue | None,
    bias: SSAValue | None,
    epsilon: float,
) -> SSAValue:
    """Each group of channels by itself, scaled and shifted by channel."""
    normal, _, _ = grouped(b, x, groups, epsilon)
    return scaled_by_channel(b, b.reshape(normal, shape_of(x)), scale, bias)


def rms_norm(
    b: Builder, x: SSAValue, axes: Sequence[int], scale: SSAValue | None, epsilon: float
) -> SSAValue:
    """x / sqrt(mean(x^2) + epsilon) * scale."""
    power = b.reduce("mean", b.emit("multiply", x, x), axes)
    root = b.emit("rsqrt", b.plus(power, epsilon))
    normal = b.binary("multiply", x, root)
    return normal if scale is None else b.binary("multiply", normal, scale)
