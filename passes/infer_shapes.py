"""infer-shapes: every type follows from the function's inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xdsl.dialects.builtin import DYNAMIC_INDEX, FunctionType, ModuleOp, TensorType
from xdsl.dialects.func import FuncOp
from xdsl.rewriter import Rewriter

from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import input_names
from dojocc.dialects.location import describe
from dojocc.dialects.nn import FusedOp, YieldOp
from dojocc.dialects.op import NNOp, TypeRuleError
from dojocc.dialects.types import ELEMENT_DTYPES, MOST_ELEMENTS, elements, same_type, text_of
from dojocc.passes.base import SAME, Pass
from dojocc.passes.rewriting import functions, nn_ops, returned
from dojocc.runtime.errors import DoesNotFit, UnsupportedError


@dataclass(frozen=True)
class InferShapes(Pass):
    """Re-derive all result types from the input types.

    Takes: nn; result types may be out of date.
    Leaves: the form it was given, each result type being what the op's own rule gives.
    How: one walk in order. Operands of an op stand before it, so its rule sees final types; the
      function type is set last, from what is returned. Types of fused regions are their own.
    Fails: UnsupportedError for inputs of unknown size or of an element type that does not exist
      here, all named at once; DoesNotFit for tensors of more elements than can be numbered;
      TypeRuleError (with the model's node) where an op's operands do not
      fit together.
    """

    name: ClassVar[str] = "infer-shapes"
    takes: ClassVar[str] = "nn"
    leaves: ClassVar[str] = SAME

    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:
        for function in functions(op):
            check_inputs(function)
            for inner in nn_ops(function.body.block):
                infer(inner)
            check_sizes(function)
            results = [value.type for value in returned(function.body.block)]
            inputs = [arg.type for arg in function.body.block.args]
            function.properties["function_type"] = FunctionType.from_lists(inputs, results)


def check_inputs(function: FuncOp) -> None:
    """Refuse inputs whose size or element type is not known."""
    rows = list(zip(input_names(function), function.body.block.args, strict=True))
    dynamic = [f"{name}: {arg.type}" for name, arg in rows if not is_static(arg.type)]
    if dynamic:
        raise UnsupportedError(
            "the model has inputs of unknown size",
            where=f"function @{function.sym_name.data}",
            numbers="; ".join(dynamic),
            help="give sizes, as in --shape name=1x3x224x224",
        )
    known = ", ".join(map(str, ELEMENT_DTYPES))
    strange = [
        f"{name}: {text_of(arg.type)}"
        for name, arg in rows
        if isinstance(arg.type, TensorType) and arg.type.element_type not in ELEMENT_DTYPES
    ]
    if strange:
        raise UnsupportedError(
            "the model has inputs of an element type that is not supported",
            where=f"function @{function.sym_name.data}",
            numbers="; ".join(strange),
            help=f"element types are {known}",
        )


def check_sizes(function: FuncOp) -> None:
    """Refuse tensors that no list could number, before a pass makes something in their size."""
    values = [
        *function.body.block.args,
        *(r for op in nn_ops(function.body.block) for r in op.results),
    ]
    for value in values:
        type = value.type
        if isinstance(type, TensorType) and elements(type) > MOST_ELEMENTS:
            owner = value.owner
            raise DoesNotFit(
                "a tensor has more elements than can be numbered",
                where=describe(owner) if isinstance(owner, NNOp) else "an input of the model",
                numbers=f"{text_of(type)}: {elements(type)} elements, at most {MOST_ELEMENTS}",
                help="use a smaller model or input",
            )


def is_static(type: object) -> bool:
    """A tensor all of whose sizes are known."""
    return isinstance(type, TensorType) and DYNAMIC_INDEX not in type.get_shape()


def infer(op: NNOp) -> None:
    """Set the result types an op's rule gives; those that are right already keep their layout."""
    if isinstance(op, FusedOp | YieldOp):
        return
    try:
        types = type(op).infer(op.types, op.p)
    except TypeRuleError as error:
        error.where = error.where or describe(op)
        raise
    for result, found in zip(list(op.results), types, strict=True):
        if not same_type(result.type, found):
            Rewriter.replace_value_with_new_type(result, found)
