"""Ops that only move elements: reshape, transpose, slice, concatenate, pad, reverse, broadcast."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue
from xdsl.irdl import operand_def, prop_def, result_def, var_operand_def

from dojocc.dialects.domain import ZERO, Affine, IterationDomain, Map, dim, identity, parallel_dims
from dojocc.dialects.nn.rules import (
    require,
    require_axes,
    require_axis,
    require_length,
    shapes,
)
from dojocc.dialects.nn.windows import dilated, pad_interior
from dojocc.dialects.numerics import Numerics
from dojocc.dialects.op import NNOp, OpList, Types, nn_op
from dojocc.dialects.properties import INT, INTS
from dojocc.dialects.types import elements, tensor, text_of

RULE = "rule"
Gradients = list[SSAValue | None] | None


class Movement(NNOp):
    """Every result element is an operand element; runs on arrays of any dtype, indices too."""

    FUSIBLE: ClassVar[str] = "movement"
    FLOPS: ClassVar[int] = 0

    def reference(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> list[np.ndarray]:
        return [np.asarray(self.compute(arrays, numerics), order="C")]  # keeps rank 0

    def _domain(self, source: Map, rest: int = 0) -> IterationDomain:
        """Loops over the result; `rest` more operands of rank 0."""
        shape = self.result_type.get_shape()
        return IterationDomain(
            parallel_dims(shape), (source, *[()] * rest), (identity(len(shape)),)
        )


@nn_op
class ReshapeOp(Movement):
    """The same elements in row-major order under another shape."""

    name = "nn.reshape"
    GRADIENT: ClassVar[str] = RULE

    x = operand_def(TensorType)
    result = result_def(TensorType)
    shape = prop_def(INTS)

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        require(
            min(p.shape, default=0) >= 0 and prod(p.shape) == elements(types[0]),
            cls.name,
            f"cannot give {text_of(types[0])} the shape {list(p.shape)}",
            f"{elements(types[0])} elements, not {prod(p.shape)}",
        )
        return [tensor(p.shape, types[0].element_type)]

    def compute(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> np.ndarray:
        return arrays[0].reshape(self.p.shape)

    def gradient(self, b: OpList, upstream: SSAValue) -> Gradients:
        return [b("reshape", upstream, shape=self.types[0].get_shape())]

    def iteration_domain(self) -> IterationDomain | None:
        """Only where dims of size 1 come or go; other reshapes are not affine."""
        source, target = self.types[0].get_shape(), self.result_type.get_shape()
        if [size for size in source if size != 1] != [size for size in target if size != 1]:
            return None
        wide = iter([axis for axis, size in enumerate(target) if size != 1])
        return self._domain(tuple(ZERO if size == 1 else dim(next(wide)) for size in source))


@nn_op
class TransposeOp(Movement):
    """Result dim i is operand dim permutation[i]."""

    name = "nn.transpose"
    GRADIENT: ClassVar[str] = RULE

    x = operand_def(TensorType)
    result = result_def(TensorType)
    permutation = prop_def(INTS)

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        x = types[0]
        require(
            sorted(p.permutation) == list(range(x.get_num_dims())),
            cls.name,
            f"{list(p.permutation)} does not permute the dims",
            f"{text_of(x)} has {x.get_num_dims()} dims",
        )
        return [tensor([x.get_shape()[axis] for axis in p.permutation], x.element_type)]

    def compute(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> np.ndarray:
        return arrays[0].transpose(self.p.permutation)

    def gradient(self, b: OpList, upstream: SSAValue) -> Gradients:
        return [b("transpose", upstream, permutation=np.argsort(self.p.permutation))]

    def iteration_domain(self) -> IterationDomain:
        p = self.p.permutation
        return self._domain(tuple(dim(p.index(axis)) for axis in range(len(p))))


@nn_op
class SliceOp(Movement):
    """Elements start, start + stride, ... below limit, along each dim."""

    name = "nn.slice"
    GRADIENT: ClassVar[str] = RULE

    x = operand_def(TensorType)
    result = result_def(TensorType)
    start = prop_def(INTS)
    limit = prop_def(INTS)
    strides = prop_def(INTS)

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        x = types[0]
        for prop in ("start", "limit", "strides"):
            require_length(cls.name, prop, getattr(p, prop), x.get_num_dims())
        sizes = []
        rows = zip(p.start, p.limit, p.strides, x.get_shape(), strict=True)
        for axis, (start, limit, stride, size) in enumerate(rows):
            require(
                0 <= start <= limit <= size and stride >= 1,
                cls.name,
                f"cannot take {start}:{limit}:{stride} along dim {axis}",
                f"it has size {size}",
            )
            sizes.append(-(-(limit - start) // stride))
        return [tensor(sizes, x.element_type)]

    def compute(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> np.ndarray:
        p = self.p
        return arrays[0][tuple(map(slice, p.start, p.limit, p.strides))]

    def gradient(self, b: OpList, upstream: SSAValue) -> Gradients:
        p = self.p
        sizes = self.result_type.get_shape()
        if 0 in sizes:
            return [b.splat(0, self.x)]
        spans = [dilated(size, stride) for size, stride in zip(sizes, p.strides, strict=True)]
        rows = zip(self.types[0].get_shape(), p.start, spans, strict=True)
        high = [size - start - span for size, start, span in rows]
        zero = b.scalar(0, self.types[0].element_type)
        interior = [stride - 1 for stride in p.strides]
        return [b("pad", upstream, zero, low=p.start, high=high, interior=interior)]

    def iteration_domain(self) -> IterationDomain:
        p = self.p
        rows = enumerate(zip(p.strides, p.start, strict=True))
        return self._domain(tuple(dim(axis, stride, start) for axis, (stride, start) in rows))


@nn_op
class ConcatenateOp(Movement):
    """The operands one after another along `dim`."""

    name = "nn.concatenate"
    GRADIENT: ClassVar[str] = RULE

    parts = var_operand_def(TensorType)
    result = result_def(TensorType)
    dim = prop_def(INT)

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        require(len(types) > 0, cls.name, "needs at least one operand")
        first = types[0]
        require_axis(cls.name, p.dim, first)
        for type in types[1:]:
            other = list(type.get_shape())
            agree = type.element_type == first.element_type and len(other) == first.get_num_dims()
            if agree:
                other[p.dim] = first.get_shape()[p.dim]
            require(
                agree and tuple(other) == first.get_shape(),
                cls.name,
                f"operands must agree but along dim {p.dim}",
                shapes(types),
            )
        sizes = list(first.get_shape())
        sizes[p.dim] = sum(type.get_shape()[p.dim] for type in types)
        return [tensor(sizes, first.element_type)]

    def compute(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> np.ndarray:
        return np.concatenate(arrays, self.p.dim)

    def gradient(self, b: OpList, upstream: SSAValue) -> Gradients:
        axis, shape, at = self.p.dim, self.result_type.get_shape(), 0
        parts: list[SSAValue | None] = []
        for type in self.types:
            start, limit = [0] * len(shape), list(shape)
            start[axis], limit[axis] = at, at + type.get_shape()[axis]
            at = limit[axis]
            parts.append(b("slice", upstream, start=start, limit=limit, strides=[1] * len(shape)))
        return parts


@nn_op
class PadOp(Movement):
    """`low` and `high` values at the edges (negative ones crop), `interior` between elements."""

    name = "nn.pad"
    GRADIENT: ClassVar[str] = RULE

    x = operand_def(TensorType)
    value = operand_def(TensorType)
    result = result_def(TensorType)
    low = prop_def(INTS)
    high = prop_def(INTS)
    interior = prop_def(INTS)

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        x, value = types
        require(
            value.get_num_dims() == 0 and value.element_type == x.element_type,
            cls.name,
            "the padding value must have rank 0 and the operand's element type",
            shapes(types),
        )
        for prop in ("low", "high", "interior"):
            require_length(cls.name, prop, getattr(p, prop), x.get_num_dims())
        require(min(p.interior, default=0) >= 0, cls.name, "interior padding is negative")
        rows = zip(x.get_shape(), p.low, p.high, p.interior, strict=True)
        sizes = [dilated(size, gap + 1) + low + high for size, low, high, gap in rows]
        require(
            min(sizes, default=0) >= 0,
            cls.name,
            "crops more than there is",
            f"{text_of(x)} with low {list(p.low)} and high {list(p.high)}",
        )
        return [tensor(sizes, x.element_type)]

    def compute(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> np.ndarray:
        p = self.p
        return pad_interior(arrays[0], p.low, p.high, p.interior, arrays[1].reshape(()))

    def gradient(self, b: OpList, upstream: SSAValue) -> Gradients:
        p, source = self.p, self.types[0].get_shape()
        every = range(len(source))
        whole = b("reduce", upstream, kind="sum", dims=every)
        if 0 in source:
            return [b.splat(0, self.x), whole]
        zero = b.scalar(0, self.types[0].element_type)
        back = upstream
        cropped = [[max(-edge, 0) for edge in edges] for edges in (p.low, p.high)]
        if any(map(any, cropped)):  # what was cropped had no part in the result
            back = b("pad", back, zero, low=cropped[0], high=cropped[1], interior=[0] * len(source))
        rows = zip(p.low, source, p.interior, strict=True)
        limit = [max(low, 0) + dilated(size, gap + 1) for low, size, gap in rows]
        start, strides = [max(low, 0) for low in p.low], [gap + 1 for gap in p.interior]
        by_x = b("slice", back, start=start, limit=limit, strides=strides)
        return [by_x, b("subtract", whole, b("reduce", by_x, kind="sum", dims=every))]

    def iteration_domain(self) -> IterationDomain | None:
        """Without interior padding; an index outside the operand reads the padding value."""
        if any(self.p.interior):
            return None
        source = tuple(dim(axis, 1, -low) for axis, low in enumerate(self.p.low))
        return self._domain(source, rest=1)


@nn_op
class ReverseOp(Movement):
    """The order of elements reversed along each of `dims`."""

    name = "nn.reverse"
    GRADIENT: ClassVar[str] = RULE

    x = operand_def(TensorType)
    result = result_def(TensorType)
    dims = prop_def(INTS)

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        require_axes(cls.name, p.dims, types[0])
        return [tensor(types[0].get_shape(), types[0].element_type)]

    def compute(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> np.ndarray:
        return np.flip(arrays[0], self.p.dims)

    def gradient(self, b: OpList, upstream: SSAValue) -> Gradients:
        return [b("reverse", upstream, dims=self.p.dims)]

    def iteration_domain(self) -> IterationDomain:
        dims = self.p.dims
        rows = enumerate(self.types[0].get_shape())
        return self._domain(
            tuple(dim(axis, -1, size - 1) if axis in dims else dim(axis) for axis, size in rows)
        )


@nn_op
class BroadcastInDimOp(Movement):
    """Operand dim i becomes result dim dims[i]; sizes of 1 and new dims are repeated."""

    name = "nn.broadcast_in_dim"
    GRADIENT: ClassVar[str] = RULE

    x = operand_def(TensorType)
    result = result_def(TensorType)
    dims = prop_def(INTS)
    shape = prop_def(INTS)

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        x = types[0]
        result = tensor(p.shape, x.element_type)
        require_length(cls.name, "dims", p.dims, x.get_num_dims())
        require_axes(cls.name, p.dims, result)
        require(list(p.dims) == sorted(p.dims), cls.name, "dims must ascend", str(list(p.dims)))
        for size, axis in zip(x.get_shape(), p.dims, strict=True):
            require(
                size in (1, p.shape[axis]),
                cls.name,
                f"cannot repeat {size} elements to {p.shape[axis]} along dim {axis}",
                f"{text_of(x)} into {text_of(result)}",
            )
        return [result]

    def compute(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> np.ndarray:
        p = self.p
        place = [1] * len(p.shape)
        for size, axis in zip(arrays[0].shape, p.dims, strict=True):
            place[axis] = size
        return np.broadcast_to(arrays[0].reshape(place), p.shape)

    def gradient(self, b: OpList, upstream: SSAValue) -> Gradients:
        p, source = self.p, self.types[0].get_shape()
        rows = zip(source, p.dims, strict=True)
        kept = [axis for size, axis in rows if size == p.shape[axis]]
        repeated = [axis for axis in range(len(p.shape)) if axis not in kept]
        if not repeated:
            return [upstream]
        total = b("reduce", upstream, kind="sum", dims=repeated)
        if total.type.get_shape() == source:  # pyright: ignore[reportAttributeAccessIssue]
            return [total]
        return [b("reshape", total, shape=source)]

    def iteration_domain(self) -> IterationDomain:
        p = self.p
        rows = zip(self.types[0].get_shape(), p.dims, strict=True)
        source = [
            Affine() if size == 1 and p.shape[axis] != 1 else dim(axis) for size, axis in rows
        ]
        return self._domain(tuple(source))
