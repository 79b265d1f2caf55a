"""The mesh dialect: where tensors live. `#mesh.layout` stands in types; `mesh.exchange` moves.

Values of the mesh form have `tensor<1x56x56x64xbf16, #mesh.layout<...>>` types. Every other op of
the form is an nn op whose operands and result carry layouts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType, bf16, f32, i1, i8, i16, i32
from xdsl.ir import Attribute, Block, Data, Operation, Region, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_attr_definition,
    irdl_op_definition,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import AttrParser, Parser
from xdsl.printer import Printer
from xdsl.traits import IsolatedFromAbove, Pure
from xdsl.utils.exceptions import VerifyException

from dojocc.dialects.location import describe, set_location
from dojocc.dialects.nn.constant import ConstantOp
from dojocc.dialects.nn.fused import YieldOp
from dojocc.dialects.numerics import PLAIN
from dojocc.dialects.op import NNOp, parse_types, print_types
from dojocc.dialects.properties import (
    INT,
    INTS,
    WORD,
    parse_properties,
    print_properties,
    to_attributes,
    to_python,
)
from dojocc.dialects.types import same_type, tensor, text_of, with_encoding
from dojocc.runtime.axes import UNSPLIT
from dojocc.runtime.element_map import NOWHERE, ElementMap, NotClosed
from dojocc.runtime.errors import InputError
from dojocc.runtime.layout import DimShard, Layout

STORAGE: dict[Attribute, str] = {
    f32: "FP32",
    bf16: "BF16",
    i32: "INT32",
    i16: "INT16",
    i8: "INT8",
    i1: "INT32",
}
"""Storage format by element type; i1 is stored as the 0 or 1 that lanes compute with."""

LOAD = "load"
KINDS = ("reshard", "all_gather", "halo", "move", LOAD)


@irdl_attr_definition
class LayoutAttr(Data[Layout]):
    """Where a tensor lives: `<BF16, grid 18 x 19, [56 by row step 4 offset -1 extent 6, 64]>`.

    `split 2 x 1` behind the grid says in how many outer parts its rows and columns are seen, where
    outer or inner axes are used. Each dimension is
    `size [by axes step s] [offset o] [extent e] [physical p]`; what is left out is 0 for the
    offset, the step (or size) for the extent, and the extent for the physical size.
    """

    name = "mesh.layout"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Layout:
        with parser.in_angle_brackets():
            fmt = parser.parse_identifier()
            parser.parse_punctuation(",")
            parser.parse_keyword("grid")
            rows = parser.parse_integer(allow_negative=False)
            parser.parse_keyword("x")
            columns = parser.parse_integer(allow_negative=False)
            split = UNSPLIT
            if parser.parse_optional_keyword("split"):
                outer = parser.parse_integer(allow_negative=False)
                parser.parse_keyword("x")
                split = outer, parser.parse_integer(allow_negative=False)
            parser.parse_punctuation(",")
            position = parser.pos
            dims = parser.parse_comma_separated_list(
                parser.Delimiter.SQUARE, lambda: _parse_dim(parser)
            )
        try:
            shape = tuple(size for size, _ in dims)
            return checked(
                Layout(shape, tuple(dim for _, dim in dims), fmt, (rows, columns), split)
            )
        except ValueError as error:
            parser.raise_error(str(error), position)

    def print_parameter(self, printer: Printer) -> None:
        layout = self.data
        rows, columns = layout.grid
        with printer.in_angle_brackets():
            printer.print_string(f"{layout.fmt}, grid {rows} x {columns}")
            if layout.split != UNSPLIT:
                printer.print_string(f" split {layout.split[0]} x {layout.split[1]}")
            printer.print_string(", ")
            texts = map(_dim_text, layout.shape, layout.dims)
            printer.print_string(f"[{', '.join(texts)}]")

    def verify(self) -> None:
        try:
            checked(self.data)
        except ValueError as error:
            raise VerifyException(str(error)) from error


def checked(layout: Layout) -> Layout:
    """The layout, if its format exists, its grid is one and some node holds every element."""
    if layout.fmt not in STORAGE.values():
        raise ValueError(f"mesh.layout: no storage format {layout.fmt}")
    if min(layout.grid) < 1:
        raise ValueError(f"mesh.layout: a grid of {layout.grid[0]} x {layout.grid[1]} nodes")
    for number, (size, dim) in enumerate(zip(layout.shape, layout.dims, strict=True)):
        shards = layout.shards(dim)
        end = (shards - 1) * dim.step + dim.offset + dim.extent
        gaps = shards > 1 and dim.step > dim.extent
        if size and (dim.offset > 0 or end < size or gaps):
            raise ValueError(f"mesh.layout: dimension {number} of {size} is not held whole: {dim}")
    return layout


def _dim_text(size: int, dim: DimShard) -> str:
    words = [str(size)]
    if dim.axes:
        words += ["by", *dim.axes, "step", str(dim.step)]
    if dim.offset:
        words += ["offset", str(dim.offset)]
    if dim.extent != (dim.step if dim.axes else size):
        words += ["extent", str(dim.extent)]
    if dim.physical != dim.extent:
        words += ["physical", str(dim.physical)]
    return " ".join(words)


def _parse_dim(parser: AttrParser) -> tuple[int, DimShard]:
    size = parser.parse_integer(allow_negative=False)
    axes: list[str] = []
    step = 0
    if parser.parse_optional_keyword("by"):
        while not parser.parse_optional_keyword("step"):
            axes.append(parser.parse_identifier())
        step = parser.parse_integer(allow_negative=False)
    offset = parser.parse_integer() if parser.parse_optional_keyword("offset") else 0
    extent = step if axes else size
    if parser.parse_optional_keyword("extent"):
        extent = parser.parse_integer(allow_negative=False)
    physical = parser.parse_integer() if parser.parse_optional_keyword("physical") else extent
    position = parser.pos
    try:
        return size, DimShard(tuple(axes), step, offset, extent, physical)
    except ValueError as error:
        parser.raise_error(str(error), position)


def layout_of(value: SSAValue | Attribute) -> Layout | None:
    """The layout in a value's tensor type, or None."""
    kind = value.type if isinstance(value, SSAValue) else value
    encoding = kind.encoding if isinstance(kind, TensorType) else None
    return encoding.data if isinstance(encoding, LayoutAttr) else None


