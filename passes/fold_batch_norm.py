"""fold-batch-norm: constant scale and offset behind a contraction go into its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.nn import ConvolutionOp, DotGeneralOp
from dojocc.dialects.op import NNOp, OpList
from dojocc.dialects.properties import to_python
from dojocc.passes.base import SAME, Pass
from dojocc.passes.canonicalise import simplify
from dojocc.passes.constants import is_known, known_array, make_constant, resource_name
from dojocc.passes.rewriting import (
    Rule,
    bodies,
    element,
    joined_location,
    made_by,
    rewrite,
    shape,
    used_once,
)
from dojocc.passes.spreads import Spread, lies_along, respread


@dataclass(frozen=True)
class FoldBatchNorm(Pass):
    """Move constant vectors along the output feature from behind a contraction into it.

    Takes: nn-core, folded: scale and offset are constants.
    Leaves: the form it was given.
    How: with W constant and used here only, s and t constant along the output feature (or scalars):
      1. (W x) * s is (W s) x, since each output feature has its own rows of W; / s likewise.
      2. (y + t) * s is y * s + t s, so that the product meets W; (y - t) is y + (-t) first.
      3. (y + t) + u is y + (t + u): one bias is left.
      Weights are scaled in FP32, before any rounding to BF16.
    Fails: PassBroken if the rules do not end; what is not of this kind stays as it is.
    """

    name: ClassVar[str] = "fold-batch-norm"
    takes: ClassVar[str] = "nn-core"
    leaves: ClassVar[str] = SAME

    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:
        folder = Folder(ctx.resources)
        rules: dict[str, tuple[Rule, ...]] = {
            "subtract": (folder.as_sum,),
            "add": (folder.one_bias,),
            "multiply": (folder.into_weights, folder.before_bias),
            "divide": (folder.as_product,),
        }
        for block in bodies(op):
            rewrite(block, rules, self.name)
            simplify(ctx, block)


@dataclass(frozen=True)
class Folder:
    """The rules; new weights are added to `resources`."""

    resources: dict[str, np.ndarray]

    def into_weights(self, op: NNOp, b: OpList) -> SSAValue | None:
        """(W x) * s."""
        for value, factor in both_ways(op):
            root = contraction(value)
            if root is None or not used_once(value) or not used_once(root.operands[1]):
                continue
            spread = self.feature_vector(factor, root)
            weights = known_array(root.operands[1], self.resources)
            if spread is None or weights is None:
                continue
            place = self.vector(spread, feature_size(root)).reshape(weight_place(root))
            b.location = joined_location((root, op))
            scaled = (weights * place).astype(np.float32)
            operand = root.operands[1]
            name = resource_name(operand)
            new = make_constant(b, scaled, element(operand), name, self.resources)
            properties = vars(to_python(root.get_irdl_definition(), root.properties))
            return b(type(root), root.operands[0], new, **properties)
        return None

    def before_bias(self, op: NNOp, b: OpList) -> SSAValue | None:
        """(y + t) * s where y is a contraction."""
        for value, factor in both_ways(op):
            add = made_by(value, "add")
            if add is None or not used_once(value):
                continue
            for y, offset in both_ways(add):
                root = contraction(y)
                if root is None or not used_once(y) or not is_known(root.operands[1]):
                    continue
                s, t = self.feature_vector(factor, root), self.feature_vector(offset, root)
                if s is None or t is None:
                    continue
                scaled = b("multiply", y, factor)
                product = self.vector(s, feature_size(root)) * self.vector(t, feature_size(root))
                return b("add", scaled, self.along_feature(b, product, offset, root))
        return None

    def as_sum(self, op: NNOp, b: OpList) -> SSAValue | None:
        """y - t."""
        value, offset = op.operands
        root = contraction(value)
        spread = self.feature_vector(offset, root) if root else None
        if root is None or spread is None:
            return None
        vector = -self.vector(spread, feature_size(root))
        return b("add", value, self.along_feature(b, vector, offset, root))

    def as_product(self, op: NNOp, b: OpList) -> SSAValue | None:
        """y / s, where y is a contraction or one with a bias."""
        value, divisor = op.operands
        root = contraction(value) or biased(value)
        spread = self.feature_vector(divisor, root) if root else None
        if root is None or spread is None or not is_known(root.operands[1]):
            return None
        vector = self.vector(spread, feature_size(root))
        if not np.all(vector):
            return None
        return b("multiply", value, self.along_feature(b, np.float32(1) / vector, divisor, root))

    def one_bias(self, op: NNOp, b: OpList) -> SSAValue | None:
        """(y + t) + u."""
        for value, second in both_ways(op):
            add = made_by(value, "add")
            if add is None or not used_once(value):
                continue
            for y, first in both_ways(add):
                root = contraction(y)
                if root is None:
                    continue
                t, u = self.feature_vector(first, root), self.feature_vector(second, root)
                if t is None or u is None:
                    continue
                total = self.vector(t, feature_size(root)) + self.vector(u, feature_size(root))
                return b("add", y, self.along_feature(b, total, first, root))
        return None

    def feature_vector(self, value: SSAValue, root: NNOp) -> Spread | None:
        """A known float value that varies along the output feature of `root` only."""
        if not is_known(value):
            return None
        axis = feature_axis(root)
        return None if axis is None else lies_along(value, (axis,))

    def vector(self, spread: Spread, size: int) -> np.ndarray:
        array = known_array(spread.source, self.resources)
        assert array is not None
        return np.broadcast_to(array.reshape(-1), (size,)).astype(np.float32)

    def along_feature(self, b: OpList, vector: np.ndarray, like: SSAValue, root: NNOp) -> SSAValue:
        """The vector as a constant, broadcast along the output feature."""
        axis = feature_axis(root)
        assert axis is not None
        vector = vector.astype(np.float32)
        constant = make_constant(b, vector, element(like), resource_name(like), self.resources)
        axes = (axis,) if vector.size > 1 else ()
        return respread(b, constant, axes, shape(root.results[0]))


def both_ways(op: NNOp) -> tuple[tuple[SSAValue, SSAValue], tuple[SSAValue, SSAValue]]:
    """The two operands, in both orders."""
    left, right = op.operands
    return (left, right), (right, left)


def contraction(value: SSAValue) -> NNOp | None:
    """The contraction that makes a value, if its output feature is one dim of its weights."""
    op = made_by(value, "convolution", "dot_general")
    return op if op is not None and feature_axis(op) is not None else None


def biased(value: SSAValue) -> NNOp | None:
    """The contraction below a sum."""
    add = made_by(value, "add")
    if add is None:
        return None
    return contraction(add.operands[0]) or contraction(add.operands[1])


def feature_axis(root: NNOp) -> int | None:
    """The result dim that is the weights' output feature; None where they have none or several."""
    if isinstance(root, ConvolutionOp):
        return root.at.channel
    assert isinstance(root, DotGeneralOp)
    return len(shape(root.results[0])) - 1 if len(root.rhs_free) == 1 else None


def feature_size(root: NNOp) -> int:
    """How many output features there are."""
    axis = feature_axis(root)
    assert axis is not None
    return shape(root.results[0])[axis]


def weight_place(root: NNOp) -> tuple[int, ...]:
    """The shape that puts a vector along the weights' output feature."""
    weights = shape(root.operands[1])
    if isinstance(root, ConvolutionOp):
        axis = root.at.out_channel
    else:
        assert isinstance(root, DotGeneralOp)
        axis = root.rhs_free[0]
    return tuple(-1 if dim == axis else 1 for dim in range(len(weights)))
