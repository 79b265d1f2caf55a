"""fuse: every op that computes goes into a region that becomes one kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.nn import ConstantOp
from dojocc.dialects.op import NNOp, OpList
from dojocc.passes.base import Pass
from dojocc.passes.canonicalise import simplify
from dojocc.passes.constants import make_constant, resource_name
from dojocc.passes.errors import PipelineError
from dojocc.passes.fold import drop_unnamed
from dojocc.passes.fuse_groups import (
    MATRIX,
    Group,
    Limits,
    computes,
    grown_back,
    grown_forward,
    has_rows,
)
from dojocc.passes.fuse_regions import region_of
from dojocc.passes.rewriting import (
    bodies,
    element,
    is_elementwise,
    nn_ops,
    remove_dead,
    shape,
    users,
)
from dojocc.passes.spreads import wide


@dataclass(frozen=True)
class Fuse(Pass):
    """Group ops into nn.fused regions of at most one root with element-wise ops around it.

    Takes: nn-core.
    Leaves: nn-fused.
    How: each op joins one group, so nothing but broadcasts and small constants is computed twice.
      1. Contractions, windows and takes, in order, take the element-wise ops behind them:
         a residual sum joins the later of its operands. A group grows only to where it again has
         a single result, so its ops can stand at its last one: all operands are made before it.
      2. Reductions, softmax and layer_norm take what is left behind them, then before them.
      3. What is left of the element-wise ops forms groups of its own.
      4. Broadcasts and small constants are copied inside, where they cost an address, but for
         those that step 1's ops read, which need a buffer; what has no other user goes.
      Groups stay below `operands` and `ops`, so that a kernel's values fit the register file.
    Fails: PipelineError for limits below 3 operands or 1 op.
    """

    name: ClassVar[str] = "fuse"
    takes: ClassVar[str] = "nn-core"
    leaves: ClassVar[str] = "nn-fused"

    operands: int = 10
    ops: int = 24

    def __post_init__(self) -> None:
        if self.operands < 3 or self.ops < 1:
            raise PipelineError(
                "fuse: a region needs at least 3 operands and 1 op",
                numbers=f"operands = {self.operands}, ops = {self.ops}",
            )

    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:
        limits = Limits(self.operands, self.ops)
        for block in bodies(op):
            narrow_constants(ctx, block)
            fuse_block(block, limits, ctx.resources)
            remove_dead(block)
            simplify(ctx, block)
        drop_unnamed(ctx, op)


def narrow_constants(ctx: DojoContext, block: Block) -> None:
    """Constants with dims of size 1 that element-wise ops read are stored without these dims.

    So a bias is a vector, whether the model wrote it as [n], [1, n] or [n, 1, 1].
    """
    for op in nn_ops(block):
        if not isinstance(op, ConstantOp) or not any(map(is_elementwise, users(op.results[0]))):
            continue
        value = op.results[0]
        if not 0 < len(wide(value)) < len(shape(value)):
            continue
        array = op.array(ctx.resources)
        b = OpList.like(op)
        narrow = make_constant(
            b, np.squeeze(array), element(value), resource_name(value), ctx.resources
        )
        spread = b("broadcast_in_dim", narrow, dims=wide(value), shape=shape(value))
        block.insert_ops_after(b.ops, op)
        value.replace_uses_with_if(spread, lambda use: is_elementwise(use.operation))


def fuse_block(block: Block, limits: Limits, resources: Mapping[str, np.ndarray]) -> None:
    """Group all ops of a block, then build the regions."""
    order = {op: place for place, op in enumerate(block.ops)}
    taken: dict[NNOp, Group] = {}
    groups: list[Group] = []

    def add(group: Group) -> None:
        groups.append(group)
        taken.update({op: group for op in group.ops})

    # Later contractions first, so that a residual sum joins the later of its operands.
    for op in reversed(list(nn_ops(block))):
        if op.FUSIBLE in MATRIX:
            add(grown_forward(Group([op]), order, taken, limits, resources))
    for op in nn_ops(block):
        if has_rows(op):
            group = grown_forward(Group([op]), order, taken, limits, resources)
            add(grown_back(group, order, taken, limits, resources))
    for op in nn_ops(block):
        if is_elementwise(op) and op not in taken:
            group = grown_forward(Group([op]), order, taken, limits, resources)
            add(grown_back(group, order, taken, limits, resources))
    left = [op for op in nn_ops(block) if computes(op) and op not in taken]
    for op in left:
        add(Group([op]))
    for group in sorted(groups, key=lambda each: order[each.last]):
        replace_group(group, resources)


def replace_group(group: Group, resources: Mapping[str, np.ndarray]) -> None:
    """Put the fused op at the group's last op and erase the group."""
    last = group.last
    fused = region_of(group, resources)
    block = last.parent
    assert block is not None
    block.insert_op_before(fused, last)
    result: SSAValue = last.results[0]
    fused.results[0].name_hint = result.name_hint
    result.replace_all_uses_with(fused.results[0])
    for op in reversed(group.ops):
        block.erase_op(op)
