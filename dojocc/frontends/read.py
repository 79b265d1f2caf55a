"""Any model this compiler can read -> a module of the nn dialect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
from xdsl.dialects.builtin import ModuleOp

from dojocc.dialects.context import DojoContext
from dojocc.frontends.ir_file import parse_ir, read_ir
from dojocc.frontends.kinds import IR, ONNX, STABLEHLO, TEXT, TORCH, kind_of_written
from dojocc.frontends.onnx import import_onnx
from dojocc.frontends.stablehlo import StableText, import_stablehlo, text_of_jax
from dojocc.frontends.text import import_text, parse_text
from dojocc.frontends.text_file import read_text
from dojocc.frontends.torch import TorchGraph, import_torch
from dojocc.frontends.torch.export import graph_of, is_exported, is_module, load_exported
from dojocc.runtime.errors import UsageError

Shapes = Mapping[str, Sequence[int]]

NAMES = {TEXT: "a text model", IR: "an IR file", TORCH: "an exported program"}
NAMES[STABLEHLO] = "StableHLO"


def kind_of(model: Any) -> str:
    """`onnx`, `text`, `mlir`, `torch` or `stablehlo`: by the type of an object, the suffix of a
    path, the first bytes of content; .mlir files by what stands in them."""
    if isinstance(model, onnx.ModelProto):
        return ONNX
    if isinstance(model, TorchGraph):
        return TORCH
    if isinstance(model, StableText):
        return STABLEHLO
    return kind_of_written(model)


def opened(model: Any, inputs: Any = None, keywords: Mapping[str, Any] | None = None) -> Any:
    """The model in a form that can be read again and again: what a framework exports is exported
    once. `inputs` and `keywords` are example inputs of a PyTorch module."""
    if is_module(model) or is_exported(model) or inputs is not None or keywords is not None:
        return graph_of(model, inputs, keywords)
    text = text_of_jax(model)
    if text is not None:
        return text
    if isinstance(model, str | Path | bytes) and kind_of(model) == TORCH:
        return load_exported(model)
    return model


def read_model(model: Any, context: DojoContext, shapes: Shapes | None = None) -> ModuleOp:
    """A module of the nn dialect; its large constants are in `context.resources`.

    `model` is a path, bytes, an onnx.ModelProto, an exported PyTorch program, a JAX export, or an
    xDSL ModuleOp (which is left as it is).
    """
    model = opened(model)
    if isinstance(model, ModuleOp):
        refuse_shapes(shapes, "a module")
        return model.clone()
    if not isinstance(model, str | Path | bytes | onnx.ModelProto | TorchGraph | StableText):
        raise UsageError(
            "this kind of model cannot be compiled",
            where=f"{type(model).__module__}.{type(model).__qualname__}",
            help="give a path, bytes, an onnx.ModelProto, a PyTorch module or exported program, "
            "a JAX export, or an xDSL ModuleOp",
        )
    kind = kind_of(model)
    if kind == ONNX:
        return import_onnx(model, context, shapes)  # pyright: ignore[reportArgumentType]
    refuse_shapes(shapes, NAMES[kind])
    if isinstance(model, TorchGraph):
        return import_torch(model, context)
    if isinstance(model, StableText):
        return import_stablehlo(model.text, context, model.name)
    assert not isinstance(model, onnx.ModelProto)
    return read_written(model, kind, context)


def read_written(model: str | Path | bytes, kind: str, context: DojoContext) -> ModuleOp:
    """A model that is a text, in a file or as bytes."""
    if kind == TEXT and not isinstance(model, bytes):
        return import_text(model, context)
    if kind == IR and not isinstance(model, bytes):
        return read_ir(model, context)
    if isinstance(model, bytes):
        text, name = model.decode("utf-8", "replace"), "model bytes"
    else:
        text, name = read_text(Path(model)), str(model)
    parse = {TEXT: parse_text, IR: parse_ir, STABLEHLO: import_stablehlo}[kind]
    return parse(text, context, name)


def refuse_shapes(shapes: Shapes | None, what: str) -> None:
    if shapes:
        raise UsageError(
            f"{what} already says the shapes of its inputs",
            numbers=f"given for {', '.join(sorted(shapes))}",
            help="leave the shapes out, or change them in the model",
        )
