"""Reference run of a tile.kernel: loops stepped, all nodes at once, meaning from the instruction
rows.

Buffers are raw bytes [nodes, bytes] between guards; what nobody wrote is 0xFF (NaN), reads past a
buffer or writes outside it are errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from xdsl.dialects.builtin import MemRefType
from xdsl.ir import Block, Operation, SSAValue

from dojocc.dialects.tile_access import LEVELS, Access
from dojocc.dialects.tile_compute import (
    AccReadOp,
    AccumulateOp,
    AccZeroOp,
    AssignOp,
    CellOp,
    FmaAccumulateOp,
    MmaOp,
    SplatOp,
    VectorOp,
)
from dojocc.dialects.tile_memory import AccessOp, GatherOp, InBoundsOp, LoadOp, LoadRawOp, StoreOp
from dojocc.dialects.tile_types import ForOp, KernelOp, buffer_format
from dojocc.runtime.errors import MachineStop
from dojocc.runtime.formats import FORMATS
from dojocc.runtime.isa.instr import LANE_VIEWS, TABLE, Row
from dojocc.runtime.layout import LANES

GUARD = 4096
"""Bytes kept on either side of a buffer."""
LINE = 64
"""Buffers take whole lines of SRAM, so that a vector may be read at their end."""
VLD, VST = TABLE["vld"], TABLE["vst"]


class BufferBytes:
    """One buffer on all nodes."""

    def __init__(self, nodes: int, size: int) -> None:
        self.size = size
        self.raw = np.full((nodes, size + 2 * GUARD), 0xFF, np.uint8)

    @property
    def inner(self) -> np.ndarray:
        """The buffer's own bytes [nodes, size]."""
        return self.raw[:, GUARD : GUARD + self.size]


@dataclass
class Bound:
    """A kernel argument: a buffer and the byte offset of the call on every node."""

    buffer: BufferBytes
    offset: np.ndarray


@dataclass
class Frame:
    """State of one kernel call: values by SSA value, loop counters, the nodes that still run."""

    values: dict[SSAValue, Any]
    running: np.ndarray
    nodes: int
    counters: list[int] = field(default_factory=lambda: [0] * LEVELS)
    steps: int = 0


def run_kernel(kernel: KernelOp, arguments: Sequence[Any], nodes: int) -> int:
    """Run a kernel; arguments are `Bound` buffers, then int64 scalars [nodes]. Gives the ops
    executed."""
    args = kernel.body.block.args
    frame = Frame(dict(zip(args, arguments, strict=True)), np.arange(nodes), nodes)
    run_block(kernel.body.block, frame)
    return frame.steps


def run_block(block: Block, frame: Frame) -> None:
    for op in block.ops:
        frame.steps += 1
        match op:
            case ForOp():
                run_loop(op, frame)
            case AccessOp():
                run_access(op, frame)
            case _:
                run_compute(op, frame)


def run_loop(op: ForOp, frame: Frame) -> None:
    level = op.level.value.data
    if op.trips is not None:
        trips = frame.values[op.trips]
    else:
        assert op.count is not None
        trips = np.full(frame.nodes, op.count.value.data, np.int64)
    outside = frame.running
    for turn in range(int(trips[outside].max(initial=0))):
        frame.running = outside[trips[outside] > turn]
        frame.counters[level] = turn
        run_block(op.body.block, frame)
    frame.counters[level] = 0
    frame.running = outside


# Addresses and bounds.


def moved(strides: Sequence[int], frame: Frame) -> int:
    return sum(step * counter for step, counter in zip(strides, frame.counters, strict=True))


def scalar(value: SSAValue | None, frame: Frame) -> np.ndarray | int:
    return 0 if value is None else frame.values[value][frame.running]


def addresses(op: AccessOp, granules: int, width: int, frame: Frame) -> np.ndarray:
    """Byte addresses [running nodes, granules, width bytes] into the guarded buffer."""
    access = op.where
    bound: Bound = frame.values[op.buffer]
    base = bound.offset[frame.running] + (access.offset + moved(access.strides, frame) + GUARD)
    number = access.first + np.arange(granules)
    return base[:, None, None] + (number * access.pitch)[:, None] + np.arange(width)


def inside(op: AccessOp, granules: int, lanes: int, frame: Frame) -> np.ndarray | None:
    """Which lanes are in bounds [running nodes, granules * lanes]; None where there are no
    bounds."""
    access = op.where
    if not access.bounded:
        return None
    good = np.ones((len(frame.running), granules, lanes), bool)
    if access.y_strides:
        y = access.y_start + scalar(op.y0, frame) + moved(access.y_strides, frame)
        limit = access.y_limit + scalar(op.ylim, frame)
        good &= column(np.logical_and(0 <= y, y < limit), frame)
    if access.x_strides:
        number = access.first + np.arange(granules)
        lane = (number * access.gstep)[:, None] + np.arange(lanes) * access.lstep
        x = (
            column(access.x_start + scalar(op.x0, frame) + moved(access.x_strides, frame), frame)
            + lane
        )
        good &= (x >= 0) & (x < column(access.x_limit + scalar(op.xlim, frame), frame))
    return good.reshape(len(frame.running), granules * lanes)


