"""The two convolutions that give a convolution's gradients: their properties and operands.

By the input: what comes from above, spread by the strides, under the kernel turned round, with
input and output channels exchanged. By the weights: the input under what comes from above, with
batch and channels exchanged, so that batch and positions are summed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdsl.ir import SSAValue

from dojocc.dialects.nn.convolution_dims import Dims
from dojocc.dialects.nn.windows import dilated
from dojocc.dialects.op import OpList

Shape = Sequence[int]


def backward(p: Any, x: Shape, w: Shape, y: Shape, at: Dims) -> tuple[dict[str, Any], ...]:
    """Properties of the convolutions by input and by weights, for a convolution's own `p`."""
    by_input: list[int] = []
    by_weights: list[int] = []
    for number, axis in enumerate(at.spatial):
        span = dilated(w[at.kernel[number]], p.rhs_dilation[number])
        length = dilated(x[axis], p.lhs_dilation[number])
        spread = dilated(y[axis], p.strides[number])
        low = p.padding[2 * number]
        # Windows must be as many as the input has elements, and as many as the kernel has taps.
        by_input += [span - 1 - low, length - spread + low]
        by_weights += [low, spread + span - length - 1 - low]
    shared = {"groups": p.groups, "layout": p.layout}
    inputs = {
        "strides": p.lhs_dilation,
        "padding": by_input,
        "lhs_dilation": p.strides,
        "rhs_dilation": p.rhs_dilation,
    }
    weights = {
        "strides": p.rhs_dilation,
        "padding": by_weights,
        "lhs_dilation": p.lhs_dilation,
        "rhs_dilation": p.strides,
    }
    return inputs | shared, weights | shared


def regrouped(b: OpList, w: SSAValue, shape: Shape, groups: int, at: Dims) -> SSAValue:
    """Weights with input and output channels exchanged, in each group by itself."""
    if groups == 1:
        return exchanged(b, w, at.out_channel, at.in_channel, len(shape))
    outputs, depth = shape[at.out_channel], shape[at.in_channel]
    inner = [*shape]
    inner[at.out_channel : at.out_channel + 1] = [groups, outputs // groups]
    outer = at.out_channel + 1  # the outputs of a group
    source = at.in_channel + (at.in_channel > at.out_channel)
    split = exchanged(b, b("reshape", w, shape=inner), outer, source, len(inner))
    joined = [*shape]
    joined[at.out_channel], joined[at.in_channel] = groups * depth, outputs // groups
    return b("reshape", split, shape=joined)


def batch_as_channels(b: OpList, x: SSAValue, shape: Shape, groups: int, at: Dims) -> SSAValue:
    """The input with a group's channels as its batch, and group and batch as its channels."""
    if groups == 1:
        return exchanged(b, x, at.batch, at.channel, len(shape))
    batch, depth = shape[at.batch], shape[at.channel] // groups
    inner = [*shape]
    inner[at.channel : at.channel + 1] = [groups, depth]
    # Batch stands first in both layouts: it and the depth of a group change places.
    split = exchanged(b, b("reshape", x, shape=inner), at.batch, at.channel + 1, len(inner))
    joined = [*shape]
    joined[at.batch], joined[at.channel] = depth, groups * batch
    return b("reshape", split, shape=joined)


def exchanged(b: OpList, x: SSAValue, one: int, other: int, rank: int) -> SSAValue:
    """Two dims in each other's place."""
    order = list(range(rank))
    order[one], order[other] = other, one
    return b("transpose", x, permutation=order)
