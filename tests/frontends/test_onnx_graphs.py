"""Whole graphs: shape arithmetic folded at import, functions, branches, external data, remarks."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_cases import assert_matches_onnxruntime, model_of, node_model, random, run_imported

from dojocc.dialects.context import DojoContext
from dojocc.frontends.onnx import check_support, import_onnx
from dojocc.runtime.errors import InputError

X = {"x": random(2, 3, 4)}


def op_names(model, shapes=None) -> list[str]:
    return [op.name for op in import_onnx(model, DojoContext(), shapes).walk()]


def shape_arithmetic():
    """Reshape to [batch, -1] with the batch read from the tensor, as exporters write it."""
    make = helper.make_node
    nodes = [
        make("Shape", ["x"], ["s"]),
        make("Gather", ["s", "zero"], ["b"], axis=0),
        make("Unsqueeze", ["b", "axis"], ["b1"]),
        make("Concat", ["b1", "rest"], ["target"], axis=0),
        make("Reshape", ["x", "target"], ["flat"]),
        make("ConstantOfShape", ["target_size"], ["ones"],
             value=helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])),
        make("Range", ["zero", "twelve", "step"], ["steps"]),
        make("Cast", ["steps"], ["floats"], to=TensorProto.FLOAT),
        make("Add", ["flat", "floats"], ["sum"]),
        make("Mul", ["sum", "ones"], ["y"]),
    ]  # fmt: skip
    weights = {
        "zero": np.array(0), "axis": np.array([0]), "rest": np.array([-1]), "twelve": np.array(12),
        "step": np.array(1), "target_size": np.array([2, 12]),
    }  # fmt: skip
    return nodes, weights


def test_shape_arithmetic_leaves_no_integer_ops() -> None:
    nodes, weights = shape_arithmetic()
    model = model_of(nodes, X, weights)
    assert_matches_onnxruntime(model, X)
    assert set(op_names(model)) <= {
        "builtin.module", "func.func", "func.return", "nn.constant", "nn.reshape",
        "nn.broadcast_in_dim", "nn.add", "nn.multiply",
    }  # fmt: skip


def test_named_dims_bind_across_inputs() -> None:
    inputs = {"x": random(2, 3), "z": random(2, 3, seed=1)}
    node = helper.make_node("Add", ["x", "z"], ["y"])
    model = model_of([node], inputs, shapes={"x": ["batch", 3], "z": ["batch", 3]})
    found = run_imported(model, inputs, {"x": (2, 3)})
    np.testing.assert_allclose(found[0], inputs["x"] + inputs["z"])


def test_standard_function_bodies_are_expanded() -> None:
    model = node_model("MeanVarianceNormalization", {"x": random(2, 3, 4, 5)}, opset=13)
    assert check_support(model) == []
    assert "within" not in str(import_onnx(model, DojoContext()))
    assert "(MeanVarianceNormalization), node" in str(import_onnx(model, DojoContext()))


def test_functions_of_the_model_are_inlined() -> None:
    body = [
        helper.make_node("Mul", ["a", "a"], ["square"]),
        helper.make_node("LeakyRelu", ["square"], ["out"]),
    ]
    body[1].attribute.append(onnx.AttributeProto(name="alpha", ref_attr_name="slope", type=1))
    opsets = [helper.make_opsetid("", 17)]
    function = helper.make_function("test", "Bend", ["a"], ["out"], body, opsets, ["slope"])
    node = helper.make_node("Bend", ["x"], ["y"], domain="test", slope=0.5)
    model = model_of([node], X)
    model.functions.append(function)
    assert_matches_onnxruntime(model, X)


def test_a_branch_with_a_known_condition_is_taken() -> None:
    def branch(op: str) -> onnx.GraphProto:
        out = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
        return helper.make_graph([helper.make_node(op, ["x"], ["out"])], op, [], [out])

    node = helper.make_node(
        "If", ["c"], ["y"], then_branch=branch("Neg"), else_branch=branch("Abs")
    )
    for value, function in ((True, np.negative), (False, np.abs)):
        found = run_imported(model_of([node], X, {"c": np.array(value)}), X)
        np.testing.assert_array_equal(found[0], function(X["x"]))


def external(tmp_path, **changes: object) -> str:
    """A model with its one weight in a file beside it; `changes` damage the reference."""
    weight = random(4, 50)
    (tmp_path / "model").mkdir(exist_ok=True)
    data = tmp_path / "model" / "weights.bin"
    data.write_bytes(b"\0" * 64 + weight.tobytes())
    model = node_model("MatMul", X, {"w": weight})
    held = model.graph.initializer[0]
    held.ClearField("raw_data")
    held.data_location = TensorProto.EXTERNAL
    rows = {"location": "weights.bin", "offset": 64, "length": weight.nbytes, **changes}
    for key, value in rows.items():
        held.external_data.add(key=key, value=str(value))
    path = tmp_path / "model" / "m.onnx"
    path.write_bytes(model.SerializeToString())
    return str(path)


def test_external_data_is_mapped_and_right(tmp_path) -> None:
    context = DojoContext()
    found = run_imported(external(tmp_path), X, context=context)
    np.testing.assert_allclose(found[0], X["x"] @ random(4, 50), rtol=1e-5)
    held = context.resources["w"]
    assert isinstance(held if isinstance(held, np.memmap) else held.base, np.memmap)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"location": "../secret.bin"}, "points outside the model's folder"),
        ({"location": "/etc/passwd"}, "points outside the model's folder"),
        ({"location": "missing.bin"}, "is missing"),
        ({"offset": 100}, "bytes 100 to 900 are needed, 800 bytes declared, the file has 864"),
        ({"length": 12}, "does not fit its file"),
        ({"offset": "many"}, "damaged"),
    ],
)
def test_bad_external_data_is_refused(tmp_path, changes: dict, text: str) -> None:
    (tmp_path / "secret.bin").write_bytes(b"\0" * 200)
    with pytest.raises(InputError) as caught:
        import_onnx(external(tmp_path, **changes), DojoContext())
    assert text in str(caught.value)


def test_external_data_through_a_link_out_of_the_folder_is_refused(tmp_path) -> None:
    path = external(tmp_path, location="link.bin")
    (tmp_path / "secret.bin").write_bytes(b"\0" * 200)
    (tmp_path / "model" / "link.bin").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(InputError, match="outside the model's folder"):
        import_onnx(path, DojoContext())


def test_narrowed_types_are_remarked() -> None:
    context = DojoContext()
    inputs = {"x": random(3).astype(np.float64)}
    import_onnx(node_model("Add", inputs, {"w": np.ones(3)}), context)
    assert context.remarks == [
        "input 'x': double becomes float32",
        "constant 'w': double becomes float32",
    ]


def test_minus_infinity_is_allowed_in_a_mask() -> None:
    mask = np.triu(np.full((4, 4), -np.inf, np.float32), 1)
    inputs = {"x": random(4, 4)}
    nodes = [
        helper.make_node("Add", ["x", "mask"], ["masked"]),
        helper.make_node("Softmax", ["masked"], ["y"]),
    ]
    assert_matches_onnxruntime(model_of(nodes, inputs, {"mask": mask}), inputs)
