"""The .dojo container: a zip, stored, of manifest.msgpack and tensors.safetensors, with checksums.

`pack` makes the same bytes of the same content; `unpack` opens files from strangers: every size is
checked against the file before anything is allocated, and nothing in the file is executed.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import struct
import zipfile
from typing import Any

import msgpack
import numpy as np
from safetensors.numpy import save as save_tensors

from dojocc.runtime.errors import ProgramFileError

FORMAT = "dojo-program"
VERSION = 4
MANIFEST = "manifest.msgpack"
TENSORS = "tensors.safetensors"
LARGEST_MANIFEST = 256 << 20
LARGEST_HEADER = 100 << 20
LARGEST_RANK = 32
COMMENT = b"dojo-program sha256 "
LOCAL_HEADER = struct.Struct("<4s22xHH")
"""Of a zip member: signature, and the lengths of its name and of what stands between that and its
content."""
EPOCH = (1980, 1, 1, 0, 0, 0)
DTYPES = {
    "BOOL": "bool",
    "I8": "int8",
    "U8": "uint8",
    "I16": "int16",
    "U16": "uint16",
    "I32": "int32",
    "U32": "uint32",
    "I64": "int64",
    "U64": "uint64",
    "F32": "float32",
    "F64": "float64",
}
REBUILD = "compile or assemble the program again"


def pack(manifest: dict[str, Any], tensors: dict[str, np.ndarray]) -> bytes:
    """The container's bytes; `manifest` must be plain data with its keys in a fixed order."""
    ordered = {name: np.asarray(tensors[name], order="C") for name in sorted(tensors)}
    blob = save_tensors(ordered)
    head = {"format": FORMAT, "version": VERSION, "tensors_sha256": _digest(blob)}
    text = bytes(msgpack.Packer(use_bin_type=True).pack(head | manifest))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in ((MANIFEST, text), (TENSORS, blob)):
            info = zipfile.ZipInfo(name, EPOCH)
            info.create_system = 3
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)
        archive.comment = COMMENT + _digest(text).encode()
    return buffer.getvalue()


