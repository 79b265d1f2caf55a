"""Running the command line in process, and the small files its tests need."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from dojocc.cli.main import main

TINY = str(Path(__file__).parents[1] / "targets" / "tiny.toml")
MODEL = """\
model small(x: f32[4, 8]) -> (y: f32[4, 8]) {
  y = relu(x * 2 - 1)
}
"""


@dataclass(frozen=True)
class Answer:
    """What a command answered."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        return json.loads(self.out)


class Streams(io.TextIOWrapper):
    """A text stream over bytes, as stdin and stdout are."""

    def __init__(self, content: bytes = b"") -> None:
        super().__init__(io.BytesIO(content), encoding="utf-8", write_through=True)

    def text(self) -> str:
        return self.bytes().decode()

    def bytes(self) -> bytes:
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue()


def dojocc(*words: str | Path | float, stdin: bytes = b"") -> Answer:
    """Exit code, stdout and stderr of `dojocc WORDS`."""
    answer, out = dojocc_bytes(*words, stdin=stdin)
    return Answer(answer.code, out.decode(), answer.err)


def dojocc_bytes(*words: str | Path | float, stdin: bytes = b"") -> tuple[Answer, bytes]:
    """The same, with stdout as bytes."""
    saved = sys.stdin, sys.stdout, sys.stderr
    given, out, err = Streams(stdin), Streams(), Streams()
    sys.stdin, sys.stdout, sys.stderr = given, out, err
    try:
        code = main([str(word) for word in words])
    finally:
        sys.stdin, sys.stdout, sys.stderr = saved
    return Answer(code, "", err.text()), out.bytes()


def refused(answer: Answer, code: int, *parts: str) -> None:
    """The command ended with `code`, said every part on stderr, and showed no traceback."""
    assert answer.code == code, answer.err
    for part in parts:
        assert part in answer.err, answer.err
    assert "Traceback" not in answer.err
    assert answer.out == ""


def onnx_model(
    nodes: list[onnx.NodeProto],
    shape: tuple[int | str, ...] = (4, 8),
    weights: dict[str, np.ndarray] | None = None,
    result: tuple[int | str, ...] | None = None,
) -> bytes:
    """An ONNX file with the input x and the output y."""
    tensors = [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, result)
    graph = helper.make_graph(nodes, "graph", [x], [y], tensors)
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def relu_model(shape: tuple[int | str, ...] = (4, 8)) -> bytes:
    return onnx_model([helper.make_node("Relu", ["x"], ["y"], name="r")], shape)


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
