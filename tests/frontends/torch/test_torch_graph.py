"""The import of a PyTorch graph as plain data; needs no PyTorch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dojocc
from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import input_names, main_function, result_names
from dojocc.dialects.interpret_nn import run_nn
from dojocc.dialects.location import get_location
from dojocc.frontends.read import TORCH, kind_of, read_model
from dojocc.frontends.torch import TorchGraph, import_torch
from dojocc.frontends.torch.export import graph_of, load_exported
from dojocc.frontends.torch.graph import Dtype, Held, Meta, Reference, TorchNode
from dojocc.frontends.torch.node import HANDLERS
from dojocc.frontends.torch.signature import path_name
from dojocc.runtime.errors import InputError, UnsupportedError, UsageError

REFUSED = {
    f"aten.{name}"
    for name in "rand randn rand_like randn_like randint randint_like bernoulli".split()
}
X = np.arange(12, dtype=np.float32).reshape(3, 4) - 5
WEIGHT = np.random.default_rng(0).standard_normal((9, 4)).astype(np.float32)
BIAS = np.random.default_rng(1).standard_normal(9).astype(np.float32)
R = Reference


def node(
    op: str, results: Any = ((3, 4),), kind: str = "float32", name: str = "n", **arguments: Any
):
    metas = tuple(None if shape is None else Meta(kind, tuple(shape)) for shape in results)
    return TorchNode(name, f"aten.{op}", "default", arguments, metas, "block.0", "Block")


def graph(*nodes: TorchNode, output: Any = None, shape=(3, 4), dtype: str = "float32", held=None):
    rows = output if isinstance(output, list) else [(output or R("n"), "output")]
    return TorchGraph("the model", [("x", "x", Meta(dtype, shape))], held or {}, nodes, rows)


def run(g: TorchGraph, *inputs: np.ndarray) -> list[np.ndarray]:
    context = DojoContext()
    return list(run_nn(context, import_torch(g, context), list(inputs)).values())


LINEAR = node("linear", [(3, 9)], name="fc", input=R("x"), weight=R("p_w"), bias=R("p_b"))
HELD = {"p_w": Held("fc.weight", WEIGHT, "float32"), "p_b": Held("fc.bias", BIAS, "float32")}


def test_names_locations_and_weights_by_reference() -> None:
    context = DojoContext()
    module = import_torch(graph(LINEAR, output=R("fc"), held=HELD), context)
    function = main_function(module)
    assert input_names(function) == ["x"] and result_names(function) == ["output"]
    assert np.shares_memory(context.resources["fc.weight"], WEIGHT)
    assert "module 'block.0' (Block), node 'fc' (aten.linear)" in {
        get_location(op) for op in function.body.block.ops
    }
    (found,) = run(graph(LINEAR, output=R("fc"), held=HELD), X)
    np.testing.assert_allclose(found, X @ WEIGHT.T + BIAS, rtol=1e-5)


def test_a_graph_compiles_and_runs() -> None:
    assert kind_of(graph()) == TORCH
    session = dojocc.Session(
        dojocc.compile(graph(LINEAR, output=R("fc"), held=HELD), precision="fp32")
    )
    (found,) = session.run(None, {"x": X})
    np.testing.assert_allclose(found, X @ WEIGHT.T + BIAS, rtol=1e-5)


def test_several_results_and_numbers() -> None:
    split = node("split", [(3, 1), (3, 3)], name="s", self=R("x"), split_size=1, dim=1)
    rows = [(R("s", 1), "rest"), (R("s", 0), "first"), (3, "count"), (R("x"), "same")]
    found = run(graph(split, output=rows), X)
    np.testing.assert_array_equal(found[0], X[:, 1:])
    np.testing.assert_array_equal(found[1], X[:, :1])
    assert found[2] == 3
    np.testing.assert_array_equal(found[3], X)


def test_types_that_narrow_are_remarked() -> None:
    context = DojoContext()
    held = {"b": Held("table", np.arange(40), "int64")}
    add = node("add", [(40,)], "int64", self=R("x"), other=R("b"), alpha=1)
    import_torch(graph(add, shape=(40,), dtype="int64", held=held), context)
    assert context.remarks == [
        "input 'x': int64 becomes int32 lanes",
        "constant 'table': int64 becomes int32 lanes",
    ]


def test_integers_beyond_32_bits_are_refused() -> None:
    held = {"b": Held("table", np.array([1 << 40]), "int64")}
    add = node("add", [(1,)], "int64", self=R("x"), other=R("b"), alpha=1)
    with pytest.raises(UnsupportedError) as caught:
        run(graph(add, shape=(1,), dtype="int64", held=held), X)
    assert "table: 1099511627776 does not fit the machine's 32-bit integers" in str(caught.value)


def test_small_integers_wrap() -> None:
    add = node("add", [(4,)], "uint8", self=R("x"), other=100, alpha=1)
    found = run(graph(add, shape=(4,), dtype="uint8"), np.array([0, 100, 200, 255], np.int32))
    np.testing.assert_array_equal(found[0], [100, 200, 44, 99])


def test_all_that_is_not_supported_is_named_at_once() -> None:
    nodes = [
        node("fft_fft", name="a", self=R("x")),
        node("fft_fft", name="b", self=R("x")),
        node("leaky_relu_x", name="c", self=R("a")),
        node("relu", name="d", self=R("c")),
        node("native_dropout", name="e", input=R("x"), p=0.5, train=True),
    ]
    with pytest.raises(UnsupportedError) as caught:
        run(graph(*nodes, output=R("d")), X)
    text = str(caught.value)
    assert text.startswith("4 calls use what dojocc does not support:")
    assert "aten.fft_fft, 2 calls, used by 'block.0' (Block): this op is not supported" in text
    assert "aten.leaky_relu_x, 1 call" in text and "nearest supported: aten.leaky_relu" in text
    assert "aten.native_dropout, 1 call, used by 'block.0' (Block): random dropout is on" in text
    assert "where: the model" in text


@pytest.mark.parametrize(
    "call, words",
    [
        (node("relu", [(4, 3)], self=R("x")), "came out as [3, 4] f32, where PyTorch has [4, 3]"),
        (node("matmul", [(3, 3)], self=R("x"), other=R("x")), "inner sizes 4 and 3 differ"),
        (node("index_select", self=R("x"), dim=0, index=R("far")), "index 7 is outside a dim of 3"),
    ],
)
def test_what_cannot_be_built(call: TorchNode, words: str) -> None:
    held = {"far": Held("far", np.array([7, 0, 0]), "int64")}
    with pytest.raises(InputError) as caught:
        run(graph(call, held=held), X)
    assert words in str(caught.value) and "node 'n'" in str(caught.value)


@pytest.mark.parametrize(
    "call, words",
    [
        (node("rand", size=(3, 4)), "random numbers: pass them in as an input"),
        (node("index", self=R("x"), indices=(R("t"),)), "an index of truth values"),
        (node("where", condition=R("t")), "places of true values"),
        (node("_batch_norm_no_update", input=R("x")), "statistics of the batch itself"),
        (node("repeat_interleave", self=R("x"), repeats=R("x")), "repeats given as a tensor"),
        (node("view", self=R("x"), dtype=Dtype("int32")), "a view as another element type"),
        (node("full", kind="complex64", size=(3, 4), fill_value=1), "complex64 is not supported"),
        (node("softmax", self=R("x"), dim=R("x")), "dim must be known at import"),
        (node("linear", input=R("t"), weight=R("t")), "only floats are supported here"),
    ],
)
def test_refused_forms(call: TorchNode, words: str) -> None:
    truth = node("gt", kind="bool", name="t", self=R("x"), other=0)
    with pytest.raises(UnsupportedError) as caught:
        run(graph(truth, call), X)
    assert words in str(caught.value)


def test_weights_that_are_not_numbers() -> None:
    bad = {"p_w": Held("fc.weight", np.full((9, 4), np.nan, np.float32), "float32")}
    with pytest.raises(InputError, match="a weight is not a finite number: fc.weight"):
        run(graph(LINEAR, output=R("fc"), held=HELD | bad), X)


def test_tensors_without_elements() -> None:
    empty = node("slice", [(0, 4)], name="none", self=R("x"), dim=0, start=0, end=0)
    both = node("cat", [(3, 4)], tensors=(R("none"), R("x")), dim=0)
    np.testing.assert_array_equal(run(graph(empty, both), X)[0], X)
    with pytest.raises(UnsupportedError, match="a tensor without elements"):
        run(graph(empty, node("sum", [()], self=R("none"), dim=None)), X)


@pytest.mark.parametrize(
    "g, words",
    [
        (graph(shape=(0, 4), output=R("x")), "input 'x' has no elements"),
        (graph(dtype="complex64", output=R("x")), "element type complex64 is not supported"),
        (graph(output=[]), "the program has no results"),
    ],
)
def test_refused_graphs(g: TorchGraph, words: str) -> None:
    with pytest.raises(InputError) as caught:
        run(g, X)
    assert words in str(caught.value)


def test_shapes_cannot_be_given() -> None:
    with pytest.raises(UsageError, match="an exported program already says the shapes"):
        read_model(graph(LINEAR, output=R("fc"), held=HELD), DojoContext(), {"x": (3, 4)})


def test_example_inputs_are_for_modules() -> None:
    with pytest.raises(UsageError, match="example inputs are for PyTorch modules"):
        graph_of("model.onnx", (X,))
    with pytest.raises(UsageError, match="an exported program knows its inputs"):
        graph_of(graph(), (X,))


def test_a_missing_file() -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    with pytest.raises(InputError, match="there is no file nowhere.pt2"):
        load_exported("nowhere.pt2")


def test_documented_ops_are_those_that_have_a_handler() -> None:
    text = (Path(__file__).parents[3] / "docs" / "frontends.md").read_text()
    listed = text.split("ATen ops (")[1].split("\n\n")[1].replace("\n", " ").split(", ")
    assert sorted(f"aten.{name}" for name in listed) == sorted(set(HANDLERS) - REFUSED)


def test_frameworks_are_not_imported_before_they_are_needed() -> None:
    code = "import dojocc.api, dojocc.cli.main, sys; print({'torch', 'jax'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_names_of_results() -> None:
    paths: list[list[str | int]] = [[], [2], ["logits"], ["past", 0, "key"], [1, "a"]]
    names = [path_name(path) for path in paths]
    assert names == ["output", "output_2", "logits", "past.0.key", "output_1.a"]
