"""What nn ops should compute: NumPy, naive loops and onnx's own evaluator, nothing of ours."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

Array = np.ndarray
OPSET = 22


def onnx_op(op_type: str, **attributes: object) -> Callable[..., Array]:
    """A function that runs one ONNX node by onnx's own reference evaluator, in FP32."""

    def run(*arrays: Array) -> Array:
        types = {"f": TensorProto.FLOAT, "i": TensorProto.INT32, "b": TensorProto.BOOL}
        arrays = tuple(a.astype(np.float32) if a.dtype.kind == "f" else a for a in arrays)
        names = [f"x{number}" for number in range(len(arrays))]
        infos = [
            helper.make_tensor_value_info(name, types[array.dtype.kind], array.shape)
            for name, array in zip(names, arrays, strict=True)
        ]
        node = helper.make_node(op_type, names, ["y"], **attributes)
        result = helper.make_tensor_value_info("y", TensorProto.UNDEFINED, None)
        graph = helper.make_graph([node], "one", infos, [result])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        return ReferenceEvaluator(model).run(None, dict(zip(names, arrays, strict=True)))[0]

    return run


def erf(x: Array) -> Array:
    return np.vectorize(math.erf, otypes=[np.float64])(x)


def truncated(x: Array) -> Array:
    """To i32 as C does it, with saturation."""
    return np.array([max(-(2**31), min(2**31 - 1, int(v))) for v in x.ravel()]).reshape(x.shape)


def convolution(
    strides: Sequence[int],
    padding: Sequence[int],
    lhs_dilation: Sequence[int],
    rhs_dilation: Sequence[int],
    groups: int,
    layout: str,
) -> Callable[[Array, Array], Array]:
    """The definition, one multiplication after another."""

    def run(x: Array, w: Array) -> Array:
        spatial = x.ndim - 2
        if layout == "nhwc":
            x = np.moveaxis(x, -1, 1)
            w = np.moveaxis(w, (-1, -2), (0, 1))
        spread = [(n - 1) * d + 1 for n, d in zip(x.shape[2:], lhs_dilation, strict=True)]
        wide = np.zeros((*x.shape[:2], *spread), x.dtype)
        wide[(slice(None), slice(None), *(slice(None, None, d) for d in lhs_dilation))] = x
        spans = [(k - 1) * d + 1 for k, d in zip(w.shape[2:], rhs_dilation, strict=True)]
        sizes = [
            (spread[i] + padding[2 * i] + padding[2 * i + 1] - spans[i]) // strides[i] + 1
            for i in range(spatial)
        ]
        y = np.zeros((x.shape[0], w.shape[0], *sizes), np.float64)
        per_out, per_in = w.shape[0] // groups, w.shape[1]
        for n, o in product(range(x.shape[0]), range(w.shape[0])):
            base = (o // per_out) * per_in
            for at in np.ndindex(*sizes):
                for tap in np.ndindex(*w.shape[2:]):
                    place = tuple(
                        at[i] * strides[i] + tap[i] * rhs_dilation[i] - padding[2 * i]
                        for i in range(spatial)
                    )
                    if all(0 <= p < size for p, size in zip(place, spread, strict=True)):
                        source = wide[(n, slice(base, base + per_in), *place)]
                        y[(n, o, *at)] += np.dot(source, w[(o, slice(None), *tap)])
        return np.moveaxis(y, 1, -1) if layout == "nhwc" else y

    return run


def reduce_window(
    kind: str,
    window: Sequence[int],
    strides: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> Callable[[Array], Array]:
    """The definition, window by window."""

    def run(x: Array) -> Array:
        sizes = [
            (x.shape[i] + padding[2 * i] + padding[2 * i + 1] - (window[i] - 1) * dilation[i] - 1)
            // strides[i]
            + 1
            for i in range(x.ndim)
        ]
        y = np.zeros(sizes, x.dtype)
        for at in np.ndindex(*sizes):
            found = []
            for tap in np.ndindex(*window):
                place = [
                    at[i] * strides[i] + tap[i] * dilation[i] - padding[2 * i]
                    for i in range(x.ndim)
                ]
                if all(0 <= p < size for p, size in zip(place, x.shape, strict=True)):
                    found.append(x[tuple(place)])
            y[at] = max(found) if kind == "max" else sum(found)
        return y

    return run


def pad(low: Sequence[int], high: Sequence[int], interior: Sequence[int]) -> Callable[..., Array]:
    """Element by element: where each operand element lands, if anywhere."""

    def run(x: Array, value: Array) -> Array:
        sizes = [
            (n - 1) * (gap + 1) + 1 + a + c
            for n, a, c, gap in zip(x.shape, low, high, interior, strict=True)
        ]
        y = np.full(sizes, value, x.dtype)
        for at in np.ndindex(*x.shape):
            place = tuple(p * (gap + 1) + a for p, a, gap in zip(at, low, interior, strict=True))
            if all(0 <= p < size for p, size in zip(place, sizes, strict=True)):
                y[place] = x[at]
        return y

    return run
