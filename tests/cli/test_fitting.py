"""What the report of a model that does not fit suggests is followed here, and works."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from cli_run import TINY, dojocc, refused, write
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession
from program_levels import relative_error

from dojocc import Session, load
from dojocc.compiler import Options, compile_model
from dojocc.fitting import with_suggestions
from dojocc.passes.pipeline import PIPELINE, Step
from dojocc.passes.shard import Shard
from dojocc.runtime.errors import DoesNotFit

SMALL = f"""
name = "cramped"
description = "tiny with less SRAM"
inherits = "{TINY}"

[node]
sram_bytes = {{ value = 163840, origin = "assumed", note = "small, for tests" }}
"""


def product(width: int, batch: int | str = 8) -> bytes:
    """relu(x @ w) with a square weight."""
    kind = TensorProto.FLOAT
    weight = np.random.default_rng(0).standard_normal((width, width), np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], name="product"),
        helper.make_node("Relu", ["h"], ["y"], name="rest"),
    ]
    ends = [[helper.make_tensor_value_info(name, kind, [batch, width])] for name in "xy"]
    graph = helper.make_graph(nodes, "g", ends[0], ends[1], [numpy_helper.from_array(weight, "w")])
    return helper.make_model(
        graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]
    ).SerializeToString()


@pytest.fixture
def cramped(tmp_path: Path) -> str:
    return str(write(tmp_path / "cramped.toml", SMALL))


def suggestions(text: str) -> list[list[str]]:
    """The flags that an error's help names."""
    (line,) = [line for line in text.splitlines() if "it fits with " in line]
    return [part.split() for part in line.split("it fits with ")[1].split(", or with ")]


def test_each_suggestion_works_when_followed(tmp_path: Path, cramped: str) -> None:
    """Weights in fp32 do not fit six cramped nodes: narrower, or more nodes."""
    model, out = write(tmp_path / "m.onnx", product(384)), tmp_path / "p.dojo"
    words = ["compile", model, "-o", out, "--target", cramped]
    answer = dojocc(*words, "--precision", "fp32")
    refused(answer, 1, "does not fit", "B too much", "where", "w ")
    found = suggestions(answer.err)
    assert ["--precision", "bf16"] in found and ["--target", "d1-die"] in found
    for flags in found:
        out.unlink(missing_ok=True)
        assert dojocc(*words, "--precision", "fp32", *flags).code == 0 and out.exists()


def test_a_smaller_batch_is_suggested_where_one_was_given(tmp_path: Path, cramped: str) -> None:
    model, out = write(tmp_path / "m.onnx", product(64, "batch")), tmp_path / "p.dojo"
    words = ["compile", model, "-o", out, "--target", cramped]
    answer = dojocc(*words, "--shape", "x=8192x64")
    refused(answer, 1, "does not fit")
    (flags,) = [each for each in suggestions(answer.err) if each[0] == "--shape"]
    batch = int(flags[1].split("=")[1].split("x")[0])
    assert dojocc(*words, *flags).code == 0
    refused(dojocc(*words, "--shape", f"x={2 * batch}x64"), 1, "does not fit")


@dataclass(frozen=True)
class Careless(Shard):
    """A sharder that believes in endless SRAM, so that the addresses show what does not fit."""

    sram_budget: int | None = 1 << 40


def test_buffers_without_addresses_are_reported_with_the_same_trials(tmp_path: Path) -> None:
    cramped = write(tmp_path / "c.toml", SMALL.replace("163840", "102400"))
    steps = [Step(Careless, "") if step.make is Shard else step for step in PIPELINE]
    options = Options(target=cramped, precision="fp32")
    with pytest.raises(DoesNotFit) as error:
        compile_model(product(384), options, steps=steps)
    text = str(error.value)
    assert "of the schedule" in text and "B too much" in text and "weight 'w" in text
    (flags, *_) = suggestions(text)
    assert flags == ["--precision", "bf16"]
    works = compile_model(product(384), Options(target=cramped, precision="bf16"), steps=steps)
    assert works.program is not None


def products(width: int, count: int) -> bytes:
    """x @ w0 @ w1 @ ..., with square weights."""
    kind = TensorProto.FLOAT
    random = np.random.default_rng(0)
    weights = [random.standard_normal((width, width), np.float32) for _ in range(count)]
    names = ["x", *(f"h{number}" for number in range(count))]
    nodes = [
        helper.make_node("MatMul", [names[n], f"w{n}"], [names[n + 1]], name=f"product{n}")
        for n in range(count)
    ]
    ends = [[helper.make_tensor_value_info(n, kind, [8, width])] for n in ("x", names[-1])]
    held = [numpy_helper.from_array(array, f"w{n}") for n, array in enumerate(weights)]
    graph = helper.make_graph(nodes, "g", ends[0], ends[1], held)
    return helper.make_model(
        graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]
    ).SerializeToString()


def test_weights_come_from_dram_unless_that_is_forbidden(tmp_path: Path, cramped: str) -> None:
    """Three weights of 44 KB a node where 96 KB are free: refused, or said tensor by tensor."""
    model, out = write(tmp_path / "m.onnx", products(256, 3)), tmp_path / "p.dojo"
    words = ["compile", model, "-o", out, "--target", cramped, "--precision", "fp32"]
    answer = dojocc(*words, "--no-dram")
    refused(answer, 1, "does not fit", "B too much")
    assert ["--dram"] in suggestions(answer.err) and not out.exists()
    answer = dojocc(*words, "--no-dram", "--dram", "--verify", "--json")
    assert answer.code == 0 and out.exists()
    assert "note: DRAM: w" in answer.err and "is loaded for node 'product" in answer.err
    loaded = json.loads(answer.out)["dram_load_bytes"]
    assert loaded >= 4 * 256 * 256 and load(out).build["dram"] is True
    x = np.random.default_rng(1).standard_normal((8, 256), np.float32)
    (wanted,) = InferenceSession(products(256, 3)).run(None, {"x": x})
    (found,) = Session(load(out)).run(None, {"x": x})
    assert relative_error(found, np.asarray(wanted)) < 1e-5


def test_check_suggests_too(tmp_path: Path) -> None:
    cramped = write(tmp_path / "c.toml", SMALL.replace("163840", "66560"))
    model = write(tmp_path / "m.onnx", product(1024))
    answer = dojocc("check", model, "--target", cramped, "--precision", "bf16")
    assert answer.code == 1 and "it fits with --target d1-die" in answer.out + answer.err


def test_what_was_tried_in_vain_is_said() -> None:
    options = Options(target=TINY, precision="fp32", shapes={"x": (5, 3)})
    error = with_suggestions(DoesNotFit("too much", "here", "1 B", "?"), options, lambda _: False)
    assert (error.what, error.where, error.numbers) == ("too much", "here", "1 B")
    tried = "--precision bf16, --target d1-die, --target d1-training-tile,"
    assert error.help == (
        f"not enough, tried: {tried} --shape x=2x3, --shape x=1x3; use a smaller model or input"
    )