def column(value: Any, frame: Frame) -> np.ndarray:
    """One entry a running node, shaped to meet [nodes, granules, lanes]."""
    return np.broadcast_to(value, (len(frame.running),))[:, None, None]


def fetch(op: AccessOp, where: np.ndarray, good: np.ndarray | None, frame: Frame) -> np.ndarray:
    """The bytes at addresses; what is in bounds lies in the buffer's own 64-byte lines."""
    bound: Bound = frame.values[op.buffer]
    outside = (where < GUARD) | (where >= GUARD - -bound.buffer.size // LINE * LINE)
    if outside.any():
        read = np.ones(where.shape, bool)
        if good is not None:
            read = np.repeat(good.reshape(len(where), -1), where[0].size // good.shape[1], 1)
        check_inside(op, where, outside & read.reshape(where.shape), "loads", frame)
    safe = np.where(outside, 0, where)
    return bound.buffer.raw[frame.running[:, None, None], safe]


def check_inside(op: AccessOp, where: np.ndarray, bad: np.ndarray, verb: str, frame: Frame) -> None:
    """MachineStop where an access leaves its buffer."""
    if not bad.any():
        return
    node = int(frame.running[np.argwhere(bad)[0][0]])
    raise MachineStop(
        f"a tile kernel {verb} past the end of its buffer",
        where=f"node {node}, {op}",
        numbers=f"byte {int(where[bad][0]) - GUARD} of {frame.values[op.buffer].buffer.size},"
        f" counters {frame.counters}",
    )


def put(op: StoreOp, where: np.ndarray, codes: np.ndarray, keep: np.ndarray, frame: Frame) -> None:
    """Write codes [nodes, granules, elements of bytes] where `keep` says so."""
    bound: Bound = frame.values[op.buffer]
    low, high = GUARD, GUARD + bound.buffer.size
    check_inside(op, where, keep & ((where < low) | (where >= high)), "stores", frame)
    rows = np.broadcast_to(frame.running[:, None, None], where.shape)
    bound.buffer.raw[rows[keep], where[keep]] = codes[keep]


def run_access(op: AccessOp, frame: Frame) -> None:
    match op:
        case LoadOp():
            set_value(op.result, load(op, frame), frame)
        case StoreOp():
            store(op, frame)
        case LoadRawOp():
            set_value(op.result, load_raw(op, frame), frame)
        case GatherOp():
            set_value(op.result, gather(op, frame), frame)
        case InBoundsOp():
            set_value(op.result, inside(op, 1, LANES, frame), frame)
        case _:
            raise TypeError(f"no meaning for {op.name}")


def pad_value(access: Access, name: str) -> np.generic:
    integers = FORMATS[name].dtype.kind == "i"
    return np.int32(np.rint(access.pad)) if integers else np.float32(access.pad)


def load(op: LoadOp, frame: Frame) -> np.ndarray:
    name, granules = op.format.data, op.granules.value.data
    row, item = FORMATS[name], FORMATS[name].bytes
    lanes = 1 if granules == 0 else LANES // granules
    where = addresses(op, max(granules, 1), lanes * item, frame)
    good = inside(op, max(granules, 1), lanes, frame)
    raw = fetch(op, where, good, frame)
    codes = np.ascontiguousarray(raw.reshape(len(frame.running), -1)).view(row.dtype)
    values = VLD.body(codes, name, op.where.first)
    if good is not None:
        values = np.where(good, values, pad_value(op.where, name).astype(values.dtype))
    return np.repeat(values, LANES, 1) if granules == 0 else values


def store(op: StoreOp, frame: Frame) -> None:
    name, granules = op.format.data, op.granules.value.data
    item = FORMATS[name].bytes
    lanes = LANES // granules
    integers = FORMATS[name].dtype.kind == "i"
    values = view(get(op.value, frame), "i32" if integers else "f32")
    good = inside(op, granules, lanes, frame)
    if good is not None:
        values = np.where(good, values, pad_value(op.where, name))
    codes = np.ascontiguousarray(VST.body(values, None, name, op.where.first))
    where = addresses(op, granules, lanes * item, frame)
    keep = np.ones(where.shape, bool)
    if op.predicate is not None:
        keep = np.repeat(get(op.predicate, frame), item, 1).reshape(where.shape)
    put(op, where, codes.view(np.uint8).reshape(where.shape), keep, frame)


def load_raw(op: LoadRawOp, frame: Frame) -> np.ndarray:
    width = op.granule_bytes.value.data
    granules = 64 // width
    where = addresses(op, granules, width, frame)
    good = inside(op, granules, 1, frame)
    raw = fetch(op, where, good, frame)
    if good is not None:
        raw = np.where(good[:, :, None], raw, np.uint8(0))
    return np.ascontiguousarray(raw.reshape(len(frame.running), 64)).view(np.uint32)


def gather(op: GatherOp, frame: Frame) -> np.ndarray:
    name = op.format.data
    item = FORMATS[name].bytes
    lane = view(get(op.indices, frame), "i32").astype(np.int64) * item
    where = addresses(op, 1, item, frame) + lane[:, :, None]
    raw = fetch(op, where, None, frame)
    codes = np.ascontiguousarray(raw).view(FORMATS[name].dtype)[..., 0]
    return TABLE["vgat"].body(codes, name, None)


# Values.


def view(value: np.ndarray, lanes: str) -> np.ndarray:
    """Lanes as a row wants to see them."""
    return value if value.dtype == bool else np.ascontiguousarray(value).view(LANE_VIEWS[lanes])


def get(value: SSAValue, frame: Frame) -> np.ndarray:
    """The running nodes' rows of a value."""
    return frame.values[value][frame.running]


def set_value(result: SSAValue, value: Any, frame: Frame) -> None:
    """Set a register on the running nodes; the others keep theirs."""
    value = np.asarray(value)
    shape = (8, 8) if value.shape[-2:] == (8, 8) else (LANES,)
    value = np.broadcast_to(value, (len(frame.running), *shape))
    if len(frame.running) == frame.nodes:
        frame.values[result] = value
        return
    known = frame.values.get(result)
    held = np.zeros((frame.nodes, *shape), value.dtype)
    if known is not None:
        held[...] = known if known.dtype == bool else view(known, "raw").view(value.dtype)
    held[frame.running] = value
    frame.values[result] = held


def run_compute(op: Operation, frame: Frame) -> None:
    match op:
        case VectorOp():
            set_value(op.result, vector(op, frame), frame)
        case SplatOp(scalar=SSAValue() as source):
            lanes = TABLE["vsplat"].body(frame.values[source][frame.running])
            set_value(op.result, lanes.view(np.int32), frame)
        case SplatOp():
            set_value(op.result, number(op.value), frame)
        case CellOp():
            set_value(op.result, number(op.init), frame)
        case AccumulateOp():
            update(op.cell, TABLE[op.kind.data], [op.value], frame)
        case FmaAccumulateOp():
            update(op.cell, TABLE["vfma"], [op.lhs, op.rhs], frame)
        case AssignOp():
            assign(op, frame)
        case AccZeroOp():
            set_value(op.result, np.zeros((8, 8), np.float32), frame)
        case MmaOp():
            multiply(op, frame)
        case AccReadOp():
            value = TABLE["mread"].body(get(op.cell, frame), op.part.value.data)
            set_value(op.result, value, frame)
        case _:
            raise TypeError(f"no meaning for {op.name}")


def number(attribute: Any) -> np.ndarray:
    value = attribute.value.data
    return np.full(LANES, value, np.int32 if isinstance(value, int) else np.float32)


def vector(op: VectorOp, frame: Frame) -> np.ndarray:
    row = TABLE[op.mnemonic.data]
    inputs: list[Any] = [view(get(value, frame), row.lanes) for value in op.inputs]
    if op.predicate is not None:
        inputs.append(get(op.predicate, frame))
    if op.format is not None:
        place = [operand.kind for operand in row.inputs].index("d")
        inputs.insert(place, op.format.data)
    return row.body(*inputs)


def update(cell: SSAValue, row: Row, operands: Sequence[SSAValue], frame: Frame) -> None:
    inputs = [view(get(value, frame), row.lanes) for value in (cell, *operands)]
    set_value(cell, row.body(*inputs), frame)


def assign(op: AssignOp, frame: Frame) -> None:
    value = view(get(op.value, frame), "raw")
    if op.predicate is not None:
        value = np.where(get(op.predicate, frame), value, view(get(op.cell, frame), "raw"))
    set_value(op.cell, value, frame)


def multiply(op: MmaOp, frame: Frame) -> None:
    blocks = []
    for value, shape in (
        (op.lhs, (8, 4)),
        (op.rhs, (8, 4) if op.transposed is not None else (4, 8)),
    ):
        codes = np.ascontiguousarray(get(value, frame)).view(np.uint16)
        blocks.append(VLD.body(codes, "BF16", 0).reshape(-1, *shape))
    body = TABLE["mmact" if op.transposed is not None else "mmac"].body
    set_value(op.cell, body(get(op.cell, frame), *blocks), frame)


def buffer_bytes(kind: MemRefType) -> int:
    """Bytes of one node's buffer."""
    size = FORMATS[buffer_format(kind.element_type)].bytes
    return size * int(np.prod(kind.get_shape()))
