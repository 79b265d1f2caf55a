"""IR files: a module's text in FILE.mlir, the arrays it names in FILE.safetensors beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Attribute

from dojocc.dialects.context import DojoContext
from dojocc.dialects.printing import parse_module, print_module
from dojocc.frontends.text_file import read_text
from dojocc.runtime.errors import InputError
from dojocc.runtime.files import write_atomically


def parse_ir(text: str, context: DojoContext, name: str = "<text>") -> ModuleOp:
    """A module from IR text; arrays it names must already be in the context."""
    return parse_module(context, text, name)


def read_ir(path: str | Path, context: DojoContext) -> ModuleOp:
    """A module from an IR file, with the arrays of the file beside it, if there is one."""
    path = Path(path)
    text = read_text(path)
    beside = path.with_suffix(".safetensors")
    if beside.is_file():
        context.resources.update(read_arrays(beside))
    return parse_ir(text, context, str(path))


def write_ir(path: str | Path, module: ModuleOp, context: DojoContext) -> None:
    """The module's text at `path`, and the arrays it names beside it."""
    path = Path(path)
    named = {
        key: context.resources[key] for key in sorted(names_in(module) & set(context.resources))
    }
    if named:
        write_atomically(path.with_suffix(".safetensors"), arrays_bytes(named))
    write_atomically(path, print_module(module).encode())


def names_in(module: ModuleOp) -> set[str]:
    """Every string in the module's attributes: among them the keys of the arrays it needs."""
    found: set[str] = set()
    for op in module.walk():
        for attribute in (*op.properties.values(), *op.attributes.values()):
            collect_strings(attribute, found)
    return found


def collect_strings(attribute: Any, found: set[str]) -> None:
    if isinstance(attribute, StringAttr):
        found.add(attribute.data)
        return
    inner = getattr(attribute, "data", None)
    parts: Any = getattr(attribute, "parameters", ())
    if isinstance(inner, str):
        found.add(inner)
    elif isinstance(inner, dict):
        parts = [*inner.keys(), *inner.values()]
    elif isinstance(inner, tuple | list):
        parts = inner
    for part in parts:
        if isinstance(part, str):
            found.add(part)
        elif isinstance(part, Attribute):
            collect_strings(part, found)


def arrays_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    """A safetensors file; arrays of rows (transfer lists) are kept as bytes and a row type."""
    plain: dict[str, np.ndarray] = {}
    rows: dict[str, Any] = {}
    for name, array in arrays.items():
        array = np.ascontiguousarray(array)
        if array.dtype.names:
            rows[name] = {"type": array.dtype.descr, "shape": list(array.shape)}
            array = np.frombuffer(array.tobytes(), np.uint8)
        plain[name] = array
    return save_tensors(plain, {"rows": json.dumps(rows, sort_keys=True)})


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file that `arrays_bytes` made."""
    try:
        content = path.read_bytes()
        arrays = load_tensors(content)
        head = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        rows = json.loads(head.get("__metadata__", {}).get("rows", "{}"))
        for name, row in rows.items():
            fields = [(str(field), plain_type(text)) for field, text in row["type"]]
            arrays[name] = arrays[name].view(np.dtype(fields)).reshape(row["shape"])
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} does not hold the arrays of an IR file", where=str(error)
        ) from error
    return arrays


def plain_type(text: str) -> np.dtype:
    """A number type by its text; nothing else may stand in a row."""
    kind = np.dtype(text)
    if kind.kind not in "iufb":
        raise ValueError(f"rows may hold numbers, not {text!r}")
    return kind
