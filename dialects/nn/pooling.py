"""Reductions over windows that slide along every dim: pooling."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType, i1
from xdsl.ir import SSAValue
from xdsl.irdl import operand_def, prop_def, result_def

from dojocc.dialects.domain import Affine, Dim, IterationDomain, identity
from dojocc.dialects.nn.rules import require, require_length, require_word
from dojocc.dialects.nn.windows import (
    MOST_PADDED,
    dilated,
    pad_interior,
    padded_beyond,
    split_ahead,
    window_count,
    windows,
)
from dojocc.dialects.numerics import Numerics, start_of
from dojocc.dialects.op import Cost, NNOp, OpList, Types, nn_op
from dojocc.dialects.properties import INTS, WORD
from dojocc.dialects.types import dtype_of, elements, tensor, text_of

WINDOW_KINDS = ("sum", "max")


@nn_op
class ReduceWindowOp(NNOp):
    """Max or sum over a window sliding along every dim; `padding` is low and high of each dim.

    Padded places count as 0 for a sum and as the lowest value for a max.
    """

    name = "nn.reduce_window"
    FUSIBLE: ClassVar[str] = "window"
    COMPOSITE: ClassVar[bool] = True
    GRADIENT: ClassVar[str] = "rule"

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

    @property
    def padded_before(self) -> tuple[int, ...]:
        """Dims to be padded by an op of its own: the outermost that no access can bound.

        Windows along the last dim, which lies along lanes, take one of the bounds in any case.
        """
        p = self.p
        moves = bool(p.window) and (p.window[-1] > 1 or p.strides[-1] > 1)
        taken = moves and not any(p.padding[-2:])
        return padded_beyond(p.padding, MOST_PADDED - taken)

    def decompose(self, b: OpList) -> SSAValue | None:
        """Padding of a third dim becomes a pad before the windows."""
        p, before = self.p, self.padded_before
        if not before:
            return None
        ahead, rest = split_ahead(p.padding, before)
        type = self.types[0]
        start = b.scalar(start_of(p.kind, dtype_of(type.element_type)).item(), type.element_type)
        interior = [0] * len(p.window)
        wide = b("pad", self.x, start, low=ahead[0::2], high=ahead[1::2], interior=interior)
        props = {"window": p.window, "strides": p.strides, "dilation": p.dilation}
        return b(ReduceWindowOp, wide, kind=p.kind, padding=rest, **props)

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

    def gradient(self, b: OpList, upstream: SSAValue) -> list[SSAValue | None] | None:
        return [self._by_max(b, upstream) if self.p.kind == "max" else self._by_sum(b, upstream)]

    def _by_sum(self, b: OpList, upstream: SSAValue) -> SSAValue:
        """Each element sums what the windows that hold it are sent: windows the other way round."""
        p, shape = self.p, self.types[0].get_shape()
        low, high = [], []
        for axis, size in enumerate(shape):
            reach = dilated(p.window[axis], p.dilation[axis]) - 1
            spread = dilated(self.result_type.get_shape()[axis], p.strides[axis])
            low.append(reach - p.padding[2 * axis])
            high.append(size - spread + p.padding[2 * axis])
        zero = b.scalar(0, self.types[0].element_type)
        gaps = [stride - 1 for stride in p.strides]
        wide = b("pad", upstream, zero, low=low, high=high, interior=gaps)
        ones, none = [1] * len(shape), [0] * 2 * len(shape)
        return b(
            ReduceWindowOp,
            wide,
            kind="sum",
            window=p.window,
            strides=ones,
            padding=none,
            dilation=p.dilation,
        )

    def _by_max(self, b: OpList, upstream: SSAValue) -> SSAValue:
        """All of it to the first largest element of each window, in row-major order."""
        p, shape, rank = self.p, self.types[0].get_shape(), self.types[0].get_num_dims()
        low, high = p.padding[0::2], p.padding[1::2]
        element = self.types[0].element_type
        lowest = b.scalar(float(start_of("max", dtype_of(element))), element)
        source, none = self.x, [0] * rank
        if any(p.padding):
            source = b("pad", self.x, lowest, low=low, high=high, interior=none)
        zero = b.scalar(0, element)
        nothing = b.splat(0, upstream)
        left, total = upstream, None  # what no earlier tap has taken
        for tap in np.ndindex(*p.window):
            start = [at * step for at, step in zip(tap, p.dilation, strict=True)]
            rows = zip(start, self.result_type.get_shape(), p.strides, strict=True)
            limit = [at + dilated(size, step) for at, size, step in rows]
            here = b("slice", source, start=start, limit=limit, strides=p.strides)
            hit = b("compare", here, self.results[0], direction="EQ")
            taken, left = b("select", hit, left, nothing), b("select", hit, nothing, left)
            edges = [at - edge for at, edge in zip(start, low, strict=True)]
            rows = zip(shape, edges, limit, start, strict=True)
            behind = [size - edge - (end - at) for size, edge, end, at in rows]
            gaps = [stride - 1 for stride in p.strides]
            back = b("pad", taken, zero, low=edges, high=behind, interior=gaps)
            total = back if total is None else b("add", total, back)
        assert total is not None
        return total
