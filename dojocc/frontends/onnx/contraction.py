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


def add_channel_bias(node: Node, result: SSAValue, index: int) -> SSAValue:
    """Add operand `index`, one number a channel (dim 1), if it is there."""
    if not node.has(index):
        return result
    shape = shape_of(result)
    bias = node.b.emit("broadcast_in_dim", node.weight(index), dims=(1,), shape=shape)
    return node.b.emit("add", result, bias)


def kernel_of(node: Node, weight_shape: Sequence[int]) -> list[int]:
    kernel = list(weight_shape[2:])
    written = node.attr("kernel_shape")
    if written is not None and list(written) != kernel:
        raise Refusal(f"kernel_shape {list(written)} is not the weight's {kernel}")
    return kernel


@handles("Conv")
def convolution(node: Node) -> SSAValue:
    node.need_float()
    x, weight = node.x(), node.weight(1)
    kernel = kernel_of(node, shape_of(weight))
    ones = [1] * len(kernel)
    strides = list(node.attr("strides") or ones)
    dilations = list(node.attr("dilations") or ones)
    padding = conv_padding(node, shape_of(x)[2:], kernel, strides, dilations)
    result = node.b.emit(
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
    return add_channel_bias(node, result, 2)


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
    return add_channel_bias(node, result, 2)


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


@handles("Einsum")
def einsum(node: Node) -> SSAValue:
    """One or two operands without repeated letters: transposes, sums and one dot_general."""
    node.need_float()
    equation = node.attr("equation", "").replace(" ", "")
    inputs, arrow, output = equation.partition("->")
    terms = inputs.split(",")
    if not arrow:  # then the letters that stand once, in order
        output = "".join(sorted(letter for letter in inputs if inputs.count(letter) == 1))
        output = output.replace(",", "")
    if "." in equation or len(terms) != node.count or node.count > 2:
        raise Refusal(f"equation {equation!r}; supported: one or two operands, no ellipsis")
    if any(len(set(term)) != len(term) for term in (*terms, output)):
        raise Refusal(f"equation {equation!r} repeats a letter within one operand")
    values = [node.weight(i) for i in range(node.count)]
    for number, term in enumerate(terms):
        others = set(output).union(*(set(t) for i, t in enumerate(terms) if i != number))
        alone = [i for i, letter in enumerate(term) if letter not in others]
        values[number] = node.b.reduce("sum", values[number], alone, keep=False)
        terms[number] = "".join(letter for letter in term if letter in others)
    if len(values) == 1:
        result, letters = values[0], terms[0]
    else:
        result, letters = einsum_product(node, values, terms, output)
    return node.b.transpose(result, [letters.index(letter) for letter in output])


def einsum_product(
    node: Node, values: list[SSAValue], terms: list[str], output: str
) -> tuple[SSAValue, str]:
    """One dot_general and the letters of its result."""
    left, right = terms
    batch = [letter for letter in left if letter in right and letter in output]
    summed = [letter for letter in left if letter in right and letter not in output]
    contract, batched = (
        ([left.index(letter) for letter in letters], [right.index(letter) for letter in letters])
        for letters in (summed, batch)
    )
    result = node.b.dot_general(values[0], values[1], contract, batched)
    free = [letter for term in terms for letter in term if letter not in batch + summed]
    return result, "".join(batch + free)
