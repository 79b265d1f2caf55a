"""Collectives of the mesh dialect: all_reduce, reduce_scatter and all_gather over grid axes.

Partial results are a dimension of their own: dimension 0 of a reduction's operand is sharded over
the axes `by ... step 1`, so that each node holds one term. The result has the other dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Dialect, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from dojocc.dialects.location import set_location
from dojocc.dialects.mesh import ExchangeOp, LayoutAttr, check_type, need_layout
from dojocc.dialects.op import parse_types, print_types
from dojocc.dialects.properties import (
    INT,
    WORD,
    parse_properties,
    print_properties,
    to_attributes,
)
from dojocc.runtime.layout import DimShard, Layout

COMBINE = {"sum": np.add, "max": np.maximum, "min": np.minimum}
"""The kinds of reduction."""
ALGORITHMS = ("auto", "ring", "both", "direct")
REDUCED_FORMATS = ("FP32", "INT32")


class CollectiveOp(IRDLOperation):
    """Base of the collectives: one operand, one result.

    `algorithm` is auto (by cost), ring, both (ways round it) or direct; `bytes` cross the mesh, in
    about `cycles`.
    """

    input = operand_def(TensorType)
    result = result_def(TensorType)
    algorithm = opt_prop_def(WORD)
    bytes = opt_prop_def(INT)
    cycles = opt_prop_def(INT)
    traits = traits_def(Pure())

    @classmethod
    def make(
        cls,
        source: SSAValue,
        result_type: TensorType,
        location: str | None = None,
        **properties: object,
    ) -> CollectiveOp:
        """`properties` as Python values."""
        op = cls.create(
            operands=[source],
            result_types=[result_type],
            properties=to_attributes(cls.get_irdl_definition(), properties),
        )
        set_location(op, location)
        return op

    def layouts(self) -> tuple[Layout, Layout]:
        """Of the operand and of the result."""
        return need_layout(self.input, self), need_layout(self.result, self)

    def axes(self) -> tuple[str, ...]:
        """The grid axes it runs over."""
        raise NotImplementedError(self.name)

    def wrong(self, what: str) -> VerifyException:
        return VerifyException(f"{self.name}: {what}")

    def check(self) -> None:
        """What all of them ask for."""
        for value, what in ((self.input, "operand"), (self.result, "result")):
            assert isinstance(value.type, TensorType)
            check_type(value.type, f"{self.name} {what}")
        source, result = self.layouts()
        if (source.grid, source.fmt) != (result.grid, result.fmt):
            raise self.wrong("operand and result must share grid and format")
        if self.algorithm is not None and self.algorithm.data not in ALGORITHMS:
            raise self.wrong(f"algorithm {self.algorithm.data!r} is none of {ALGORITHMS}")

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_operand(self.input)
        print_properties(printer, self.get_irdl_definition(), self.properties, self.attributes)
        printer.print_string(" : ")
        print_types(printer, [self.input.type], [self.result.type])

    @classmethod
    def parse(cls, parser: Parser) -> CollectiveOp:
        operand = parser.parse_unresolved_operand()
        properties, attributes = parse_properties(parser, cls.get_irdl_definition())
        parser.parse_punctuation(":")
        position = parser.pos
        inputs, outputs = parse_types(parser, 1, 1)
        return cls.create(
            operands=parser.resolve_operands([operand], inputs, position),
            result_types=outputs,
            properties=properties,
            attributes=attributes,
        )


class ReductionOp(CollectiveOp):
    """Base of the reductions: result = the terms along dimension 0 combined by `kind`.

    Terms are FP32 or INT32 and stay so on their way. The order in which they are combined depends
    on the algorithm alone, never on time; integers do not depend on it either.
    """

    kind = prop_def(WORD)
    FIELDS: ClassVar[tuple[str, ...]] = ("kind", "algorithm", "bytes", "cycles")

    def axes(self) -> tuple[str, ...]:
        """The grid axes that the terms are spread over."""
        return self.layouts()[0].dims[0].axes

    def check_terms(self) -> None:
        self.check()
        source, result = self.layouts()
        if self.kind.data not in COMBINE:
            raise self.wrong(f"kind {self.kind.data!r} is none of {tuple(COMBINE)}")
        if source.fmt not in REDUCED_FORMATS:
            raise self.wrong(f"terms are kept in {source.fmt}, not in {REDUCED_FORMATS}")
        if source.shape[1:] != result.shape or not source.shape:
            raise self.wrong(f"terms {source.shape} do not give a result {result.shape}")
        terms = source.dims[0]
        count = source.shards(terms)
        if not terms.axes or terms != DimShard(terms.axes, 1, 0, 1, 1) or source.shape[0] != count:
            raise self.wrong(
                f"dimension 0 must be {count} by {' '.join(terms.axes)} step 1, a term a node,"
                f" not {source.shape[0]} as {terms}"
            )


@irdl_op_definition
class AllReduceOp(ReductionOp):
    """Every node of the axes gets the whole result: it lies as the operand's other dimensions."""

    name = "mesh.all_reduce"

    def verify_(self) -> None:
        self.check_terms()
        source, result = self.layouts()
        if source.dims[1:] != result.dims:
            raise self.wrong("the result must lie as the operand's dimensions from 1 on")


@irdl_op_definition
class ReduceScatterOp(ReductionOp):
    """Each node of the axes gets its shard of the result, along one dimension."""

    name = "mesh.reduce_scatter"

    def verify_(self) -> None:
        self.check_terms()
        source, result = self.layouts()
        scattered_dim(self, result.dims, source.dims[1:], self.axes())


@irdl_op_definition
class AllGatherOp(CollectiveOp):
    """Each node of the axes that shard one dimension gets that dimension whole."""

    name = "mesh.all_gather"

    def axes(self) -> tuple[str, ...]:
        """The grid axes that are gathered over."""
        source, result = self.layouts()
        return source.dims[scattered_dim(self, source.dims, result.dims)].axes

    def verify_(self) -> None:
        self.check()
        source, result = self.layouts()
        if source.shape != result.shape:
            raise self.wrong(f"a tensor of shape {source.shape} gathered to {result.shape}")
        scattered_dim(self, source.dims, result.dims)


def scattered_dim(
    op: CollectiveOp,
    shards: Sequence[DimShard],
    whole: Sequence[DimShard],
    axes: tuple[str, ...] | None = None,
) -> int:
    """The one dimension that is sharded (over `axes`) on one side and whole on the other."""
    other = [n for n, (a, b) in enumerate(zip(shards, whole, strict=True)) if a != b]
    if len(other) != 1:
        raise op.wrong(f"operand and result must differ in one dimension, not in {other}")
    shard, full = shards[other[0]], whole[other[0]]
    if not shard.axes or full.axes or (axes is not None and shard.axes != axes):
        wanted = f" by {' '.join(axes)}" if axes else ""
        raise op.wrong(f"dimension {other[0]} must be sharded{wanted} on one side only")
    if shard.offset or shard.extent != shard.step:
        raise op.wrong(f"the shards of dimension {other[0]} must not overlap: {shard}")
    return other[0]


Mesh = Dialect("mesh", [ExchangeOp, AllReduceOp, ReduceScatterOp, AllGatherOp], [LayoutAttr])
