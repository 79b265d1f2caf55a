"""slice-strides: strided convolutions with windows of one element read a slice of their input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import BlockArgument, SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.location import get_location
from dojocc.dialects.nn import ConvolutionOp, FusedOp
from dojocc.dialects.op import OpList, build
from dojocc.passes.base import SAME, Pass
from dojocc.passes.rewriting import bodies, shape


@dataclass(frozen=True)
class SliceStrides(Pass):
    """Take the stride out of a 1x1 convolution, so that nodes do not hold what they never read.

    Takes: fused nn ops.
    Leaves: the same form.
    How: where every window of a channels-last convolution is one element, no padding is there and a
      stride is, its input becomes a strided nn.slice and its strides become 1: output element i
      reads input element i * stride either way. The slice is data movement, which the shard pass
      joins with the change of layout that the convolution needs.
    Fails: never.
    """

    name: ClassVar[str] = "slice-strides"
    takes: ClassVar[str] = "nn-fused"
    leaves: ClassVar[str] = SAME

    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:
        for block in bodies(op):
            for fused in list(block.ops):
                if isinstance(fused, FusedOp) and _strided_point(fused) is not None:
                    _rewrite(fused)


def _strided_point(fused: FusedOp) -> ConvolutionOp | None:
    """The region's root, if a strided convolution of single elements that alone reads its input."""
    root = fused.root()
    if not isinstance(root, ConvolutionOp) or root.p.layout != "nhwc":
        return None
    p = root.p
    window = shape(root.operands[1])[:-2]
    if set(window) != {1} or not any(step > 1 for step in p.strides) or any(p.padding):
        return None
    source = root.operands[0]
    alone = isinstance(source, BlockArgument) and source.has_one_use()
    return root if alone and all(step == 1 for step in p.lhs_dilation) else None


def _rewrite(fused: FusedOp) -> None:
    root = _strided_point(fused)
    assert root is not None
    argument = root.operands[0]
    assert isinstance(argument, BlockArgument)
    number = argument.index
    value = fused.operands[number]
    sizes = shape(value)
    outputs = shape(root.results[0])[1:-1]
    reach = [(size - 1) * step + 1 for size, step in zip(outputs, root.p.strides, strict=True)]
    b = OpList(get_location(fused))
    sliced = b(
        "slice",
        value,
        start=[0] * len(sizes),
        limit=[sizes[0], *reach, sizes[-1]],
        strides=[1, *root.p.strides, 1],
    )
    block = fused.parent
    assert block is not None
    block.insert_ops_before(b.ops, fused)
    fused.operands[number] = sliced
    _set_argument(fused, number, sliced)
    plain = build(
        ConvolutionOp,
        list(root.operands),
        location=get_location(root),
        **(vars(root.p) | {"strides": [1] * len(reach)}),
    )
    fused.block.insert_op_before(plain, root)
    root.results[0].replace_all_uses_with(plain.results[0])
    fused.block.erase_op(root)


def _set_argument(fused: FusedOp, number: int, value: SSAValue) -> None:
    """The block argument for operand `number` anew, with the type that goes with `value`."""
    old = fused.block.args[number]
    kind = FusedOp.inner_type(value.type)  # pyright: ignore[reportArgumentType]
    new = fused.block.insert_arg(kind, number)
    new.name_hint = old.name_hint
    old.replace_all_uses_with(new)
    fused.block.erase_arg(old)
