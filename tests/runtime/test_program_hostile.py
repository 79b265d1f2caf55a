"""Hostile program files: right checksums, wrong content. Each is refused by ProgramFileError."""

import io
import json
import zipfile

import msgpack
import numpy as np
import pytest
from sample_program import make_program

from dojocc.runtime import container
from dojocc.runtime.container import MANIFEST, TENSORS
from dojocc.runtime.errors import DojoError, ProgramFileError
from dojocc.runtime.program import from_bytes, to_bytes

BYTES = to_bytes(make_program())


def packed(value) -> bytes:
    return bytes(msgpack.Packer().pack(value))


def members():
    with zipfile.ZipFile(io.BytesIO(BYTES)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive_of(parts, compression=zipfile.ZIP_STORED, comment=b""):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in parts:
            archive.writestr(name, data)
        archive.comment = comment
    return buffer.getvalue()


def test_other_members_are_refused():
    parts = list(members().items())
    for wrong in (parts[:1], parts[::-1], [*parts, ("../../etc/passwd", b"")], []):
        with pytest.raises(ProgramFileError, match="is not a program file"):
            from_bytes(archive_of(wrong))


def test_compressed_members_are_refused_unread():
    bomb = archive_of([(MANIFEST, bytes(1 << 24)), (TENSORS, b"")], zipfile.ZIP_DEFLATED)
    assert len(bomb) < 1 << 16
    with pytest.raises(ProgramFileError, match="is corrupt") as error:
        from_bytes(bomb)
    assert "not stored plainly" in str(error.value)


@pytest.mark.parametrize(
    ("place", "value"), [(0, b"XX"), (26, b"\xff\xff"), (28, b"\xff\xff"), (30, b"n")]
)
def test_a_member_that_is_not_where_the_zip_says_is_refused(place, value):
    with zipfile.ZipFile(io.BytesIO(BYTES)) as archive:
        start = archive.infolist()[1].header_offset + place
    data = BYTES[:start] + value + BYTES[start + len(value) :]
    with pytest.raises(ProgramFileError, match="is corrupt") as error:
        from_bytes(data)
    assert "member tensors.safetensors is not where the zip says" in str(error.value)


def test_a_changed_manifest_with_a_right_zip_is_refused():
    parts = members()
    parts[MANIFEST] = parts[MANIFEST].replace(b"weights", b"weighty")
    with zipfile.ZipFile(io.BytesIO(BYTES)) as archive:
        comment = archive.comment
    with pytest.raises(ProgramFileError, match="is corrupt") as error:
        from_bytes(archive_of(parts.items(), comment=comment))
    assert "checksum of manifest.msgpack" in str(error.value)


def sealed(manifest, blob):
    """A container whose checksums are right, whatever its content: what a hostile writer makes."""
    manifest = manifest | {"tensors_sha256": container._digest(blob)}
    text = packed(manifest)
    comment = container.COMMENT + container._digest(text).encode()
    return archive_of([(MANIFEST, text), (TENSORS, blob)], comment=comment)


def opened():
    parts = members()
    return msgpack.unpackb(parts[MANIFEST]), parts[TENSORS]


def test_changed_tensors_are_refused():
    manifest, blob = opened()
    text = packed(manifest)
    comment = container.COMMENT + container._digest(text).encode()
    data = archive_of([(MANIFEST, text), (TENSORS, blob[:-1] + b"x")], comment=comment)
    with pytest.raises(ProgramFileError, match="is corrupt") as error:
        from_bytes(data)
    assert "checksum of tensors.safetensors" in str(error.value)


def test_another_version_is_named():
    manifest, blob = opened()
    with pytest.raises(ProgramFileError, match="another version") as error:
        from_bytes(sealed(manifest | {"version": 7}, blob))
    assert f"file version 7, this dojocc reads {container.VERSION}" in str(error.value)
    with pytest.raises(ProgramFileError, match="is not a program file"):
        from_bytes(sealed(manifest | {"format": "zoo"}, blob))


def safetensors(header, body=b"", size=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if size is None else size).to_bytes(8, "little") + text + body


HUGE = {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}
WRAP = {"dtype": "U8", "shape": [1 << 32, 1 << 32], "data_offsets": [0, 0]}
FOUR = {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}


@pytest.mark.parametrize(
    "blob, where",
    [
        (b"", "header of 0 B"),
        (safetensors({}, size=1 << 60), "header of"),
        (safetensors(b"{"), "header"),
        (safetensors(b"[" * 5000), "header"),
        (safetensors([]), "header is no table"),
        (safetensors({"a": HUGE}), "lies outside the file"),
        (safetensors({"a": WRAP}), "shape and size differ"),
        (safetensors({"a": FOUR | {"shape": [5]}}, bytes(4)), "shape and size differ"),
        (safetensors({"a": FOUR | {"shape": [-4]}}, bytes(4)), "lies outside the file"),
        (safetensors({"a": FOUR | {"dtype": "OBJ"}}, bytes(4)), "'OBJ'"),
        (safetensors({"a": FOUR | {"shape": [1] * 99}}, bytes(4)), "lies outside the file"),
        (safetensors({"a": FOUR, "b": FOUR}, bytes(4)), "overlap or leave gaps"),
        (safetensors({"a": FOUR}, bytes(5)), "overlap or leave gaps"),
        (safetensors({"a": []}, bytes(4)), "tensor 'a'"),
    ],
)
def test_hostile_tensors_are_refused_before_any_allocation(blob, where):
    with pytest.raises(ProgramFileError) as error:
        from_bytes(sealed(opened()[0], blob))
    assert where in str(error.value)


def first(manifest, key, **changes):
    """The manifest with entries of the first row of a table changed by position."""
    row = list(manifest[key][0])
    for place, value in changes.items():
        row[int(place.removeprefix("at"))] = value
    return manifest | {key: [row, *manifest[key][1:]]}


LAYOUT_TREE = [[4, 16], [[["row"], 2, 0, 2, 2], [[], 0, 0, 16, 16]], "BF16", [2, 3]]
WIDE = [[4, 1 << 40], [[["row"], 2, 0, 2, 2], [[], 0, 0, 1 << 40, 1 << 40]], "BF16", [2, 3]]
THIN = [[4, 1 << 40], [[["row"], 2, 0, 2, 2], [[], 0, 0, 16, 16]], "BF16", [2, 3]]


@pytest.mark.parametrize(
    "change, where",
    [
        (lambda m: {k: v for k, v in m.items() if k != "classes"}, "classes"),
        (lambda m: m | {"classes": 3}, "int"),
        (lambda m: m | {"classes": []}, "needs classes"),
        (lambda m: first(m, "classes", at1=[3, 3]), "grid does not hold the nodes"),
        (lambda m: first(m, "classes", at1=[True, 6]), "grid does not hold the nodes"),
        (lambda m: first(m, "classes", at2=[12, 0, 0, 0]), "starts outside the code"),
        (lambda m: first(m, "classes", at3=[["k", 0, 13]]), "kernel 'k' lies outside the code"),
        (lambda m: first(m, "images", at1="other"), "no program class 'other'"),
        (lambda m: first(m, "images", at0=[1, 2]), "must have a text as its name"),
        (lambda m: first(m, "inputs", at6=3), "must be a text"),
        (lambda m: first(m, "images", at2=1310720), "outside the SRAM"),
        (lambda m: first(m, "images", at2=-64), "outside the SRAM"),
        (lambda m: first(m, "images", at2=2.5), "outside the SRAM"),
        (lambda m: first(m, "images", at3=WIDE), "outside the SRAM"),
        (lambda m: first(m, "inputs", at3=THIN), "layout cannot hold the tensor"),
        (lambda m: first(m, "images", at4="none"), "there is no tensor 'none'"),
        (lambda m: first(m, "images", at4="table"), "does not suit its image"),
        (lambda m: first(m, "inputs", at4="object"), "does not agree with its layout"),
        (lambda m: first(m, "inputs", at5=[4, 17]), "does not agree with its layout"),
        (lambda m: m | {"inputs": m["inputs"] * 2}, "two inputs have the same name"),
        (lambda m: first(m, "dram", at1=1), "no such DIP"),
        (lambda m: first(m, "dram", at2=32_000_000_000), "outside the DRAM"),
        (lambda m: m | {"target": m["target"] | {"node": {}}}, "lacks node.sram_bytes"),
        (lambda m: m | {"build": {"x": b"bytes"}}, "holds a bytes"),
        (lambda m: m | {"marks": [["only"]]}, "values to unpack"),
    ],
)
def test_hostile_manifests_are_refused(change, where):
    manifest, blob = opened()
    with pytest.raises(ProgramFileError, match="does not describe a valid program") as error:
        from_bytes(sealed(change(manifest), blob))
    assert where in str(error.value)


def test_manifests_that_are_no_tables_are_refused():
    blob = opened()[1]
    for text in (
        b"\xc1",
        packed([1, 2]),
        b"\x91" * 3000,
        packed(msgpack.Timestamp(1)),
    ):
        comment = container.COMMENT + container._digest(text).encode()
        with pytest.raises(ProgramFileError, match="corrupt manifest|not a program file"):
            from_bytes(archive_of([(MANIFEST, text), (TENSORS, blob)], comment=comment))


def test_a_hostile_file_never_raises_anything_else():
    """Random manifests with right checksums: only typed errors."""
    manifest, blob = opened()
    draw = np.random.default_rng(3)
    junk = [None, -1, 2**63, 1.5, "", "grid", [], {}, [[]], True, b"", [1, 2], 2**40]

    def shaken(value):
        if draw.random() < 0.02:
            return junk[int(draw.integers(len(junk)))]
        if isinstance(value, dict):
            return {key: shaken(item) for key, item in value.items()}
        return [shaken(item) for item in value] if isinstance(value, list) else value

    refused = 0
    for _ in range(200):
        changed = {key: shaken(value) for key, value in manifest.items()}
        try:
            from_bytes(sealed(changed, blob))
        except DojoError as error:
            assert isinstance(error, ProgramFileError)
            refused += 1
    assert refused > 100
