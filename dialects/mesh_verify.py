"""Checks of the mesh form: tensors have layouts of their shape, kernels hold what they read.

Works from the layouts' boxes and the ops' affine maps alone, so that it shares nothing with the
chooser.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.dialects.func import FuncOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.utils.exceptions import VerifyException

from dojocc.dialects.domain import Map
from dojocc.dialects.footprint import Uses, uses
from dojocc.dialects.location import describe
from dojocc.dialects.mesh import ExchangeOp, check_type, in_dram, need_layout
from dojocc.dialects.mesh_collective import CollectiveOp
from dojocc.dialects.nn.constant import ConstantOp
from dojocc.dialects.op import NNOp
from dojocc.runtime.layout import Layout


def verify_layouts(module: ModuleOp) -> None:
    """VerifyException that names op, operand and node where the mesh form's layouts do not hold."""
    for function in module.ops:
        if isinstance(function, FuncOp) and function.body.blocks:
            _verify_block(function.body.block)


def _verify_block(block: Block) -> None:
    grids = set()
    for op in block.ops:
        for value in (*op.operands, *op.results):
            if isinstance(value.type, TensorType) and not only_loaded(value):
                check_type(value.type, f"{op.name} ({describe(op)})")
                grids.add(need_layout(value, op).grid)
        if isinstance(op, NNOp) and not isinstance(op, ConstantOp):
            _verify_kernel(op)
        if isinstance(op, ExchangeOp | CollectiveOp):
            op.verify_()
    if len(grids) > 1:
        raise VerifyException(f"layouts on different grids in one function: {sorted(grids)}")


def only_loaded(value: SSAValue) -> bool:
    """A constant in DRAM, read by nothing but loads."""
    readers = (use.operation for use in value.uses)
    return in_dram(value) and all(isinstance(op, ExchangeOp) for op in readers)


def _verify_kernel(op: NNOp) -> None:
    found = uses(op)
    layouts = [need_layout(value, op) for value in op.operands]
    for number, result in enumerate(op.results):
        start, stop = need_layout(result, op).boxes()
        busy = np.all(stop > start, axis=1)  # true of a scalar on every node
        loops = loop_ranges(found, start, stop, number)
        for operand, (maps, layout) in enumerate(zip(found.operands, layouts, strict=True)):
            _verify_operand(op, operand, layout, needed_ranges(maps, loops, layout), busy)


def _verify_operand(
    op: Operation,
    number: int,
    layout: Layout,
    need: tuple[np.ndarray, np.ndarray],
    busy: np.ndarray,
) -> None:
    start, stop = layout.boxes()
    low, high = need
    wanted = busy & (high > low).all(1)
    lacks = wanted[:, None] & ((low < start) | (high > stop))
    if lacks.any():
        node, dim = (int(each) for each in np.argwhere(lacks)[0])
        raise VerifyException(
            f"{op.name} ({describe(op)}): node {node} needs [{low[node, dim]}, {high[node, dim]})"
            f" of operand {number}'s dimension {dim}, and holds"
            f" [{start[node, dim]}, {stop[node, dim]})"
        )


def loop_ranges(
    found: Uses, start: np.ndarray, stop: np.ndarray, number: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """(first, end) of every loop on every node, [nodes, loops], for boxes of result `number`."""
    nodes = len(start)
    low = np.zeros((nodes, len(found.dims)), np.int64)
    high = np.tile(np.array([dim.size for dim in found.dims], np.int64), (nodes, 1))
    if found.results is None:
        return low, high
    for dim, affine in enumerate(found.results[number]):
        terms = [term for term in affine.terms if found.dims[term[0]].size > 1]
        terms = [term for term in terms if found.dims[term[0]].kind == "parallel"]
        if not terms:
            continue
        loop, scale = max(terms, key=lambda term: term[1])
        if scale < 1:
            continue
        rest = sum(max(c, 0) * (found.dims[d].size - 1) for d, c in terms if d != loop)
        first = -((-(start[:, dim] - affine.offset - rest)) // scale)
        low[:, loop] = np.maximum(low[:, loop], first)
        high[:, loop] = np.minimum(high[:, loop], -(-(stop[:, dim] - affine.offset) // scale))
    return low, np.maximum(low, high)


def needed_ranges(
    maps: Sequence[Map] | None, loops: tuple[np.ndarray, np.ndarray], layout: Layout
) -> tuple[np.ndarray, np.ndarray]:
    """(first, end) of what each node reads of an operand, [nodes, rank], clipped to the tensor."""
    nodes, rank = len(loops[0]), len(layout.shape)
    shape = np.array(layout.shape, np.int64)
    if maps is None or not rank:
        return np.zeros((nodes, rank), np.int64), np.tile(shape, (nodes, 1))
    low = np.tile(shape, (nodes, 1))
    high = np.zeros((nodes, rank), np.int64)
    for each in maps:
        for dim, affine in enumerate(each):
            first = np.full(nodes, affine.offset)
            last = np.full(nodes, affine.offset)
            for loop, scale in affine.terms:
                ends = scale * loops[0][:, loop], scale * (loops[1][:, loop] - 1)
                first += np.minimum(*ends)
                last += np.maximum(*ends)
            low[:, dim] = np.minimum(low[:, dim], first)
            high[:, dim] = np.maximum(high[:, dim], last + 1)
    low, high = np.clip(low, 0, shape), np.clip(high, 0, shape)
    return low, np.maximum(low, high)
