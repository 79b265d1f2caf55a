"""Any model this compiler can read -> a module of the nn dialect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
from xdsl.dialects.builtin import ModuleOp

from dojocc.dialects.context import DojoContext
from dojocc.frontends.ir_file import parse_ir, read_ir
from dojocc.frontends.onnx import import_onnx
from dojocc.frontends.text import import_text, parse_text
from dojocc.runtime.errors import UsageError

Shapes = Mapping[str, Sequence[int]]

ONNX, TEXT, IR = "onnx", "text", "mlir"
SUFFIXES = {".onnx": ONNX, ".dojotext": TEXT, ".mlir": IR}
TEXT_STARTS = (b"model ", b"model\t", b"#")
IR_STARTS = (b"builtin.module", b"module", b'"builtin.module"', b"//")


def kind_of(model: Any) -> str:
    """`onnx`, `text` or `mlir`: by the suffix of a path, by the first bytes of content."""
    if isinstance(model, onnx.ModelProto):
        return ONNX
    if isinstance(model, bytes):
        return kind_of_content(model)
    return SUFFIXES.get(Path(model).suffix.lower(), ONNX)


def kind_of_content(content: bytes) -> str:
    start = content[:256].lstrip()
    if start.startswith(IR_STARTS):
        return IR
    return TEXT if start.startswith(TEXT_STARTS) else ONNX


def read_model(model: Any, context: DojoContext, shapes: Shapes | None = None) -> ModuleOp:
    """A module of the nn dialect; its large constants are in `context.resources`.

    `model` is a path, bytes, an onnx.ModelProto or an xDSL ModuleOp (which is left as it is).
    """
    if isinstance(model, ModuleOp):
        refuse_shapes(shapes, "a module")
        return model.clone()
    if not isinstance(model, str | Path | bytes | onnx.ModelProto):
        raise UsageError(
            "this kind of model cannot be compiled",
            where=f"{type(model).__module__}.{type(model).__qualname__}",
            help="give a path, bytes, an onnx.ModelProto or an xDSL ModuleOp",
        )
    kind = kind_of(model)
    if kind == ONNX:
        return import_onnx(model, context, shapes)
    assert not isinstance(model, onnx.ModelProto)
    refuse_shapes(shapes, "a text model" if kind == TEXT else "an IR file")
    if isinstance(model, bytes):
        text = model.decode("utf-8", "replace")
        name = "model bytes"
        return parse_text(text, context, name) if kind == TEXT else parse_ir(text, context, name)
    return import_text(model, context) if kind == TEXT else read_ir(model, context)


def refuse_shapes(shapes: Shapes | None, what: str) -> None:
    if shapes:
        raise UsageError(
            f"{what} already says the shapes of its inputs",
            numbers=f"given for {', '.join(sorted(shapes))}",
            help="leave the shapes out, or change them in the model",
        )
