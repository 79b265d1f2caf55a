"""take: rows picked by number (ONNX Gather, embedding tables)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType, i32
from xdsl.irdl import operand_def, prop_def, result_def

from dojocc.dialects.domain import Dim, IterationDomain, dim
from dojocc.dialects.nn.rules import require, require_axis, shapes
from dojocc.dialects.numerics import Numerics
from dojocc.dialects.op import NNOp, Types, nn_op
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
