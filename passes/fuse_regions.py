"""Building an nn.fused op from a group: operands, block arguments, copies inside, the yield."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Block, Region, SSAValue

from dojocc.dialects.location import copy_location
from dojocc.dialects.nn import FusedOp, YieldOp
from dojocc.dialects.types import tensor
from dojocc.passes.fuse_groups import Group, inlined, operands_of
from dojocc.passes.rewriting import element, joined_location, shape


def region_of(group: Group, resources: Mapping[str, np.ndarray]) -> FusedOp:
    """The fused op that stands for a group; the group itself is left as it is."""
    operands = operands_of(group.ops, resources)
    block = Block(arg_types=[FusedOp.inner_type(tensor_type(value)) for value in operands])
    values: dict[SSAValue, SSAValue] = dict(zip(operands, block.args, strict=True))
    for value, argument in zip(operands, block.args, strict=True):
        argument.name_hint = value.name_hint
    for op in group.ops:
        for operand in op.operands:
            copy_inside(operand, block, values, resources)
        inner = op.clone(values)
        block.add_op(inner)
        values.update(zip(op.results, inner.results, strict=True))
    last = YieldOp.create(operands=[values[group.last.results[0]]])
    block.add_op(last)
    location = joined_location(group.ops)
    types = [group.last.results[0].type]
    return FusedOp.make(operands, types, Region(block), location)


def tensor_type(value: SSAValue) -> TensorType:
    """The value's type, which is always a tensor's."""
    return tensor(shape(value), element(value))


def copy_inside(
    value: SSAValue,
    block: Block,
    values: dict[SSAValue, SSAValue],
    resources: Mapping[str, np.ndarray],
) -> None:
    """Copy the broadcasts and small constants that make a value into the region."""
    if value in values:
        return
    for op in inlined(value, resources):
        if op.results[0] in values:
            continue
        inner = op.clone(values)
        copy_location(op, inner)
        block.add_op(inner)
        values[op.results[0]] = inner.results[0]
