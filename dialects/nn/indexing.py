"""take: rows picked by number (ONNX Gather, embedding tables)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType, i32
from xdsl.ir import SSAValue
from xdsl.irdl import operand_def, prop_def, result_def

from dojocc.dialects.domain import Dim, IterationDomain, dim
from dojocc.dialects.nn.rules import require, require_axis, shapes
from dojocc.dialects.numerics import Numerics
from dojocc.dialects.op import NNOp, OpList, Types, nn_op
from dojocc.dialects.properties import INT
from dojocc.dialects.types import tensor


@nn_op
class TakeOp(NNOp):
    """result[a..., i..., b...] = data[a..., indices[i...], b...] with `axis` between a and b.

    An index below 0 or past the end is clamped to the nearest element.
    """

    name = "nn.take"
    FUSIBLE: ClassVar[str] = "indexing"
    FLOPS: ClassVar[int] = 0
    GRADIENT: ClassVar[str] = "rule"

    data = operand_def(TensorType)
    indices = operand_def(TensorType)
    result = result_def(TensorType)
    axis = prop_def(INT)

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        data, indices = types
        require_axis(cls.name, p.axis, data)
        require(indices.element_type == i32, cls.name, "indices must be i32", shapes(types))
        sizes = data.get_shape()
        require(
            sizes[p.axis] > 0 or 0 in indices.get_shape(),
            cls.name,
            "takes from no elements",
            shapes(types),
        )
        picked = [*sizes[: p.axis], *indices.get_shape(), *sizes[p.axis + 1 :]]
        return [tensor(picked, data.element_type)]

    def compute(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> np.ndarray:
        data, indices = arrays
        return np.take(data, indices, self.p.axis, mode="clip")

    def gradient(self, b: OpList, upstream: SSAValue) -> list[SSAValue | None] | None:
        """A product with one-hot rows: what rows picked more than once are sent is added up."""
        axis, picks = self.p.axis, self.types[1].get_shape()
        height, rank = self.types[0].get_shape()[axis], self.result_type.get_num_dims()
        last = b.splat(height - 1, self.indices)
        row = b("minimum", b("maximum", self.indices, b.splat(0, self.indices)), last)
        places = b("iota", dim=0, shape=[height, *picks], element_type=i32)
        wide = b.broadcast(row, [height, *picks], range(1, 1 + len(picks)))
        hit = b("compare", places, wide, direction="EQ")
        ones = b("convert", hit, element_type=self.types[0].element_type)
        # Without picks a row is taken once: the product is an outer one.
        found = b(
            "dot_general",
            ones,
            upstream,
            lhs_batch=(),
            rhs_batch=(),
            lhs_contract=range(1, 1 + len(picks)),
            rhs_contract=range(axis, axis + len(picks)),
        )
        order = [*range(1, 1 + axis), 0, *range(1 + axis, 1 + rank - len(picks))]
        if axis > 0:
            found = b("transpose", found, permutation=order)
        return [found, None]

    def iteration_domain(self) -> IterationDomain:
        """As a product with one-hot rows: the dim taken from is a reduction dim `v`."""
        axis = self.p.axis
        sizes = self.result_type.get_shape()
        span = self.types[1].get_num_dims()
        dims = [Dim(f"d{number}", size, "parallel") for number, size in enumerate(sizes)]
        dims.append(Dim("v", self.types[0].get_shape()[axis], "reduction"))
        every = tuple(dim(number) for number in range(len(sizes)))
        data = (*every[:axis], dim(len(sizes)), *every[axis + span :])
        return IterationDomain(tuple(dims), (data, every[axis : axis + span]), (every,))
