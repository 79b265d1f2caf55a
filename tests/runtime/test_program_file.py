"""The program file: round trips, same bytes for the same program, what a program must hold."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_program import ROOT, TINY, list_entry, make_program

from dojocc.runtime import container
from dojocc.runtime.container import pack, unpack
from dojocc.runtime.errors import InputError, ProgramFileError
from dojocc.runtime.files import write_atomically
from dojocc.runtime.program import from_bytes, load, save, to_bytes
from dojocc.runtime.targets import load_target


def same(a, b):
    return to_bytes(a) == to_bytes(b)


def test_save_and_load_give_the_same_program(tmp_path):
    program = make_program()
    program.save(tmp_path / "x.dojo")
    again = load(tmp_path / "x.dojo")
    assert same(program, again)
    assert again.target == program.target and again.images == program.images
    assert again.inputs == program.inputs and again.outputs == program.outputs
    assert again.marks == program.marks and again.dram == program.dram
    assert again.build == program.build and (again.lists == program.lists).all()
    item, other = program.classes[0], again.cls("grid")
    assert (item.name, item.grid, item.entries, item.kernels) == (
        other.name, other.grid, other.entries, other.kernels,
    )  # fmt: skip
    for name in ("nodes", "code", "debug"):
        assert (getattr(item, name) == getattr(other, name)).all()
    for name, array in program.tensors.items():
        assert again.tensors[name].dtype == array.dtype
        assert again.tensors[name].shape == array.shape
        assert (again.tensors[name] == array).all()
    assert os.listdir(tmp_path) == ["x.dojo"]


def test_images_give_values_from_codes_and_from_values():
    program = make_program()
    weights, codes = (program.content(image) for image in program.images)
    assert weights.dtype == codes.dtype == np.float32
    assert np.allclose(weights, codes, rtol=2**-8)


def test_bytes_do_not_depend_on_the_order_of_tables():
    program = make_program()
    shuffled = replace(
        program,
        tensors=dict(reversed(program.tensors.items())),
        build={"options": {"a": True, "b": [1, None, 2.5]}, "version": "0.1.0"},
    )
    assert same(program, shuffled)
    assert not same(program, make_program(build={}))


def test_bytes_do_not_depend_on_the_hash_seed():
    code = (
        "import hashlib, sample_program as s; from dojocc.runtime.program import to_bytes;"
        "print(hashlib.sha256(to_bytes(s.make_program())).hexdigest())"
    )
    digests = set()
    for seed in ("1", "2"):
        environment = os.environ | {
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": f"{ROOT}:{ROOT}/tests/support",
        }
        run = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr
        digests.add(run.stdout)
    assert len(digests) == 1


def test_nothing_is_left_of_a_failed_save(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="cannot write"):
        save(make_program(), tmp_path / "no" / "x.dojo")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="cannot write") as error:
        save(make_program(), tmp_path / "folder")
    assert "folder must exist" in str(error.value)
    (tmp_path / "x.dojo").write_bytes(b"old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "x.dojo", b"new")
    assert (tmp_path / "x.dojo").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["folder", "x.dojo"]


def test_a_missing_file_is_explained(tmp_path):
    with pytest.raises(InputError, match="cannot read .*none.dojo"):
        load(tmp_path / "none.dojo")


BYTES = to_bytes(make_program())


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(BYTES) - 1), st.integers(1, 255))
def test_a_changed_byte_never_crashes_and_never_changes_content(place, change):
    data = bytearray(BYTES)
    data[place] ^= change
    try:
        program = from_bytes(bytes(data))
    except ProgramFileError:
        return
    assert to_bytes(program) == BYTES


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(BYTES) - 1))
def test_a_truncated_file_is_refused(size):
    with pytest.raises(ProgramFileError, match="truncated|corrupt"):
        from_bytes(BYTES[:size])


@pytest.mark.parametrize("data", [b"", b"PK", b"\x7fELF" + bytes(100), b"not a zip" * 50])
def test_a_file_that_is_no_zip_is_refused(data):
    with pytest.raises(ProgramFileError, match="is not a program file") as error:
        from_bytes(data, "x.dojo")
    assert "compile or assemble" in str(error.value) and "x.dojo" in str(error.value)


@pytest.mark.parametrize(
    "fields, text",
    [
        ({"kind": 4}, "an unknown kind"),
        ({"cls": 1}, "a class that is not there"),
        ({"node": 6}, "a node outside its class"),
        ({"peer_cls": 9}, "a peer class that is not there"),
        ({"peer": 6}, "a peer that is not there"),
        ({"kind": 2, "peer": 1}, "a peer that is not there"),
        ({"peers": 0}, "no peer"),
        ({"peer": 2, "peers": 3, "peer_stride": 2}, "a peer that is not there"),
        ({"peers": 2**32 - 1, "peer_stride": 2**32 - 1}, "a peer that is not there"),
        ({"kind": 1, "peers": 2}, "several peers, which only a push has"),
        ({"kind": 2, "peers": 2, "peer_stride": 0}, "several peers, which only a push has"),
        ({"far_sem": 64}, "a semaphore that is not there"),
        ({"src": 1310720}, "bytes outside the memory at its src end"),
        ({"dst": 2**64 - 1}, "bytes outside the memory at its dst end"),
        ({"count0": 3, "src_stride0": -1}, "bytes outside the memory at its src end"),
        ({"count1": 2**32 - 1, "dst_stride1": 2**62}, "bytes outside the memory at its dst end"),
        ({"kind": 3, "dst": 32_000_000_000}, "bytes outside the memory at its dst end"),
    ],
)
def test_wrong_transfer_lists_are_refused(fields, text):
    with pytest.raises(InputError, match=text):
        make_program(lists=list_entry(**fields))


def test_transfer_lists_may_run_backwards_and_be_empty():
    back = list_entry(src=100, bytes=4, count0=26, src_stride0=-4, dst_stride0=4)
    nothing = list_entry(list=1, src=2**40, count0=0, src_stride0=2**50)
    dram = list_entry(list=2, kind=2, src=32_000_000_000 - 1)
    make_program(lists=np.concatenate([back, nothing, dram]))
    make_program(lists=list_entry(peer=1, peers=3, peer_stride=2))
    with pytest.raises(InputError, match="are not sorted"):
        make_program(lists=np.concatenate([dram, back]))


def test_classes_hold_each_live_node_once():
    program = make_program()
    item = program.classes[0]
    holes = load_target(TINY).with_dead([4])
    with pytest.raises(InputError, match="names dead nodes"):
        make_program(target=holes)
    spare = replace(item, name="spare", nodes=np.array([5]), grid=(1, 1))
    with pytest.raises(InputError, match="stands twice"):
        make_program(classes=(item, spare))
    with pytest.raises(InputError, match="outside the target"):
        make_program(classes=(replace(item, nodes=np.arange(1, 7)),))
    with pytest.raises(InputError, match="names a mark that is not there"):
        make_program(marks=(), classes=(replace(item, debug=np.zeros(12, np.int32)),))
    with pytest.raises(InputError, match="code must be one row of uint32"):
        replace(item, code=np.zeros(12, np.int64))


def test_the_container_alone_keeps_all_types():
    tensors = {
        name: np.arange(6).reshape(2, 3).astype(name) for name in set(container.DTYPES.values())
    }
    manifest, again = unpack(pack({"a": 1}, tensors))
    assert manifest["a"] == 1 and set(again) == set(tensors)
    for name, array in again.items():
        assert array.dtype == np.dtype(name) and (array == tensors[name]).all()
        assert not array.flags.writeable
