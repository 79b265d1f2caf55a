"""expose-parameters: weights that are to be trained become inputs of the function."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar

import numpy as np
from xdsl.dialects.builtin import ModuleOp, f32
from xdsl.ir import Block

from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import (
    BUFFER,
    PARAMETER,
    Row,
    input_names,
    input_rows,
    main_function,
    result_rows,
    row,
    set_rows,
)
from dojocc.dialects.nn import BatchNormInferenceOp, ConstantOp
from dojocc.dialects.op import OpList
from dojocc.passes.base import SAME, Pass
from dojocc.passes.constants import constant_of, make_constant
from dojocc.passes.rewriting import element, nn_ops, replace, shape
from dojocc.runtime.errors import UsageError

EVERY = ("*",)
SMALL = 32
"""Weights of no more elements that are not trained stand in the text again."""


@dataclass(frozen=True)
class ExposeParameters(Pass):
    """Turn constants into inputs, so that a step can be given new ones.

    Takes: nn, its weights resources by the names the model gives them (a frontend's context with
      `keep_weights`).
    Leaves: nn. Inputs with the role `parameter` stand first, then those with the role `buffer`, in
      the order in which the model uses them; what they held is in the context's `parameters`.
    How:
      1. A float resource whose name matches one of `names` and none of `frozen` becomes one input,
         however many constants name it: a shared weight is shared still.
      2. Means and variances of batch norms become buffers: they are no function of the loss.
      3. Tensors of rank 0 must be named in full: most are no weights. Inputs that match `inputs`
         are parameters as they stand; their first values come from the user.
      4. Other small resources become numbers in the text.
    Fails: UsageError where a pattern matches nothing (with the names there are), or where there is
      nothing to train.
    """

    name: ClassVar[str] = "expose-parameters"
    takes: ClassVar[str] = "nn"
    leaves: ClassVar[str] = SAME

    names: tuple[str, ...] = EVERY
    frozen: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()

    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:
        function = main_function(op)
        block = function.body.block
        held = weights_of(block, ctx)
        statistics = statistics_of(block)
        self.check(held, input_names(function))
        chosen = {
            name: PARAMETER for name in held if self.trains(name, shape(held[name][0].results[0]))
        }
        chosen |= {name: BUFFER for name in statistics if name in held}
        rows: list[Row] = []
        for name in sorted(chosen, key=lambda name: chosen[name] == BUFFER):  # order is kept
            expose(block, held[name], len(rows), ctx, name)
            rows.append(row(name, chosen[name]))
        given = [
            row(name, PARAMETER) if matches(name, self.inputs) else kept
            for name, kept in zip(input_names(function), input_rows(function), strict=True)
        ]
        if all(chosen[name] == BUFFER for name in chosen) and given == input_rows(function):
            raise UsageError("nothing is trained", numbers=found_text(held), help="name weights")
        set_rows(function, rows + given, result_rows(function))
        write_small(block, ctx)

    def trains(self, name: str, sizes: tuple[int, ...]) -> bool:
        if not sizes and name not in self.names:
            return False
        return matches(name, self.names) and not matches(name, self.frozen)

    def check(self, held: dict[str, list[ConstantOp]], inputs: list[str]) -> None:
        """Every pattern that the user wrote must mean something."""
        asked = self.names if self.names != EVERY else ()
        rows = [(asked, list(held)), (self.frozen, list(held)), (self.inputs, inputs)]
        for patterns, names in rows:
            for pattern in patterns:
                if not any(fnmatchcase(name, pattern) for name in names):
                    what = f"no {'input' if names is inputs else 'weight'} is called '{pattern}'"
                    raise UsageError(what, numbers=found_text(names))


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def found_text(names: object) -> str:
    """The names there are, not too many of them."""
    every = sorted(names)  # type: ignore[call-overload]
    more = f" and {len(every) - 12} more" if len(every) > 12 else ""
    return f"there are {', '.join(every[:12]) or 'none'}{more}"


def weights_of(block: Block, ctx: DojoContext) -> dict[str, list[ConstantOp]]:
    """The float constants of each resource, in the order of their first use."""
    found: dict[str, list[ConstantOp]] = {}
    for op in nn_ops(block):
        for value in op.operands:
            constant = constant_of(value)
            if constant is None or constant.p.resource is None or element(value) != f32:
                continue
            rows = found.setdefault(constant.p.resource, [])
            if constant not in rows:
                rows.append(constant)
    return found


def statistics_of(block: Block) -> list[str]:
    """The resources that are means and variances of batch norms."""
    found = []
    for op in nn_ops(block):
        if isinstance(op, BatchNormInferenceOp):
            held = (constant_of(value) for value in (op.mean, op.variance))
            found += [each.p.resource for each in held if each is not None and each.p.resource]
    return found


def expose(
    block: Block, constants: list[ConstantOp], place: int, ctx: DojoContext, name: str
) -> None:
    """One argument in place of all constants of a resource."""
    first = constants[0]
    argument = block.insert_arg(first.results[0].type, place)
    ctx.parameters[name] = np.array(first.array(ctx.resources), np.float32)
    for constant in constants:
        constant.results[0].replace_all_uses_with(argument)
        block.erase_op(constant)
    del ctx.resources[name]


def write_small(block: Block, ctx: DojoContext) -> None:
    """Resources of few elements become values in the text."""
    for op in nn_ops(block):
        if isinstance(op, ConstantOp) and op.p.resource is not None:
            array = op.array(ctx.resources)
            if array.size <= SMALL:
                b = OpList.like(op)
                kind = element(op.results[0])
                replace(op, b, make_constant(b, array, kind, op.p.resource, ctx.resources))
