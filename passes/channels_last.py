"""channels-last: tensors get the order of dims that the kernels read well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.nn import ConvolutionOp
from dojocc.dialects.op import NNOp, OpList
from dojocc.dialects.properties import to_python
from dojocc.passes.base import SAME, Pass
from dojocc.passes.canonicalise import simplify
from dojocc.passes.dot_order import DOT_RULES
from dojocc.passes.errors import PassBroken
from dojocc.passes.rewriting import Rule, apply_rules, bodies, inverse, permuted, remove_dead, shape
from dojocc.passes.sink import SINK_RULES

SWEEPS = 200


@dataclass(frozen=True)
class ChannelsLast(Pass):
    """Put channels last, transposes late and matrix operands in the matrix unit's order.

    Takes: nn-core.
    Leaves: the form it was given; convolutions are nhwc with HWIO weights.
    How:
      1. A convolution becomes the nhwc one between two transposes, its weights transposed to HWIO;
         pooling over leading-channel tensors likewise; softmax gets its dim last.
      2. dot_general operands are ordered [batch, m, k] and [batch, k, n], with one k and one n; a
         right operand that is not constant may stay [batch, n, k] (dot_order.py).
      3. Transposes, and reshapes that only place dims of size 1, move towards the results through
         element-wise ops, concatenate, pad, slice, reductions and windows while that makes them no
         more (sink.py); transposes that meet are composed and cancel. Moves go downwards only,
         so they end.
      Transposes of weights are left for fold to compute.
    Fails: PassBroken if the moves do not end; no input is refused.
    """

    name: ClassVar[str] = "channels-last"
    takes: ClassVar[str] = "nn-core"
    leaves: ClassVar[str] = SAME

    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:
        for block in bodies(op):
            reorder(ctx, block)


LAYOUT_RULES: dict[str, tuple[Rule, ...]] = {}


def reorder(ctx: DojoContext, block: Block) -> None:
    """Lay out one block."""
    apply_rules(block, LAYOUT_RULES)
    simplify(ctx, block)
    for _ in range(SWEEPS):
        changed = apply_rules(block, SINK_RULES)
        changed |= apply_rules(block, DOT_RULES)
        remove_dead(block)
        if not changed:
            return
        simplify(ctx, block)
    raise PassBroken("channels-last: the moves do not come to an end", numbers=f"{SWEEPS} sweeps")


def last(rank: int) -> tuple[int, ...]:
    """The permutation from channels second to channels last."""
    return (0, *range(2, rank), 1)


def convolution(op: NNOp, b: OpList) -> SSAValue | None:
    """nchw to nhwc."""
    assert isinstance(op, ConvolutionOp)
    if op.p.layout == "nhwc":
        return None
    x, w = op.operands
    rank = len(shape(x))
    order = last(rank)
    properties = vars(to_python(op.get_irdl_definition(), op.properties)) | {"layout": "nhwc"}
    moved = b("transpose", x, permutation=order)
    weights = b("transpose", w, permutation=(*range(2, rank), 1, 0))
    value = b(ConvolutionOp, moved, weights, **properties)
    return b("transpose", value, permutation=inverse(order))


def pooling(op: NNOp, b: OpList) -> SSAValue | None:
    """A window that covers the last dim but not the second moves the second last."""
    p, rank = op.p, len(shape(op.operands[0]))
    if rank < 3 or p.window[-1] == 1 or p.window[1] != 1 or p.window[0] != 1:
        return None
    order = last(rank)
    moved = b("transpose", op.operands[0], permutation=order)
    value = b("reduce_window", moved, **window_properties(op, order))
    return b("transpose", value, permutation=inverse(order))


def window_properties(op: NNOp, order: tuple[int, ...]) -> dict[str, object]:
    """The window's properties for an operand transposed by `order`."""
    p = op.p
    pairs = [p.padding[2 * axis : 2 * axis + 2] for axis in order]
    return {
        "kind": p.kind,
        "window": permuted(p.window, order),
        "strides": permuted(p.strides, order),
        "dilation": permuted(p.dilation, order),
        "padding": [edge for pair in pairs for edge in pair],
    }


def rows(op: NNOp, b: OpList) -> SSAValue | None:
    """softmax along the last dim."""
    sizes, axis = shape(op.operands[0]), op.p.axis
    if all(size == 1 for size in sizes[axis + 1 :]):
        return None
    order = (*(other for other in range(len(sizes)) if other != axis), axis)
    moved = b("transpose", op.operands[0], permutation=order)
    value = b("softmax", moved, axis=len(sizes) - 1)
    return b("transpose", value, permutation=inverse(order))


LAYOUT_RULES |= {
    "convolution": (convolution,),
    "reduce_window": (pooling,),
    "softmax": (rows,),
}
