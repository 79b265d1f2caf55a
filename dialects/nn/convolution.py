"""Convolution in one to three spatial dims, channels first or last, with groups and dilation."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue
from xdsl.irdl import operand_def, prop_def, result_def

from dojocc.dialects.domain import Affine, Dim, IterationDomain, dim
from dojocc.dialects.nn.convolution_dims import Dims, dims_of
from dojocc.dialects.nn.convolution_gradient import backward, batch_as_channels, regrouped
from dojocc.dialects.nn.rules import (
    require,
    require_length,
    require_numeric,
    require_word,
    shapes,
)
from dojocc.dialects.nn.windows import (
    MOST_PADDED,
    dilated,
    pad_interior,
    padded_beyond,
    split_ahead,
    window_count,
    windows,
)
from dojocc.dialects.numerics import Numerics
from dojocc.dialects.op import Cost, NNOp, OpList, Types, nn_op
from dojocc.dialects.properties import INT, INTS, WORD
from dojocc.dialects.types import elements, tensor

LAYOUTS = ("nchw", "nhwc")
SPATIAL = ("d", "h", "w")


@nn_op
class ConvolutionOp(NNOp):
    """y[n, o, s] = sum of x[n, c, s * stride + k * rhs_dilation - padding] w[o, c, k] over c, k.

    `padding` is low and high of each spatial dim; `lhs_dilation` spreads x with zeros first.
    """

    name = "nn.convolution"
    FUSIBLE: ClassVar[str] = "contraction"
    COMPOSITE: ClassVar[bool] = True
    GRADIENT: ClassVar[str] = "rule"

    x = operand_def(TensorType)
    w = operand_def(TensorType)
    result = result_def(TensorType)
    strides = prop_def(INTS)
    padding = prop_def(INTS)
    lhs_dilation = prop_def(INTS)
    rhs_dilation = prop_def(INTS)
    groups = prop_def(INT)
    layout = prop_def(WORD)

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        x, w = types
        require_numeric(cls.name, x)
        require(
            x.get_num_dims() == w.get_num_dims() and 3 <= x.get_num_dims() <= 5,
            cls.name,
            "input and weights need equal ranks of 3 to 5",
            shapes(types),
        )
        require(
            x.element_type == w.element_type,
            cls.name,
            "input and weights need equal element types",
            shapes(types),
        )
        require_word(cls.name, "layout", p.layout, LAYOUTS)
        spatial = x.get_num_dims() - 2
        require_length(cls.name, "padding", p.padding, 2 * spatial)
        for prop in ("strides", "lhs_dilation", "rhs_dilation"):
            value = getattr(p, prop)
            require_length(cls.name, prop, value, spatial)
            require(min(value) >= 1, cls.name, f"{prop} must be at least 1", str(list(value)))
        at = dims_of(p.layout, spatial)
        channels, outputs = x.get_shape()[at.channel], w.get_shape()[at.out_channel]
        depth = w.get_shape()[at.in_channel]
        require(
            p.groups >= 1 and channels == depth * p.groups and outputs % p.groups == 0,
            cls.name,
            "channels, weights and groups do not fit together",
            f"input has {channels} channels, weights take {depth} in each of {p.groups} groups "
            f"and give {outputs}",
        )
        sizes = [0] * x.get_num_dims()
        sizes[at.batch], sizes[at.channel] = x.get_shape()[at.batch], outputs
        for number, axis in enumerate(at.spatial):
            span = dilated(w.get_shape()[at.kernel[number]], p.rhs_dilation[number])
            length = dilated(x.get_shape()[axis], p.lhs_dilation[number])
            length += p.padding[2 * number] + p.padding[2 * number + 1]
            sizes[axis] = window_count(length, span, p.strides[number])
            require(
                sizes[axis] > 0,
                cls.name,
                f"the kernel is larger than the padded input along {SPATIAL[number - spatial]}",
                f"kernel spans {span}, input {length}",
            )
        return [tensor(sizes, x.element_type)]

    @property
    def at(self) -> Dims:
        """Where the dims stand."""
        return dims_of(self.p.layout, len(self.p.strides))

    def compute(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> np.ndarray:
        p, at = self.p, self.at
        x = arrays[0].transpose(at.batch, *at.spatial, at.channel)
        w = arrays[1].transpose(*at.kernel, at.in_channel, at.out_channel)
        spatial, kernel = len(at.spatial), w.shape[: len(at.spatial)]
        zero = x.dtype.type(0)
        low, high = (0, *p.padding[0::2], 0), (0, *p.padding[1::2], 0)
        spread = (0, *(step - 1 for step in p.lhs_dilation), 0)
        x = pad_interior(x, low, high, spread, zero)
        views = windows(
            x, (1, *kernel, 1), (1, *p.strides, 1), (1, *p.rhs_dilation, 1)
        )  # n, spatial, c, 1, kernel, 1
        views = views.reshape(*views.shape[: spatial + 2], *kernel)
        views = views.reshape(*views.shape[: spatial + 1], p.groups, -1, *kernel)
        # groups, then n and spatial, then kernel and channel: the machine's order of k
        ahead = tuple(range(spatial + 1))
        behind = tuple(range(spatial + 3, 2 * spatial + 3))
        views = views.transpose(spatial + 1, *ahead, *behind, spatial + 2)
        where = views.shape[1 : spatial + 2]
        left = views.reshape(p.groups, prod(where), -1)
        right = w.reshape(-1, p.groups, w.shape[-1] // p.groups).transpose(1, 0, 2)
        product = numerics.dot(left, right)  # groups, n and spatial, outputs a group
        result = product.transpose(1, 0, 2).reshape(*where, w.shape[-1])
        order = np.argsort((at.batch, *at.spatial, at.channel))
        return np.ascontiguousarray(result.transpose(*order))

    def cost(self) -> Cost:
        w, at = self.types[1].get_shape(), self.at
        depth = w[at.in_channel] * prod(w[axis] for axis in at.kernel)
        return Cost(2 * depth * elements(self.result_type), self.moved_bytes())

    @property
    def padded_before(self) -> tuple[int, ...]:
        """Numbers of the spatial dims to be padded by an op of its own: all where the input is
        dilated, else the outermost that no access can bound."""
        p = self.p
        if any(step != 1 for step in p.lhs_dilation):
            return tuple(range(len(p.strides)))
        # One output a group of several channels: lanes step over channels, which takes a bound.
        outputs = self.result_type.get_shape()[self.at.channel] // p.groups
        steps = p.groups > 1 and outputs == 1 and self.types[1].get_shape()[self.at.in_channel] > 1
        return padded_beyond(p.padding, MOST_PADDED - steps)

    def decompose(self, b: OpList) -> SSAValue | None:
        """A dilated input, and padding of a third dim, become a pad before a plain convolution."""
        p, at = self.p, self.at
        if not self.padded_before:
            return None
        low, high, interior = ([0] * len(self.types[0].get_shape()) for _ in range(3))
        ahead, rest = split_ahead(p.padding, self.padded_before)
        for number in self.padded_before:
            axis = at.spatial[number]
            low[axis], high[axis] = ahead[2 * number : 2 * number + 2]
            interior[axis] = p.lhs_dilation[number] - 1
        zero = b.scalar(0, self.types[0].element_type)
        spread = b("pad", self.x, zero, low=low, high=high, interior=interior)
        return b(
            ConvolutionOp,
            spread,
            self.w,
            strides=p.strides,
            padding=rest,
            lhs_dilation=[1] * len(p.strides),
            rhs_dilation=p.rhs_dilation,
            groups=p.groups,
            layout=p.layout,
        )

    def gradient(self, b: OpList, upstream: SSAValue) -> list[SSAValue | None] | None:
        x, w = (type.get_shape() for type in self.types)
        by_x, by_w = backward(self.p, x, w, self.result_type.get_shape(), self.at)
        turned = b("reverse", regrouped(b, self.w, w, self.p.groups, self.at), dims=self.at.kernel)
        found = b(ConvolutionOp, upstream, turned, **by_x)
        deep = batch_as_channels(b, self.x, x, self.p.groups, self.at)
        # The dims of a result, in the order in which weights have theirs: to and fro.
        order = (self.at.channel, self.at.batch, *self.at.spatial)
        if self.p.layout == "nhwc":
            order = (*self.at.spatial, self.at.batch, self.at.channel)
        kernel = b("transpose", upstream, permutation=order)
        taps = b(ConvolutionOp, deep, kernel, **by_w)
        return [found, b("transpose", taps, permutation=order)]

    def iteration_domain(self) -> IterationDomain | None:
        p, at = self.p, self.at
        if any(step != 1 for step in p.lhs_dilation):
            return None
        x, w = (type.get_shape() for type in self.types)
        y = self.result_type.get_shape()
        outputs, depth = y[at.channel] // p.groups, w[at.in_channel]
        names = SPATIAL[-len(at.spatial) :]
        dims = [Dim("n", y[at.batch], "parallel")]
        if p.groups > 1:
            dims.append(Dim("g", p.groups, "parallel"))
        first = len(dims)
        dims.append(Dim("f", outputs, "parallel"))
        dims += [
            Dim(name, y[axis], "parallel") for name, axis in zip(names, at.spatial, strict=True)
        ]
        inner = len(dims)
        dims += [
            Dim(f"k{name}", w[axis], "reduction")
            for name, axis in zip(names, at.kernel, strict=True)
        ]
        dims.append(Dim("c", depth, "reduction"))
        deep = len(dims) - 1

        def grouped(index: int, size: int) -> Affine:
            return Affine(((1, size), (index, 1))) if p.groups > 1 else dim(index)

        maps = [[Affine()] * len(x) for _ in range(3)]
        maps[0][at.batch] = maps[2][at.batch] = dim(0)
        maps[0][at.channel], maps[2][at.channel] = grouped(deep, depth), grouped(first, outputs)
        maps[1][at.out_channel], maps[1][at.in_channel] = grouped(first, outputs), dim(deep)
        for number, axis in enumerate(at.spatial):
            here, tap = first + 1 + number, inner + number
            terms = ((here, p.strides[number]), (tap, p.rhs_dilation[number]))
            maps[0][axis] = Affine(terms, -p.padding[2 * number])
            maps[1][at.kernel[number]] = dim(tap)
            maps[2][axis] = dim(here)
        return IterationDomain(tuple(dims), (tuple(maps[0]), tuple(maps[1])), (tuple(maps[2]),))
