"""Runs one op through a kernel builder on the 2 x 3 grid and compares with the op's own reference.

Layouts are made by hand, buffers start as NaN bytes, so that a kernel that reads what nobody wrote,
or leaves a tail that is not zero, is found out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.dialects.builtin import TensorType, bf16
from xdsl.ir import Block, Region, SSAValue

from dojocc.dialects.interpret_kernel import Bound, BufferBytes, run_kernel
from dojocc.dialects.mesh import STORAGE
from dojocc.dialects.nn.fused import FusedOp, YieldOp
from dojocc.dialects.numerics import MACHINE, PLAIN
from dojocc.dialects.op import NNOp, OpList
from dojocc.dialects.types import as_element, tensor
from dojocc.passes.kernels import kernel_calls
from dojocc.passes.kernels.frame import Request
from dojocc.passes.solve.physical import round_up
from dojocc.runtime.layout import DimShard, Layout, whole

GRID = (2, 3)
Shards = dict[int, tuple[tuple[str, ...], int]]


def layout(
    shape: Sequence[int],
    fmt: str = "FP32",
    shards: Shards | None = None,
    physical: dict[int, int] | None = None,
    halo: dict[int, tuple[int, int]] | None = None,
) -> Layout:
    """A layout: `shards` says dim -> (axes, step), `halo` dim -> (offset, extent); lanes are padded
    to 16."""
    dims = []
    for axis, size in enumerate(shape):
        axes, step = (shards or {}).get(axis, ((), 0))
        offset, extent = (halo or {}).get(axis, (0, step if axes else size))
        reserve = round_up(extent, 16) if axis == len(shape) - 1 else extent
        reserve = (physical or {}).get(axis, reserve)
        dims.append(DimShard(axes, step, offset, extent, reserve) if axes else whole(size, reserve))
    return Layout(tuple(shape), tuple(dims), fmt, GRID)


@dataclass
class Outcome:
    """What a kernel computed, beside both references."""

    results: list[np.ndarray]
    plain: list[np.ndarray]
    machine: list[np.ndarray]
    steps: int
    kernels: int


def fused(
    types: Sequence[TensorType], result_element: object, build: Callable[..., SSAValue]
) -> FusedOp:
    """An nn.fused over operands of these types; `build(b, *values)` gives the value (or values)."""
    outside = Block(arg_types=types)
    block = Block(arg_types=[FusedOp.inner_type(kind) for kind in types])
    ops = OpList("node 'test'")
    values = build(ops, *block.args)
    values = values if isinstance(values, tuple) else (values,)
    block.add_ops(ops.ops)
    block.add_op(YieldOp.create(operands=values))
    elements = result_element if isinstance(result_element, tuple) else (result_element,)
    results = [
        tensor(value.type.get_shape(), kind) for value, kind in zip(values, elements, strict=True)
    ]
    op = FusedOp.make(list(outside.args), results, Region(block), "node 'test'")
    op.verify_()
    return op


def run_op(
    op: NNOp,
    arrays: Sequence[np.ndarray],
    operands: Sequence[Layout],
    results: Sequence[Layout],
    constant: Sequence[bool] = (),
) -> Outcome:
    """Build, run and read back; the tails of the results must be zero."""
    for value, held in zip((*op.operands, *op.results), (*operands, *results), strict=True):
        assert STORAGE[value.type.element_type] == held.fmt, "the case's layouts are wrong"
    arrays = [
        as_element(array, value.type.element_type)
        for array, value in zip(arrays, op.operands, strict=True)
    ]
    request = Request(op, tuple(operands), tuple(results), tuple(constant), "test")
    calls = kernel_calls(request)
    nodes = GRID[0] * GRID[1]
    buffers = [BufferBytes(nodes, held.bytes) for held in (*operands, *results)]
    for number, (array, held) in enumerate(zip(arrays, operands, strict=True)):
        fill(buffers[number], held, array, bool(constant and constant[number]))
    steps = 0
    for call in calls:
        call.kernel.verify()
        arguments = [
            Bound(buffers[source], np.broadcast_to(np.asarray(offset, np.int64), nodes))
            for source, offset in zip(call.sources, call.offsets, strict=True)
        ]
        scalars = [np.broadcast_to(np.asarray(value, np.int64), nodes) for value in call.scalars]
        steps += run_kernel(call.kernel, [*arguments, *scalars], nodes)
    given = buffers[len(operands) :]
    for buffer, held in zip(given, results, strict=True):
        check_tail(buffer, held)
    read = [held.read(buffer.inner, 0) for buffer, held in zip(given, results, strict=True)]
    with np.errstate(all="ignore"):
        plain, machine = op.reference(arrays, PLAIN), op.reference(arrays, MACHINE)
    return Outcome(read, plain, machine, steps, len({str(call.kernel) for call in calls}))


def fill(buffer: BufferBytes, held: Layout, array: np.ndarray, constant: bool) -> None:
    """Write an operand; an activation keeps NaN bytes wherever nothing promises more."""
    staging = np.zeros((held.nodes, held.bytes), np.uint8)
    held.write(array, staging, 0)
    if constant or not held.shape:
        buffer.inner[:] = staging
        return
    start, stop = held.boxes()
    shift = start - held.origin()
    shape = (held.nodes, *held.physical)
    written = np.zeros(shape, bool)
    for node in range(held.nodes):
        if (stop[node] <= start[node]).any():
            continue
        box = [
            slice(int(s), int(s + b - a))
            for s, a, b in zip(shift[node], start[node], stop[node], strict=True)
        ]
        box[-1] = slice(0, held.physical[-1])
        written[(node, *box)] = True
    keep = np.repeat(written.reshape(held.nodes, -1), held.item, 1)
    buffer.inner[keep] = staging[keep]


def check_tail(buffer: BufferBytes, held: Layout) -> None:
    """Past the end of the last dim there are zeros, in every row that a node holds."""
    if not held.shape:
        return
    start, stop = held.boxes()
    raw = np.ascontiguousarray(buffer.inner).reshape(held.nodes, *held.physical, held.item)
    for node in range(held.nodes):
        if (stop[node] <= start[node]).any():
            continue
        rows = tuple(slice(0, int(b - a)) for a, b in zip(start[node], stop[node], strict=True))
        tail = raw[(node, *rows[:-1], slice(int(rows[-1].stop), None))]
        assert not tail.any(), f"node {node} leaves a tail that is not zero"


def close(outcome: Outcome, tolerance: float = 1e-5) -> None:
    """FP32 results against NumPy's order of additions, as relative L2 error."""
    for found, wanted in zip(outcome.results, outcome.plain, strict=True):
        assert found.shape == wanted.shape
        error = np.linalg.norm((found - wanted).astype(np.float64))
        assert error <= tolerance * max(np.linalg.norm(wanted.astype(np.float64)), 1e-30)


def exact(outcome: Outcome) -> None:
    """Bit for bit what the reference in the machine's order gives (any NaN equals any NaN)."""
    for found, wanted in zip(outcome.results, outcome.machine, strict=True):
        np.testing.assert_array_equal(found, wanted)


def random(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


BF16 = bf16
