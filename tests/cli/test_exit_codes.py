"""0 fine, 1 rejected, 2 usage, 3 the machine stopped, 70 our mistake; a closed pipe is silent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from cli_run import MODEL, TINY, dojocc, refused, write

from dojocc.cli import compile_anew
from dojocc.runtime.errors import DojoError

ROOT = Path(__file__).parents[2]
DEADLOCK = """\
.target "d1-die"
.mark "stuck" "node 'w'"
.class grid 1x2 nodes 0..1
.thread 0
  mark 0
  wait s3, 1
  halt
"""


@pytest.mark.parametrize(
    "words, part",
    [
        (["comple"], "did you mean 'dojocc compile'?"),
        (["compile"], "required: MODEL"),
        (["compile", "m.onnx"], "where to write the program?"),
        (["compile", "m.onnx", "-o", "-", "--json"], "both want stdout"),
        (["compile", "m.onnx", "-o", "p", "-O9"], "invalid choice: 9"),
        (["compile", "m.onnx", "-o", "p", "--precision", "fp8"], "invalid choice: 'fp8'"),
        (["compile", "m.onnx", "-o", "p", "--print-ir-after", "fuze"], "that pass does not run"),
        (["compile", "m.onnx", "-o", "p", "--prec", "bf16"], "unrecognized arguments"),
        (["opt"], "which file?"),
        (["targets"], "required"),
        (["pack", "b.csv", "--capacity", "0"], "--capacity must be at least 1"),
        (["pack", "b.csv", "--capacity", "9", "--effort", "-1"], "--effort cannot be negative"),
        (["pack", "b.csv", "--capacity", "9", "--seconds", "nan"], "--seconds cannot be negative"),
    ],
)
def test_usage(words: list[str], part: str) -> None:
    refused(dojocc(*words), 2, part, "help")


@pytest.mark.parametrize("words", [["run", "p.dojo"], ["run", "p.dojo", "--timing-only"]])
def test_a_deadlock_is_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "p.s", DEADLOCK)
    assert dojocc("asm", "p.s", "-o", "p.dojo").code == 0
    refused(dojocc(*words), 3, "deadlock", "semaphore", "3")


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A compiler with a mistake in it, and a model to meet it with."""

    def fail(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("nobody expected this")

    monkeypatch.setattr(compile_anew, "compile_cached", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return write(tmp_path / "m.dojotext", MODEL)


def test_our_mistake_is_70_with_a_reproducer(broken: Path) -> None:
    answer = dojocc("compile", broken, "-o", broken.parent / "p.dojo")
    refused(answer, 70, "internal error: ZeroDivisionError: nobody expected this", "DOJOCC_DEBUG=1")
    (path,) = broken.parent.glob("dojocc-reproducer-*.zip")
    assert str(path) in answer.err
    with zipfile.ZipFile(path) as archive:
        about = json.loads(archive.read("about.json"))
        assert about["command"][:2] == ["dojocc", "compile"]
        assert "nobody expected this" in archive.read("traceback.txt").decode()
        assert archive.read("inputs/0-m.dojotext").decode() == MODEL
    assert not (broken.parent / "p.dojo").exists()


def test_debug_shows_the_traceback(broken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOJOCC_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        dojocc("compile", broken, "-o", broken.parent / "p.dojo")
    with pytest.raises(DojoError):
        dojocc("targets", "show", "none")


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    function = f"dojocc() {{ '{sys.executable}' -m dojocc.cli.main \"$@\"; }}"
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{function}\n{command}"],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        timeout=120,
    )


def test_a_closed_pipe_is_silent(tmp_path: Path) -> None:
    for command in ("targets show d1-die", "--help", "doctor --help"):
        result = shell(f"dojocc {command} | true", tmp_path)
        assert (result.returncode, result.stderr) == (0, "")


def test_the_shell_sees_the_codes_and_no_terminal_codes(tmp_path: Path) -> None:
    write(tmp_path / "m.dojotext", MODEL)
    result = shell(f"dojocc compile m.dojotext -o p.dojo --target '{TINY}'", tmp_path)
    assert result.returncode == 0 and result.stdout == ""
    assert "\x1b" not in result.stderr and "p.dojo: 6 nodes" in result.stderr
    assert shell("dojocc run p.dojo", tmp_path).returncode == 2
    assert shell("dojocc run none.dojo", tmp_path).returncode == 1