def unpack(
    data: bytes, source: str = "program file"
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """(manifest, tensors) of a container; anything wrong raises ProgramFileError."""
    text, blob, comment = _members(data, source)
    if comment != COMMENT + _digest(text).encode():
        raise ProgramFileError(
            f"{source} is corrupt", where=f"checksum of {MANIFEST}", help=REBUILD
        )
    manifest = _manifest(text, source)
    if manifest.get("tensors_sha256") != _digest(blob):
        raise ProgramFileError(f"{source} is corrupt", where=f"checksum of {TENSORS}", help=REBUILD)
    return manifest, _tensors(blob, source)


def _digest(data: bytes | memoryview) -> str:
    return hashlib.sha256(data).hexdigest()


def _members(data: bytes, source: str) -> tuple[bytes, memoryview, bytes]:
    """The two members and the archive's comment, after every declared size is checked."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, EOFError) as error:
        raise ProgramFileError(
            f"{source} is not a program file, or it is truncated",
            where=str(error),
            numbers=f"{len(data)} B",
            help=REBUILD,
        ) from error
    with archive:
        infos = archive.infolist()
        names = [info.filename for info in infos]
        if names != [MANIFEST, TENSORS]:
            raise ProgramFileError(
                f"{source} is not a program file",
                where=f"members {', '.join(repr(name[:40]) for name in names[:4])}",
                help=f"it must hold exactly {MANIFEST} and {TENSORS}",
            )
        for info in infos:
            stored = info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & 0x1
            if not stored or info.compress_size != info.file_size or info.file_size > len(data):
                raise ProgramFileError(
                    f"{source} is corrupt",
                    where=f"member {info.filename} is not stored plainly",
                    numbers=f"declared {info.file_size} B, file {len(data)} B",
                    help=REBUILD,
                )
        if infos[0].file_size > LARGEST_MANIFEST:
            raise ProgramFileError(
                f"{source} has a manifest that is too large",
                numbers=f"{infos[0].file_size} B, at most {LARGEST_MANIFEST} B",
            )
        text, blob = (_content(data, info, source) for info in infos)
        return bytes(text), blob, archive.comment


def _content(data: bytes, info: zipfile.ZipInfo, source: str) -> memoryview:
    """A member's bytes where they lie in the file, without a copy: `unpack` compares their sha256,
    which says more than the zip's own checksum."""
    head = data[info.header_offset : info.header_offset + LOCAL_HEADER.size]
    try:
        signature, name_size, extra_size = LOCAL_HEADER.unpack(head)
    except struct.error:
        signature, name_size, extra_size = b"", 0, 0
    name = info.header_offset + LOCAL_HEADER.size
    first = name + name_size + extra_size
    last = first + info.file_size
    right = signature == b"PK\3\4" and data[name : name + name_size] == info.orig_filename.encode()
    if not right or last > len(data):
        raise ProgramFileError(
            f"{source} is corrupt",
            where=f"member {info.filename} is not where the zip says",
            numbers=f"bytes {first}..{last} of {len(data)}",
            help=REBUILD,
        )
    return memoryview(data)[first:last]


def _manifest(text: bytes, source: str) -> dict[str, Any]:
    try:
        manifest = msgpack.unpackb(text, raw=False, strict_map_key=True, max_ext_len=0)
    except (ValueError, TypeError, msgpack.UnpackException, RecursionError) as error:
        raise ProgramFileError(f"{source} has a corrupt manifest", where=str(error)) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ProgramFileError(f"{source} is not a program file", where=MANIFEST, help=REBUILD)
    if manifest.get("version") != VERSION:
        raise ProgramFileError(
            f"{source} has another version of the program format",
            numbers=f"file version {manifest.get('version')!r}, this dojocc reads {VERSION}",
            help=f"{REBUILD} with this dojocc, or use the dojocc that made it",
        )
    return manifest


def _tensors(blob: memoryview, source: str) -> dict[str, np.ndarray]:
    """Read-only views into the safetensors bytes; offsets must tile the data exactly."""

    def corrupt(where: str) -> ProgramFileError:
        return ProgramFileError(f"{source} is corrupt", where=f"{TENSORS}: {where}", help=REBUILD)

    size = int.from_bytes(blob[:8], "little")
    if len(blob) < 8 or size > min(LARGEST_HEADER, len(blob) - 8):
        raise corrupt(f"header of {size} B in {len(blob)} B")
    try:
        header = json.loads(bytes(blob[8 : 8 + size]))
    except (ValueError, RecursionError) as error:
        raise corrupt(f"header: {error}") from error
    if not isinstance(header, dict):
        raise corrupt("header is no table")
    body = blob[8 + size :]
    result: dict[str, np.ndarray] = {}
    spans = []
    for name, row in header.items():
        if name == "__metadata__":
            continue
        try:
            dtype = np.dtype(DTYPES[row["dtype"]])
            shape = tuple(row["shape"])
            first, last = row["data_offsets"]
        except (KeyError, TypeError, ValueError) as error:
            raise corrupt(f"tensor {name[:40]!r}: {error!r}") from error
        whole = all(type(part) is int and part >= 0 for part in (*shape, first, last))
        if not whole or len(shape) > LARGEST_RANK or last > len(body) or first > last:
            raise corrupt(f"tensor {name[:40]!r} lies outside the file")
        if math.prod(shape) * dtype.itemsize != last - first or max((0, *shape)) >= 2**63:
            raise corrupt(f"tensor {name[:40]!r}: shape and size differ")
        spans.append((first, last))
        result[name] = np.frombuffer(body[first:last], dtype).reshape(shape)
    spans.sort()
    ends = [0, *(last for _, last in spans)]
    if [first for first, _ in spans] != ends[:-1] or ends[-1] != len(body):
        raise corrupt("tensors overlap or leave gaps")
    return result
