"""The cache of programs: the same bytes again, a miss where anything that decides them differs."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from cli_run import TINY, dojocc, relu_model, write

from dojocc import cache as module
from dojocc import compiler
from dojocc.api import compile
from dojocc.cache import Cache, key_of
from dojocc.compiler import compile_cached, compile_model
from dojocc.options import Options
from dojocc.runtime.errors import UsageError
from dojocc.runtime.program import to_bytes

OPTIONS = Options(target=TINY)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    folder = tmp_path / "deep" / "cache"
    monkeypatch.setenv("DOJOCC_CACHE_DIR", str(folder))
    return Cache(folder)


def entries(cache: Cache) -> list[Path]:
    return sorted(cache.folder.iterdir()) if cache.folder.exists() else []


def refuse(*given: object, **named: object) -> None:
    raise AssertionError("compiled although the cache has the program")


def test_the_second_time_nothing_is_compiled(kept: Cache, monkeypatch) -> None:
    first = compile_cached(relu_model(), OPTIONS, kept)
    assert first.program is not None and "tile" in first.passes and len(entries(kept)) == 1
    monkeypatch.setattr(compiler, "compile_model", refuse)
    second = compile_cached(relu_model(), OPTIONS, kept)
    assert second.program is not None and list(second.passes) == ["cache"]
    assert to_bytes(second.program) == to_bytes(first.program)
    assert second.context.remarks[-1].startswith("cache: the program was compiled before")


def test_the_api_and_all_kinds_of_one_model_share_an_entry(kept: Cache, tmp_path: Path) -> None:
    content = relu_model()
    path = write(tmp_path / "m.onnx", content)
    for model in (content, path, str(path), onnx.load_from_string(content)):
        compile(model, target=TINY)
    assert len(entries(kept)) == 1


def test_everything_that_decides_a_program_is_in_its_key(monkeypatch) -> None:
    one = relu_model()
    target = OPTIONS.machine()
    others = [
        Options(target=TINY, precision="fp32"),
        Options(target=TINY, optimize=3),
        Options(target=TINY, seed=1),
        Options(target=TINY, dram=False),
        Options(target=TINY, shapes={"x": (4, 8)}),
        Options(target=TINY, defects={"nodes": [[0, 1]]}),
        Options(target=replace(target, mesh=replace(target.mesh, hop_cycles=99))),
    ]
    keys = [key_of(one, options) for options in (OPTIONS, *others)]
    other = onnx.load_from_string(one)
    other.graph.node[0].name += "_"
    keys.append(key_of(other, OPTIONS))
    monkeypatch.setattr(module, "compiler_digest", lambda: "another compiler")
    keys.append(key_of(one, OPTIONS))
    assert None not in keys and len(set(keys)) == len(keys)
    assert key_of(one, Options(target=target)) == key_of(one, OPTIONS)


def test_the_compiler_is_known_by_its_sources(tmp_path: Path) -> None:
    inside, root = tmp_path / "elsewhere", tmp_path / "package"
    inside.mkdir()
    root.mkdir()
    (root / "linked").symlink_to(inside)
    seen = [module.digest_of(root)]
    for path, content in (
        (root / "a.py", "x = 1"),
        (root / "a.py", "x = 2"),
        (inside / "b.toml", "x = 1"),
        (inside / "c.lark", "x: 1"),
    ):
        path.write_text(content)
        seen.append(module.digest_of(root))
    assert len(set(seen)) == len(seen)
    (root / "notes.txt").write_text("no source")
    assert module.digest_of(root) == seen[-1]


def test_models_that_name_other_files_are_not_kept(kept: Cache, tmp_path: Path) -> None:
    outside = onnx.load_from_string(relu_model())
    tensor = outside.graph.initializer.add(name="w", data_type=1, dims=[1])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="w.bin")
    assert key_of(outside, OPTIONS) is None
    assert key_of(b"model m(x: f32[4, 8]) { return x }", OPTIONS) is None
    assert key_of(str(tmp_path / "missing.onnx"), OPTIONS) is None


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
def test_a_damaged_entry_is_compiled_again(kept: Cache, damage: str) -> None:
    whole = to_bytes(compile_cached(relu_model(), OPTIONS, kept).program)  # pyright: ignore
    (path,) = entries(kept)
    data = path.read_bytes()
    middle = len(data) // 2
    flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    path.write_bytes({"truncated": data[:-40], "flipped": flipped, "empty": b""}[damage])
    again = compile_cached(relu_model(), OPTIONS, kept)
    assert "tile" in again.passes and again.program is not None
    assert to_bytes(again.program) == whole and path.read_bytes() == whole


def test_what_was_not_used_for_longest_goes_first(kept: Cache) -> None:
    program = compile_model(relu_model(), OPTIONS).program
    assert program is not None
    size = len(to_bytes(program))
    small = replace(kept, largest=2 * size)
    for number, key in enumerate("abc"):
        if key == "c":
            assert small.get("a") is not None  # used now, so b is the older one
        assert small.put(key, program) is None
        if key != "c":
            os.utime(small.path(key), (number, number))
    assert [path.name for path in entries(small)] == ["a.dojo", "c.dojo"]
    note = replace(kept, largest=size - 1).put("d", program)
    assert note == f"a program of {size:,} B is not kept: DOJOCC_CACHE_BYTES is {size - 1:,}"
    assert [path.name for path in entries(small)] == ["a.dojo", "c.dojo"]


def test_a_folder_that_cannot_be_written_is_a_note(tmp_path: Path) -> None:
    place = write(tmp_path / "file", b"")
    found = compile_cached(relu_model(), OPTIONS, Cache(place / "below"))
    assert found.program is not None
    assert found.context.remarks[-1].startswith(f"cache: the program is not kept in {place}")


def test_a_size_that_is_no_number_is_refused(kept: Cache, monkeypatch) -> None:
    monkeypatch.setenv("DOJOCC_CACHE_BYTES", "4G")
    with pytest.raises(UsageError, match="DOJOCC_CACHE_BYTES is a number of bytes") as found:
        compile(relu_model(), target=TINY)
    assert found.value.numbers == "have '4G'"


def test_the_command_uses_it_unless_told_not_to(kept: Cache, tmp_path: Path) -> None:
    model, out = write(tmp_path / "m.onnx", relu_model()), tmp_path / "m.dojo"
    words = ["compile", model, "-o", out, "--target", TINY]
    for word in ("--no-cache", "--timing", "--print-ir-after-all"):
        assert dojocc(*words, word).code == 0
        assert not entries(kept)
    assert dojocc(*words).code == 0
    first = out.read_bytes()
    assert len(entries(kept)) == 1
    out.unlink()
    second = dojocc(*words)
    assert out.read_bytes() == first
    assert "the program was compiled before" in second.err


def test_without_the_variable_nothing_is_kept(monkeypatch) -> None:
    monkeypatch.delenv("DOJOCC_CACHE_DIR", raising=False)
    assert Cache.of_environment() is None


def test_a_kept_program_is_written_without_the_compiler(kept: Cache, tmp_path: Path) -> None:
    model, cold, warm = write(tmp_path / "m.onnx", relu_model()), tmp_path / "c", tmp_path / "w"
    assert dojocc("compile", model, "--target", TINY, "-o", cold).code == 0
    script = (
        "import sys\n"
        "from dojocc.cli.main import main\n"
        "code = main(sys.argv[1:])\n"
        "print(code, sorted({'xdsl', 'onnx', 'networkx', 'lark'} & set(sys.modules)))\n"
    )
    words = [sys.executable, "-c", script, "compile", model, "--target", TINY, "-o", warm]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=True)
    assert done.stdout == "0 []\n" and warm.read_bytes() == cold.read_bytes()
    assert "note: cache: the program was compiled before" in done.stderr
    assert f"{warm}: 6 nodes" in done.stderr
    assert dojocc("compile", model, "--target", TINY, "-o", warm, "--verify").code == 0
    assert dojocc("compile", model, "--target", TINY, "--emit", "asm", "-o", warm).code == 0
