"""differentiate: a model becomes its loss, and the loss's gradients by what is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.dialects.func import FuncOp
from xdsl.ir import BlockArgument, SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import (
    BUFFER,
    GRADIENT,
    LOSS,
    PARAMETER,
    Row,
    input_names,
    input_roles,
    input_rows,
    main_function,
    result_names,
    result_roles,
    result_rows,
    returned,
    role_of,
    row,
    set_returned,
    set_rows,
)
from dojocc.dialects.op import OpList
from dojocc.dialects.types import FLOATS, elements, text_of
from dojocc.passes.base import Pass
from dojocc.passes.errors import PipelineError
from dojocc.passes.rewriting import element, remove_dead
from dojocc.passes.training.losses import LOSSES, labels_type
from dojocc.passes.training.reverse import append, gradients
from dojocc.runtime.errors import UsageError

GIVEN = "given"
"""The loss of a model whose output is the loss already."""


@dataclass(frozen=True)
class Differentiate(Pass):
    """Reverse mode over the whole function.

    Takes: nn. Inputs of role `parameter` are what is differentiated by; without any, all float
      inputs.
    Leaves: nn. The results are the loss (role `loss`), the model's outputs if `keep`, its buffers,
      and for each parameter the loss depends on a gradient (role `gradient`) of its name. A loss
      that compares has one more input, `labels`.
    How:
      1. `output` (the first, if not named) goes into the loss: cross-entropy (class numbers along
         dim `axis`), soft-cross-entropy (probabilities), mse, bce (logits); `given` takes a model
         whose output is the loss.
      2. Ops that have no rule of their own are taken apart. Then each op, from the last to the
         first, adds the ops that carry the gradient of its result to its operands
         (`gradient` of its class); what several readers send is added up.
      3. What nothing reads is removed: outputs that were only for looking at, gradients of inputs.
    Fails: PipelineError for a loss that does not exist; UsageError for an output that does not
      exist or does not suit the loss, or an input called `labels`; UnsupportedError naming all ops
      in the way that have no gradient.
    """

    name: ClassVar[str] = "differentiate"
    takes: ClassVar[str] = "nn"
    leaves: ClassVar[str] = "nn"

    loss: str = "cross-entropy"
    axis: int = -1
    output: str = ""
    labels: str = "labels"
    keep: bool = False

    def __post_init__(self) -> None:
        if self.loss not in (*LOSSES, GIVEN):
            raise PipelineError(
                f"differentiate: there is no loss '{self.loss}'",
                help=f"it is one of {', '.join((*LOSSES, GIVEN))}",
            )

    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:
        function = main_function(op)
        block = function.body.block
        names = input_names(function)
        wanted = parameters_of(function)
        total = self.total(function)
        found = gradients(block, total, wanted)
        rows = [row("loss", LOSS)]
        values = [total]
        for value, held in zip(returned(function), result_rows(function), strict=True):
            if self.keep or role_of(held) == BUFFER:
                values.append(value)
                rows.append(held)
        for value in wanted:
            if value in found:
                assert isinstance(value, BlockArgument)
                values.append(found[value])
                rows.append(gradient_row(names[value.index]))
        set_returned(function, values)
        remove_dead(block)
        set_rows(function, input_rows(function), rows)

    def total(self, function: FuncOp) -> SSAValue:
        """The loss, with its input of labels if it has one."""
        given = self.judged(function)
        block = function.body.block
        if self.loss == GIVEN:
            assert isinstance(given.type, TensorType)
            if elements(given.type) != 1 or element(given) not in FLOATS:
                raise UsageError(
                    "the output that is the loss must be one float number",
                    numbers=f"it is {text_of(given.type)}",
                    help="choose a loss, such as loss=mse",
                )
            b = OpList("the loss")
            total = b("reshape", given, shape=()) if given.type.get_shape() else given
            append(block, b)
            return total
        rows = input_rows(function)
        if self.labels in input_names(function):
            raise UsageError(
                f"the model has an input '{self.labels}' already",
                help="give the labels another name with labels=",
            )
        labels = block.insert_arg(labels_type(self.loss, given, self.axis), len(block.args))
        set_rows(function, [*rows, row(self.labels)], result_rows(function))
        b = OpList(f"the loss ({self.loss})")
        total = LOSSES[self.loss](b, given, labels, self.axis)
        append(block, b)
        return total

    def judged(self, function: FuncOp) -> SSAValue:
        """The output that goes into the loss."""
        names, roles = result_names(function), result_roles(function)
        own = [name for name, role in zip(names, roles, strict=True) if role is None]
        wanted = self.output or own[0]
        if wanted not in own:
            raise UsageError(
                f"the model has no output '{wanted}'", numbers=f"outputs: {', '.join(own)}"
            )
        return returned(function)[names.index(wanted)]


def parameters_of(function: FuncOp) -> list[SSAValue]:
    """What is differentiated by: the parameters, or without any all float inputs."""
    arguments = function.body.block.args
    roles = input_roles(function)
    chosen: list[SSAValue] = [each for each in arguments if roles[each.index] == PARAMETER]
    return chosen or [each for each in arguments if element(each) in FLOATS]


def gradient_row(name: str) -> Row:
    """The result that is the gradient of an input."""
    return row(f"gradient of {name}", GRADIENT)
