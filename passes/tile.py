"""Pass `tile`: tensors become buffers, ops become kernels and calls, in the order of the
schedule."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import ClassVar

import numpy as np
from xdsl.dialects.builtin import ModuleOp, StringAttr, TensorType, bf16, f32, i1, i8, i16, i32
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.footprint import uses
from dojocc.dialects.function import input_names, main_function, result_names
from dojocc.dialects.location import copy_location, describe, get_location
from dojocc.dialects.mesh import ExchangeOp as MeshExchangeOp
from dojocc.dialects.mesh import LayoutAttr, in_dram, layout_of, need_layout
from dojocc.dialects.mesh_collective import CollectiveOp, ReduceScatterOp, ReductionOp
from dojocc.dialects.nn.constant import ConstantOp
from dojocc.dialects.nn.fused import FusedOp
from dojocc.dialects.op import NNOp
from dojocc.dialects.properties import to_python
from dojocc.dialects.tile import (
    AllocOp,
    CallOp,
    ExchangeOp,
    ImageOp,
    InputOp,
    KernelOp,
    OutputOp,
    ProgramOp,
)
from dojocc.dialects.tile import CollectiveOp as TileCollectiveOp
from dojocc.dialects.tile_collective import NOTHING
from dojocc.passes.base import Pass
from dojocc.passes.collective import lower, staging_layout, terms_of
from dojocc.passes.kernels import kernel_calls, kernel_label
from dojocc.passes.kernels.builder import KernelCall
from dojocc.passes.kernels.frame import Request
from dojocc.passes.kernels.identity import kernel_key
from dojocc.passes.kernels.nest import buffer_type
from dojocc.passes.movement import shape_of
from dojocc.passes.solve.blocking import ACCUMULATORS
from dojocc.passes.solve.exchange import Exchanges
from dojocc.runtime.errors import InputError, UnsupportedError, UsageError
from dojocc.runtime.layout import Layout, row_major
from dojocc.runtime.target import Target

PORT_DTYPES: dict[Attribute, str] = {
    f32: "float32",
    bf16: "float32",
    i32: "int32",
    i16: "int16",
    i8: "int8",
    i1: "bool",
}
"""What the host hands over for a tensor of each element type."""


@dataclass(frozen=True)
class Tile(Pass):
    """Turn the mesh form into buffers, kernels and a schedule of calls and exchanges.

    Takes: form mesh, one function, every value with a layout; the kernels' operands lie as the
      layouts of their results ask.

    Leaves: form tile: kernels, then one tile.program; nothing else in the module.

    How:
    1. Every tensor value becomes a tile.alloc; inputs and outputs name the host's arrays,
       constants become images of resources.
    2. Every op becomes kernel calls (passes/kernels/), those of products on the matrix unit with
       up to `accumulators` blocks of the result side by side. Kernels that are the same, op for op,
       are one: what differs between layers and nodes is in buffers, offsets and scalar tables.
    3. Every mesh.exchange becomes a table of segments, by the exchange solver; the destination is
       cleared first on the nodes where the segments leave pads that must be zero unwritten. To a
       load, DRAM is a source that every node holds whole.
    4. The result of a contraction that adds to what it alone reads, element by element, is written
      over it.
    4. Every collective becomes tables of moves and additions, by the cheapest algorithm
       (passes/solve/collectives.py).
    Ops keep their order, which is a schedule, since every value is made before it is read.

    Fails: UsageError for accumulators that the machine has not; UnsupportedError when an op has no
      kernel, or one that needs more loop levels, bounds or registers than the machine has;
      InputError when a value has no layout.
    """

    name: ClassVar[str] = "tile"
    takes: ClassVar[str] = "mesh"
    leaves: ClassVar[str] = "tile"

    accumulators: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.accumulators <= ACCUMULATORS:
            raise UsageError(
                f"tile: accumulators is from 1 to {ACCUMULATORS}",
                numbers=f"accumulators = {self.accumulators}",
            )

    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:
        function = main_function(op)
        others = [other for other in op.ops if other is not function]
        if others:
            raise InputError(
                "the tile pass takes a module of one function,"
                f" this one also holds {others[0].name}",
                where=describe(others[0]),
            )
        tiler = Tiler(ctx.resources, function, ctx.target, self.accumulators)
        for each in function.body.block.ops:
            tiler.op(each)
        program = ProgramOp("main", tiler.grid(), Region(tiler.block))
        op.body.block.erase_op(function)
        op.body.block.add_ops([*tiler.kernels.values(), program])


@dataclass
class Tiler:
    """The program under construction."""

    resources: dict[str, np.ndarray]
    function: FuncOp
    target: Target | None = None
    accumulators: int = 1
    block: Block = field(default_factory=Block)
    buffers: dict[SSAValue, SSAValue] = field(default_factory=dict)
    kernels: dict[object, KernelOp] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    exchanges: Exchanges = field(default_factory=Exchanges)
    exchanged: int = 0

    def __post_init__(self) -> None:
        names = input_names(self.function)
        for argument, name in zip(self.function.body.block.args, names, strict=True):
            if layout_of(argument) is None and not argument.uses:
                continue
            buffer = self.alloc(argument, self.function, name)
            dtype, shape = port_type(argument)
            self.block.add_op(InputOp(buffer, name, dtype, shape))

    def grid(self) -> tuple[int, int]:
        """The grid of nodes that all layouts share."""
        grids = {layout.grid for value in self.buffers if (layout := layout_of(value)) is not None}
        if len(grids) != 1:
            raise InputError(
                "the module's layouts do not share one grid of nodes", numbers=f"{sorted(grids)}"
            )
        return grids.pop()

    def alloc(self, value: SSAValue, op: Operation, label: str) -> SSAValue:
        """A buffer for a tensor value."""
        layout = need_layout(value, op)
        made = AllocOp(label, LayoutAttr(layout), buffer_type(layout))
        copy_location(op, made)
        self.block.add_op(made)
        self.buffers[value] = made.result
        return made.result

    def op(self, op: Operation) -> None:
        """Append what one op of the function becomes."""
        match op:
            case ReturnOp():
                self.outputs(op)
            case ConstantOp():
                self.constant(op)
            case MeshExchangeOp():
                self.exchange(op)
            case CollectiveOp():
                self.collective(op)
            case NNOp() if op.FUSIBLE != "movement":
                self.compute(op)
            case _:
                raise UnsupportedError(
                    f"{op.name} has no kernel of its own",
                    where=describe(op),
                    help="in the mesh form, what moves elements stands inside mesh.exchange",
                )

    def outputs(self, op: ReturnOp) -> None:
        for value, name in zip(op.operands, result_names(self.function), strict=True):
            dtype, shape = port_type(value)
            self.block.add_op(OutputOp(self.buffers[value], name, dtype, shape))

    def constant(self, op: ConstantOp) -> None:
        value = op.results[0]
        if layout_of(value) is None:
            return  # it lies in DRAM, or nothing reads it
        resource = self.held(op)
        buffer = self.alloc(value, op, resource)
        self.block.add_op(ImageOp(buffer, resource))

    def held(self, op: ConstantOp) -> str:
        """The resource that is a constant's content."""
        resource = op.p.resource
        if resource is not None and op.result_type.element_type != i1:
            return resource
        array = op.array(self.resources)
        return self.resource("constant", array.astype(np.int32) if array.dtype == bool else array)

    def resource(self, kind: str, array: np.ndarray) -> str:
        """A key for an array; equal arrays share one."""
        array = np.asarray(array, order="C")
        header = f"{array.dtype.str} {array.shape}".encode()
        digest = sha256(header + array.tobytes()).hexdigest()[:16]
        key = f"tile.{kind}.{digest}"
        self.resources.setdefault(key, array)
        return key

    def exchange(self, op: MeshExchangeOp) -> None:
        """The segment table of an exchange."""
        destination = need_layout(op.result, op)
        loaded = [value.owner for value in op.operands if in_dram(value)]
        sources = tuple(
            row_major(shape_of(value), destination) if in_dram(value) else need_layout(value, op)
            for value in op.operands
        )
        table = self.exchanges.table(destination, sources, op.element_map())
        p = to_python(op.get_irdl_definition(), op.properties)
        bare = self.exchanges.uncovered(destination, table, tuple(p.zero_dims))
        location = get_location(op)
        buffer = self.alloc(op.result, op, location or f"exchange {self.exchanged}")
        made = ExchangeOp(
            buffer,
            [] if loaded else [self.buffers[value] for value in op.operands],
            self.exchanged,
            self.table(table),
            p.bytes,
            p.cycles,
            bool(bare.any()),
            location,
            json.dumps(op.steps(), sort_keys=True),
            self.held(loaded[0]) if loaded else None,  # pyright: ignore[reportArgumentType]
        )
        if bare.any() and not bare.all():
            made.bare = StringAttr(self.resource("table", bare.astype(np.int32)))
        copy_location(op, made)
        self.exchanged += 1
        self.block.add_op(made)

    def table(self, table: np.ndarray) -> str:
        """The key of an exchange's table."""
        key = f"tile.segments.{self.exchanges.name(table)}"
        self.resources.setdefault(key, table)
        return key

    def collective(self, op: CollectiveOp) -> None:
        """The tables of a collective; buffers of its own for partial sums and what arrives."""
        if self.target is None:
            raise UsageError(f"{op.name} becomes steps for a target", help="give one with --target")
        lowered = lower(op, self.target)
        found = lowered.schedule
        location = get_location(op)
        result = self.alloc(op.result, op, location or f"collective {self.exchanged}")
        buffers = [self.buffers[op.input], result]
        if isinstance(op, ReductionOp):
            terms = terms_of(op.layouts()[0])
            if isinstance(op, ReduceScatterOp):
                buffers[1] = self.scratch(terms, op, "partial sums")
            buffers.append(self.scratch(staging_layout(terms, found.staging), op, "arrivals"))
            buffers += [result] * isinstance(op, ReduceScatterOp)
        tables = (self.resource("moves", found.moves), self.resource("adds", found.adds))
        made = TileCollectiveOp(
            buffers,
            self.exchanged,
            found.lists,
            tables,
            op.kind.data if isinstance(op, ReductionOp) else NOTHING,
            lowered.bytes,
            lowered.cycles,
            len(buffers) - 1 if lowered.clear else None,
            location,
        )
        copy_location(op, made)
        self.exchanged += found.lists
        self.block.add_op(made)

    def scratch(self, layout: Layout, op: Operation, label: str) -> SSAValue:
        """A buffer that stands for no tensor value."""
        made = AllocOp(label, LayoutAttr(layout), buffer_type(layout))
        copy_location(op, made)
        self.block.add_op(made)
        return made.result

    def compute(self, op: NNOp) -> None:
        """Buffers for the results, then the calls that fill them."""
        label, updated = kernel_label(op), updated_in_place(op)
        request = Request(
            op,
            tuple(need_layout(value, op) for value in op.operands),
            tuple(need_layout(value, op) for value in op.results),
            tuple(isinstance(value.owner, ConstantOp) for value in op.operands),
            label,
            updated is not None,
            self.accumulators,
        )
        calls = kernel_calls(request)
        location = get_location(op)
        for value in op.results:
            if updated is None:
                self.alloc(value, op, location or label)
            else:
                self.buffers[value] = self.buffers[updated]
        values = (*op.operands, *op.results)
        for call in calls:
            self.call(call, [self.buffers[values[source]] for source in call.sources], op)

    def call(self, call: KernelCall, buffers: list[SSAValue], op: NNOp) -> None:
        """A call of the kernel, or of the one that is the same."""
        key = kernel_key(call.kernel)
        if key not in self.kernels:
            label = call.kernel.sym_name.data
            number = self.names.get(label, 0)
            self.names[label] = number + 1
            call.kernel.sym_name = type(call.kernel.sym_name)(f"{label}_{number}")
            copy_location(op, call.kernel)
            self.kernels[key] = call.kernel
        name = self.kernels[key].sym_name.data
        scalars = [self.scalar(value) for value in call.scalars]
        offsets = [self.scalar(value) for value in call.offsets]
        made = CallOp(name, buffers, scalars, offsets, get_location(op))
        copy_location(op, made)
        self.block.add_op(made)

    def scalar(self, value: int | np.ndarray) -> int | str:
        """A number, or the key of a table with one entry a node."""
        if isinstance(value, np.ndarray):
            return self.resource("table", value.astype(np.int32))
        return value


def updated_in_place(op: NNOp) -> SSAValue | None:
    """An operand whose buffer the result of a contraction may take: laid out alike, read by nothing
    else, and every element read just where the result's is written."""
    root = op.root() if isinstance(op, FusedOp) else None
    if root is None or root.FUSIBLE != "contraction" or len(op.results) != 1:
        return None
    found = uses(op)
    for value, maps in zip(op.operands, found.operands, strict=True):
        made = isinstance(value.owner, FusedOp) and value.has_one_use()
        if made and value.type == op.results[0].type and maps == found.results:
            return value
    return None


def port_type(value: SSAValue) -> tuple[str, tuple[int, ...]]:
    """The host's dtype and shape for a tensor."""
    assert isinstance(value.type, TensorType)
    return PORT_DTYPES[value.type.element_type], shape_of(value)
