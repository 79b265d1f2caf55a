"""What element-wise ops share, and those that are neither plain unary nor plain binary.

Equal shapes in, the same shape out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from xdsl.dialects.builtin import TensorType, bf16, f32, i1, i32
from xdsl.ir import SSAValue
from xdsl.irdl import operand_def, prop_def, result_def

from dojocc.dialects.domain import IterationDomain, identity, parallel_dims
from dojocc.dialects.nn.rules import (
    require,
    require_float,
    require_numeric,
    require_same,
    require_word,
    shapes,
)
from dojocc.dialects.numerics import Numerics
from dojocc.dialects.op import ZERO_GRADIENT, NNOp, OpList, Types, nn_op
from dojocc.dialects.properties import ANY, WORD
from dojocc.dialects.types import ELEMENT_DTYPES, FLOATS, dtype_of, tensor, text_of

RULE = "rule"


class Elementwise(NNOp):
    """Result element (i) depends on operand elements (i); a rank-0 operand is read everywhere."""

    FUSIBLE: ClassVar[str] = "elementwise"

    def iteration_domain(self) -> IterationDomain:
        shape = self.result_type.get_shape()
        maps = tuple(
            identity(len(shape)) if type.get_num_dims() == len(shape) else () for type in self.types
        )
        return IterationDomain(parallel_dims(shape), maps, (identity(len(shape)),))


class Unary(Elementwise):
    """One operand; result of the same type."""

    FLOAT_ONLY: ClassVar[bool] = True

    x = operand_def(TensorType)
    result = result_def(TensorType)

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        (require_float if cls.FLOAT_ONLY else require_numeric)(cls.name, types[0])
        return [tensor(types[0].get_shape(), types[0].element_type)]

    def compute(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> np.ndarray:
        with np.errstate(all="ignore"):
            return self.value(arrays[0], numerics)

    def value(self, x: np.ndarray, numerics: Numerics) -> np.ndarray:
        """The function of one array."""
        raise NotImplementedError(self.name)

    def gradient(self, b: OpList, upstream: SSAValue) -> list[SSAValue | None] | None:
        slope = self.slope(b)
        return None if slope is None else [b("multiply", upstream, slope)]

    def slope(self, b: OpList) -> SSAValue | None:
        """The derivative at the operand, from operand and result; None where not written."""
        return None


@nn_op
class ConvertOp(Elementwise):
    """Another element type: to integers by truncation with saturation, to i1 by x != 0."""

    name = "nn.convert"
    GRADIENT: ClassVar[str] = RULE

    x = operand_def(TensorType)
    result = result_def(TensorType)
    element_type = prop_def(ANY)

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        known = ", ".join(map(str, ELEMENT_DTYPES))
        require(
            p.element_type in ELEMENT_DTYPES,
            cls.name,
            f"cannot convert to {p.element_type}",
            f"element types are {known}",
        )
        return [tensor(types[0].get_shape(), p.element_type)]

    def compute(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> np.ndarray:
        (x,) = arrays
        target = self.result_type.element_type
        if target == i1:
            return x != 0
        if target in FLOATS or x.dtype == np.bool_:
            return x.astype(dtype_of(target))
        limits = np.iinfo(dtype_of(target))
        if x.dtype != np.float32:
            return np.clip(x, limits.min, limits.max).astype(limits.dtype)
        whole = np.trunc(np.nan_to_num(x.astype(np.float64), nan=0.0))
        return np.clip(whole, limits.min, limits.max).astype(limits.dtype)

    def gradient(self, b: OpList, upstream: SSAValue) -> list[SSAValue | None] | None:
        source = self.types[0].element_type
        if source not in FLOATS or self.result_type.element_type not in FLOATS:
            return [None]
        return [b("convert", upstream, element_type=source)]


@nn_op
class BitcastConvertOp(Elementwise):
    """The same 32 bits as another type: f32 to i32 or back; bf16 is widened to f32 first."""

    name = "nn.bitcast_convert"
    GRADIENT: ClassVar[str] = ZERO_GRADIENT

    x = operand_def(TensorType)
    result = result_def(TensorType)
    element_type = prop_def(ANY)

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        require(
            types[0].element_type in (f32, bf16, i32) and p.element_type in (f32, i32),
            cls.name,
            "reads f32 as i32 or i32 as f32",
            f"{text_of(types[0])} to {p.element_type}",
        )
        return [tensor(types[0].get_shape(), p.element_type)]

    def compute(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> np.ndarray:
        (x,) = arrays
        return np.asarray(x).view(dtype_of(self.result_type.element_type))


@nn_op
class CompareOp(Elementwise):
    """x `direction` y, element by element; gives i1. NaN compares unequal to everything."""

    name = "nn.compare"
    GRADIENT: ClassVar[str] = ZERO_GRADIENT

    x = operand_def(TensorType)
    y = operand_def(TensorType)
    result = result_def(TensorType)
    direction = prop_def(WORD)

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        require_word(cls.name, "direction", p.direction, tuple(DIRECTIONS))
        require_same(cls.name, types)
        return [tensor(types[0].get_shape(), i1)]

    def compute(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> np.ndarray:
        return DIRECTIONS[self.p.direction](*arrays)


DIRECTIONS = {
    "EQ": np.equal,
    "NE": np.not_equal,
    "LT": np.less,
    "LE": np.less_equal,
    "GT": np.greater,
    "GE": np.greater_equal,
}


@nn_op
class SelectOp(Elementwise):
    """x where the predicate (i1) is true, else y."""

    name = "nn.select"
    GRADIENT: ClassVar[str] = RULE

    predicate = operand_def(TensorType)
    x = operand_def(TensorType)
    y = operand_def(TensorType)
    result = result_def(TensorType)

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        require(types[0].element_type == i1, cls.name, "the predicate must be i1", shapes(types))
        require_same(cls.name, types[1:])
        require(
            types[0].get_shape() == types[1].get_shape(),
            cls.name,
            "the predicate must have the operands' shape",
            shapes(types),
            "broadcasting is explicit: add nn.broadcast_in_dim",
        )
        return [tensor(types[1].get_shape(), types[1].element_type)]

    def compute(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> np.ndarray:
        return np.where(*arrays)

    def gradient(self, b: OpList, upstream: SSAValue) -> list[SSAValue | None] | None:
        zero = b.splat(0, upstream)
        chosen = b("select", self.predicate, upstream, zero)
        return [None, chosen, b("select", self.predicate, zero, upstream)]


@nn_op
class ClampOp(Elementwise):
    """min(max(x, low), high); low and high have the shape of x or rank 0."""

    name = "nn.clamp"
    FLOPS: ClassVar[int] = 2
    GRADIENT: ClassVar[str] = RULE

    low = operand_def(TensorType)
    x = operand_def(TensorType)
    high = operand_def(TensorType)
    result = result_def(TensorType)

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        x = types[1]
        require_numeric(cls.name, x)
        for bound in (types[0], types[2]):
            require(
                bound.element_type == x.element_type and bound.get_shape() in ((), x.get_shape()),
                cls.name,
                "bounds must have rank 0 or the operand's shape, and its element type",
                shapes(types),
            )
        return [tensor(x.get_shape(), x.element_type)]

    def compute(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> np.ndarray:
        low, x, high = arrays
        return np.minimum(np.maximum(x, low), high)

    def gradient(self, b: OpList, upstream: SSAValue) -> list[SSAValue | None] | None:
        if any(type.get_shape() != self.types[1].get_shape() for type in self.types):
            shape = self.types[1].get_shape()
            low, high = (b.broadcast(bound, shape, ()) for bound in (self.low, self.high))
        else:
            low, high = self.low, self.high
        above = b("compare", self.x, low, direction="GT")
        below = b("compare", self.x, high, direction="LT")
        inside = b("and", above, below)
        return [None, b("select", inside, upstream, b.splat(0, upstream)), None]
