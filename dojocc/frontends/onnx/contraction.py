"""Matrix products, convolutions and Einsum."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import SSAValue

from dojocc.frontends.build import shape_of
from dojocc.frontends.composites.convolution import add_channel_bias, convolve, transposed
from dojocc.frontends.onnx.node import Node, Refusal, handles
from dojocc.frontends.onnx.windows import pairs


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
    return add_channel_bias(node.b, convolved(node, node.x(), node.weight(1)), bias)


def convolved(node: Node, x: SSAValue, weight: SSAValue) -> SSAValue:
    """The convolution that the node's attributes say, channels first."""
    kernel = kernel_of(node, shape_of(weight))
    ones = [1] * len(kernel)
    strides = list(node.attr("strides") or ones)
    dilations = list(node.attr("dilations") or ones)
    padding = pairs(node, shape_of(x)[2:], kernel, strides, dilations)
    return convolve(node.b, x, weight, strides, padding, dilations, node.attr("group", 1))


@handles("ConvTranspose")
def transposed_convolution(node: Node) -> SSAValue:
    node.need_float()
    x, weight = node.x(), node.weight(1)
    kernel = kernel_of(node, shape_of(weight))
    ones = [1] * len(kernel)
    strides = list(node.attr("strides") or ones)
    dilations = list(node.attr("dilations") or ones)
    extra = list(node.attr("output_padding") or [0] * len(kernel))
    reach = [(size - 1) * step for size, step in zip(kernel, dilations, strict=True)]
    crop = transposed_crop(node, shape_of(x)[2:], strides, reach, extra)
    groups = node.attr("group", 1)
    result = transposed(node.b, x, weight, strides, crop, dilations, groups, extra)
    return add_channel_bias(node.b, result, node.weight(2) if node.has(2) else None)


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
