"""Matrix products, convolutions and Einsum."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import SSAValue

from dojocc.frontends.build import shape_of
from dojocc.frontends.onnx.node import Node, Refusal, handles
from dojocc.frontends.onnx.windows import conv_padding


@handles("MatMul")
def matmul(node: Node) -> SSAValue:
    node.need_float()
    return node.b.matmul(node.weight(0), node.weight(1))


@handles("Gemm")
def gemm(node: Node) -> SSAValue:
    """alpha A' B' + beta C, with C broadcast to the result."""
    b = node.b
    node.need_float()
    left, right = (1 - node.attr("transA", 0), node.attr("transB", 0))
    result = b.dot_general(node.weight(0), node.weight(1), ([left], [right]))
    result = b.scaled(result, node.attr("alpha", 1.0))
    beta = node.attr("beta", 1.0)
    if not node.has(2) or beta == 0:
        return result
    return b.emit("add", result, b.broadcast(b.scaled(node.weight(2), beta), shape_of(result)))


def add_channel_bias(node: Node, result: SSAValue, bias: SSAValue | None) -> SSAValue:
    """Add one number a channel (dim 1), if there is a bias."""
    if bias is None:
        return result
    wide = node.b.emit("broadcast_in_dim", bias, dims=(1,), shape=shape_of(result))
    return node.b.emit("add", result, wide)


def kernel_of(node: Node, weight_shape: Sequence[int]) -> list[int]:
    kernel = list(weight_shape[2:])
    written = node.attr("kernel_shape")
    if written is not None and list(written) != kernel:
        raise Refusal(f"kernel_shape {list(written)} is not the weight's {kernel}")
    return kernel


@handles("Conv")
def convolution(node: Node) -> SSAValue:
    node.need_float()
    bias = node.weight(2) if node.has(2) else None
    return add_channel_bias(node, convolved(node, node.x(), node.weight(1)), bias)


def convolved(node: Node, x: SSAValue, weight: SSAValue) -> SSAValue:
    """The convolution that the node's attributes say, channels first."""
    kernel = kernel_of(node, shape_of(weight))
    ones = [1] * len(kernel)
    strides = list(node.attr("strides") or ones)
    dilations = list(node.attr("dilations") or ones)
    padding = conv_padding(node, shape_of(x)[2:], kernel, strides, dilations)
    return node.b.emit(
        "convolution",
        x,
        weight,
        strides=strides,
        padding=padding,
        lhs_dilation=ones,
        rhs_dilation=dilations,
        groups=node.attr("group", 1),
        layout="nchw",
    )


@handles("ConvTranspose")
def transposed_convolution(node: Node) -> SSAValue:
    """A convolution of the input spread out by the strides, with the kernel turned round."""
    node.need_float()
    b, x, weight = node.b, node.x(), node.weight(1)
    kernel = kernel_of(node, shape_of(weight))
    ones = [1] * len(kernel)
    strides = list(node.attr("strides") or ones)
    dilations = list(node.attr("dilations") or ones)
    extra = list(node.attr("output_padding") or [0] * len(kernel))
    reach = [(size - 1) * step for size, step in zip(kernel, dilations, strict=True)]
    crop = transposed_crop(node, shape_of(x)[2:], strides, reach, extra)
    padding = []
    for (low, high), far, more in zip(crop, reach, extra, strict=True):
        padding += [far - low, far - high + more]
    if min(padding) < 0:
        raise Refusal(f"padding {crop} crops more than the kernel reaches")
    result = b.emit(
        "convolution",
        x,
        turned_weight(node, weight, node.attr("group", 1)),
        strides=ones,
        padding=padding,
        lhs_dilation=strides,
        rhs_dilation=dilations,
        groups=node.attr("group", 1),
        layout="nchw",
    )
    return add_channel_bias(node, result, node.weight(2) if node.has(2) else None)


def turned_weight(node: Node, weight: SSAValue, groups: int) -> SSAValue:
    """[in, out / groups, ...] to [out, in / groups, ...] with the spatial dims reversed."""
    b, (inside, outside, *kernel) = node.b, shape_of(weight)
    spatial = tuple(range(3, 3 + len(kernel)))
    split = b.reshape(weight, (groups, inside // groups, outside, *kernel))
    swapped = b.transpose(split, (0, 2, 1, *spatial))
    flat = b.reshape(swapped, (groups * outside, inside // groups, *kernel))
    return b.emit("reverse", flat, dims=tuple(range(2, 2 + len(kernel))))


def transposed_crop(
    node: Node, sizes: Sequence[int], strides: list[int], reach: list[int], extra: list[int]
) -> list[tuple[int, int]]:
    """What is cut off each end of the full result: by pads, output_shape or auto_pad."""
    rank = len(sizes)
    full = [
        step * (n - 1) + far + 1 + more
        for n, step, far, more in zip(sizes, strides, reach, extra, strict=True)
    ]
    wanted = node.attr("output_shape")
    automatic = node.attr("auto_pad", "NOTSET")
    if wanted is None and automatic in ("NOTSET", "VALID"):
        pads = list(node.attr("pads") or [0] * 2 * rank)
        return [(pads[i], pads[i + rank]) for i in range(rank)]
    if wanted is None:
        wanted = [size * step for size, step in zip(sizes, strides, strict=True)]
    crop = []
    for have, want in zip(full, list(wanted)[-rank:], strict=True):
        total = have - want
        small, large = total // 2, total - total // 2
        crop.append((small, large) if automatic == "SAME_UPPER" else (large, small))
    return crop