def need_layout(value: SSAValue, op: Operation) -> Layout:
    """The layout of one of `op`'s values; an error that names the op where it has none."""
    layout = layout_of(value)
    if layout is None:
        raise InputError(
            f"{op.name}: a value of type {value.type} has no layout",
            where=describe(op),
            help="run the shard pass first",
        )
    return layout


def with_layout(type: TensorType, layout: Layout | None) -> TensorType:
    """The tensor type with this layout (None takes it away)."""
    return with_encoding(type, None if layout is None else LayoutAttr(layout))


def check_type(type: TensorType, what: str) -> None:
    """The layout in a tensor type is of its shape and element type; VerifyException otherwise."""
    layout = layout_of(type)
    if layout is None:
        raise VerifyException(f"{what}: {text_of(type)} has no layout")
    if layout.shape != tuple(type.get_shape()):
        raise VerifyException(f"{what}: {text_of(type)} with a layout of shape {layout.shape}")
    if STORAGE[type.element_type] != layout.fmt:
        raise VerifyException(f"{what}: {text_of(type)} with a layout stored as {layout.fmt}")


@irdl_op_definition
class ExchangeOp(IRDLOperation):
    """Every node gets its part of the result from the nodes that hold the operands' elements.

    The region is a chain of nn movement ops on whole tensors (only nn.yield: a re-sharding), with
    constants of zero for padding. `bytes` cross the mesh, in about `cycles`; the pads of the
    dimensions `zero_dims` must be zero.

    A load has one operand, a constant without a layout: no node holds it, it lies in DRAM, and
    every node loads its part from there.
    """

    name = "mesh.exchange"
    inputs = var_operand_def(TensorType)
    result = result_def(TensorType)
    kind = prop_def(WORD)
    bytes = prop_def(INT)
    cycles = prop_def(INT)
    zero_dims = prop_def(INTS)
    body = region_def("single_block")
    traits = traits_def(IsolatedFromAbove(), Pure())
    FIELDS: ClassVar[tuple[str, ...]] = ("kind", "bytes", "cycles", "zero_dims")

    @classmethod
    def make(
        cls,
        sources: Sequence[SSAValue],
        result_type: TensorType,
        body: Region,
        location: str | None = None,
        **properties: object,
    ) -> ExchangeOp:
        """`properties` are kind, bytes, cycles and zero_dims as Python values."""
        op = cls.create(
            operands=list(sources),
            result_types=[result_type],
            properties=to_attributes(cls.get_irdl_definition(), properties),
            regions=[body],
        )
        set_location(op, location)
        return op

    def verify_(self) -> None:
        block = self.body.block
        last = block.last_op
        if not isinstance(last, YieldOp) or len(last.operands) != 1:
            raise VerifyException("mesh.exchange: its region must end with nn.yield of one value")
        for op in block.ops:
            if op is last or is_zero(op) or isinstance(op, NNOp) and op.FUSIBLE == "movement":
                continue
            raise VerifyException(f"mesh.exchange: {op.name} moves no data; only movement ops can")
        if self.kind.data not in KINDS:
            raise VerifyException(f"mesh.exchange: kind {self.kind.data!r} is none of {KINDS}")
        outside = [*self.operand_types, self.result.type]
        inside = [*(argument.type for argument in block.args), last.operands[0].type]
        if len(outside) != len(inside) or not all(map(same_type, outside, inside)):
            texts = [", ".join(map(text_of, types)) for types in (outside, inside)]
            raise VerifyException(f"mesh.exchange: {texts[0]} outside, {texts[1]} in its region")
        self._verify_load()
        for number, value in enumerate((*self.operands, self.result)):
            assert isinstance(value.type, TensorType)
            if not in_dram(value):
                check_type(value.type, f"mesh.exchange value {number}")
        layouts = [layout_of(value) for value in (*self.operands, self.result)]
        if len({(layout.grid, layout.fmt) for layout in layouts if layout}) > 1:
            raise VerifyException("mesh.exchange: all its layouts must share grid and format")

    def _verify_load(self) -> None:
        """A load reads a constant in DRAM, everything else reads what nodes hold."""
        if self.kind.data == LOAD:
            if len(self.operands) != 1 or not in_dram(self.operands[0]):
                raise VerifyException("mesh.exchange: a load has one operand, a constant in DRAM")
        elif any(map(in_dram, self.operands)):
            raise VerifyException("mesh.exchange: only a load reads a constant without a layout")

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_list(self.operands, printer.print_operand)
        print_properties(printer, self.get_irdl_definition(), self.properties, self.attributes)
        printer.print_string(" : ")
        print_types(printer, list(self.operand_types), list(self.result_types))
        printer.print_string(" ")
        printer.print_region(self.body)

    @classmethod
    def parse(cls, parser: Parser) -> ExchangeOp:
        operands = parser.parse_comma_separated_list(
            parser.Delimiter.NONE, parser.parse_unresolved_operand
        )
        properties, attributes = parse_properties(parser, cls.get_irdl_definition())
        parser.parse_punctuation(":")
        position = parser.pos
        inputs, outputs = parse_types(parser, len(operands), 1)
        values = parser.resolve_operands(operands, inputs, position)
        region = parser.parse_region()
        return cls.create(
            operands=values,
            result_types=outputs,
            properties=properties,
            attributes=attributes,
            regions=[region],
        )

    def steps(self) -> list[list[Any]]:
        """The region as plain data: [op, numbers of its operands, properties] of each op. Values
        are numbered, the block's arguments first; the last one is the result. A constant (of
        zeros) is ["zero", [], its shape]; "take" makes an earlier value the last one."""
        number: dict[SSAValue, int] = {
            argument: place for place, argument in enumerate(self.body.block.args)
        }
        found: list[list[Any]] = []
        for op in self.body.block.ops:
            operands = [number[operand] for operand in op.operands]
            if isinstance(op, YieldOp):
                if operands != [len(number) - 1]:
                    found.append(["take", operands, {}])
                return found
            assert isinstance(op, NNOp)
            number[op.results[0]] = len(number)
            if isinstance(op, ConstantOp):
                found.append(["zero", [], {"shape": list(op.result_type.get_shape())}])
            else:
                values = vars(to_python(op.get_irdl_definition(), op.properties))
                given = {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}
                found.append([op.name.removeprefix("nn."), operands, given])
        raise AssertionError("a verified region ends with nn.yield")

    def index_map(self) -> np.ndarray:
        """For each element of the result its flat index into the operands in a row; -1: zero."""

        def numbers(source: int, first: int, shape: tuple[int, ...]) -> np.ndarray:
            return np.arange(first, first + prod(shape), dtype=np.int64).reshape(shape)

        return self._moved(numbers, lambda shape: np.full(shape, NOWHERE, np.int64))

    def element_map(self) -> ElementMap | np.ndarray:
        """The same in closed form, where it has one."""
        try:
            return self._moved(ElementMap.whole, ElementMap)
        except NotClosed:
            return self.index_map()

    def _moved(
        self,
        numbers: Callable[[int, int, tuple[int, ...]], Any],
        zeros: Callable[[tuple[int, ...]], Any],
    ) -> Any:
        """What the region makes of the numbers of the operands' elements."""
        values: dict[SSAValue, Any] = {}
        base = 0
        for source, argument in enumerate(self.body.block.args):
            shape = argument.type.get_shape()  # pyright: ignore[reportAttributeAccessIssue]
            values[argument] = numbers(source, base, tuple(shape))
            base += prod(shape)
        for op in self.body.block.ops:
            if isinstance(op, YieldOp):
                return values[op.operands[0]]
            assert isinstance(op, NNOp)
            if isinstance(op, ConstantOp):
                values[op.results[0]] = zeros(tuple(op.result_type.get_shape()))
            else:
                arrays = [values[operand] for operand in op.operands]
                values[op.results[0]] = op.compute(arrays, PLAIN)
        raise AssertionError("a verified region ends with nn.yield")


def in_dram(value: SSAValue) -> bool:
    """A constant that lies in DRAM: without a layout, no node holds it."""
    return isinstance(value.owner, ConstantOp) and layout_of(value) is None


def is_zero(op: Operation | Block) -> bool:
    """A constant of zeros only, written out: an exchange fills it in without a source."""
    if not isinstance(op, ConstantOp) or op.p.value is None:
        return False
    return not any(op.array({}).reshape(-1))


def plain_region(types: Sequence[TensorType]) -> Region:
    """An empty region whose block arguments are tensors of `types` without layouts."""
    arguments = [tensor(kind.get_shape(), kind.element_type) for kind in types]
    return Region(Block(arg_types=arguments))
