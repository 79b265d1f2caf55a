"""Run a module of the mesh form on NumPy arrays, every node with only the elements it holds.

A value is one array a node: the node's box. Elements that a node does not hold are poison; poison
that reaches a node's part of a result is an error that names op and node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Attribute, Operation, SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import main_function, result_names
from dojocc.dialects.interpret_nn import checked_inputs
from dojocc.dialects.location import describe
from dojocc.dialects.mesh import LOAD, ExchangeOp, in_dram, need_layout
from dojocc.dialects.mesh_collective import COMBINE, CollectiveOp, ReductionOp
from dojocc.dialects.mesh_verify import verify_layouts
from dojocc.dialects.nn import evaluate
from dojocc.dialects.nn.constant import ConstantOp
from dojocc.dialects.numerics import PLAIN, Numerics
from dojocc.dialects.types import dtype_of
from dojocc.runtime.errors import InputError
from dojocc.runtime.layout import Layout

INT_POISON = -0x7A5A5A5B
"""Stands where a node holds no integer; also checked statically, as arithmetic may hide it."""


@dataclass
class Parts:
    """A tensor's elements by node: each node's box, in the layout's box order."""

    layout: Layout
    boxes: list[np.ndarray]

    @staticmethod
    def cut(array: np.ndarray, layout: Layout) -> Parts:
        """Every node's part of a whole array."""
        return Parts(layout, [array[place] for place in places(layout)])

    def on(self, node: int, dtype: np.dtype) -> np.ndarray:
        """The tensor as one node sees it: poison wherever it holds nothing."""
        whole = poisoned(self.layout.shape, dtype)
        whole[places(self.layout)[node]] = self.boxes[node]
        return whole

    def joined(self, dtype: np.dtype, where: str) -> np.ndarray:
        """The whole tensor from all nodes; replicas must agree."""
        whole = poisoned(self.layout.shape, dtype)
        known = np.zeros(self.layout.shape, bool)
        for node, place in enumerate(places(self.layout)):
            old, new = whole[place][known[place]], self.boxes[node][known[place]]
            if not np.array_equal(old, new, equal_nan=dtype.kind == "f"):
                raise InputError(f"node {node} disagrees with another holder", where=where)
            whole[place] = self.boxes[node]
            known[place] = True
        return whole


def places(layout: Layout) -> list[tuple[slice, ...]]:
    """Every node's box as slices."""
    start, stop = layout.boxes()
    return [
        tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        for low, high in zip(start, stop, strict=True)
    ]


def poisoned(shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    if dtype.kind == "f":
        return np.full(shape, np.nan, dtype)
    if dtype.kind == "b":
        return np.zeros(shape, dtype)
    return np.full(shape, max(INT_POISON, np.iinfo(dtype).min), dtype)


def run_mesh(
    ctx: DojoContext,
    module: ModuleOp,
    inputs: Mapping[str, np.ndarray] | Sequence[np.ndarray],
    numerics: Numerics = PLAIN,
) -> dict[str, np.ndarray]:
    """Results of the module's function by name, put together from the nodes' parts."""
    verify_layouts(module)
    function = main_function(module)
    arguments = function.body.block.args
    arrays = checked_inputs(function, inputs)
    values: dict[SSAValue, Parts] = {
        argument: Parts.cut(array, need_layout(argument, function))
        for argument, array in zip(arguments, arrays, strict=True)
    }
    for op in function.body.block.ops:
        if isinstance(op, ReturnOp):
            joined = [
                values[value].joined(dtype(value.type), describe(op)) for value in op.operands
            ]
            return dict(zip(result_names(function), joined, strict=True))
        if isinstance(op, ExchangeOp) and op.kind.data == LOAD:
            values[op.result] = _load(ctx, op)
        elif isinstance(op, ExchangeOp):
            values[op.result] = _exchange(op, [values[value] for value in op.operands])
        elif isinstance(op, CollectiveOp):
            values[op.result] = _collective(op, values[op.input])
        elif isinstance(op, ConstantOp) and in_dram(op.results[0]):
            continue
        elif isinstance(op, ConstantOp):
            layout = need_layout(op.results[0], op)
            values[op.results[0]] = Parts.cut(op.array(ctx.resources), layout)
        else:
            parts = [values[value] for value in op.operands]
            values.update(zip(op.results, _kernel(ctx, op, parts, numerics), strict=True))
    raise InputError(f"function @{function.sym_name.data} does not end with func.return")


def dtype(type: Attribute) -> np.dtype:
    assert isinstance(type, TensorType)
    return dtype_of(type.element_type)


def _load(ctx: DojoContext, op: ExchangeOp) -> Parts:
    """Every node's part of what lies in DRAM."""
    constant = op.operands[0].owner
    assert isinstance(constant, ConstantOp)
    array = constant.array(ctx.resources).reshape(-1)
    flat = np.concatenate([array, np.zeros(1, array.dtype)])
    return Parts.cut(flat[op.index_map()], need_layout(op.result, op))


def _exchange(op: ExchangeOp, parts: Sequence[Parts]) -> Parts:
    """Elements come from whichever node holds them."""
    kind = dtype(op.result.type)
    lines = [part.joined(kind, describe(op)).reshape(-1) for part in parts]
    flat = np.concatenate([*lines, np.zeros(1, kind)])
    cut = Parts.cut(flat[op.index_map()], need_layout(op.result, op))
    for node, box in enumerate(cut.boxes):
        _refuse_poison(op, node, box)
    return cut


def _collective(op: CollectiveOp, part: Parts) -> Parts:
    """All terms, combined in their order where the op reduces; then every node's part of that."""
    total = part.joined(dtype(op.input.type), describe(op))
    if isinstance(op, ReductionOp):
        combine = COMBINE[op.kind.data]
        with np.errstate(all="ignore"):
            total = reduce(combine, total)
    return Parts.cut(total, need_layout(op.result, op))


def _kernel(
    ctx: DojoContext, op: Operation, parts: Sequence[Parts], numerics: Numerics
) -> list[Parts]:
    """Every node computes the whole op from what it holds, and keeps its own box of the results."""
    layouts = [need_layout(result, op) for result in op.results]
    kinds = [dtype(value.type) for value in op.operands]
    found: list[Parts] = [Parts(layout, []) for layout in layouts]
    cuts = [places(layout) for layout in layouts]
    for node in range(layouts[0].nodes):
        arrays = [part.on(node, kind) for part, kind in zip(parts, kinds, strict=True)]
        with np.errstate(all="ignore"):
            results = evaluate(op, arrays, numerics, ctx.resources)
        for part, cut, array in zip(found, cuts, results, strict=True):
            box = array[cut[node]]
            _refuse_poison(op, node, box)
            part.boxes.append(box)
    return found


def _refuse_poison(op: Operation, node: int, box: np.ndarray) -> None:
    if box.dtype.kind == "b":
        return
    bad = np.isnan(box) if box.dtype.kind == "f" else box == poisoned((), box.dtype)[()]
    if bad.any():
        raise InputError(
            f"{op.name} needs elements that node {node} does not hold",
            where=describe(op),
            numbers=f"{int(bad.sum())} of the node's {box.size} elements are poison",
        )
