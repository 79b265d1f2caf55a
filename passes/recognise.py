"""recognise: chains that spell out a layer norm or a softmax become that op."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.op import NNOp, OpList
from dojocc.passes.base import SAME, Pass
from dojocc.passes.canonicalise import simplify
from dojocc.passes.constants import splat_value
from dojocc.passes.rewriting import (
    bodies,
    joined_location,
    made_by,
    rewrite,
    shape,
    used_once,
)
from dojocc.passes.spreads import Spread, lies_along, respread, restated, spread_of, wide

Axes = tuple[int, ...]


@dataclass(frozen=True)
class Recognise(Pass):
    """Find what exporters take apart.

    Takes: nn, canonical: arithmetic on broadcasts is done before broadcasting.
    Leaves: the form it was given.
    How: rules, each of which holds for all values (up to rounding), until none applies.
      1. sum / n and sum * (1/n) are a mean.
      2. (x - mean) / sqrt(mean((x - mean)^2) + epsilon), with the reciprocal spelled any way, is a
         layer norm with scale 1 and bias 0; a product or sum after it with what lies along the
         normalised dims becomes its scale or bias.
      3. exp(x) / sum(exp(x)) is a softmax, and so is exp(x - max(x)) over its sum.
    Fails: PassBroken if the rules do not end; no input is refused: chains that
      differ stay as they are.
    """

    name: ClassVar[str] = "recognise"
    takes: ClassVar[str] = "nn"
    leaves: ClassVar[str] = SAME

    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:
        matcher = Matcher(ctx.resources)
        rules = {
            "multiply": (matcher.mean, matcher.layer_norm, matcher.scale, matcher.softmax),
            "divide": (matcher.mean, matcher.layer_norm, matcher.softmax),
            "add": (matcher.bias,),
        }
        for block in bodies(op):
            rewrite(block, rules, self.name)
            simplify(ctx, block)


@dataclass(frozen=True)
class Matcher:
    """The rules; constants are read from `resources`."""

    resources: Mapping[str, np.ndarray]

    def splat(self, value: SSAValue) -> float | None:
        return splat_value(value, self.resources)

    def mean(self, op: NNOp, b: OpList) -> SSAValue | None:
        """sum(x) * (1/n) or sum(x) / n."""
        for number in (0, 1) if op.short_name == "multiply" else (0,):
            factor = self.splat(op.operands[1 - number])
            found = spread_of(op.operands[number], "reduce")
            if factor is None or found is None or found[0].p.kind != "sum":
                continue
            reduce, spread = found
            source = reduce.operands[0]
            count = prod(shape(source)[axis] for axis in reduce.p.dims)
            wanted = count if op.short_name == "divide" else np.float32(1) / np.float32(count)
            if np.float32(factor) != np.float32(wanted):
                return None
            mean = b("reduce", source, kind="mean", dims=reduce.p.dims)
            return respread(b, mean, spread.axes, shape(op.results[0]))
        return None

    def layer_norm(self, op: NNOp, b: OpList) -> SSAValue | None:
        """centred times the reciprocal root of its mean square plus epsilon."""
        for centred, shifted, axes in self.centred_and_root(op):
            found = self.variance(shifted)
            if found is None:
                continue
            variance, epsilon = found
            x = self.centred_of(centred, variance)
            if x is None or axes != kept_axes(x, variance.p.dims):
                continue
            sizes, axis = shape(x), min(variance.p.dims)
            row = sizes[axis:]
            one, zero = (spread_scalar(b, number, x, row) for number in (1.0, 0.0))
            return b("layer_norm", x, one, zero, axis=axis, epsilon=epsilon)
        return None

    def centred_and_root(self, op: NNOp) -> list[tuple[SSAValue, SSAValue, Axes]]:
        """(c, v, where v lies) for c / sqrt(v), c * rsqrt(v) and c * (1 / sqrt(v))."""
        left, right = op.operands
        if op.short_name == "divide":
            root = spread_of(right, "sqrt")
            return [(left, root[0].operands[0], root[1].axes)] if root else []
        found = []
        for centred, factor in ((left, right), (right, left)):
            root = spread_of(factor, "rsqrt", "divide")
            if root is None:
                continue
            inner: NNOp | None = root[0]
            if root[0].short_name == "divide":
                one = self.splat(root[0].operands[0]) == 1
                inner = made_by(root[0].operands[1], "sqrt") if one else None
            if inner is not None:
                found.append((centred, inner.operands[0], root[1].axes))
        return found

    def variance(self, value: SSAValue) -> tuple[NNOp, float] | None:
        """(the reduction, epsilon) of mean(square) + epsilon."""
        add = made_by(value, "add")
        if add is None:
            return None
        for number in (0, 1):
            epsilon = self.splat(add.operands[1 - number])
            found = spread_of(add.operands[number], "reduce")
            if epsilon is None or found is None or found[0].p.kind != "mean":
                continue
            if found[1].axes == wide(add.operands[number]):
                return found[0], epsilon
        return None

    def centred_of(self, centred: SSAValue, variance: NNOp) -> SSAValue | None:
        """x, where centred is x - mean(x) and `variance` is over its square and the last dims."""
        subtract = made_by(centred, "subtract")
        if subtract is None or not self.is_square(variance.operands[0], centred):
            return None
        x, mean = subtract.operands
        dims = tuple(sorted(variance.p.dims))
        if dims != tuple(range(dims[0], len(shape(x)))):
            return None
        found = spread_of(mean, "reduce")
        if found is None or found[0].p.kind != "mean" or found[0].operands[0] is not x:
            return None
        same = tuple(sorted(found[0].p.dims)) == dims
        return x if same and found[1].axes == kept_axes(x, dims) else None

    def is_square(self, value: SSAValue, of: SSAValue) -> bool:
        """value is of * of or of ** 2."""
        op = made_by(value, "multiply", "power")
        if op is None or op.operands[0] is not of:
            return False
        return (
            op.operands[1] is of if op.short_name == "multiply" else self.splat(op.operands[1]) == 2
        )

    def scale(self, op: NNOp, b: OpList) -> SSAValue | None:
        """layer_norm with scale 1 and bias 0, times what lies along its rows."""
        return self.absorbed(op, b, 1)

    def bias(self, op: NNOp, b: OpList) -> SSAValue | None:
        """layer_norm with bias 0, plus what lies along its rows."""
        return self.absorbed(op, b, 2)

    def absorbed(self, op: NNOp, b: OpList, place: int) -> SSAValue | None:
        for value, other in ((op.operands[0], op.operands[1]), (op.operands[1], op.operands[0])):
            norm = made_by(value, "layer_norm")
            if norm is None or not used_once(value) or self.splat(norm.operands[2]) != 0:
                continue
            if place == 1 and self.splat(norm.operands[1]) != 1:
                continue
            axis, sizes = norm.p.axis, shape(value)
            spread = lies_along(other, tuple(range(axis, len(sizes))))
            if spread is None:
                continue
            b.location = joined_location((norm, op))
            operands = list(norm.operands)
            operands[place] = restated(b, spread, axis, sizes[axis:])
            return b("layer_norm", *operands, axis=axis, epsilon=norm.p.epsilon)
        return None

    def softmax(self, op: NNOp, b: OpList) -> SSAValue | None:
        """exp(z) over its sum along one dim."""
        for number in (0, 1) if op.short_name == "multiply" else (0,):
            power = made_by(op.operands[number], "exponential")
            total = self.total(op, 1 - number)
            if power is None or total is None or total[0].operands[0] is not power.results[0]:
                continue
            reduce, spread = total
            z, dims = power.operands[0], tuple(reduce.p.dims)
            if len(dims) == 1 and reduce.p.kind == "sum" and spread.axes == kept_axes(z, dims):
                return b("softmax", self.without_max(z, dims), axis=dims[0])
        return None

    def total(self, op: NNOp, number: int) -> tuple[NNOp, Spread] | None:
        """The reduction that `op` divides by, through operand `number`."""
        value = op.operands[number]
        if op.short_name == "divide":
            return spread_of(value, "reduce")
        found = spread_of(value, "divide")
        if found is None or self.splat(found[0].operands[0]) != 1:
            return None
        inner = spread_of(found[0].operands[1], "reduce")
        if inner is None or inner[1].axes != wide(found[0].operands[1]):
            return None
        return inner[0], found[1]

    def without_max(self, z: SSAValue, dims: tuple[int, ...]) -> SSAValue:
        """x, where z is x - max(x); else z: softmax takes its own maximum away."""
        subtract = made_by(z, "subtract")
        found = spread_of(subtract.operands[1], "reduce") if subtract else None
        if subtract is None or found is None:
            return z
        reduce, spread = found
        x = subtract.operands[0]
        same = reduce.p.kind == "max" and reduce.operands[0] is x and tuple(reduce.p.dims) == dims
        return x if same and spread.axes == kept_axes(x, dims) else z


def kept_axes(x: SSAValue, dims: tuple[int, ...]) -> tuple[int, ...]:
    """Dims of x wider than 1 that are not reduced."""
    return tuple(axis for axis in wide(x) if axis not in dims)


def spread_scalar(b: OpList, number: float, like: SSAValue, sizes: tuple[int, ...]) -> SSAValue:
    """A number everywhere, of a value's element type."""
    scalar = b.scalar(number, like.type.element_type)  # pyright: ignore[reportAttributeAccessIssue]
    return b.broadcast(scalar, sizes, ())
