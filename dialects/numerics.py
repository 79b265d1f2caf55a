"""In which order and by which functions reference values are computed.

`PLAIN` lets NumPy and the BLAS choose the order of additions; `MACHINE` adds in the order the
instruction streams do, so that a reference of a fused module can be compared with the machine bit
by bit. Elementary functions are the instruction set's own in both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from dojocc.runtime.isa import mathfn

LANES = 16
LOG2E = np.float32(1.4426950408889634)
LN2 = np.float32(0.6931471805599453)
ONE = np.float32(1)


class Numerics:
    """FP32 arithmetic as the machine does it; subclasses choose the order of reductions."""

    name = "abstract"

    def dot(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Contract the last axis of [..., m, k] with the middle one of [..., k, n]."""
        raise NotImplementedError

    def reduce(self, kind: str, x: np.ndarray, axes: Sequence[int]) -> np.ndarray:
        """Reduce (`sum`, `max`, `min`, `prod`) over the axes, keeping them with size 1."""
        raise NotImplementedError

    def sum(self, x: np.ndarray, axis: int) -> np.ndarray:
        return self.reduce("sum", x, (axis,))

    def max(self, x: np.ndarray, axis: int) -> np.ndarray:
        return self.reduce("max", x, (axis,))

    def min(self, x: np.ndarray, axis: int) -> np.ndarray:
        return self.reduce("min", x, (axis,))

    def mean(self, x: np.ndarray, axes: Sequence[int]) -> np.ndarray:
        """Sum times the FP32 reciprocal of the count."""
        count = prod(x.shape[axis] for axis in axes)
        return self.reduce("sum", x, axes) * (ONE / np.float32(max(count, 1)))

    def exp2(self, x: np.ndarray) -> np.ndarray:
        return mathfn.exp2(x)

    def log2(self, x: np.ndarray) -> np.ndarray:
        return mathfn.log2(x)

    def exp(self, x: np.ndarray) -> np.ndarray:
        return mathfn.exp2(np.float32(x) * LOG2E)

    def log(self, x: np.ndarray) -> np.ndarray:
        return mathfn.log2(x) * LN2

    def tanh(self, x: np.ndarray) -> np.ndarray:
        return mathfn.tanh(x)

    def erf(self, x: np.ndarray) -> np.ndarray:
        return mathfn.erf(x)

    def rsqrt(self, x: np.ndarray) -> np.ndarray:
        return mathfn.rsqrt(x)

    def sin(self, x: np.ndarray) -> np.ndarray:
        return mathfn.sin(x)

    def cos(self, x: np.ndarray) -> np.ndarray:
        return mathfn.cos(x)

    def reciprocal(self, x: np.ndarray) -> np.ndarray:
        return ONE / np.asarray(x, np.float32)

    def logistic(self, x: np.ndarray) -> np.ndarray:
        """1 / (1 + exp(-x))."""
        return self.reciprocal(ONE + self.exp(-np.asarray(x, np.float32)))


FOLDS: dict[str, tuple[Callable[..., np.ndarray], float]] = {
    "sum": (np.add, 0.0),
    "max": (np.maximum, -np.inf),
    "min": (np.minimum, np.inf),
    "prod": (np.multiply, 1.0),
}


def start_of(kind: str, dtype: np.dtype) -> np.generic:
    """What a reduction starts from in a dtype."""
    start = FOLDS[kind][1]
    if np.isinf(start) and dtype != np.float32:
        if dtype == np.bool_:
            return np.bool_(start > 0)
        limits = np.iinfo(dtype)
        return dtype.type(limits.max if start > 0 else limits.min)
    return dtype.type(start)


class Plain(Numerics):
    """NumPy's and the BLAS's order."""

    name = "plain"

    def dot(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return np.matmul(left, right)

    def reduce(self, kind: str, x: np.ndarray, axes: Sequence[int]) -> np.ndarray:
        function = FOLDS[kind][0]
        start = start_of(kind, x.dtype)
        return function.reduce(x, axis=tuple(axes), keepdims=True, initial=start, dtype=x.dtype)


class Machine(Numerics):
    """The machine's order: dots one k after another; rows as 16 partial results, then a tree."""

    name = "machine"

    def dot(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        shape = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
        total = np.zeros((*shape, left.shape[-2], right.shape[-1]), np.result_type(left, right))
        for k in range(left.shape[-1]):
            total += left[..., :, k, None] * right[..., None, k, :]
        return total

    def reduce(self, kind: str, x: np.ndarray, axes: Sequence[int]) -> np.ndarray:
        axes = tuple(sorted(axes))
        kept = [axis for axis in range(x.ndim) if axis not in axes]
        result_shape = [1 if axis in axes else size for axis, size in enumerate(x.shape)]
        moved = x.transpose(*kept, *axes)
        moved = moved.reshape(*(x.shape[axis] for axis in kept), *(x.shape[axis] for axis in axes))
        function, start = FOLDS[kind][0], start_of(kind, x.dtype)
        if axes and axes[-1] == x.ndim - 1:
            return _lanes(function, start, moved, len(kept)).reshape(result_shape)
        flat = moved.reshape(*moved.shape[: len(kept)], prod(moved.shape[len(kept) :]))
        total = np.full(flat.shape[:-1], start, x.dtype)
        for index in range(flat.shape[-1]):
            total = function(total, flat[..., index])
        return total.reshape(result_shape)


def _lanes(
    function: Callable[..., np.ndarray], start: np.generic, x: np.ndarray, kept: int
) -> np.ndarray:
    """Blocks of 16 lanes of the last axis folded one after another, then the tree 8, 4, 2, 1."""
    size = x.shape[-1]
    blocks = max(-(-size // LANES), 1)
    padded = np.full((*x.shape[:-1], blocks * LANES), start, x.dtype)
    padded[..., :size] = x
    count = prod(x.shape[kept:-1]) * blocks  # said outright: of no elements it could not be found
    padded = padded.reshape(*x.shape[:kept], count, LANES)
    total = np.full((*x.shape[:kept], LANES), start, x.dtype)
    for index in range(padded.shape[-2]):
        total = function(total, padded[..., index, :])
    for half in (8, 4, 2, 1):
        total = function(total[..., :half], total[..., half : 2 * half])
    return total[..., 0]


PLAIN = Plain()
MACHINE = Machine()
