"""dot_general: every form of matrix product, with batch and contracting dims by number."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue
from xdsl.irdl import operand_def, prop_def, result_def

from dojocc.dialects.domain import Affine, Dim, IterationDomain, dim
from dojocc.dialects.nn.rules import require, require_axes, require_numeric, shapes
from dojocc.dialects.numerics import Numerics
from dojocc.dialects.op import Cost, NNOp, OpList, Types, nn_op
from dojocc.dialects.properties import INTS
from dojocc.dialects.types import elements, tensor


@nn_op
class DotGeneralOp(NNOp):
    """Result dims: batch, then the free dims of lhs, then those of rhs, each in their order."""

    name = "nn.dot_general"
    FUSIBLE: ClassVar[str] = "contraction"
    GRADIENT: ClassVar[str] = "rule"

    lhs = operand_def(TensorType)
    rhs = operand_def(TensorType)
    result = result_def(TensorType)
    lhs_batch = prop_def(INTS)
    rhs_batch = prop_def(INTS)
    lhs_contract = prop_def(INTS)
    rhs_contract = prop_def(INTS)

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        lhs, rhs = types
        require_numeric(cls.name, lhs)
        require(
            lhs.element_type == rhs.element_type,
            cls.name,
            "operands must have equal element types",
            shapes(types),
        )
        require_axes(cls.name, (*p.lhs_batch, *p.lhs_contract), lhs)
        require_axes(cls.name, (*p.rhs_batch, *p.rhs_contract), rhs)
        for what, left, right in (
            ("batch", p.lhs_batch, p.rhs_batch),
            ("contracting", p.lhs_contract, p.rhs_contract),
        ):
            left_sizes = [lhs.get_shape()[axis] for axis in left]
            right_sizes = [rhs.get_shape()[axis] for axis in right]
            require(
                left_sizes == right_sizes,
                cls.name,
                f"{what} dims of the operands must have equal sizes",
                f"{shapes(types)}: {left_sizes} and {right_sizes}",
            )
        batch = [lhs.get_shape()[axis] for axis in p.lhs_batch]
        rows = [lhs.get_shape()[axis] for axis in free_dims(lhs, p.lhs_batch, p.lhs_contract)]
        columns = [rhs.get_shape()[axis] for axis in free_dims(rhs, p.rhs_batch, p.rhs_contract)]
        return [tensor([*batch, *rows, *columns], lhs.element_type)]

    @property
    def lhs_free(self) -> tuple[int, ...]:
        """Dims of lhs that stay, in order."""
        return free_dims(self.types[0], self.p.lhs_batch, self.p.lhs_contract)

    @property
    def rhs_free(self) -> tuple[int, ...]:
        """Dims of rhs that stay, in order."""
        return free_dims(self.types[1], self.p.rhs_batch, self.p.rhs_contract)

    def compute(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> np.ndarray:
        p = self.p
        lhs, rhs = arrays
        left = lhs.transpose(*p.lhs_batch, *self.lhs_free, *p.lhs_contract)
        right = rhs.transpose(*p.rhs_batch, *p.rhs_contract, *self.rhs_free)
        batch = [lhs.shape[axis] for axis in p.lhs_batch]
        depth = prod(lhs.shape[axis] for axis in p.lhs_contract)
        rows = prod(lhs.shape[axis] for axis in self.lhs_free)
        columns = prod(rhs.shape[axis] for axis in self.rhs_free)
        left = left.reshape(*batch, rows, depth)
        right = right.reshape(*batch, depth, columns)
        return numerics.dot(left, right).reshape(self.result_type.get_shape())

    def cost(self) -> Cost:
        depth = prod(self.types[0].get_shape()[axis] for axis in self.p.lhs_contract)
        return Cost(2 * depth * elements(self.result_type), self.moved_bytes())

    def iteration_domain(self) -> IterationDomain:
        p = self.p
        lhs, rhs = (type.get_shape() for type in self.types)
        dims: list[Dim] = []
        left: dict[int, Affine] = {}
        right: dict[int, Affine] = {}
        for number, (a, c) in enumerate(zip(p.lhs_batch, p.rhs_batch, strict=True)):
            left[a] = right[c] = dim(len(dims))
            dims.append(Dim(f"b{number}", lhs[a], "parallel"))
        for number, a in enumerate(self.lhs_free):
            left[a] = dim(len(dims))
            dims.append(Dim(f"m{number}", lhs[a], "parallel"))
        for number, c in enumerate(self.rhs_free):
            right[c] = dim(len(dims))
            dims.append(Dim(f"n{number}", rhs[c], "parallel"))
        result = tuple(dim(index) for index in range(len(dims)))
        for number, (a, c) in enumerate(zip(p.lhs_contract, p.rhs_contract, strict=True)):
            left[a] = right[c] = dim(len(dims))
            dims.append(Dim(f"k{number}", lhs[a], "reduction"))
        maps = tuple(tuple(found[axis] for axis in range(len(found))) for found in (left, right))
        return IterationDomain(tuple(dims), maps, (result,))

    def gradient(self, b: OpList, upstream: SSAValue) -> list[SSAValue | None] | None:
        p = self.p
        batch, rows, columns = len(p.lhs_batch), len(self.lhs_free), len(self.rhs_free)
        batch_dims = range(batch)
        row_dims = range(batch, batch + rows)
        column_dims = range(batch + rows, batch + rows + columns)
        by_lhs = b(
            DotGeneralOp,
            upstream,
            self.rhs,
            lhs_batch=batch_dims,
            rhs_batch=p.rhs_batch,
            lhs_contract=column_dims,
            rhs_contract=self.rhs_free,
        )
        # Contracting dims come back in the other operand's order; say which dim each stands for.
        kept = sorted(zip(p.rhs_contract, p.lhs_contract, strict=True))
        found = (*p.lhs_batch, *self.lhs_free, *(axis for _, axis in kept))
        by_rhs = b(
            DotGeneralOp,
            self.lhs,
            upstream,
            lhs_batch=p.lhs_batch,
            rhs_batch=batch_dims,
            lhs_contract=self.lhs_free,
            rhs_contract=row_dims,
        )
        order = sorted(zip(p.lhs_contract, p.rhs_contract, strict=True))
        other = (*p.rhs_batch, *(axis for _, axis in order), *self.rhs_free)
        return [_back(b, by_lhs, found), _back(b, by_rhs, other)]


def _back(b: OpList, value: SSAValue, dims: Sequence[int]) -> SSAValue:
    """Transpose a value whose dim i stands for dim dims[i], so that dims stand in order."""
    permutation = tuple(dims.index(axis) for axis in range(len(dims)))
    if permutation == tuple(range(len(dims))):
        return value
    return b("transpose", value, permutation=permutation)


def free_dims(type: TensorType, batch: Sequence[int], contract: Sequence[int]) -> tuple[int, ...]:
    """Dims that are neither batch nor contracting, in order."""
    taken = {*batch, *contract}
    return tuple(axis for axis in range(type.get_num_dims()) if axis not in taken)
