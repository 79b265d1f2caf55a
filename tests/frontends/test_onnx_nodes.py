"""Single nodes against ONNX Runtime, and the forms that moved between opsets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_cases import assert_matches_onnxruntime, model_of, node_model, random, run_imported

I64 = np.int64
X = {"x": random(2, 3, 4)}
IMAGE = {"x": random(2, 4, 9, 7)}


def ints(*values: int) -> np.ndarray:
    return np.array(values, I64)


UNARY = [
    "Abs", "Neg", "Sign", "Exp", "Sqrt", "Sin", "Cos", "Tanh", "Sigmoid", "Erf", "Floor", "Ceil",
    "Round", "Relu", "LeakyRelu", "Elu", "Selu", "Celu", "HardSigmoid", "HardSwish", "Softplus",
    "Softsign", "Mish", "Reciprocal", "Identity", "ThresholdedRelu", "Shrink", "Softmax",
    "LogSoftmax", "Flatten", "Sinh", "Cosh", "Tan", "Asinh",
]  # fmt: skip


@pytest.mark.parametrize("op", UNARY)
def test_unary(op: str) -> None:
    x = np.abs(X["x"]) if op == "Sqrt" else X["x"]
    assert_matches_onnxruntime(node_model(op, {"x": x}, opset=18), {"x": x})


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean", "PRelu"])
def test_binary_broadcasts(op: str) -> None:
    inputs = {"x": random(2, 3, 4), "z": random(3, 1, seed=1)}
    assert_matches_onnxruntime(node_model(op, inputs), inputs)


@pytest.mark.parametrize("op", ["Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal"])
def test_comparisons(op: str) -> None:
    inputs = {"x": np.round(random(4, 5)), "z": np.round(random(5, seed=1))}
    assert_matches_onnxruntime(node_model(op, inputs), inputs)


@pytest.mark.parametrize("op", ["Div", "Mod", "Mul", "Sub", "Add"])
def test_integer_arithmetic(op: str) -> None:
    inputs = {"x": ints(7, -7, 7, -7, 6), "z": ints(3, 3, -3, -3, 3)}
    assert_matches_onnxruntime(node_model(op, inputs), inputs)


CASES: list[tuple[str, dict, dict, int, dict]] = [
    # op, inputs, weights, opset, attributes
    ("MatMul", X, {"w": random(4, 5)}, 17, {}),
    ("MatMul", {"x": random(4)}, {"w": random(3, 4, 5)}, 17, {}),
    ("MatMul", {"x": random(3, 1, 2, 4)}, {"w": random(5, 4, 6)}, 17, {}),
    ("MatMul", {"x": random(4)}, {"w": random(4)}, 17, {}),
    ("Gemm", {"x": random(4, 3)}, {"w": random(5, 4), "c": random(5)}, 17,
     {"transA": 1, "transB": 1, "alpha": 0.5, "beta": 2.0}),
    ("Gemm", {"x": random(3, 4)}, {"w": random(4, 5)}, 17, {}),
    ("Gemm", {"x": random(3, 4)}, {"w": random(4, 5), "c": random(3, 1)}, 7, {}),
    ("Conv", IMAGE, {"w": random(6, 4, 3, 3), "b": random(6)}, 17,
     {"pads": [1, 0, 2, 1], "strides": [2, 1]}),
    ("Conv", IMAGE, {"w": random(6, 2, 3, 2)}, 17, {"group": 2, "dilations": [2, 1]}),
    ("Conv", IMAGE, {"w": random(4, 1, 3, 3)}, 17, {"group": 4, "auto_pad": "SAME_UPPER"}),
    ("Conv", IMAGE, {"w": random(4, 4, 4, 4)}, 17, {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    ("Conv", {"x": random(1, 3, 11)}, {"w": random(5, 3, 4)}, 17, {"pads": [2, 1]}),
    ("Conv", {"x": random(1, 2, 4, 5, 6)}, {"w": random(3, 2, 2, 3, 2)}, 17, {}),
    ("ConvTranspose", IMAGE, {"w": random(4, 3, 3, 3), "b": random(3)}, 17,
     {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 0]}),
    ("ConvTranspose", IMAGE, {"w": random(4, 3, 2, 3)}, 17, {"group": 2, "dilations": [2, 1]}),
    ("ConvTranspose", {"x": random(1, 2, 5)}, {"w": random(2, 3, 4)}, 17,
     {"strides": [3], "auto_pad": "SAME_UPPER"}),
    ("MaxPool", IMAGE, {}, 17, {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 1]}),
    ("MaxPool", IMAGE, {}, 17, {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    ("MaxPool", IMAGE, {}, 17, {"kernel_shape": [3, 3], "strides": [3, 3], "pads": [1] * 4,
                                "ceil_mode": 1}),
    ("MaxPool", IMAGE, {}, 17, {"kernel_shape": [2, 3], "dilations": [2, 1]}),
    ("MaxPool", {"x": random(1, 2, 9)}, {}, 8, {"kernel_shape": [3], "auto_pad": "SAME_UPPER"}),
    ("AveragePool", IMAGE, {}, 17, {"kernel_shape": [3, 3], "pads": [1] * 4, "strides": [2, 2]}),
    ("AveragePool", IMAGE, {}, 17, {"kernel_shape": [3, 3], "pads": [1, 1, 0, 1],
                                    "count_include_pad": 1}),
    ("AveragePool", IMAGE, {}, 19, {"kernel_shape": [3, 2], "strides": [2, 2], "ceil_mode": 1}),
    ("AveragePool", IMAGE, {}, 19, {"kernel_shape": [2, 2], "auto_pad": "SAME_LOWER"}),
    ("GlobalAveragePool", IMAGE, {}, 17, {}),
    ("GlobalMaxPool", IMAGE, {}, 17, {}),
    ("LpPool", IMAGE, {}, 18, {"kernel_shape": [2, 2], "p": 2}),
    ("LRN", IMAGE, {}, 17, {"size": 3, "alpha": 0.1, "beta": 0.6, "bias": 1.5}),
    ("BatchNormalization", IMAGE, {"s": random(4), "b": random(4), "m": random(4),
                                   "v": np.abs(random(4)) + 0.5}, 15, {"epsilon": 1e-3}),
    ("BatchNormalization", IMAGE, {"s": random(4), "b": random(4), "m": random(4),
                                   "v": np.abs(random(4)) + 0.5}, 7, {}),
    ("InstanceNormalization", IMAGE, {"s": random(4), "b": random(4)}, 17, {}),
    ("GroupNormalization", IMAGE, {"s": random(4), "b": random(4)}, 21, {"num_groups": 2}),
    ("LayerNormalization", X, {"s": random(4), "b": random(4)}, 17, {"axis": -1}),
    ("LayerNormalization", X, {"s": random(3, 4)}, 17, {"axis": 1, "epsilon": 0.1}),
    ("RMSNormalization", X, {"s": random(4)}, 23, {}),
    ("LpNormalization", X, {}, 17, {"axis": 1, "p": 1}),
    ("MeanVarianceNormalization", IMAGE, {}, 13, {}),
    ("Softmax", X, {}, 11, {"axis": 1}),
    ("Softmax", X, {}, 12, {}),
    ("Softmax", X, {}, 13, {"axis": 1}),
    ("LogSoftmax", X, {}, 9, {"axis": 0}),
    ("Gelu", X, {}, 20, {}),
    ("Gelu", X, {}, 20, {"approximate": "tanh"}),
    ("Clip", X, {}, 7, {"min": -0.5, "max": 0.5}),
    ("Clip", X, {"low": np.float32(-0.5), "high": np.float32(0.5)}, 13, {}),
    ("Clip", X, {"low": np.float32(0.1)}, 11, {}),
    ("Pow", {"x": np.abs(X["x"])}, {"e": np.float32(1.7)}, 13, {}),
    ("Pow", X, {"e": np.float32(3)}, 13, {}),
    ("ReduceSum", X, {"a": ints(0, 2)}, 13, {"keepdims": 0}),
    ("ReduceSum", X, {}, 11, {"axes": [-1]}),
    ("ReduceMean", X, {}, 17, {"axes": [1]}),
    ("ReduceMean", X, {"a": ints(-2)}, 18, {"keepdims": 0}),
    ("ReduceMax", X, {"a": ints(0)}, 18, {}),
    ("ReduceMin", X, {}, 13, {}),
    ("ReduceProd", X, {}, 13, {"axes": [2]}),
    ("ReduceL1", X, {}, 13, {"axes": [1]}),
    ("ReduceL2", X, {"a": ints(1)}, 18, {}),
    ("ReduceSumSquare", X, {}, 13, {"axes": [0, 1]}),
    ("ReduceLogSumExp", X, {}, 13, {"axes": [1], "keepdims": 0}),
    ("ReduceSum", X, {"a": ints()}, 13, {"noop_with_empty_axes": 1}),
    ("ArgMax", X, {}, 13, {"axis": 1, "keepdims": 0}),
    ("ArgMin", {"x": np.round(X["x"])}, {}, 13, {"axis": -1, "select_last_index": 1}),
    ("CumSum", X, {"a": ints(1)}, 14, {"reverse": 1}),
    ("CumSum", X, {"a": ints(-1)}, 14, {"exclusive": 1}),
    ("Reshape", X, {"s": ints(0, -1)}, 13, {}),
    ("Squeeze", {"x": random(1, 3, 1)}, {}, 11, {"axes": [0]}),
    ("Squeeze", {"x": random(1, 3, 1)}, {"a": ints(-1)}, 13, {}),
    ("Squeeze", {"x": random(1, 3, 1)}, {}, 13, {}),
    ("Unsqueeze", X, {}, 11, {"axes": [0, 4]}),
    ("Unsqueeze", X, {"a": ints(-1, 0)}, 13, {}),
    ("Transpose", X, {}, 13, {"perm": [2, 0, 1]}),
    ("Transpose", X, {}, 13, {}),
    ("Slice", X, {}, 9, {"starts": [0, 1], "ends": [9, -1], "axes": [0, 2]}),
    ("Slice", X, {"s": ints(3, -1), "e": ints(0, -(2**63)), "a": ints(2, 1), "t": ints(-1, -2)},
     13, {}),
    ("Slice", X, {"s": ints(0), "e": ints(2**63 - 1), "a": ints(-1), "t": ints(3)}, 13, {}),
    ("Pad", X, {}, 10, {"pads": [0, 1, 0, 0, 2, 1], "value": 1.5}),
    ("Pad", X, {"p": ints(0, 1, 0, 0, 2, 1), "v": np.float32(-1)}, 13, {}),
    ("Pad", X, {"p": ints(0, -1, 1, 0, 0, -2)}, 13, {}),
    ("Pad", X, {"p": ints(0, 2, 1, 0, 1, 3)}, 13, {"mode": "reflect"}),
    ("Pad", X, {"p": ints(1, 2, 1, 0, 1, 3)}, 13, {"mode": "edge"}),
    ("Expand", {"x": random(3, 1)}, {"s": ints(2, 1, 4)}, 13, {}),
    ("Tile", X, {"r": ints(2, 1, 3)}, 13, {}),
    ("Gather", X, {"i": np.array([[2, -1], [0, 1]])}, 13, {"axis": 1}),
    ("GatherElements", X, {"i": np.array([[[0, 1, 2, -1]]])}, 13, {"axis": 2}),
    ("GatherND", X, {"i": np.array([[0, 1], [1, -1]])}, 13, {}),
    ("Trilu", X, {"k": np.array(1)}, 14, {"upper": 1}),
    ("Trilu", X, {}, 14, {"upper": 0}),
    ("DepthToSpace", IMAGE, {}, 13, {"blocksize": 2, "mode": "CRD"}),
    ("DepthToSpace", IMAGE, {}, 11, {"blocksize": 2}),
    ("SpaceToDepth", {"x": random(1, 2, 4, 6)}, {}, 13, {"blocksize": 2}),
    ("Upsample", IMAGE, {}, 7, {"scales": [1.0, 1.0, 2.0, 3.0]}),
    ("Upsample", IMAGE, {"s": np.array([1, 1, 2, 2], np.float32)}, 9, {}),
    ("Resize", IMAGE, {"s": np.array([1, 1, 2, 1.5], np.float32)}, 10, {}),
    ("Dropout", X, {}, 7, {"ratio": 0.3}),
    ("Dropout", X, {"r": np.float32(0.3)}, 13, {}),
    ("Einsum", {"x": random(2, 3, 4), "z": random(2, 4, 5)}, {}, 12, {"equation": "bij,bjk->bik"}),
    ("Einsum", {"x": random(2, 3, 4), "z": random(2, 5, 4)}, {}, 12, {"equation": "bij,bkj->kbi"}),
    ("Einsum", {"x": random(2, 3, 4)}, {}, 12, {"equation": "ijk->ki"}),
    ("Einsum", {"x": random(3), "z": random(4)}, {}, 12, {"equation": "i,j->ij"}),
    ("Cast", X, {}, 13, {"to": TensorProto.INT32}),
    ("Cast", {"x": np.array([0.0, 1.5, -2.0], np.float32)}, {}, 13, {"to": TensorProto.BOOL}),
    ("Cast", {"x": ints(1, -2, 3)}, {}, 13, {"to": TensorProto.FLOAT}),
    ("IsInf", {"x": np.array([1, np.inf, -np.inf], np.float32)}, {}, 10, {"detect_negative": 0}),
    ("IsNaN", {"x": np.array([1, np.inf, np.nan], np.float32)}, {}, 13, {}),
    ("Hardmax", X, {}, 13, {"axis": 1}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0]}-{c[3]}")
def test_node(case: tuple[str, dict, dict, int, dict[str, Any]]) -> None:
    op, inputs, weights, opset, attributes = case
    assert_matches_onnxruntime(node_model(op, inputs, weights, opset, **attributes), inputs)


@pytest.mark.parametrize("transform", ["asymmetric", "half_pixel", "align_corners"])
@pytest.mark.parametrize("rounding", ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"])
def test_nearest_resize_in_all_modes(transform: str, rounding: str) -> None:
    weights = {"s": np.array([1, 1, 2, 0.6], np.float32)}
    modes = {"coordinate_transformation_mode": transform, "nearest_mode": rounding}
    node = helper.make_node("Resize", ["x", "", "s"], ["y"], **modes)
    assert_matches_onnxruntime(model_of([node], IMAGE, weights, 13), IMAGE)


@pytest.mark.parametrize(("opset", "form"), [(11, "attribute"), (13, "input"), (18, "count")])
def test_split_forms(opset: int, form: str) -> None:
    inputs = {"x": random(2, 7)}
    weights = {"parts": ints(3, 4)} if form == "input" else {}
    more: dict[str, Any] = {"attribute": {"split": [3, 4]}, "count": {"num_outputs": 2}}.get(
        form, {}
    )
    names = ["x", *weights]
    node = helper.make_node("Split", names, ["y", "z"], axis=1, **more)
    assert_matches_onnxruntime(model_of([node], inputs, weights, opset, ["y", "z"]), inputs)


def test_gather_by_computed_indices_counts_negative_ones_from_the_end() -> None:
    inputs = {"x": random(5, 3), "i": ints(0, -1, 4, -5)}
    assert_matches_onnxruntime(node_model("Gather", inputs), inputs)


def test_where_on_floats_and_truth_values() -> None:
    inputs = {"c": random(3, 4) > 0, "a": random(4, seed=1), "b": random(3, 1, seed=2)}
    assert_matches_onnxruntime(node_model("Where", inputs), inputs)
    inputs = {"c": random(3, 4) > 0, "a": random(3, 4, seed=1) > 0, "b": random(3, 4, seed=2) > 0}
    found = run_imported(node_model("Where", inputs), inputs)  # ONNX Runtime has no such Where
    np.testing.assert_array_equal(found[0], np.where(*inputs.values()))


@pytest.mark.parametrize("op", ["And", "Or", "Xor", "Equal"])
def test_logic(op: str) -> None:
    inputs = {"a": random(3, 4) > 0, "b": random(4, seed=1) > 0}
    assert_matches_onnxruntime(node_model(op, inputs), inputs)


def test_one_hot() -> None:
    weights = {"depth": np.array(5), "values": np.array([0.5, 2], np.float32)}
    inputs = {"i": np.array([[0, 4], [-1, 2]])}
    assert_matches_onnxruntime(node_model("OneHot", inputs, weights, axis=1), inputs)


def test_layer_normalization_with_its_mean_as_output() -> None:
    weights = {"s": random(4), "b": random(4, seed=2)}
    names = ["y", "mean", "root"]
    node = helper.make_node("LayerNormalization", ["x", "s", "b"], names)
    assert_matches_onnxruntime(model_of([node], X, weights, outputs=names), X)
