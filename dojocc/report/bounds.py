"""What a model takes at the very least on a machine: work over peak rate, weights over SRAM."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from xdsl.dialects.builtin import BFloat16Type, ModuleOp, TensorType
from xdsl.ir import Attribute

from dojocc.dialects.nn import ConstantOp, ConvolutionOp, DotGeneralOp
from dojocc.dialects.op import NNOp
from dojocc.runtime.target import Target


@dataclass(frozen=True)
class Bounds:
    """Lower bounds: no plan can do with less."""

    flops: int
    cycles: int
    weight_bytes: int
    sram_bytes: int


def bounds_of(module: ModuleOp, target: Target, precision: str) -> Bounds:
    """Products run on the matrix unit in bf16, all else on the vector unit."""
    matrix = vector = weights = 0
    for op in module.walk():
        if isinstance(op, ConstantOp):
            weights += bytes_of(op.results[0].type)
        elif isinstance(op, ConvolutionOp | DotGeneralOp) and precision == "bf16":
            matrix += op.cost().flops
        elif isinstance(op, NNOp):
            vector += op.cost().flops
    node, live = target.node, len(target.live_nodes())
    matrix_rate = 2 * node.matrix_rows * node.matrix_cols * node.matrix_depth * node.matrix_units
    vector_rate = 2 * node.vector_lanes * node.vector_units
    cycles = max(matrix / (live * matrix_rate), vector / (live * vector_rate))
    return Bounds(matrix + vector, round(cycles), weights, live * node.sram_bytes)


def bytes_of(kind: Attribute) -> int:
    assert isinstance(kind, TensorType)
    width = 2 if isinstance(kind.element_type, BFloat16Type) else 4
    return prod(kind.get_shape()) * width
