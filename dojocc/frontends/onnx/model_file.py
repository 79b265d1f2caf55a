"""Opening a model: path, bytes or ModelProto to a checked ModelProto and its constants as arrays.

External data is memory-mapped and must lie inside the model's own folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper

from dojocc.runtime.errors import InputError

OLDEST_OPSET = 1
SMALL = 1024  # bytes; larger initialisers are left out of the copy that ONNX's checker sees
STANDARD = ("", "ai.onnx")
MISTAKEN = {
    b"PK\x03\x04": "a zip archive, perhaps a PyTorch checkpoint: export it to ONNX first",
    b"\x89HDF": "an HDF5 file, perhaps a Keras model: export it to ONNX first",
    b"version https://git-lfs": "a Git LFS pointer: fetch the real file with `git lfs pull`",
    b"{": "JSON text",
    b"<": "HTML or XML text, perhaps a download page",
}


@dataclass(frozen=True)
class Source:
    """A parsed model, what to call it in messages, and the folder its external data may lie in."""

    model: onnx.ModelProto
    name: str
    folder: Path | None

    @property
    def opset(self) -> int:
        versions = [row.version for row in self.model.opset_import if row.domain in STANDARD]
        return versions[0] if versions else 0


def open_model(source: str | Path | bytes | onnx.ModelProto) -> Source:
    """Parse and check that it is an ONNX model of a known opset. No initialiser is read yet."""
    if isinstance(source, onnx.ModelProto):
        result = Source(source, source.graph.name or "model", None)
    elif isinstance(source, bytes):
        result = Source(parse(source, "model bytes"), "model bytes", None)
    else:
        path = Path(source)
        result = Source(parse(read(path), str(path)), str(path), path.resolve().parent)
    check_header(result)
    return result


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}", help="check the path of the model") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def parse(content: bytes, name: str) -> onnx.ModelProto:
    if not content:
        raise InputError(f"{name} is empty", numbers="0 bytes", help="give an ONNX model")
    size = f"{len(content)} bytes"
    for start, meaning in MISTAKEN.items():
        if content.startswith(start):
            raise InputError(
                f"{name} is not an ONNX model", numbers=size, help=f"it looks like {meaning}"
            )
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        help = "the file is truncated or is not ONNX (protobuf) at all; export or copy it again"
        raise InputError(f"{name} is not a readable ONNX model", numbers=size, help=help) from error
    if not model.HasField("graph") or not model.opset_import:
        lacks = "a graph" if not model.HasField("graph") else "an opset version"
        raise InputError(
            f"{name} is not an ONNX model: it has not {lacks}",
            numbers=size,
            help="the file is truncated or is another protobuf message",
        )
    return model


def check_header(source: Source) -> None:
    newest = onnx.defs.onnx_opset_version()
    standard = any(row.domain in STANDARD for row in source.model.opset_import)
    if standard and not OLDEST_OPSET <= source.opset <= newest:
        raise InputError(
            f"opset {source.opset} of the standard domain is not supported",
            where=source.name,
            numbers=f"opsets {OLDEST_OPSET} to {newest} are",
            help="convert the model with onnx.version_converter.convert_version",
        )
    if source.model.graph.sparse_initializer:
        name = source.model.graph.sparse_initializer[0].values.name
        raise InputError(f"sparse initialiser {name!r} is not supported", where=source.name)


def skeleton(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose large initialisers are inputs: what the checker needs to see."""
    copy = onnx.ModelProto()
    for row, value in model.ListFields():
        if row.name != "graph":
            part = getattr(copy, row.name)
            if hasattr(part, "extend"):
                part.extend(value)
            else:
                setattr(copy, row.name, value)
    for row, value in model.graph.ListFields():
        if row.name == "name" or row.name == "doc_string":
            setattr(copy.graph, row.name, value)
        elif row.name != "initializer":
            getattr(copy.graph, row.name).extend(value)
    present = {value.name for value in copy.graph.input}
    for tensor in model.graph.initializer:
        if tensor.data_location != TensorProto.EXTERNAL and tensor.ByteSize() <= SMALL:
            copy.graph.initializer.append(tensor)
        elif tensor.name not in present:
            info = helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            copy.graph.input.append(info)
    for value in (*copy.graph.input, *copy.graph.output):  # a shape may be missing: we infer it
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.shape.SetInParent()
    return copy


def check(source: Source) -> None:
    """ONNX's own checker, on the structure."""
    try:
        onnx.checker.check_model(skeleton(source.model))
    except (onnx.checker.ValidationError, UnicodeDecodeError) as error:
        text = " ".join(str(error).split())
        raise InputError(f"ONNX's checker rejects the model: {text}", where=source.name) from error


def constant_array(tensor: TensorProto, source: Source) -> np.ndarray:
    """The numbers of an initialiser; external ones are mapped, not read."""
    try:
        if tensor.data_location == TensorProto.EXTERNAL:
            return external_array(tensor, source)
        array = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError) as error:
        what = f"initialiser {tensor.name!r} is damaged: {error}"
        raise InputError(what, where=source.name) from error
    return array


def external_array(tensor: TensorProto, source: Source) -> np.ndarray:
    keys = {row.key: row.value for row in tensor.external_data}
    what = f"external data of initialiser {tensor.name!r}"
    if source.folder is None:
        help = "give the path of the model file, so that its folder is known"
        raise InputError(f"{what} cannot be found", where=source.name, help=help)
    location = keys.get("location", "")
    path = (source.folder / location).resolve()
    if not location or not path.is_relative_to(source.folder):
        raise InputError(
            f"{what} points outside the model's folder",
            where=source.name,
            numbers=f"location {location!r}",
        )
    dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    offset, need = int(keys.get("offset", 0)), prod(tensor.dims) * dtype.itemsize
    if not path.is_file():
        raise InputError(f"{what} is missing", where=source.name, help=f"there is no file {path}")
    have = path.stat().st_size
    length = int(keys.get("length", need))
    if offset < 0 or length != need or offset + need > have:
        raise InputError(
            f"{what} does not fit its file",
            where=f"{source.name}: {location}",
            numbers=f"bytes {offset} to {offset + need} are needed, {length} bytes declared, "
            f"the file has {have}",
        )
    if need == 0:
        return np.zeros(tuple(tensor.dims), dtype)
    return np.memmap(path, dtype, "r", offset, tuple(tensor.dims))
