"""fold: what follows from constants alone is computed now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block

from dojocc.dialects.context import DojoContext
from dojocc.dialects.nn import ConstantOp
from dojocc.dialects.op import NNOp, OpList
from dojocc.passes.base import SAME, Pass
from dojocc.passes.constants import grows, is_known, known_array, make_constant, resource_name
from dojocc.passes.errors import PipelineError
from dojocc.passes.rewriting import bodies, element, is_elementwise, nn_ops, remove_dead, replace


@dataclass(frozen=True)
class Fold(Pass):
    """Evaluate ops whose operands are constants, by their own reference meaning.

    Takes: nn.
    Leaves: the form it was given.
    How:
      1. Values known at compile time are found from the constants down; only the last op of each
         such cone is evaluated, on arrays, and becomes a constant (one scalar and a broadcast where
         all elements are equal).
      2. A result larger than the constants it comes from, and than `limit` elements, stays an op: a
         broadcast constant costs memory in every program, broadcasting it costs a stride of 0.
         Broadcasts themselves are kept for the same reason.
      3. Weights that nothing names any more are dropped from the resources.
    Fails: PipelineError for a negative limit.
    """

    name: ClassVar[str] = "fold"
    takes: ClassVar[str] = "nn"
    leaves: ClassVar[str] = SAME

    limit: int = 65536

    def __post_init__(self) -> None:
        if self.limit < 0:
            raise PipelineError(
                "fold: the limit of elements is negative", numbers=f"limit = {self.limit}"
            )

    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:
        for block in bodies(op):
            fold_block(ctx, block, self.limit)
        drop_unnamed(ctx, op)


def fold_block(ctx: DojoContext, block: Block, limit: int) -> None:
    """Fold every op of a block that is worth it."""
    for op in nn_ops(block):
        if worth_folding(op, limit):
            value = op.results[0]
            array = known_array(value, ctx.resources)
            assert array is not None
            b = OpList.like(op)
            name = resource_name(value)
            replace(op, b, make_constant(b, array, element(value), name, ctx.resources))
    remove_dead(block)


def worth_folding(op: NNOp, limit: int) -> bool:
    """Known, no constant or broadcast itself, not too large, not only a step of a larger fold."""
    if len(op.results) != 1 or isinstance(op, ConstantOp) or op.short_name == "broadcast_in_dim":
        return False
    value = op.results[0]
    if not is_known(value) or grows(value, limit):
        return False
    return not all(
        isinstance(use.operation, NNOp)
        and is_elementwise(use.operation)
        and is_known(use.operation.results[0])
        and not grows(use.operation.results[0], limit)
        for use in value.uses
    )


def drop_unnamed(ctx: DojoContext, module: ModuleOp) -> None:
    """Forget resources that no constant of the module names."""
    named = {op.p.resource for op in module.walk() if isinstance(op, ConstantOp)}
    for key in [key for key in ctx.resources if key not in named]:
        del ctx.resources[key]
