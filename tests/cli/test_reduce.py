"""`dojocc reduce`: what fails becomes small and fails alike; mutated files never crash."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from cli_run import dojocc as run_cli
from registry_graphs import graph_of
from zoo_models import zoo

from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import main_function, returned
from dojocc.frontends.ir_file import read_ir, write_ir
from dojocc.frontends.read import read_model
from dojocc.options import Options
from dojocc.passes.kernels import contraction_lanes
from dojocc.reducing import body, reduced, weight
from dojocc.reducing_checks import Failure, failure_of
from dojocc.reducing_onnx import reduced_onnx
from dojocc.runtime.errors import UnsupportedError

TINY = Path(__file__).parents[1] / "targets" / "tiny.toml"
SUPPORT = Path(__file__).parents[1] / "support"
QUICK, ALL, SLICE = 20, 500, 20


def names(module) -> list[str]:
    return [op.name for op in body(module)]


def test_a_module_shrinks_to_the_op_that_fails() -> None:
    """Of a transformer block only one softmax is left, on the smallest input it can have."""
    context = DojoContext()
    module = read_model(zoo.build("transformer", "tiny"), context)
    small = reduced(module, context, lambda found: "nn.softmax" in names(found))
    assert names(small) == ["nn.softmax"]
    assert weight(small) == (1, 1, 2, 1)
    assert len(names(module)) > 30  # the first is left as it was


def test_what_is_needed_together_stays_together() -> None:
    context = DojoContext()
    module = read_model(zoo.build("lenet", "tiny"), context)

    def fails(found) -> bool:
        held = names(found)
        return "nn.convolution" in held and "nn.reduce_window" in held

    small = reduced(module, context, fails)
    assert sorted(names(small)) == ["nn.convolution", "nn.reduce_window"]
    assert weight(small)[2] < weight(module)[2] / 20


def test_every_variant_taken_still_compiles() -> None:
    """Shapes change together: what is left of random graphs is a module like any other."""
    options = Options(str(TINY), "fp32")
    for seed in (5, 12, 31):
        graph = graph_of(seed)
        taken = []

        def fails(module, graph=graph, taken=taken) -> bool:
            taken.append(failure_of(module, graph.context, options, "compile"))
            return len(returned(main_function(module))) >= 1 and len(body(module)) >= 1

        small = reduced(graph.module, graph.context, fails)
        assert len(body(small)) == 1
        assert taken and not any(taken)


def test_wrong_numbers_are_found_and_shrunk(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """A kernel that forgets to widen its sums, planted: reduce keeps the one product that shows it,
    and the file it writes shows it, too."""
    monkeypatch.setattr(contraction_lanes, "in_range", lambda b, value, kind: b.constant(7))
    text = """builtin.module {
  func.func @main(%x : tensor<3x4xi32> {nn.name = "x"}, %w : tensor<4x5xi32> {nn.name = "w"}) ->
      (tensor<3x5xi32> {nn.name = "y"}, tensor<3x4xi32> {nn.name = "z"}) {
    %a = nn.abs %x {loc = "a"} : tensor<3x4xi32>
    %b = nn.dot_general %a, %w {lhs_batch = [], rhs_batch = [], lhs_contract = [1],
      rhs_contract = [0], loc = "b"} : (tensor<3x4xi32>, tensor<4x5xi32>) -> tensor<3x5xi32>
    %c = nn.negate %b {loc = "c"} : tensor<3x5xi32>
    %d = nn.negate %a {loc = "d"} : tensor<3x4xi32>
    func.return %c, %d : tensor<3x5xi32>, tensor<3x4xi32>
  }
}"""
    model, small = tmp_path / "model.mlir", tmp_path / "small.mlir"
    model.write_text(text)
    options = ("--target", str(TINY), "--precision", "fp32")
    result = run_cli("reduce", str(model), *options, "-o", str(small))
    assert result.code == 0, result.err
    assert "numbers: streams and fused module" in result.err
    context = DojoContext()
    module = read_ir(small, context)
    assert names(module) == ["nn.dot_general"]
    found = failure_of(module, context, Options(str(TINY), "fp32"))
    assert found is not None and found.sort == "numbers"


def test_a_refused_onnx_model_keeps_the_node_that_is_refused(tmp_path) -> None:
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [4, 4])
    y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    nodes = [
        onnx.helper.make_node("Relu", ["x"], ["a"]),
        onnx.helper.make_node("Bernoulli", ["a"], ["b"]),
        onnx.helper.make_node("Exp", ["b"], ["y"]),
    ]
    graph = onnx.helper.make_graph(nodes, "case", [x], [y])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    path, small = tmp_path / "model.onnx", tmp_path / "small.onnx"
    onnx.save(model, path)
    result = run_cli("reduce", str(path), "--with", "compile", "-o", str(small))
    assert result.code == 0, result.err
    assert "1 nodes; refused: UnsupportedError" in result.err
    kept = onnx.load(small).graph
    assert [node.op_type for node in kept.node] == ["Bernoulli"]
    assert [row.name for row in kept.input] == ["a"]
    refused = run_cli("reduce", str(path), "-o", str(tmp_path / "small.mlir"))
    assert refused.code == 2 and "no module to reduce" in refused.err


def test_onnx_graphs_lose_what_nobody_reads() -> None:
    model = zoo.build("lenet", "tiny")
    small = reduced_onnx(model, lambda m: any(node.op_type == "MaxPool" for node in m.graph.node))
    assert [node.op_type for node in small.graph.node] == ["MaxPool"]
    assert not small.graph.initializer and len(small.graph.input) == 1


def test_what_does_not_fail_is_not_reduced(tmp_path) -> None:
    model = tmp_path / "mlp.onnx"
    onnx.save(zoo.build("mlp", "tiny"), model)
    options = ("--target", str(TINY), "-o", str(tmp_path / "small.mlir"))
    result = run_cli("reduce", str(model), *options)
    assert result.code == 1 and "does not fail with 'compare'" in result.err
    text = run_cli("reduce", "m.dojotext", "-o", str(tmp_path / "small.onnx"))
    assert text.code == 2 and "is no ONNX model, and becomes none" in text.err


def test_only_the_nn_level_is_reduced(tmp_path) -> None:
    model, fused = tmp_path / "mlp.onnx", tmp_path / "fused.mlir"
    onnx.save(zoo.build("mlp", "tiny"), model)
    passes = "infer-shapes,canonicalise,fold,decompose,fuse"
    assert run_cli("opt", str(model), "-p", passes, "-o", str(fused)).code == 0
    context = DojoContext()
    with pytest.raises(UnsupportedError, match="only models of the nn level can be reduced"):
        reduced(read_ir(fused, context), context, lambda module: True)


def test_failures_are_told_apart_by_place() -> None:
    one = Failure("internal", "ValueError in tile.py, f", "at 3")
    assert one.same(Failure("internal", "ValueError in tile.py, f", "at 9"))
    assert not one.same(Failure("internal", "KeyError in tile.py, f", ""))
    assert not one.same(None)


def test_arrays_of_reduced_constants_are_written(tmp_path) -> None:
    context = DojoContext()
    module = read_model(zoo.build("mlp", "tiny"), context)
    small = reduced(module, context, lambda found: "nn.constant" in names(found))
    write_ir(tmp_path / "small.mlir", small, context)
    again = DojoContext()
    assert names(read_ir(tmp_path / "small.mlir", again)) == ["nn.constant"]
    assert all(np.asarray(array).size for array in again.resources.values())


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(seed, marks=[] if seed < QUICK else pytest.mark.slow)
        for seed in range(0, ALL, SLICE)
    ],
)
def test_mutated_files_give_an_error_or_right_numbers(first: int) -> None:
    """In a process of its own, each with bounds on time and memory (run_mutants.py)."""
    words = [sys.executable, str(SUPPORT / "run_mutants.py"), str(first), str(first + SLICE)]
    folders = os.pathsep.join([str(SUPPORT), str(SUPPORT.parents[1])])
    environment = os.environ | {"PYTHONPATH": folders, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(words, capture_output=True, text=True, env=environment)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(rows) == SLICE
    assert {row["is"] for row in rows} == {"refused", "right"}, [
        row for row in rows if row["is"] not in ("refused", "right")
    ]
