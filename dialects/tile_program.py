"""Program level of the `tile` dialect: buffers with layouts, their contents, exchanges and kernel
calls."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import (
    I64,
    ArrayAttr,
    IntegerAttr,
    MemRefType,
    StringAttr,
    SymbolNameConstraint,
    SymbolRefAttr,
    UnitAttr,
)
from xdsl.ir import Attribute, Region, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    ParsePropInAttrDict,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.traits import NoTerminator, SymbolTable
from xdsl.utils.exceptions import VerifyException

from dojocc.dialects.tile_types import KernelOp, whole
from dojocc.runtime.layout import Layout

_OPTIONS = (ParsePropInAttrDict(),)


def number_or_table(value: int | str) -> Attribute:
    """A number, or the resource key of an int32 table with one entry a node."""
    return StringAttr(value) if isinstance(value, str) else whole(value)


@irdl_op_definition
class ProgramOp(IRDLOperation):
    """The schedule of one program class on a grid of R x C nodes. Order of ops = order of
    execution.

    Once allocated, `sram_peak` bytes are used on every node; no plan could use fewer than
    `sram_bound`.
    """

    name = "tile.program"
    sym_name = prop_def(SymbolNameConstraint())
    grid = prop_def(ArrayAttr[IntegerAttr[I64]])
    sram_peak = opt_prop_def(IntegerAttr[I64])
    sram_bound = opt_prop_def(IntegerAttr[I64])
    body = region_def("single_block")
    traits = traits_def(NoTerminator())
    irdl_options = _OPTIONS
    assembly_format = "$sym_name `grid` $grid $body attr-dict"

    def __init__(self, name: str, grid: tuple[int, int], body: Region) -> None:
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "grid": ArrayAttr([whole(size) for size in grid]),
            },
            regions=[body],
        )

    @property
    def shape(self) -> tuple[int, int]:
        rows, cols = (size.value.data for size in self.grid)
        return rows, cols


@irdl_op_definition
class AllocOp(IRDLOperation):
    """A buffer on every node: the part of a tensor its layout says, at `address` once allocated."""

    name = "tile.alloc"
    label = prop_def(StringAttr)
    layout = prop_def(Attribute)
    address = opt_prop_def(IntegerAttr[I64])
    result = result_def(MemRefType)
    irdl_options = _OPTIONS
    assembly_format = "$label `layout` $layout (`address` $address^)? attr-dict `:` type($result)"

    def __init__(self, label: str, layout: Attribute, kind: MemRefType) -> None:
        super().__init__(
            properties={"label": StringAttr(label), "layout": layout}, result_types=[kind]
        )


@irdl_op_definition
class ImageOp(IRDLOperation):
    """The buffer's content at start: a resource (weights, tables), laid out as the buffer's layout
    says."""

    name = "tile.image"
    buffer = operand_def(MemRefType)
    resource = prop_def(StringAttr)
    irdl_options = _OPTIONS
    assembly_format = "$buffer `holds` $resource attr-dict `:` type($buffer)"

    def __init__(self, buffer: SSAValue, resource: str) -> None:
        super().__init__(operands=[buffer], properties={"resource": StringAttr(resource)})


class PortOp(IRDLOperation):
    """Base of input and output: the host's name, type and shape for a buffer."""

    buffer = operand_def(MemRefType)
    label = prop_def(StringAttr)
    dtype = prop_def(StringAttr)
    shape = prop_def(ArrayAttr[IntegerAttr[I64]])

    def __init__(self, buffer: SSAValue, label: str, dtype: str, shape: Sequence[int]) -> None:
        super().__init__(
            operands=[buffer],
            properties={
                "label": StringAttr(label),
                "dtype": StringAttr(dtype),
                "shape": ArrayAttr([whole(size) for size in shape]),
            },
        )


@irdl_op_definition
class InputOp(PortOp):
    """The host writes this buffer before the run."""

    name = "tile.input"
    irdl_options = _OPTIONS
    assembly_format = "$buffer `from` $label $dtype $shape attr-dict `:` type($buffer)"


@irdl_op_definition
class OutputOp(PortOp):
    """The host reads this buffer after the run."""

    name = "tile.output"
    irdl_options = _OPTIONS
    assembly_format = "$buffer `to` $label $dtype $shape attr-dict `:` type($buffer)"


