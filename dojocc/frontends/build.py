"""Building nn ops with NumPy's conveniences: broadcasting, matmul of any rank, negative axes.

Every frontend goes through `Builder`; it appends to one block and stamps each op with the current
location. What cannot be built raises `BuildError`, which a frontend turns into its own error.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from xdsl.dialects.builtin import TensorType, f32, i1
from xdsl.ir import Attribute, Block, SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.nn import NN_OPS, TypeRuleError, build, constant_properties
from dojocc.dialects.types import dtype_of, element_type_of

INT32 = np.iinfo(np.int32)


class BuildError(Exception):
    """Operands that do not fit together; the message says how."""


class NotSupported(BuildError):
    """Nothing is wrong with the operands, but this compiler has no form for them."""


def shape_of(value: SSAValue) -> tuple[int, ...]:
    assert isinstance(value.type, TensorType)
    return tuple(value.type.get_shape())


def common_shape(*shapes: Sequence[int]) -> tuple[int, ...]:
    """What these shapes broadcast to together."""
    try:
        return np.broadcast_shapes(*map(tuple, shapes))
    except ValueError as error:
        texts = " and ".join(map(shape_text, shapes))
        raise BuildError(f"shapes {texts} do not broadcast together") from error


def element_of(value: SSAValue) -> Attribute:
    assert isinstance(value.type, TensorType)
    return value.type.element_type


def shape_text(shape: Sequence[int]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def normal_axis(axis: int, rank: int) -> int:
    """A possibly negative axis as 0 <= axis < rank."""
    if not -rank <= axis < rank:
        raise BuildError(f"axis {axis} is outside a tensor of rank {rank}")
    return axis % rank


def normal_axes(axes: Sequence[int], rank: int) -> tuple[int, ...]:
    """Possibly negative axes, sorted and distinct."""
    result = tuple(sorted(normal_axis(int(axis), rank) for axis in axes))
    if len(set(result)) != len(result):
        raise BuildError(f"axes {list(axes)} name one dimension twice")
    return result


def to_device_dtype(array: np.ndarray, name: str) -> np.ndarray:
    """int64 → int32 and float64/16 → float32, refusing numbers that do not survive."""
    array = np.asarray(array)
    if array.dtype in (np.float32, np.int32, np.bool_):
        return array
    if array.dtype.kind in "iu" or array.dtype.name.lstrip("u").startswith("int"):
        wide = array if array.dtype.kind in "iu" else array.astype(np.int32)
        if wide.size and (wide.min() < INT32.min or wide.max() > INT32.max):
            worst = max(wide.reshape(-1).tolist(), key=abs)
            raise NotSupported(f"{name}: {worst} does not fit the machine's 32-bit integers")
        return wide.astype(np.int32)
    if array.dtype == np.float64 or array.dtype.itemsize <= 2 and array.dtype.kind in "fV":
        with np.errstate(over="ignore"):
            narrow = array.astype(np.float32)
        lost = np.isinf(narrow) & np.isfinite(array)
        if lost.any():
            raise BuildError(f"{name}: {int(lost.sum())} numbers are beyond FP32's range")
        return narrow
    raise NotSupported(f"{name}: numbers of type {array.dtype} are not supported")


class Builder:
    """Appends nn ops to `block`; `location` is stamped on each."""

    def __init__(self, context: DojoContext, block: Block) -> None:
        self.context = context
        self.block = block
        self.location: str | None = None

    def emit(self, name: str, *operands: SSAValue, **properties: object) -> SSAValue:
        """One op `nn.<name>`, its result type inferred by the op."""
        try:
            op = build(NN_OPS[name], operands, location=self.location, **properties)
        except TypeRuleError as error:
            detail = "; ".join(part for part in (error.what, error.numbers, error.help) if part)
            raise BuildError(detail) from error
        self.block.add_op(op)
        return op.results[0]

    # Constants

    def constant(self, array: np.ndarray, name: str = "constant") -> SSAValue:
        """A constant; more than a few elements become a resource called `name`."""
        array = to_device_dtype(array, name)
        if array.size == 0:
            raise NotSupported(
                f"{name}: a tensor of shape {shape_text(array.shape)} has no elements"
            )
        return self.emit("constant", **constant_properties(array, name, self.context.resources))

    def weight(self, array: np.ndarray, name: str) -> SSAValue:
        """A constant that is a weight of the model: where its name matters, always a resource."""
        if not self.context.keep_weights or array.dtype.kind != "f" or array.size == 0:
            return self.constant(array, name)
        array = to_device_dtype(array, name)
        resources = self.context.resources
        key, number = name, 1
        while key in resources and resources[key] is not array:
            key, number = f"{name}.{number}", number + 1
        resources[key] = array
        shape, element_type = array.shape, element_type_of(array.dtype)
        return self.emit("constant", resource=key, shape=shape, element_type=element_type)

    def full(self, number: float, shape: Sequence[int], element_type: Attribute = f32) -> SSAValue:
        """A tensor of one number."""
        scalar = self.constant(np.array(number, dtype_of(element_type)))
        return self.broadcast(scalar, shape)

    def like(self, x: SSAValue, number: float) -> SSAValue:
        return self.full(number, shape_of(x), element_of(x))

    # Element-wise

    def broadcast(self, x: SSAValue, shape: Sequence[int]) -> SSAValue:
        """NumPy's broadcast to `shape`."""
        shape, own = tuple(shape), shape_of(x)
        if own == shape:
            return x
        offset = len(shape) - len(own)
        fits = offset >= 0 and all(size in (1, shape[offset + i]) for i, size in enumerate(own))
        if not fits:
            raise BuildError(f"shape {shape_text(own)} does not broadcast to {shape_text(shape)}")
        dims = range(offset, len(shape))
        return self.emit("broadcast_in_dim", x, dims=dims, shape=shape)

    def together(self, *values: SSAValue) -> tuple[SSAValue, ...]:
        """All values broadcast to their common shape."""
        common = common_shape(*(shape_of(value) for value in values))
        return tuple(self.broadcast(value, common) for value in values)

    def binary(self, name: str, left: SSAValue, right: SSAValue) -> SSAValue:
        return self.emit(name, *self.together(left, right))

    def scaled(self, x: SSAValue, number: float) -> SSAValue:
        return x if number == 1 else self.emit("multiply", x, self.like(x, number))

    def plus(self, x: SSAValue, number: float) -> SSAValue:
        return x if number == 0 else self.emit("add", x, self.like(x, number))

    def compare(self, direction: str, left: SSAValue, right: SSAValue) -> SSAValue:
        return self.emit("compare", *self.together(left, right), direction=direction)

    def select(self, condition: SSAValue, yes: SSAValue, no: SSAValue) -> SSAValue:
        return self.emit("select", *self.together(condition, yes, no))

    def convert(self, x: SSAValue, element_type: Attribute) -> SSAValue:
        """Change the element type; to i1 means `!= 0`."""
        if element_of(x) == element_type:
            return x
        if element_type == i1:
            return self.compare("NE", x, self.like(x, 0))
        return self.emit("convert", x, element_type=element_type)

    # Movement

    def reshape(self, x: SSAValue, shape: Sequence[int]) -> SSAValue:
        shape = tuple(int(size) for size in shape)
        if shape == shape_of(x):
            return x
        if prod(shape) != prod(shape_of(x)):
            raise BuildError(
                f"shape {shape_text(shape_of(x))} ({prod(shape_of(x))} elements) cannot be "
                f"reshaped to {shape_text(shape)} ({prod(shape)} elements)"
            )
        return self.emit("reshape", x, shape=shape)

    def transpose(self, x: SSAValue, permutation: Sequence[int]) -> SSAValue:
        permutation = tuple(int(axis) for axis in permutation)
        if permutation == tuple(range(len(permutation))) and len(permutation) == len(shape_of(x)):
            return x
        return self.emit("transpose", x, permutation=permutation)

    def slice(
        self, x: SSAValue, start: Sequence[int], limit: Sequence[int], strides=None
    ) -> SSAValue:
        shape = shape_of(x)
        strides = tuple(strides) if strides is not None else (1,) * len(shape)
        if tuple(start) == (0,) * len(shape) and tuple(limit) == shape and set(strides) <= {1}:
            return x
        if any(low >= high for low, high in zip(start, limit, strict=True)):
            raise BuildError(
                f"the slice {list(start)} to {list(limit)} of {shape_text(shape)} is empty"
            )
        return self.emit("slice", x, start=start, limit=limit, strides=strides)

    def concatenate(self, values: Sequence[SSAValue], axis: int) -> SSAValue:
        axis = normal_axis(axis, len(shape_of(values[0])))
        return values[0] if len(values) == 1 else self.emit("concatenate", *values, dim=axis)

    def pad(
        self, x: SSAValue, low: Sequence[int], high: Sequence[int], value: SSAValue
    ) -> SSAValue:
        """Constant padding; negative amounts crop."""
        shape = shape_of(x)
        start = [max(-amount, 0) for amount in low]
        limit = [size - max(-amount, 0) for size, amount in zip(shape, high, strict=True)]
        x = self.slice(x, start, limit)
        low, high = [max(amount, 0) for amount in low], [max(amount, 0) for amount in high]
        if not any(low) and not any(high):
            return x
        return self.emit("pad", x, value, low=low, high=high, interior=[0] * len(shape))

    def take(self, data: SSAValue, indices: SSAValue, axis: int) -> SSAValue:
        return self.emit("take", data, indices, axis=normal_axis(axis, len(shape_of(data))))

    def reorder(self, x: SSAValue, indices: np.ndarray, axis: int) -> SSAValue:
        """Rows `indices` (known, not negative) of one axis."""
        indices = np.asarray(indices)
        if np.array_equal(indices, np.arange(shape_of(x)[axis])):
            return x
        return self.take(x, self.constant(indices.astype(np.int32), "rows"), axis)

    # Reductions and contractions

    def reduce(self, kind: str, x: SSAValue, axes: Sequence[int], keep: bool = True) -> SSAValue:
        shape = shape_of(x)
        axes = normal_axes(axes, len(shape))
        if not axes:
            return x
        result = self.emit("reduce", x, kind=kind, dims=axes)
        kept = [1 if axis in axes else size for axis, size in enumerate(shape)]
        return self.reshape(result, kept) if keep else result

    def dot_general(
        self,
        left: SSAValue,
        right: SSAValue,
        contract: tuple[Sequence[int], Sequence[int]],
        batch: tuple[Sequence[int], Sequence[int]] = ((), ()),
    ) -> SSAValue:
        """Result dims: batch, then left's free, then right's free ones."""
        names = {"lhs_batch": batch[0], "rhs_batch": batch[1]}
        return self.emit(
            "dot_general", left, right, lhs_contract=contract[0], rhs_contract=contract[1], **names
        )

    def matmul(self, left: SSAValue, right: SSAValue) -> SSAValue:
        """numpy.matmul for all ranks."""
        left_shape, right_shape = shape_of(left), shape_of(right)
        if not left_shape or not right_shape:
            raise BuildError("matmul takes tensors of rank 1 and up, not a scalar")
        inner = right_shape[-min(len(right_shape), 2)]
        if left_shape[-1] != inner:
            raise BuildError(
                f"matmul of {shape_text(left_shape)} by {shape_text(right_shape)}: "
                f"inner sizes {left_shape[-1]} and {inner} differ"
            )
        if len(right_shape) <= 2:
            return self.dot_general(left, right, ([len(left_shape) - 1], [0]))
        if len(left_shape) == 1:
            row = self.reshape(left, (1, *left_shape))
            result = self.matmul(row, right)
            return self.reshape(result, (*shape_of(result)[:-2], right_shape[-1]))
        try:
            batch = common_shape(left_shape[:-2], right_shape[:-2])
        except BuildError as error:
            texts = f"{shape_text(left_shape)} and {shape_text(right_shape)}"
            raise BuildError(f"matmul of {texts}: batch dimensions do not broadcast") from error
        left = self.broadcast(left, (*batch, *left_shape[-2:]))
        right = self.broadcast(right, (*batch, *right_shape[-2:]))
        count = len(batch)
        dims = tuple(range(count))
        return self.dot_general(left, right, ([count + 1], [count]), (dims, dims))
