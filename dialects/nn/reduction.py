"""Reductions over whole dims: reduce and arg_reduce."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType, i1, i32
from xdsl.ir import SSAValue
from xdsl.irdl import operand_def, prop_def, result_def

from dojocc.dialects.domain import Dim, IterationDomain, dim, identity
from dojocc.dialects.nn.rules import (
    require,
    require_axes,
    require_axis,
    require_float,
    require_word,
)
from dojocc.dialects.numerics import Numerics
from dojocc.dialects.op import ZERO_GRADIENT, Cost, NNOp, OpList, Types, nn_op
from dojocc.dialects.properties import INT, INTS, WORD
from dojocc.dialects.types import elements, tensor, text_of

REDUCE_KINDS = ("sum", "mean", "max", "min", "prod")
ARG_KINDS = ("max", "min")


def _reduced_dims(shape: Sequence[int], axes: Sequence[int]) -> tuple[Dim, ...]:
    return tuple(
        Dim(f"d{axis}", size, "reduction" if axis in axes else "parallel")
        for axis, size in enumerate(shape)
    )


def _dropped(shape: Sequence[int], axes: Sequence[int]) -> list[int]:
    return [size for axis, size in enumerate(shape) if axis not in axes]


@nn_op
class ReduceOp(NNOp):
    """Sum, mean, max, min or product over `dims`, which the result does not have."""

    name = "nn.reduce"
    FUSIBLE: ClassVar[str] = "reduction"
    GRADIENT: ClassVar[str] = "rule"

    x = operand_def(TensorType)
    result = result_def(TensorType)
    kind = prop_def(WORD)
    dims = prop_def(INTS)

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        x = types[0]
        require_word(cls.name, "kind", p.kind, REDUCE_KINDS)
        require_axes(cls.name, p.dims, x)
        if p.kind == "mean":
            require_float(cls.name, x)
        require(
            x.element_type != i1 or p.kind in ("max", "min"),
            cls.name,
            f"{p.kind} of i1 values",
            text_of(x),
            "use max for any, min for all, or nn.convert first",
        )
        empty = [axis for axis in p.dims if x.get_shape()[axis] == 0]
        require(
            not empty or p.kind not in ("max", "min", "mean"),
            cls.name,
            f"{p.kind} of no elements",
            f"dim {empty[0] if empty else 0} of {text_of(x)} has size 0",
        )
        return [tensor(_dropped(x.get_shape(), p.dims), x.element_type)]

    def compute(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> np.ndarray:
        p = self.p
        if p.kind == "mean":
            kept = numerics.mean(arrays[0], p.dims)
        else:
            kept = numerics.reduce(p.kind, arrays[0], p.dims)
        return kept.reshape(self.result_type.get_shape())

    def cost(self) -> Cost:
        return Cost(elements(self.types[0]), self.moved_bytes())

    def iteration_domain(self) -> IterationDomain:
        shape = self.types[0].get_shape()
        kept = tuple(dim(axis) for axis in range(len(shape)) if axis not in self.p.dims)
        return IterationDomain(_reduced_dims(shape, self.p.dims), (identity(len(shape)),), (kept,))

    def gradient(self, b: OpList, upstream: SSAValue) -> list[SSAValue | None] | None:
        p, shape = self.p, self.types[0].get_shape()
        kept = [axis for axis in range(len(shape)) if axis not in p.dims]
        if p.kind == "prod":
            return [_others(b, self.x, p.dims, b.broadcast(upstream, shape, kept))]
        spread = b.broadcast(upstream, shape, kept)
        if p.kind == "sum":
            return [spread]
        if p.kind == "mean":
            count = prod(shape[axis] for axis in p.dims)
            return [b("multiply", spread, b.splat(1.0 / count, spread))]
        best = b.broadcast(self.results[0], shape, kept)
        at_best = b("compare", self.x, best, direction="EQ")
        ones = b("convert", at_best, element_type=self.types[0].element_type)
        count = b(ReduceOp, ones, kind="sum", dims=p.dims)
        share = b("divide", upstream, count)
        return [b("multiply", ones, b.broadcast(share, shape, kept))]


@nn_op
class ArgReduceOp(NNOp):
    """Index (i32) of the first largest or smallest element along `axis`, which the result lacks."""

    name = "nn.arg_reduce"
    FUSIBLE: ClassVar[str] = "reduction"
    GRADIENT: ClassVar[str] = ZERO_GRADIENT

    x = operand_def(TensorType)
    result = result_def(TensorType)
    kind = prop_def(WORD)
    axis = prop_def(INT)

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        x = types[0]
        require_word(cls.name, "kind", p.kind, ARG_KINDS)
        require_axis(cls.name, p.axis, x)
        require(x.get_shape()[p.axis] > 0, cls.name, f"{p.kind} of no elements", text_of(x))
        return [tensor(_dropped(x.get_shape(), (p.axis,)), i32)]

    def compute(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> np.ndarray:
        find = np.argmax if self.p.kind == "max" else np.argmin
        return np.asarray(find(arrays[0], axis=self.p.axis))

    def cost(self) -> Cost:
        return Cost(elements(self.types[0]), self.moved_bytes())

    def iteration_domain(self) -> IterationDomain:
        shape, axis = self.types[0].get_shape(), self.p.axis
        kept = tuple(dim(other) for other in range(len(shape)) if other != axis)
        return IterationDomain(_reduced_dims(shape, (axis,)), (identity(len(shape)),), (kept,))


def _others(b: OpList, x: SSAValue, dims: Sequence[int], upstream: SSAValue) -> SSAValue:
    """For each element the product of all others along `dims`, times `upstream`.

    Products of what stands before and behind, by doubling: right where elements are 0, too.
    """
    type: Any = x.type
    shape = type.get_shape()
    kept = [axis for axis in range(len(shape)) if axis not in dims]
    order = [*kept, *dims]
    count = prod(shape[axis] for axis in dims)
    flat = [*(shape[axis] for axis in kept), count]
    line = b("reshape", b("transpose", x, permutation=order), shape=flat)
    one = b.scalar(1, type.element_type)

    def moved(value: SSAValue, by: int) -> SSAValue:
        """Elements `by` places on (back, if negative), ones where none come from."""
        low, high = [0] * len(flat), [0] * len(flat)
        low[-1], high[-1] = by, -by
        return b("pad", value, one, low=low, high=high, interior=[0] * len(flat))

    sides = []
    for sign in (1, -1):
        side, step = moved(line, sign), 1
        while step < count:
            side = b("multiply", side, moved(side, sign * step))
            step *= 2
        sides.append(side)
    others = b("reshape", b("multiply", *sides), shape=[shape[axis] for axis in order])
    back = b("transpose", others, permutation=np.argsort(order))
    return b("multiply", upstream, back)
