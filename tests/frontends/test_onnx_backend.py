"""The onnx.backend.base shape: models, nodes, constants bound at run, narrowings, refusals."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_cases import model_of, node_model, random

from dojocc import onnx_backend
from dojocc.runtime.errors import InputError, UnsupportedError

X = {"x": random(2, 3)}


def test_a_model_runs_on_lists_and_on_names() -> None:
    model = node_model("Relu", X)
    ready = onnx_backend.prepare(model)
    (listed,) = ready.run([X["x"]])
    np.testing.assert_array_equal(listed, np.maximum(X["x"], 0))
    np.testing.assert_array_equal(ready.run(X)[0], listed)


def test_a_node_runs_by_itself() -> None:
    node = helper.make_node("Add", ["a", "b"], ["c"])
    (found,) = onnx_backend.run_node(node, [X["x"], X["x"]])
    np.testing.assert_array_equal(found, X["x"] + X["x"])


def test_shapes_that_come_as_inputs_are_bound_when_it_runs() -> None:
    inputs = {"x": X["x"], "s": np.array([3, 2])}
    ready = onnx_backend.prepare(node_model("Reshape", inputs))
    (found,) = ready.run(inputs)
    np.testing.assert_array_equal(found, X["x"].reshape(3, 2))
    assert ready.bound == {"s"}
    (other,) = ready.run({"x": X["x"], "s": np.array([6, 1])})
    assert other.shape == (6, 1)
    assert ready.program is not None
    assert [port.name for port in ready.program.inputs] == ["x"]  # data stays an input


def test_devices() -> None:
    assert onnx_backend.supports_device("CPU") and not onnx_backend.supports_device("CUDA")
    with pytest.raises(InputError, match="there is no device 'CUDA'"):
        onnx_backend.prepare(node_model("Relu", X), "CUDA")


def test_compatible_models() -> None:
    assert onnx_backend.is_compatible(node_model("Relu", X))
    assert not onnx_backend.is_compatible(node_model("NonMaxSuppression", X))


def test_refusals_name_the_op_and_the_reason() -> None:
    with pytest.raises(UnsupportedError, match="Unique .*this op is not supported"):
        onnx_backend.run_model(node_model("Unique", X), X)
    with pytest.raises(InputError, match="input 'x' is a list; only tensors are supported"):
        onnx_backend.run_model(node_model("Relu", X), [[X["x"]]])
    strings = node_model("Identity", {"x": np.zeros(2, np.float32)})
    strings.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING
    with pytest.raises(InputError, match="'x' holds strings"):
        onnx_backend.prepare(strings)


def test_numbers_out_of_range_are_refused() -> None:
    whole = {"x": np.array([2**40, 1])}
    with pytest.raises(InputError, match="values outside INT32"):
        onnx_backend.run_model(node_model("Abs", whole), whole)
    unsigned = {"x": np.array([2**32 - 1], np.uint32)}
    with pytest.raises(InputError, match="beyond the machine's 32-bit integers"):
        onnx_backend.run_model(node_model("BitwiseNot", unsigned, None, 18), unsigned)
    double = {"x": np.array([1e300])}
    with pytest.raises(InputError, match="beyond FP32's range"):
        onnx_backend.run_model(node_model("Abs", double), double)


def test_narrowings_are_remarks() -> None:
    inputs = {"x": np.array([1.5, 2.5], np.float64)}
    ready = onnx_backend.prepare(node_model("Neg", inputs))
    ready.run(inputs)
    assert ready.program is not None
    assert "input 'x': double becomes float32" in ready.program.build["remarks"]


SMALL: dict[Any, np.dtype] = {
    TensorProto.FLOAT16: np.dtype(np.float16),
    TensorProto.BFLOAT16: np.dtype(ml_dtypes.bfloat16),
    TensorProto.FLOAT8E4M3FN: np.dtype(ml_dtypes.float8_e4m3fn),
    TensorProto.FLOAT8E4M3FNUZ: np.dtype(ml_dtypes.float8_e4m3fnuz),
    TensorProto.FLOAT8E5M2: np.dtype(ml_dtypes.float8_e5m2),
    TensorProto.FLOAT8E5M2FNUZ: np.dtype(ml_dtypes.float8_e5m2fnuz),
    TensorProto.FLOAT4E2M1: np.dtype(ml_dtypes.float4_e2m1fn),
}


@pytest.mark.parametrize("kind", SMALL, ids=lambda kind: SMALL[kind].name)
def test_casts_to_small_floats_round_in_the_streams(kind: int) -> None:
    """There and back again, so that the rounding cannot be the host's; ties and denormals too."""
    dtype = SMALL[kind]
    bits = 8 * dtype.itemsize
    codes = np.arange(1 << min(bits, 8)).astype(f"uint{bits}")
    codes = codes if bits == 8 else codes * 251  # a prime step over 16 bits
    codes = codes[codes < 16] if dtype.name.startswith("float4") else codes
    values = np.unique(codes.view(dtype).astype(np.float32))
    values = values[np.isfinite(values)]
    ties = values[1:] / 2 + values[:-1] / 2
    noise = np.random.default_rng(0).standard_normal(200).astype(np.float32) * values[-1] / 4
    x = np.concatenate([values, ties, noise])[np.newaxis].astype(np.float32)
    x = x[np.abs(x) <= values[-1]]
    nodes = [
        helper.make_node("Cast", ["x"], ["n"], to=kind),
        helper.make_node("Cast", ["n"], ["y"], to=1),
    ]
    model = model_of(nodes, {"x": x}, opset=24)
    (found,) = onnx_backend.run_model(model, [x])
    np.testing.assert_array_equal(found, x.astype(dtype).astype(np.float32))


def test_narrow_integers_wrap() -> None:
    inputs = {"x": np.array([250, 3], np.uint8), "z": np.array([10, 5], np.uint8)}
    model = node_model("Add", inputs)
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.UINT8
    (found,) = onnx_backend.run_model(model, inputs)
    np.testing.assert_array_equal(found, np.array([4, 8], np.uint8))


@pytest.mark.parametrize("op", ["Asin", "Acos", "Atan"])
def test_arc_functions_over_their_range(op: str) -> None:
    wide = 1 if op != "Atan" else 40
    x = np.linspace(-wide, wide, 401, dtype=np.float32)
    (found,) = onnx_backend.run_model(node_model(op, {"x": x}), [x])
    exact = getattr(np, f"arc{op[1:].lower()}")(x.astype(np.float64))
    np.testing.assert_allclose(found, exact, rtol=2e-6, atol=1e-6)
