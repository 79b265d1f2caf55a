"""What the ONNX frontend says when a model cannot be imported."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper
from onnx_cases import model_of, node_model, random
from zoo_models import zoo

from dojocc.dialects.context import DojoContext
from dojocc.frontends.onnx import check_support, import_onnx
from dojocc.frontends.onnx.node import HANDLERS
from dojocc.runtime.errors import InputError, UnsupportedError

X = {"x": random(2, 3)}


def error_of(source, shapes=None) -> InputError:
    with pytest.raises(InputError) as caught:
        import_onnx(source, DojoContext(), shapes)
    return caught.value


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        (b"", ["is empty", "0 bytes"]),
        (b"PK\x03\x04 and more", ["not an ONNX model", "PyTorch checkpoint"]),
        (b"version https://git-lfs.github.com/spec/v1", ["Git LFS pointer"]),
        (
            b"\xff\xfe\x01 no protobuf \x80",
            ["not a readable ONNX model", "truncated or is not ONNX"],
        ),
        (b"\x08\x0a", ["it has not a graph", "2 bytes"]),
    ],
)
def test_not_an_onnx_file(tmp_path, content: bytes, texts: list[str]) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    message = str(error_of(path))
    assert all(text in message for text in [*texts, str(path)])


def test_every_truncation_is_refused() -> None:
    content = node_model("MatMul", X, {"w": random(3, 40)}).SerializeToString()
    for length in range(0, len(content) - 1, 7):
        assert isinstance(error_of(content[:length]), InputError)


def test_missing_file() -> None:
    assert "there is no file /nowhere/m.onnx" in str(error_of("/nowhere/m.onnx"))


def test_all_unsupported_ops_are_listed_at_once() -> None:
    nodes = [
        helper.make_node("Relux", ["x"], ["a"], name="first"),
        helper.make_node("Relux", ["a"], ["b"], name="second"),
        helper.make_node("Magic", ["b"], ["c"], name="third", domain="test"),
        helper.make_node("NonMaxSuppression", ["c", "c"], ["y"]),
    ]
    model = model_of(nodes, X)
    error = error_of(model)
    message = str(error)
    assert isinstance(error, UnsupportedError) and error.exit_code == 1
    assert "4 nodes use what dojocc does not support" in message
    assert "Relux (ai.onnx opset 17), 2 nodes, first node 'first' (Relux)" in message
    assert "nearest supported: Relu" in message
    assert "Magic (test opset 1), 1 node, first node 'third' (Magic)" in message
    assert "NonMaxSuppression (ai.onnx opset 17), 1 node, first node #3 -> 'y'" in message
    assert [row.count for row in check_support(model)] == [2, 1, 1]


def test_constant_without_its_value() -> None:
    nodes = [
        helper.make_node("Constant", [], ["c"], name="empty"),
        helper.make_node("Constant", [], ["d"], name="full", value_int=1, value_float=2.0),
        helper.make_node("Sum", ["x", "c", "d"], ["y"]),
    ]
    message = str(error_of(model_of(nodes, X)))
    assert (
        "'empty' (Constant): a constant has one attribute, its value; this one has none" in message
    )
    assert "this one has ['value_float', 'value_int']" in message


def test_unsupported_forms_are_listed_at_once_too() -> None:
    pool: dict[str, Any] = {"kernel_shape": [2, 2]}
    nodes = [
        helper.make_node("MaxPool", ["i"], ["p"], name="pool", auto_pad="SAME", **pool),
        helper.make_node("Relu", ["p"], ["q"]),
        helper.make_node("Reshape", ["q", "s"], ["r"], name="shaper"),
        helper.make_node("Reshape", ["i", "s"], ["y"], name="shaper2"),
    ]
    inputs = {"i": random(1, 1, 4, 4), "s": np.array([2, 2])}
    message = str(error_of(model_of(nodes, inputs, outputs=["y"])))
    assert "2 nodes use what" in message
    assert "first node 'pool' (MaxPool): auto_pad='SAME' is not known" in message
    assert "first node 'shaper2' (Reshape): the shape (input 1) must be a constant" in message


def test_dynamic_dims_need_shapes() -> None:
    inputs = {"x": random(2, 3)}
    node = helper.make_node("Relu", ["x"], ["y"])
    model = model_of([node], inputs, shapes={"x": ["batch", 3]})
    message = str(error_of(model))
    assert "1 dimension of the model's inputs has no size" in message
    assert "dimension 0 ('batch') of 'x'" in message
    assert "--shape x=1x3" in message
    clash = str(error_of(model, {"x": (2, 4)}))
    assert "given 2x4, the model has batchx3" in clash
    unknown = str(error_of(model, {"xx": (2, 3)}))
    assert "'xx', which is no input" in unknown and "did you mean 'x'?" in unknown


def test_one_name_cannot_have_two_sizes() -> None:
    inputs = {"x": random(2, 3), "z": random(2, 3)}
    node = helper.make_node("Add", ["x", "z"], ["y"])
    model = model_of([node], inputs, shapes={"x": ["n", 3], "z": ["n", 3]})
    assert "not one the model takes" in str(error_of(model, {"x": (2, 3), "z": (4, 3)}))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("op", ["MatMul", "Gemm"])
def test_weights_must_be_finite(op: str, value: float) -> None:
    weight = random(3, 4)
    weight[1, 2] = weight[2, 0] = value
    message = str(error_of(node_model(op, X, {"w": weight})))
    count = "2 NaN and 0 infinite" if np.isnan(value) else "0 NaN and 2 infinite"
    assert f"w: {count} of 12 numbers, the first at [1, 2]" in message
    assert "node 'the_node'" in message


def test_nan_is_refused_everywhere() -> None:
    weight = np.array([1, np.nan, 2], np.float32)
    message = str(error_of(node_model("Add", X, {"w": weight})))
    assert "w: 1 NaN and 0 infinite of 3 numbers, the first at [1]" in message


def test_checker_and_shape_errors() -> None:
    wrong = helper.make_node("Relu", ["nothing"], ["y"], name="n")
    assert "ONNX's checker rejects the model" in str(error_of(model_of([wrong], X)))
    message = str(error_of(node_model("MatMul", X, {"w": random(4, 5)})))
    assert "inner sizes 3 and 4 differ" in message and "node 'the_node' (MatMul)" in message


@pytest.mark.parametrize("opset", [0, 99])
def test_opsets_out_of_range(opset: int) -> None:
    model = node_model("Relu", X)
    model.opset_import[0].version = opset
    message = str(error_of(model))
    assert f"opset {opset} of the standard domain" in message and "opsets 1 to" in message


def test_numbers_beyond_32_bits() -> None:
    inputs = {"x": np.array([1, 2])}
    message = str(error_of(node_model("Add", inputs, {"w": np.array([2**40, 1])})))
    assert f"w: {2**40} does not fit the machine's 32-bit integers" in message


def test_element_types_off_the_machine() -> None:
    inputs = {"x": np.array([1, 2], np.complex64)}
    message = str(error_of(node_model("Identity", inputs)))
    assert "input 'x' has element type complex64" in message
    cast = node_model("Cast", X, to=8)
    assert "element type string is not supported" in str(error_of(cast))


def test_no_broadcast() -> None:
    message = str(error_of(node_model("Add", X, {"w": random(4)})))
    assert "shapes [2, 3] and [4] do not broadcast together" in message
    product = node_model("MatMul", {"x": random(2, 3, 4)}, {"w": random(5, 4, 2)})
    message = str(error_of(product))
    assert "matmul of [2, 3, 4] and [5, 4, 2]: batch dimensions do not broadcast" in message


def test_the_manual_names_every_supported_op() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "frontends.md").read_text()
    words = set(re.findall(r"\w+", manual))
    assert [name for name in HANDLERS if name.split(".")[-1] not in words] == []
    assert f"({len(HANDLERS)})" in manual


def test_damaged_models_are_refused_or_imported_but_never_crash() -> None:
    random_bytes = np.random.default_rng(0)
    content = zoo.build("transformer_decomposed", "tiny").SerializeToString()
    refused = 0
    for _ in range(200):
        damaged = bytearray(content)
        for place in random_bytes.integers(0, 5000, random_bytes.integers(1, 5)):
            damaged[place] = random_bytes.integers(0, 256)
        try:
            import_onnx(bytes(damaged), DojoContext())
        except InputError:
            refused += 1
    assert 50 < refused < 200
