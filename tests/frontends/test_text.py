"""The text graph language: what it computes, and what it says about mistakes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_cases import random
from safetensors.numpy import save_file

from dojocc.dialects.context import DojoContext
from dojocc.dialects.interpret_nn import run_nn
from dojocc.dialects.location import without_location
from dojocc.frontends.text import import_text, parse_text
from dojocc.frontends.text.functions import SUGAR, callable_ops
from dojocc.runtime.errors import InputError

TINY = """\
# two layers
model tiny(x: f32[1, 16]) -> (y: f32[1, 4]) {
  weights "weights.safetensors"
  weights "more.npz"
  w1: f32[16, 32] = weight "fc1.w"
  b1 = weight "fc1.b"
  w2 = weight "fc2.w"
  h = relu(matmul(x, w1) + b1)  # a comment
  y = softmax(h @ w2, axis=-1)
}
"""
WEIGHTS = {"fc1.w": random(16, 32), "fc1.b": random(32, seed=1)}
MORE = {"fc2.w": random(32, 4, seed=2)}


@pytest.fixture
def folder(tmp_path) -> Path:
    save_file(WEIGHTS, tmp_path / "weights.safetensors")
    np.savez(tmp_path / "more.npz", **MORE)
    return tmp_path


def run(text: str, **inputs: np.ndarray) -> np.ndarray:
    context = DojoContext()
    module = parse_text(text, context)
    module.verify()
    (result,) = run_nn(context, module, inputs).values()
    return result


def body(statements: str, result: str, x: str = "f32[2, 3]") -> str:
    return f"model m(x: {x}) -> (y: {result}) {{ {statements} }}"


def test_the_example_computes_what_it_says(folder) -> None:
    (folder / "tiny.dojotext").write_text(TINY)
    context = DojoContext()
    module = import_text(folder / "tiny.dojotext", context)
    module.verify()
    x = random(1, 16, seed=3)
    found = run_nn(context, module, {"x": x})["y"]
    hidden = np.maximum(x @ WEIGHTS["fc1.w"] + WEIGHTS["fc1.b"], 0)
    powers = np.exp(hidden @ MORE["fc2.w"])
    np.testing.assert_allclose(found, powers / powers.sum(), rtol=1e-5)
    assert without_location(module) == []
    assert "tiny.dojotext:8" in str(module)


X = random(2, 3)
EXPRESSIONS = [
    ("y = 2 * x - 1 / 4", "f32[2, 3]", 2 * X - 0.25),
    ("y = -(x + x) * x", "f32[2, 3]", -(X + X) * X),
    ("y = x + [10, 20, 30]", "f32[2, 3]", X + np.array([10, 20, 30])),
    ("y = where(x > 0, x, -1)", "f32[2, 3]", np.where(X > 0, X, -1)),
    ("y = x <= 0.5", "i1[2, 3]", X <= 0.5),
    ("y = sum(x, axes=[1], keepdims=true)", "f32[2, 1]", X.sum(1, keepdims=True)),
    ("y = mean(x)", "f32", X.mean()),
    ("y = max(x, axes=-1)", "f32[2]", X.max(-1)),
    ("y = transpose(x) @ x", "f32[3, 3]", X.T @ X),
    ("y = reshape(x, [3, -1])", "f32[3, 2]", X.reshape(3, 2)),
    ("y = concat(x, x, axis=-1)", "f32[2, 6]", np.concatenate([X, X], -1)),
    ("y = slice(x, start=[0, 1], limit=[2, 3], strides=[1, 1])", "f32[2, 2]", X[:, 1:]),
    ("y = reverse(x, dims=[-1])", "f32[2, 3]", X[:, ::-1]),
    ("y = clamp(-0.5, x, 0.5)", "f32[2, 3]", np.clip(X, -0.5, 0.5)),
    ("y = maximum(x, 0.25)", "f32[2, 3]", np.maximum(X, 0.25)),
    ("t: i32[2] = [1, -1]\n y = embedding(x, maximum(t, 0))", "f32[2, 3]", X[[1, 0]]),
    ("y = broadcast(reduce(x, kind=\"sum\", dims=[0]), [2, 3])", "f32[2, 3]",
     np.broadcast_to(X.sum(0), (2, 3))),
    ("y = matmul([[1, 2]], x)", "f32[1, 3]", np.array([[1, 2]]) @ X),
    ("y = concat(x, [[1, 2, 3]], axis=0)", "f32[3, 3]", np.concatenate([X, [[1, 2, 3]]])),
    ("y = convert(x, i32)", "i32[2, 3]", X.astype(np.int32)),
    ("y = exp(x) / (1 + exp(x))", "f32[2, 3]", 1 / (1 + np.exp(-X))),
    ("y = iota(dim=1, shape=[2, 3])", "i32[2, 3]", np.tile(np.arange(3), (2, 1))),
    ("z: f32[2, 3] = 7\n y = x * z", "f32[2, 3]", 7 * X),
    ("y = layer_norm(x, [1, 1, 1], [0, 0, 0])", "f32[2, 3]",
     (X - X.mean(1, keepdims=True)) / np.sqrt(X.var(1, keepdims=True) + 1e-5)),
]  # fmt: skip


@pytest.mark.parametrize(("statements", "kind", "wanted"), EXPRESSIONS, ids=lambda v: str(v)[:40])
def test_expressions(statements: str, kind: str, wanted: np.ndarray) -> None:
    found = run(body(statements, kind), x=X)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_images() -> None:
    statements = """
      k = broadcast(1, [2, 1, 3, 3])
      y = max_pool(conv(x, k, [0.5, -0.5], strides=2, padding=1), window=2)
    """
    x = random(1, 1, 7, 7)
    found = run(body(statements, "f32[1, 2, 2, 2]", "f32[1, 1, 7, 7]"), x=x)
    padded = np.pad(x[0, 0], 1)
    rows = [
        [padded[2 * i : 2 * i + 3, 2 * j : 2 * j + 3].sum() for j in range(4)] for i in range(4)
    ]
    pooled = np.array(rows).reshape(2, 2, 2, 2).max((1, 3))
    np.testing.assert_allclose(found[0], [pooled + 0.5, pooled - 0.5], rtol=1e-5)


MISTAKES = [
    # what is replaced, by what, line:column, words, the caret's line
    ("relu(", "rellu(", "8:7", ["there is no function 'rellu'", "did you mean relu?"]),
    ("matmul(x, w1)", "matmul(w1, x)", "8:12", ["[16, 32] by [1, 16]", "sizes 32 and 1 differ"]),
    ('"fc1.b"', '"fc1.bb"', "6:15", ["no weight file has a tensor 'fc1.bb'", "mean fc1.b?"]),
    ("+ b1", "+ bb1", "8:28", ["'bb1' is not defined", "did you mean b1?"]),
    ("f32[1, 4]", "f32[1, 5]", "2:31", ["declared 1x5xf32, computed 1x4xf32"]),
    ("f32[16, 32]", "f32[16, 33]", "5:3", ["declared 16x33xf32, computed 16x32xf32"]),
    ("axis=-1", "axis=7", "9:7", ["axis 7 is outside a tensor of rank 2"]),
    ("axis=-1", "axes=7", "9:7", ["softmax has no setting 'axes'; it has axis"]),
    ("axis=-1", "axis=1.5", "9:7", ["axis is 1.5, not a whole number"]),
    ("}\n", "", "9:31", ["the text ends too early"]),
    ("more.npz", "none.npz", "4:11", ["there is no weight file"]),
    ("more.npz", "more.bin", "4:11", ["weight files end in .safetensors or .npz"]),
    ("h = relu", "h := relu", "8:6", ["'=' does not fit here"]),
    ("+ b1", "+ [1, 2]", "8:26", ["shapes [1, 32] and [2] do not broadcast together"]),
    ("+ b1", "+ [[1], [2, 3]]", "8:28", ["rows of this list differ in length"]),
    ("relu(", "max_pool(", "8:7", ["wrong arguments", "max_pool(x, window, strides=None"]),
    ("h = relu", "w1 = relu", "8:3", ["'w1' is defined a second time"]),
    ("x: f32", "x: f64", "2:15", ["'f64' does not fit here", "expected f32, i32 or i1"]),
    ("h @ w2", "h $ w2", "9:17", ["'$' does not fit here"]),
    ("y = softmax", "z = softmax", "2:31", ["output 'y' is not defined"]),
    ("relu(", "add(", "8:7", ["add takes 2 tensors (x, y), not 1"]),
    ("f32[1, 16]", "f32[0, 16]", "2:15", ["at least one element"]),
]


@pytest.mark.parametrize(("old", "new", "place", "words"), MISTAKES, ids=lambda v: str(v)[:24])
def test_mistakes_are_shown_where_they_stand(folder, old, new, place, words) -> None:
    assert old in TINY
    text = TINY.replace(old, new, 1) if old != "}\n" else TINY.replace(old, new)
    with pytest.raises(InputError) as caught:
        parse_text(text, DojoContext(), "tiny.dojotext", folder)
    message = str(caught.value)
    assert f"where: tiny.dojotext:{place}\n" in message
    assert all(word in message for word in words), message
    line, column = map(int, place.split(":"))
    _, shown, caret = str(caught.value.where).split("\n")
    assert shown == "    " + text.splitlines()[line - 1] and caret.index("^") == 3 + column


def test_weights_must_be_numbers(folder) -> None:
    bad = {**WEIGHTS, "fc1.b": np.where(np.arange(32) < 2, np.nan, 0).astype(np.float32)}
    save_file(bad, folder / "weights.safetensors")
    with pytest.raises(InputError, match="'fc1.b' has 2 NaN or infinite numbers of 32"):
        parse_text(TINY, DojoContext(), "tiny.dojotext", folder)


def test_a_damaged_weight_file(folder) -> None:
    (folder / "weights.safetensors").write_bytes(b"\xff" * 40)
    with pytest.raises(InputError, match="cannot be read"):
        parse_text(TINY, DojoContext(), "tiny.dojotext", folder)


def test_a_missing_model() -> None:
    with pytest.raises(InputError, match="there is no file /nowhere/m.graph"):
        import_text("/nowhere/m.graph", DojoContext())


def test_the_manual_names_every_function() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "text-language.md").read_text()
    missing = [name for name in [*SUGAR, *callable_ops()] if f"`{name}" not in manual]
    assert missing == []
