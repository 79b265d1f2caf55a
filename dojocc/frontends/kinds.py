"""Which kind of model a file or its content is: by suffix, by first bytes, and .mlir files by what
stands in them."""

from __future__ import annotations

from pathlib import Path

ONNX, TEXT, IR, TORCH, STABLEHLO = "onnx", "text", "mlir", "torch", "stablehlo"
SUFFIXES = {
    ".onnx": ONNX,
    ".dojotext": TEXT,
    ".mlir": IR,
    ".pt2": TORCH,
    ".stablehlo": STABLEHLO,
}
TEXT_STARTS = (b"model ", b"model\t", b"#")
IR_STARTS = (b"builtin.module", b"module", b'"builtin.module"', b"//")
ZIP_START = b"PK\x03\x04"
STABLE_MARKS = (b"stablehlo.", b"chlo.", b"mhlo.num_partitions")


def kind_of_written(model: str | Path | bytes) -> str:
    """`onnx`, `text`, `mlir`, `torch` or `stablehlo`, of a path or of content."""
    if isinstance(model, bytes):
        return kind_of_content(model)
    path = Path(model)
    kind = SUFFIXES.get(path.suffix.lower(), ONNX)
    if kind == IR and path.is_file() and is_stablehlo(path.read_bytes()):
        return STABLEHLO
    return kind


def kind_of_content(content: bytes) -> str:
    start = content[:256].lstrip()
    if start.startswith((*IR_STARTS, b"func.func", b"#loc")):
        return STABLEHLO if is_stablehlo(content) else IR
    if start.startswith(ZIP_START):
        return TORCH
    return TEXT if start.startswith(TEXT_STARTS) else ONNX


def is_stablehlo(content: bytes) -> bool:
    """True where ops of the dialect (or JAX's marks on a module) stand in a text."""
    return any(mark in content for mark in STABLE_MARKS)
