"""batch-statistics: batch norms normalise by the batch at hand, as they do in training."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.ir import BlockArgument, SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import (
    BUFFER,
    input_roles,
    input_rows,
    main_function,
    result_rows,
    returned,
    set_returned,
    set_rows,
)
from dojocc.dialects.nn import BatchNormInferenceOp
from dojocc.dialects.op import OpList
from dojocc.passes.base import SAME, Pass
from dojocc.passes.errors import PipelineError
from dojocc.passes.rewriting import nn_ops, replace, shape


@dataclass(frozen=True)
class BatchStatistics(Pass):
    """Give batch norms the mean and variance of their batch, and keep running ones.

    Takes: nn, with the running statistics as inputs of role `buffer` (expose-parameters).
    Leaves: nn; each buffer has a result of its name and role: its next value.
    How:
      1. A batch norm whose mean and variance are buffers is written out with those of its input
         over all dims but the features'; gradients then flow through them.
      2. next = (1 - momentum) * buffer + momentum * batch, the variance there divided by n - 1, as
         PyTorch has it; a batch norm used twice moves its buffers twice.
    Fails: PipelineError for a momentum outside 0 to 1. Batch norms of other statistics stay.
    """

    name: ClassVar[str] = "batch-statistics"
    takes: ClassVar[str] = "nn"
    leaves: ClassVar[str] = SAME

    momentum: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.momentum <= 1:
            raise PipelineError(
                "batch-statistics: momentum is a share", numbers=f"momentum = {self.momentum}"
            )

    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:
        function = main_function(op)
        block = function.body.block
        roles = input_roles(function)
        buffers: list[SSAValue] = [
            argument for argument in block.args if roles[argument.index] == BUFFER
        ]
        latest = {buffer: buffer for buffer in buffers}
        for norm in nn_ops(block):
            held = norm.operands[3:5] if isinstance(norm, BatchNormInferenceOp) else ()
            if held and all(value in latest for value in held):
                assert isinstance(norm, BatchNormInferenceOp)
                self.normalise(norm, latest)
        give_back(function, buffers, latest)

    def normalise(self, norm: BatchNormInferenceOp, latest: dict[SSAValue, SSAValue]) -> None:
        """Write one batch norm out, and move its running statistics."""
        b, p, sizes = OpList.like(norm), norm.p, shape(norm.x)
        others = [axis for axis in range(len(sizes)) if axis != p.feature]
        mean = b("reduce", norm.x, kind="mean", dims=others)
        centred = b("subtract", norm.x, b.broadcast(mean, sizes, [p.feature]))
        variance = b("reduce", b("multiply", centred, centred), kind="mean", dims=others)
        spread = b("rsqrt", b("add", variance, b.splat(p.epsilon, variance)))
        factor = b.broadcast(b("multiply", spread, norm.scale), sizes, [p.feature])
        scaled = b("multiply", centred, factor)
        result = b("add", scaled, b.broadcast(norm.offset, sizes, [p.feature]))
        count = prod(sizes[axis] for axis in others)
        wide = count / max(count - 1, 1)
        for buffer, batch, share in ((norm.mean, mean, 1.0), (norm.variance, variance, wide)):
            old = b("multiply", latest[buffer], b.splat(1 - self.momentum, batch))
            new = b("multiply", batch, b.splat(self.momentum * share, batch))
            latest[buffer] = b("add", old, new)
        replace(norm, b, result)


def give_back(function: FuncOp, buffers: list[SSAValue], latest: dict[SSAValue, SSAValue]) -> None:
    """A result for every buffer; one that nothing moves comes back as it was."""
    inputs = input_rows(function)
    values, rows = list(returned(function)), result_rows(function)
    for buffer in buffers:
        assert isinstance(buffer, BlockArgument)
        values.append(latest[buffer])
        rows.append(dict(inputs[buffer.index]))
    set_returned(function, values)
    set_rows(function, inputs, rows)