@irdl_op_definition
class ExchangeOp(IRDLOperation):
    """Nodes push their segments of the sources into destination buffers; all wait for theirs.
    `segments` is the key of their table (TABLE_DTYPE, runtime/segments.py).

    With `relay` they pass on what they have, by that table of moves (runtime/segments.py) in
    `lists` transfer lists numbered from `number`: buffer 0 is the destination, buffer i + 1 source
    i. It needs `counters` semaphores. What it brings is what the segments say.

    `movement` names what the segments are for, as plain data (mesh.exchange's `steps` as JSON): the
    build record keeps it for `dojocc verify`.

    With `resource` it is a load: there are no sources, and every node loads its own segments of the
    resource, which lies in DRAM as a whole in row-major order (source node = destination node).
    """

    name = "tile.exchange"
    destination = operand_def(MemRefType)
    sources = var_operand_def(MemRefType)
    number = prop_def(IntegerAttr[I64])
    resource = opt_prop_def(StringAttr)
    segments = prop_def(StringAttr)
    movement = opt_prop_def(StringAttr)
    zero_fill = opt_prop_def(UnitAttr)
    # With zero_fill, the key of an int32 table: the nodes that do so; all of them without it.
    bare = opt_prop_def(StringAttr)
    bytes = prop_def(IntegerAttr[I64])
    cycles = prop_def(IntegerAttr[I64])
    mark = opt_prop_def(StringAttr)
    # The semaphore that entries raise at both ends when they are done; set by the route pass.
    semaphore = opt_prop_def(IntegerAttr[I64])
    # Where the resource of a load begins in DRAM; set by the allocate pass.
    dram = opt_prop_def(IntegerAttr[I64])
    relay = opt_prop_def(StringAttr)
    lists = opt_prop_def(IntegerAttr[I64])
    counters = opt_prop_def(IntegerAttr[I64])
    # The semaphores of a relay's steps, in the order of passes/relay_steps.py; set by route.
    semaphores = opt_prop_def(ArrayAttr[IntegerAttr[I64]])
    irdl_options = _OPTIONS
    assembly_format = (
        "$number (`load` $resource^)? $sources `to` $destination `by` $segments"
        " (`zero_fill` $zero_fill^)?"
        " `bytes` $bytes `cycles` $cycles (`mark` $mark^)? (`moves` $movement^)? attr-dict"
        " `:` type($sources) `to` type($destination)"
    )

    def __init__(
        self,
        destination: SSAValue,
        sources: Sequence[SSAValue],
        number: int,
        segments: str,
        bytes: int,
        cycles: int,
        zero_fill: bool = False,
        mark: str | None = None,
        movement: str | None = None,
        resource: str | None = None,
    ) -> None:
        super().__init__(
            operands=[destination, list(sources)],
            properties={
                "number": whole(number),
                "resource": None if resource is None else StringAttr(resource),
                "segments": StringAttr(segments),
                "movement": None if movement is None else StringAttr(movement),
                "zero_fill": UnitAttr() if zero_fill else None,
                "bytes": whole(bytes),
                "cycles": whole(cycles),
                "mark": None if mark is None else StringAttr(mark),
            },
        )

    def verify_(self) -> None:
        if self.resource is not None and self.sources:
            raise VerifyException("tile.exchange: loads a resource or has sources, not both")

    @property
    def layout(self) -> Layout:
        """The layout of the destination."""
        owner = self.destination.owner
        assert isinstance(owner, AllocOp)
        return owner.layout.data  # pyright: ignore[reportAttributeAccessIssue]


@irdl_op_definition
class CallOp(IRDLOperation):
    """Run a kernel on buffers (each at a byte offset) and scalars; tables give one int32 a node."""

    name = "tile.call"
    callee = prop_def(SymbolRefAttr)
    buffers = var_operand_def(MemRefType)
    offsets = opt_prop_def(ArrayAttr)
    scalars = prop_def(ArrayAttr)
    mark = opt_prop_def(StringAttr)
    irdl_options = _OPTIONS
    assembly_format = (
        "$callee `(` $buffers `)` (`offsets` $offsets^)? `scalars` $scalars (`mark` $mark^)?"
        " attr-dict `:` type($buffers)"
    )

    def __init__(
        self,
        callee: str,
        buffers: Sequence[SSAValue],
        scalars: Sequence[int | str] = (),
        offsets: Sequence[int | str] | None = None,
        mark: str | None = None,
    ) -> None:
        shifted = offsets is not None and any(offset != 0 for offset in offsets)
        super().__init__(
            operands=[list(buffers)],
            properties={
                "callee": SymbolRefAttr(callee),
                "offsets": ArrayAttr(map(number_or_table, offsets or ())) if shifted else None,
                "scalars": ArrayAttr(map(number_or_table, scalars)),
                "mark": None if mark is None else StringAttr(mark),
            },
        )

    @property
    def scalar_values(self) -> tuple[int | str, ...]:
        """Numbers, or resource keys of int32 tables with one entry a node."""
        return tuple(_plain(value) for value in self.scalars)

    @property
    def offset_values(self) -> tuple[int | str, ...]:
        """Byte offset added to each buffer's address: a number, or a table's resource key."""
        if self.offsets is None:
            return (0,) * len(self.buffers)
        return tuple(_plain(value) for value in self.offsets)

    def verify_(self) -> None:
        if len(self.offset_values) != len(self.buffers):
            raise VerifyException("a call has one offset a buffer")
        for value in (*self.scalars, *(self.offsets or ())):
            if not isinstance(value, IntegerAttr | StringAttr):
                raise VerifyException(f"a call's scalar is a number or a table's key, not {value}")
        self._verify_against(_find_kernel(self))

    def _verify_against(self, kernel: KernelOp | None) -> None:
        if kernel is None:
            raise VerifyException(f"there is no kernel {self.callee}")
        expected = [buffer.type for buffer in kernel.buffers]
        if [buffer.type for buffer in self.buffers] != expected:
            raise VerifyException(
                f"kernel {self.callee} takes buffers {[str(kind) for kind in expected]},"
                f" the call has {[str(buffer.type) for buffer in self.buffers]}"
            )
        if len(self.scalars) != len(kernel.scalars):
            raise VerifyException(
                f"kernel {self.callee} takes {len(kernel.scalars)} scalars,"
                f" the call has {len(self.scalars)}"
            )


def _plain(value: Attribute) -> int | str:
    if isinstance(value, StringAttr):
        return value.data
    assert isinstance(value, IntegerAttr)
    return value.value.data


def _find_kernel(call: CallOp) -> KernelOp | None:
    found = SymbolTable.lookup_symbol(call, call.callee)
    return found if isinstance(found, KernelOp) else None
