"""Products and convolutions."""

from __future__ import annotations

from typing import Any

from xdsl.dialects.builtin import f32
from xdsl.ir import SSAValue

from dojocc.frontends.build import NotSupported, element_of, shape_of
from dojocc.frontends.stablehlo.node import Node, handles
from dojocc.frontends.stablehlo.plain import fields, lists


def need_float(node: Node) -> None:
    if element_of(node.x()) != f32:
        raise NotSupported("the operands hold integers; floats are supported")


@handles("dot_general")
def dot_general(node: Node) -> SSAValue:
    """Dims by the pretty form's pairs or by the generic form's attribute."""
    need_float(node)
    numbers = node.raw("dot_dimension_numbers")
    if numbers is not None:
        found = fields(numbers)
        names = ("contracting", "batching")
        contract, batch = (
            [found.get(f"{side}_{name}_dimensions", []) for side in ("lhs", "rhs")]
            for name in names
        )
    else:
        contract = node.raw("contracting_dims") or [[], []]
        batch = node.raw("batching_dims") or [[], []]
    return node.b.dot_general(node.x(0), node.x(1), tuple(contract), tuple(batch))


def window(node: Node, rank: int) -> dict[str, Any]:
    """stride, pad, lhs_dilate, rhs_dilate, reverse of every spatial dim, from either form."""
    given = node.raw("window") or {}
    ones = [1] * rank
    padding = given.get("pad", node.raw("padding")) or [[0, 0]] * rank
    return {
        "stride": given.get("stride", node.raw("window_strides")) or ones,
        "pad": padding if isinstance(padding[0], list) else [padding],
        "lhs_dilate": given.get("lhs_dilate", node.raw("lhs_dilation")) or ones,
        "rhs_dilate": given.get("rhs_dilate", node.raw("rhs_dilation")) or ones,
        "reverse": given.get("reverse", node.raw("window_reversal")) or [False] * rank,
    }


def order_of(letters: list[Any], first: str, second: str) -> list[int]:
    """Which dim of the operand comes where: the two named ones, then spatial dims in order."""
    rank = len(letters) - 2
    return [letters.index(first), letters.index(second), *(letters.index(i) for i in range(rank))]


@handles("convolution")
def convolution(node: Node) -> SSAValue:
    """Channels are brought where nn has them: last with HWIO weights, else first."""
    need_float(node)
    numbers = node.raw("dim_numbers")
    inputs, kernel, outputs = numbers or lists(node.require("dimension_numbers"))
    rank = len(inputs) - 2
    if rank < 1 or rank > 3:
        raise NotSupported(f"{rank} spatial dims; 1 to 3 are supported")
    if (node.raw("batch_group_count") or 1) != 1:
        raise NotSupported("groups of the batch")
    spatial = list(range(rank))
    last = inputs == ["b", *spatial, "f"] and kernel == [*spatial, "i", "o"] and outputs == inputs
    b, x, weight, given = node.b, node.x(0), node.x(1), window(node, rank)
    turned = [kernel.index(axis) for axis in spatial if given["reverse"][axis]]
    if turned:
        weight = b.emit("reverse", weight, dims=sorted(turned))
    if not last:
        x = b.transpose(x, order_of(inputs, "b", "f"))
        weight = b.transpose(weight, order_of(kernel, "o", "i"))
    pads = [tuple(pair) for pair in given["pad"]]
    if any(amount < 0 for pair in pads for amount in pair):
        if any(step != 1 for step in given["lhs_dilate"]):
            raise NotSupported("negative padding of a spread input")
        x, pads = cropped(node, x, pads, 1 if last else 2)
    result = b.emit(
        "convolution",
        x,
        weight,
        strides=given["stride"],
        padding=[amount for pair in pads for amount in pair],
        lhs_dilation=given["lhs_dilate"],
        rhs_dilation=given["rhs_dilate"],
        groups=node.raw("feature_group_count") or 1,
        layout="nhwc" if last else "nchw",
    )
    if last:
        return result
    order = order_of(outputs, "b", "f")
    return b.transpose(result, [order.index(axis) for axis in range(len(order))])


def cropped(
    node: Node, x: SSAValue, pads: list[tuple[int, ...]], first: int
) -> tuple[SSAValue, list[tuple[int, ...]]]:
    """Negative padding as a slice before."""
    low, high = [0] * len(shape_of(x)), list(shape_of(x))
    for number, (before, after) in enumerate(pads):
        low[first + number] = max(-before, 0)
        high[first + number] -= max(-after, 0)
    kept = [(max(before, 0), max(after, 0)) for before, after in pads]
    return node.b.slice(x, low, high), kept
