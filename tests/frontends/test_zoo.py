"""Every model of the zoo through the ONNX frontend agrees with ONNX Runtime."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx_cases import assert_matches_onnxruntime, run_imported, run_onnxruntime
from xdsl.dialects.builtin import ModuleOp
from zoo_models import PATH, zoo

from dojocc.dialects.context import DojoContext
from dojocc.dialects.location import without_location
from dojocc.frontends.onnx import check_support, import_onnx

TRANSFORMERS = (
    "transformer",
    "transformer_decomposed",
    "gpt",
    "gpt_additive",
    "gpt2",
    "bert",
    "vit",
)
OPSETS = [
    (name, opset)
    for name in zoo.MODELS
    for opset in (7, 9, 11, 13, 17, 18, 20, 22)
    if opset >= 9 or name not in TRANSFORMERS
]


@pytest.mark.parametrize(("name", "opset"), OPSETS)
def test_tiny_models_agree_with_onnx_runtime(name: str, opset: int) -> None:
    model = zoo.build(name, "tiny", opset)
    onnx.checker.check_model(model, full_check=True)
    assert_matches_onnxruntime(model, zoo.inputs(model, seed=1))


@pytest.mark.parametrize("name", zoo.MODELS)
def test_check_support_finds_nothing(name: str) -> None:
    assert check_support(zoo.build(name, "tiny")) == []


@pytest.mark.parametrize("name", zoo.MODELS)
def test_models_are_the_same_for_the_same_seed(name: str) -> None:
    first, second, other = (zoo.build(name, "tiny", seed=seed) for seed in (3, 3, 4))
    assert first.SerializeToString() == second.SerializeToString() != other.SerializeToString()


def imported(name: str) -> tuple[ModuleOp, DojoContext]:
    context = DojoContext()
    return import_onnx(zoo.build(name, "tiny"), context), context


def test_every_op_carries_the_name_of_its_node() -> None:
    module, _ = imported("resnet50")
    assert without_location(module) == []
    assert "node 'Conv_3' (Conv)" in str(module)


def test_weights_are_resources_and_not_text() -> None:
    module, context = imported("resnet50")
    model = zoo.build("resnet50", "tiny")
    large = {t.name for t in model.graph.initializer if np.prod(t.dims) > 32}
    assert large == set(context.resources)
    assert len(str(module)) < 100_000


def test_two_imports_are_the_same_text() -> None:
    assert str(imported("gpt")[0]) == str(imported("gpt")[0])


def test_activations_of_resnet_keep_their_magnitude() -> None:
    model = zoo.build("resnet50", "tiny")
    feeds = zoo.inputs(model, seed=2)
    del model.graph.output[:]
    model.graph.output.extend(
        onnx.ValueInfoProto(name=node.output[0])
        for node in model.graph.node
        if node.op_type == "BatchNormalization"
    )
    for array in run_onnxruntime(model, feeds):
        assert 0.02 < float(np.mean(array**2)) < 10


def test_bytes_path_and_proto_import_alike(tmp_path) -> None:
    model = zoo.build("mlp", "tiny")
    path = tmp_path / "mlp.onnx"
    onnx.save(model, path)
    feeds = zoo.inputs(model)
    results = [
        run_imported(s, feeds)[0] for s in (model, model.SerializeToString(), str(path), path)
    ]
    assert all(np.array_equal(results[0], result) for result in results[1:])


def test_the_script_writes_a_model(tmp_path) -> None:
    path = tmp_path / "m.onnx"
    command = [sys.executable, str(PATH), "lenet", "--size", "tiny", "-o", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "nodes" in done.stderr and done.stdout == ""
    onnx.checker.check_model(onnx.load(path))
