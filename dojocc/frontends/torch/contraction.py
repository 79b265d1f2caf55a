"""Matrix products, linear layers, convolutions and attention."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import SSAValue

from dojocc.frontends.build import NotSupported, shape_of
from dojocc.frontends.composites.attention import attention
from dojocc.frontends.composites.convolution import Ends, add_channel_bias, convolve, transposed
from dojocc.frontends.torch.node import Node, handles


@handles("mm", "bmm", "matmul", "mv", "dot")
def product(node: Node) -> SSAValue:
    second = next(name for name in ("mat2", "other", "vec", "tensor") if node.has(name))
    node.need_float()
    return node.b.matmul(node.x(), node.x(second))


@handles("linear")
def linear(node: Node) -> SSAValue:
    """x weight' + bias."""
    node.need_float("input")
    b, x, weight = node.b, node.x("input"), node.x("weight")
    columns = 0 if len(shape_of(weight)) == 1 else 1
    result = b.dot_general(x, weight, ([len(shape_of(x)) - 1], [columns]))
    return b.binary("add", result, node.x("bias")) if node.has("bias") else result


@handles("addmm", "baddbmm", "addmv")
def add_product(node: Node) -> SSAValue:
    """beta self + alpha (left right)."""
    b = node.b
    names = {"addmm": ("mat1", "mat2"), "baddbmm": ("batch1", "batch2"), "addmv": ("mat", "vec")}
    left, right = names[node.op]
    node.need_float(left)
    result = b.scaled(b.matmul(node.x(left), node.x(right)), node.number("alpha", 1))
    beta = node.number("beta", 1)
    return b.binary("add", result, b.scaled(node.x(), beta)) if beta else result


@handles("conv1d", "conv2d", "conv3d")
def convolution(node: Node) -> SSAValue:
    return convolved(node, node.number("padding", 0))


@handles("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def transposed_convolution(node: Node) -> SSAValue:
    return turned(node)


@handles("convolution")
def general_convolution(node: Node) -> SSAValue:
    return turned(node) if node.raw("transposed") else convolved(node, node.number("padding"))


def batched(node: Node, rank: int) -> SSAValue:
    """The input with a batch dim, which PyTorch lets one leave out."""
    x = node.x("input")
    return x if len(shape_of(x)) == rank else node.b.reshape(x, (1, *shape_of(x)))


def unbatched(node: Node, x: SSAValue) -> SSAValue:
    wanted = node.result.shape
    return x if len(shape_of(x)) == len(wanted) else node.b.reshape(x, wanted)


def convolved(node: Node, padding: str | int | Sequence[int]) -> SSAValue:
    node.need_float("input")
    b, weight = node.b, node.x("weight")
    kernel = shape_of(weight)[2:]
    count = len(kernel)
    strides, dilations = node.spread("stride", count, 1), node.spread("dilation", count, 1)
    ends = padding_ends(padding, kernel, dilations)
    x = batched(node, count + 2)
    result = convolve(b, x, weight, strides, ends, dilations, node.number("groups", 1))
    return unbatched(node, add_channel_bias(b, result, node.maybe("bias")))


def padding_ends(
    padding: str | int | Sequence[int], kernel: Sequence[int], dilations: Sequence[int]
) -> Ends:
    """Low and high of each dim; `same` puts the odd one behind."""
    if padding == "valid":
        padding = 0
    if padding == "same":
        totals = [(size - 1) * step for size, step in zip(kernel, dilations, strict=True)]
        return [(total // 2, total - total // 2) for total in totals]
    if isinstance(padding, str):
        raise NotSupported(f"padding={padding!r} is neither valid nor same")
    rows = list(padding) if isinstance(padding, Sequence) else [padding]
    rows = rows * len(kernel) if len(rows) == 1 else rows
    return [(amount, amount) for amount in rows]


def turned(node: Node) -> SSAValue:
    node.need_float("input")
    b, weight = node.b, node.x("weight")
    kernel = shape_of(weight)[2:]
    count = len(kernel)
    strides, dilations = node.spread("stride", count, 1), node.spread("dilation", count, 1)
    crop = padding_ends(node.number("padding", 0), kernel, dilations)
    extra = node.spread("output_padding", count, 0)
    groups = node.number("groups", 1)
    x = batched(node, count + 2)
    result = transposed(b, x, weight, strides, crop, dilations, groups, extra)
    return unbatched(node, add_channel_bias(b, result, node.maybe("bias")))


@handles("scaled_dot_product_attention")
def scaled_attention(node: Node) -> SSAValue:
    if node.number("dropout_p", 0.0):
        raise NotSupported("random dropout is on; call module.eval() before exporting")
    node.need_float("query")
    return attention(
        node.b,
        node.x("query"),
        node.x("key"),
        node.x("value"),
        node.maybe("attn_mask"),
        bool(node.raw("is_causal", False)),
        node.number("scale"),
    )
