"""Convolutions, channels first: plain, transposed, and with a bias a channel."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import SSAValue

from dojocc.frontends.build import Builder, NotSupported, shape_of

Ends = Sequence[tuple[int, int]]
"""Low and high amounts of each spatial dim."""


def add_channel_bias(b: Builder, result: SSAValue, bias: SSAValue | None) -> SSAValue:
    """Add one number a channel (dim 1), if there is a bias."""
    if bias is None:
        return result
    wide = b.emit("broadcast_in_dim", bias, dims=(1,), shape=shape_of(result))
    return b.emit("add", result, wide)


def convolve(
    b: Builder,
    x: SSAValue,
    weight: SSAValue,
    strides: Sequence[int],
    padding: Ends,
    dilations: Sequence[int],
    groups: int,
    spread: Sequence[int] | None = None,
) -> SSAValue:
    """The convolution of x (its elements `spread` apart) with [out, in / groups, ...] weights."""
    return b.emit(
        "convolution",
        x,
        weight,
        strides=strides,
        padding=[amount for pair in padding for amount in pair],
        lhs_dilation=[1] * len(strides) if spread is None else spread,
        rhs_dilation=dilations,
        groups=groups,
        layout="nchw",
    )


def transposed(
    b: Builder,
    x: SSAValue,
    weight: SSAValue,
    strides: Sequence[int],
    crop: Ends,
    dilations: Sequence[int],
    groups: int,
    extra: Sequence[int],
) -> SSAValue:
    """A convolution of the input spread out by the strides, with the kernel turned round.

    `crop` is cut off each end of the full result, `extra` added behind it.
    """
    kernel = shape_of(weight)[2:]
    padding = []
    for (low, high), size, step, more in zip(crop, kernel, dilations, extra, strict=True):
        reach = (size - 1) * step
        padding.append((reach - low, reach - high + more))
    if min(amount for pair in padding for amount in pair) < 0:
        raise NotSupported(f"padding {list(crop)} crops more than the kernel reaches")
    turned = turned_weight(b, weight, groups)
    return convolve(b, x, turned, [1] * len(kernel), padding, dilations, groups, strides)


def turned_weight(b: Builder, weight: SSAValue, groups: int) -> SSAValue:
    """[in, out / groups, ...] to [out, in / groups, ...] with the spatial dims reversed."""
    inside, outside, *kernel = shape_of(weight)
    spatial = tuple(range(3, 3 + len(kernel)))
    split = b.reshape(weight, (groups, inside // groups, outside, *kernel))
    swapped = b.transpose(split, (0, 2, 1, *spatial))
    flat = b.reshape(swapped, (groups * outside, inside // groups, *kernel))
    return b.emit("reverse", flat, dims=tuple(range(2, 2 + len(kernel))))
