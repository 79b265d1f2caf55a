"""The fused region with its terminator, and running a block of nn ops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType, bf16, f32
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.irdl import region_def, traits_def, var_operand_def, var_result_def
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import IsolatedFromAbove, IsTerminator, Pure
from xdsl.utils.exceptions import VerifyException

from dojocc.dialects.domain import IterationDomain
from dojocc.dialects.location import describe, set_location
from dojocc.dialects.nn.constant import ConstantOp
from dojocc.dialects.numerics import Numerics
from dojocc.dialects.op import ZERO_GRADIENT, Cost, NNOp, Types, nn_op, parse_types, print_types
from dojocc.dialects.properties import parse_properties, print_properties
from dojocc.dialects.types import as_element, tensor, text_of
from dojocc.runtime.errors import InputError


@nn_op
class YieldOp(NNOp):
    """Ends a region and names its results."""

    name = "nn.yield"
    FUSIBLE: ClassVar[str] = "structure"
    FLOPS: ClassVar[int] = 0
    GRADIENT: ClassVar[str] = ZERO_GRADIENT

    values = var_operand_def(TensorType)

    traits = traits_def(IsTerminator())

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        return []

    def reference(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> list[np.ndarray]:
        return list(arrays)

    def cost(self) -> Cost:
        return Cost(0, 0)

    def print(self, printer: Printer) -> None:
        if self.operands:
            printer.print_string(" ")
            printer.print_list(self.operands, printer.print_operand)
        print_properties(printer, self.get_irdl_definition(), {}, self.attributes)
        if self.operands:
            printer.print_string(" : ")
            printer.print_list(self.operand_types, printer.print_attribute)

    @classmethod
    def parse(cls, parser: Parser) -> YieldOp:
        operands = parser.parse_optional_undelimited_comma_separated_list(
            parser.parse_optional_unresolved_operand, parser.parse_unresolved_operand
        )
        _, attributes = parse_properties(parser, cls.get_irdl_definition())
        if not operands:
            return cls.create(attributes=attributes)
        parser.parse_punctuation(":")
        position = parser.pos
        types = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)
        values = parser.resolve_operands(operands, types, position)
        return cls.create(operands=values, attributes=attributes)


@nn_op
class FusedOp(NNOp):
    """Ops that become one kernel: at most one root, the rest element-wise; rounded at the end.

    Block arguments stand for the operands, bf16 ones widened to f32; inside all floats are f32. The
    element type of a result says to what `nn.yield`'s value is rounded.
    """

    name = "nn.fused"
    FUSIBLE: ClassVar[str] = "structure"

    inputs = var_operand_def(TensorType)
    outputs = var_result_def(TensorType)
    body = region_def("single_block")

    traits = traits_def(IsolatedFromAbove(), Pure())

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        raise TypeError("nn.fused takes its result types from its region; use FusedOp.make")

    @classmethod
    def make(
        cls,
        operands: Sequence[SSAValue],
        result_types: Sequence[Attribute],
        body: Region,
        location: str | None = None,
    ) -> FusedOp:
        """A fused op around a finished region."""
        op = cls.create(operands=operands, result_types=result_types, regions=[body])
        set_location(op, location)
        return op

    @staticmethod
    def inner_type(type: TensorType) -> TensorType:
        """The block argument's type for an operand: bf16 widened, no layout."""
        return tensor(type.get_shape(), f32 if type.element_type == bf16 else type.element_type)

    @property
    def block(self) -> Block:
        return self.body.block

    @property
    def yielded(self) -> Sequence[SSAValue]:
        """The values the region ends with."""
        last = self.block.last_op
        assert isinstance(last, YieldOp)
        return last.operands

    @property
    def inner_ops(self) -> list[Operation]:
        """The ops inside, without the terminator."""
        return [op for op in self.block.ops if not isinstance(op, YieldOp)]

    def root(self) -> NNOp | None:
        """The one op inside that is neither element-wise, constant nor movement; None without."""
        roots = [
            op
            for op in self.inner_ops
            if isinstance(op, NNOp)
            and op.FUSIBLE in ("contraction", "window", "reduction", "row", "indexing")
        ]
        return roots[0] if roots else None

    def verify_(self) -> None:
        last = self.block.last_op
        if not isinstance(last, YieldOp):
            raise VerifyException("nn.fused: its region must end with nn.yield")
        for op in self.inner_ops:
            if not isinstance(op, NNOp):
                raise VerifyException(f"nn.fused: {op.name} cannot stand inside; only nn ops can")
        self._verify_values("operand", self.types, [arg.type for arg in self.block.args])
        self._verify_values("result", self.result_tensors, [value.type for value in self.yielded])

    def _verify_values(self, what: str, outer: Sequence[Any], inner: Sequence[Any]) -> None:
        if len(outer) != len(inner):
            raise VerifyException(
                f"nn.fused: {len(outer)} {what}s outside, {len(inner)} inside its region"
            )
        for number, (outside, inside) in enumerate(zip(outer, inner, strict=True)):
            same_element = inside.element_type == outside.element_type
            widened = outside.element_type == bf16 and inside.element_type == f32
            if inside.get_shape() != outside.get_shape() or not (same_element or widened):
                raise VerifyException(
                    f"nn.fused: {what} {number} is {text_of(outside)} outside and "
                    f"{text_of(inside)} inside"
                )

    def reference(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> list[np.ndarray]:
        return self.run(arrays, numerics, {})

    def run(
        self,
        arrays: Sequence[np.ndarray],
        numerics: Numerics,
        resources: Mapping[str, np.ndarray],
    ) -> list[np.ndarray]:
        """The region's values, rounded to the result element types."""
        values = run_block(self.block, arrays, numerics, resources)
        return [
            as_element(value, type.element_type)
            for value, type in zip(values, self.result_tensors, strict=True)
        ]

    def cost(self) -> Cost:
        inner = [op.cost().flops for op in self.inner_ops if isinstance(op, NNOp)]
        return Cost(sum(inner), self.moved_bytes())

    def iteration_domain(self) -> IterationDomain | None:
        """The root's own domain (its operands' maps, not the fused op's); None without a root."""
        root = self.root()
        return None if root is None else root.iteration_domain()

    def print(self, printer: Printer) -> None:
        if self.operands:
            printer.print_string(" ")
            printer.print_list(self.operands, printer.print_operand)
        print_properties(printer, self.get_irdl_definition(), {}, self.attributes)
        printer.print_string(" : ")
        print_types(printer, list(self.operand_types), list(self.result_types))
        printer.print_string(" ")
        printer.print_region(self.body)

    @classmethod
    def parse(cls, parser: Parser) -> FusedOp:
        operands = parser.parse_optional_undelimited_comma_separated_list(
            parser.parse_optional_unresolved_operand, parser.parse_unresolved_operand
        )
        operands = operands or []
        _, attributes = parse_properties(parser, cls.get_irdl_definition())
        parser.parse_punctuation(":")
        position = parser.pos
        inputs, outputs = parse_types(parser, len(operands), 1)
        values = parser.resolve_operands(operands, inputs, position)
        region = parser.parse_region()
        return cls.create(
            operands=values, result_types=outputs, attributes=attributes, regions=[region]
        )


def run_block(
    block: Block,
    arrays: Sequence[np.ndarray],
    numerics: Numerics,
    resources: Mapping[str, np.ndarray],
) -> list[np.ndarray]:
    """Run a block of nn ops; gives the values of its terminator."""
    environment: dict[SSAValue, np.ndarray] = dict(zip(block.args, arrays, strict=True))
    for op in block.ops:
        operands = [environment[value] for value in op.operands]
        if op is block.last_op:
            return operands
        environment.update(
            zip(op.results, evaluate(op, operands, numerics, resources), strict=True)
        )
    return []


def evaluate(
    op: Operation,
    arrays: Sequence[np.ndarray],
    numerics: Numerics,
    resources: Mapping[str, np.ndarray],
) -> list[np.ndarray]:
    """Result values of one nn op."""
    match op:
        case ConstantOp():
            return [op.array(resources)]
        case FusedOp():
            return op.run(arrays, numerics, resources)
        case NNOp():
            return op.reference(arrays, numerics)
        case _:
            raise InputError(f"{op.name} cannot be run at the nn level", where=describe(op))
