"""Reductions over whole dims (reduce, arg_reduce) and over windows (reduce_window)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType, i1, i32
from xdsl.ir import SSAValue
from xdsl.irdl import operand_def, prop_def, result_def

from dojocc.dialects.domain import Affine, Dim, IterationDomain, dim, identity
from dojocc.dialects.nn.rules import (
    require,
    require_axes,
    require_axis,
    require_float,
    require_length,
    require_word,
)
from dojocc.dialects.nn.windows import dilated, pad_interior, window_count, windows
from dojocc.dialects.numerics import Numerics, start_of
from dojocc.dialects.op import ZERO_GRADIENT, Cost, NNOp, OpList, Types, nn_op
from dojocc.dialects.properties import INT, INTS, WORD
from dojocc.dialects.types import elements, tensor, text_of

REDUCE_KINDS = ("sum", "mean", "max", "min", "prod")
WINDOW_KINDS = ("sum", "max")
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
    GRADIENT: ClassVar[str] = "rule"  # sum, mean, max and min; not prod

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
            return None
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


@nn_op
class ReduceWindowOp(NNOp):
    """Max or sum over a window sliding along every dim; `padding` is low and high of each dim.

    Padded places count as 0 for a sum and as the lowest value for a max.
    """

    name = "nn.reduce_window"
    FUSIBLE: ClassVar[str] = "window"

    x = operand_def(TensorType)
    result = result_def(TensorType)
    kind = prop_def(WORD)
    window = prop_def(INTS)
    strides = prop_def(INTS)
    padding = prop_def(INTS)
    dilation = prop_def(INTS)

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        x = types[0]
        rank = x.get_num_dims()
        require_word(cls.name, "kind", p.kind, WINDOW_KINDS)
        require(x.element_type != i1, cls.name, "needs a numeric tensor", text_of(x))
        require_length(cls.name, "padding", p.padding, 2 * rank)
        require(
            min(p.padding, default=0) >= 0, cls.name, "padding is negative", str(list(p.padding))
        )
        for prop in ("window", "strides", "dilation"):
            value = getattr(p, prop)
            require_length(cls.name, prop, value, rank)
            require(
                min(value, default=1) >= 1, cls.name, f"{prop} must be at least 1", str(list(value))
            )
        sizes = []
        for axis, size in enumerate(x.get_shape()):
            span = dilated(p.window[axis], p.dilation[axis])
            length = size + p.padding[2 * axis] + p.padding[2 * axis + 1]
            sizes.append(window_count(length, span, p.strides[axis]))
            require(
                sizes[-1] > 0,
                cls.name,
                f"the window is larger than the padded input along dim {axis}",
                f"window spans {span}, input {length}",
            )
        return [tensor(sizes, x.element_type)]

    def compute(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> np.ndarray:
        p, (x,) = self.p, arrays
        start = start_of(p.kind, x.dtype)
        none = [0] * x.ndim
        padded = pad_interior(x, p.padding[0::2], p.padding[1::2], none, start)
        view = windows(padded, p.window, p.strides, p.dilation)
        # Taps are folded one after another in row-major order in every numerics: windows are small.
        total = np.full(view.shape[: x.ndim], start, x.dtype)
        fold = np.maximum if p.kind == "max" else np.add
        for tap in np.ndindex(*p.window):
            total = fold(total, view[(..., *tap)])
        return total

    def cost(self) -> Cost:
        return Cost(prod(self.p.window) * elements(self.result_type), self.moved_bytes())

    def iteration_domain(self) -> IterationDomain:
        p, shape = self.p, self.result_type.get_shape()
        rank = len(shape)
        outer = tuple(Dim(f"d{axis}", size, "parallel") for axis, size in enumerate(shape))
        inner = tuple(Dim(f"k{axis}", size, "reduction") for axis, size in enumerate(p.window))
        source = tuple(
            Affine(((axis, p.strides[axis]), (rank + axis, p.dilation[axis])), -p.padding[2 * axis])
            for axis in range(rank)
        )
        return IterationDomain(outer + inner, (source,), (identity(rank),))
