"""Reference interpreter of a tile module: the schedule run on NumPy buffers of every node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from xdsl.dialects.builtin import MemRefType, ModuleOp
from xdsl.ir import SSAValue

from dojocc.dialects.interpret_collective import run_collective, run_moves
from dojocc.dialects.interpret_kernel import Bound, BufferBytes, buffer_bytes, run_kernel
from dojocc.dialects.tile_collective import CollectiveOp
from dojocc.dialects.tile_program import (
    AllocOp,
    CallOp,
    ExchangeOp,
    ImageOp,
    InputOp,
    OutputOp,
    ProgramOp,
)
from dojocc.dialects.tile_types import KernelOp
from dojocc.runtime.errors import InputError
from dojocc.runtime.formats import FORMATS, encode
from dojocc.runtime.layout import Layout
from dojocc.runtime.segments import spelt


@dataclass
class TileRun:
    """What a run leaves: every buffer, the outputs, and how many kernel ops were executed."""

    buffers: dict[SSAValue, BufferBytes]
    layouts: dict[SSAValue, Layout]
    outputs: dict[str, np.ndarray]
    steps: int

    def read(self, value: SSAValue) -> np.ndarray:
        """The tensor a buffer holds."""
        return self.layouts[value].read(self.buffers[value].inner, 0)


def run_tile(
    module: ModuleOp, inputs: Mapping[str, np.ndarray], resources: Mapping[str, np.ndarray]
) -> TileRun:
    """Run the module's one tile.program. Exchanges read their segment tables from the resources."""
    programs = [op for op in module.ops if isinstance(op, ProgramOp)]
    if len(programs) != 1:
        raise InputError(f"a tile module has one tile.program, this one has {len(programs)}")
    kernels = {op.sym_name.data: op for op in module.ops if isinstance(op, KernelOp)}
    program = programs[0]
    nodes = int(np.prod(program.shape))
    state = TileRun({}, {}, {}, 0)
    for op in program.body.block.ops:
        match op:
            case AllocOp():
                assert isinstance(op.result.type, MemRefType)
                state.buffers[op.result] = BufferBytes(nodes, buffer_bytes(op.result.type))
                state.layouts[op.result] = op.layout.data  # pyright: ignore[reportAttributeAccessIssue]
            case ImageOp():
                write(state, op.buffer, resources[op.resource.data])
            case InputOp():
                if op.label.data not in inputs:
                    raise InputError(
                        f"no input '{op.label.data}'",
                        help=f"given are {', '.join(inputs) or 'none'}",
                    )
                write(state, op.buffer, np.asarray(inputs[op.label.data]))
            case OutputOp():
                state.outputs[op.label.data] = state.read(op.buffer)
            case ExchangeOp():
                exchange(state, op, resources)
            case CollectiveOp():
                collective(state, op, resources)
            case CallOp():
                call(state, op, kernels[op.callee.string_value()], resources, nodes)
            case _:
                raise TypeError(f"no meaning for {op.name}")
    return state


def write(state: TileRun, buffer: SSAValue, array: np.ndarray) -> None:
    state.layouts[buffer].write(array, state.buffers[buffer].inner, 0)


def table(value: int | str, resources: Mapping[str, np.ndarray], nodes: int) -> np.ndarray:
    """A scalar of every node."""
    if isinstance(value, str):
        return np.asarray(resources[value], np.int64)
    return np.full(nodes, value, np.int64)


def call(
    state: TileRun, op: CallOp, kernel: KernelOp, resources: Mapping[str, np.ndarray], nodes: int
) -> None:
    arguments: list[object] = [
        Bound(state.buffers[buffer], table(offset, resources, nodes))
        for buffer, offset in zip(op.buffers, op.offset_values, strict=True)
    ]
    arguments += [table(value, resources, nodes) for value in op.scalar_values]
    state.steps += run_kernel(kernel, arguments, nodes)


def exchange(state: TileRun, op: ExchangeOp, resources: Mapping[str, np.ndarray]) -> None:
    """Zero-fill where asked, then every run of every segment; sources are read as they were
    before. Every node sees the same DRAM. A relay is run step by step."""
    sources = [state.buffers[source].inner.copy() for source in op.sources]
    if op.resource is not None:
        codes = encode(resources[op.resource.data], state.layouts[op.destination].fmt)
        content = np.ascontiguousarray(codes).reshape(-1).view(np.uint8)
        nodes = len(state.buffers[op.destination].inner)
        sources = [np.broadcast_to(content, (nodes, len(content)))]
    target = state.buffers[op.destination].inner
    if op.zero_fill is not None:
        target[slice(None) if op.bare is None else resources[op.bare.data] > 0] = 0
    if op.relay is not None:
        moves = resources[op.relay.data]
        for step in range(int(moves["step"].max(initial=-1)) + 1):
            run_moves(moves[moves["step"] == step], [target, *sources])
        return
    for row in spelt(resources[op.segments.data], len(target)):
        source, size = sources[row["operand"]][row["src_node"]], int(row["bytes"])
        for outer in range(int(row["count1"])):
            for inner in range(int(row["count0"])):
                src = int(row["src"] + inner * row["src_stride0"] + outer * row["src_stride1"])
                dst = int(row["dst"] + inner * row["dst_stride0"] + outer * row["dst_stride1"])
                target[row["dst_node"], dst : dst + size] = source[src : src + size]


def collective(state: TileRun, op: CollectiveOp, resources: Mapping[str, np.ndarray]) -> None:
    """Zeros where asked, then the steps of the tables."""
    moves, adds = resources[op.moves.data], resources[op.adds.data]
    buffers = [state.buffers[buffer].inner for buffer in op.buffers]
    if op.clears is not None:
        buffers[op.clears.value.data][:] = 0
    dtype = FORMATS[state.layouts[op.buffers[0]].fmt].dtype
    run_collective(moves, adds, buffers, op.combine.data, dtype)
