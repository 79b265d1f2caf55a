"""precision: says at which points values are rounded, and to what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xdsl.dialects.builtin import FunctionType, ModuleOp, TensorType, bf16, f32
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.rewriter import Rewriter

from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import input_roles, result_names
from dojocc.dialects.location import copy_location, get_location
from dojocc.dialects.nn import ConstantOp, FusedOp, YieldOp
from dojocc.dialects.op import NNOp
from dojocc.dialects.types import tensor
from dojocc.passes.base import SAME, Pass
from dojocc.passes.errors import PipelineError
from dojocc.passes.infer_shapes import infer
from dojocc.passes.rewriting import element, functions, nn_ops, returned, shape
from dojocc.runtime.errors import UnsupportedError
from dojocc.runtime.format_table import PRECISIONS

WEIGHT_OPERANDS = {"dot_general": (0, 1), "convolution": (0, 1), "take": (0,)}


@dataclass(frozen=True)
class Precision(Pass):
    """Choose the element type of every value that is stored between kernels.

    Takes: nn-fused, in f32.
    Leaves: nn-fused; inside regions floats stay f32, so each kernel rounds once, at its end.
    How: `to=fp32` changes nothing. `to=bf16`:
      1. Float inputs are bf16: the host rounds them.
      2. Constants that a contraction or a take reads are bf16; vectors such as biases stay f32, as
         they are small and added to f32 sums.
      3. Results of regions are bf16, but for those that reach the function's result through
         movement only, which stay f32. Movement ops follow their operand.
      4. Where the types then differ, a region of one conversion is put between.
      5. In a training step, inputs with a role (parameters, state, settings) stay f32, and so does
         what no contraction or take reads, however indirectly: the loss, gradients of parameters,
         the optimizer. The matrix unit reads rounded copies of f32 master weights.
      Integer and i1 tensors stay as they are.
    Fails: PipelineError for another precision; UnsupportedError for a module that has bf16 already.
    """

    name: ClassVar[str] = "precision"
    takes: ClassVar[str] = "nn-fused"
    leaves: ClassVar[str] = SAME

    to: str = "bf16"

    def __post_init__(self) -> None:
        if self.to not in PRECISIONS:
            raise PipelineError(
                f"precision: '{self.to}' is no precision",
                help=f"it is one of {', '.join(PRECISIONS)}",
            )

    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:
        if self.to == "fp32":
            return
        for function in functions(op):
            require_f32(function)
            to_bf16(function)


def require_f32(function: FuncOp) -> None:
    """Refuse a function that was rounded before."""
    for op in function.body.block.ops:
        if any(is_bf16(value.type) for value in (*op.operands, *op.results)):
            raise UnsupportedError(
                "precision: the module holds bf16 tensors already",
                where=get_location(op) or op.name,
                help="run precision once, on an f32 module",
            )


def is_bf16(type: Attribute) -> bool:
    return isinstance(type, TensorType) and type.element_type == bf16


def to_bf16(function: FuncOp) -> None:
    """Set the types of one function."""
    block = function.body.block
    final = reaches_result(block)
    roles = input_roles(function)
    if any(roles):
        final |= never_multiplied(block)
    for argument, role in zip(list(block.args), roles, strict=True):
        if element(argument) == f32 and role is None:
            retype(argument, bf16)
    for op in nn_ops(block):
        match op:
            case ConstantOp():
                if element(op.results[0]) == f32 and is_weight(op.results[0]):
                    constant_to_bf16(op)
            case FusedOp():
                if element(op.results[0]) == f32 and op.results[0] not in final:
                    retype(op.results[0], bf16)
            case _:
                follow(op)
    for op in nn_ops(block):
        if isinstance(op, FusedOp):
            feed_matrix_unit(op)
    finish(function)


def reaches_result(block: Block) -> set[SSAValue]:
    """Values the function returns, directly or through movement."""
    found: set[SSAValue] = set()
    waiting = list(returned(block))
    while waiting:
        value = waiting.pop()
        if value in found:
            continue
        found.add(value)
        owner = value.owner
        if isinstance(owner, NNOp) and owner.FUSIBLE == "movement":
            waiting += owner.operands
    return found


def never_multiplied(block: Block) -> set[SSAValue]:
    """Values that reach no operand of a contraction or take, directly or through other ops."""
    multiplied: set[SSAValue] = set()
    found: set[SSAValue] = set()
    for op in reversed(list(nn_ops(block))):
        read = {op.operands[n] for n in weight_operands(op)} if isinstance(op, FusedOp) else set()
        if any(result in multiplied for result in op.results):
            read.update(op.operands)
        multiplied |= read
        found.update(result for result in op.results if result not in multiplied)
    return found


def is_weight(value: SSAValue) -> bool:
    """A constant that a contraction or a take reads, perhaps through movement."""
    for use in value.uses:
        op = use.operation
        if isinstance(op, FusedOp):
            if use.index in weight_operands(op):
                return True
        elif isinstance(op, NNOp) and op.FUSIBLE == "movement" and is_weight(op.results[0]):
            return True
    return False


def weight_operands(fused: FusedOp) -> set[int]:
    """Operands of a region that its contraction or take reads directly."""
    root = fused.root()
    places = WEIGHT_OPERANDS.get(root.short_name, ()) if root else ()
    if root is None:
        return set()
    read = [root.operands[place] for place in places]
    return {number for number, argument in enumerate(fused.block.args) if argument in read}


def constant_to_bf16(op: ConstantOp) -> None:
    """The same constant, rounded where it is read."""
    value = op.p.value
    if value is not None:
        op.properties["value"] = type(value).from_list(
            tensor(value.get_shape(), bf16), list(value.get_values())
        )
    else:
        op.properties["element_type"] = bf16
    retype(op.results[0], bf16)


def follow(op: NNOp) -> None:
    """A movement op holds what its operand holds; where its operands differ, the narrower wins."""
    floats = {element(value) for value in op.operands} & {f32, bf16}
    if len(floats) == 2:
        for number, value in enumerate(list(op.operands)):
            if element(value) == f32:
                op.operands[number] = converted(value, bf16, op)
    if op.operands:
        infer(op)


def feed_matrix_unit(fused: FusedOp) -> None:
    """Operands of a contraction are bf16 in memory, whatever else reads them."""
    for number in weight_operands(fused):
        value = fused.operands[number]
        if element(value) == f32:
            fused.operands[number] = converted(value, bf16, fused)


def converted(
    value: SSAValue, to: Attribute, user: Operation, location: str | None = None
) -> SSAValue:
    """A region in front of `user` that does nothing but round (or widen) a value."""
    inner = FusedOp.inner_type(tensor(shape(value), element(value)))
    block = Block(arg_types=[inner])
    block.add_op(YieldOp.create(operands=[block.args[0]]))
    result = tensor(shape(value), to)
    fused = FusedOp.make([value], [result], Region(block), location or get_location(user))
    owner = value.owner
    if isinstance(owner, Operation):
        copy_location(owner, fused)
    home = user.parent
    assert home is not None
    home.insert_op_before(fused, user)
    return fused.results[0]


def finish(function: FuncOp) -> None:
    """Results stay f32; the function's type says what its inputs became."""
    last = function.get_return_op()
    assert last is not None
    names = result_names(function)
    for number, value in enumerate(list(last.operands)):
        wanted = function.function_type.outputs.data[number]
        if value.type != wanted and is_bf16(value.type):
            last.operands[number] = converted(value, f32, last, f"result '{names[number]}'")
    inputs = [argument.type for argument in function.body.block.args]
    results = [value.type for value in last.operands]
    function.properties["function_type"] = FunctionType.from_lists(inputs, results)


def retype(value: SSAValue, to: Attribute) -> None:
    """Give a value another element type."""
    Rewriter.replace_value_with_new_type(value, tensor(shape(value), to))
