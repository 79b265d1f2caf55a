"""The benchmark against IREE's compiler: commands as a user gives them, ours and stand-ins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.peers import Row, Spent, as_markdown, main, spent, tools

COPY = """#!/bin/sh
while [ "$1" != -o ]; do shift; done
echo program > "$2"
"""
BREAK = "#!/bin/sh\necho no such op: frobnicate >&2\nexit 3\n"


def stand_ins(folder: Path, compiler: str) -> str:
    """A folder with an importer and a compiler."""
    for name, text in (("iree-import-onnx", COPY), ("iree-compile", compiler)):
        path = folder / name
        path.write_text(text)
        path.chmod(0o755)
    return str(folder)


def test_both_compile_the_same_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = stand_ins(tmp_path, COPY)
    assert main(["mlp", "--size", "tiny", "--iree", folder, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert all(row[each]["processor"] > 0 for each in ("cold", "warm", "iree"))
    assert row["saved"] == row["cold"]["processor"] / row["warm"]["processor"]


def test_what_a_failing_compiler_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = stand_ins(tmp_path, BREAK)
    assert main(["mlp", "--size", "tiny", "--iree", folder]) == 1
    said = capsys.readouterr().err
    assert "bench: iree-compile ended with 3: no such op: frobnicate" in said


def test_compiler_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mlp", "--size", "tiny", "--iree", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert f"iree-import-onnx is not in {tmp_path}: pip install" in said
    with pytest.raises(FileNotFoundError, match="give --iree FOLDER"):
        tools(str(tmp_path))


def test_ratios_and_table() -> None:
    row = Row("mlp", "tiny", Spent(6.0, 7.0), Spent(0.5, 0.6), Spent(12.0, 6.5))
    assert row.ratio == 0.5 and row.saved == 12
    line = as_markdown([row]).splitlines()[-1]
    assert line == "| mlp (tiny) | 6.0 (7.0) | 0.5 (0.6) | 12.0 (6.5) | 0.50 | 12.0 |"


def test_seconds_are_of_the_command_alone() -> None:
    spent(["sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"])
    nothing = spent(["sleep", "0.3"])
    assert nothing.wall >= 0.3 > nothing.processor > 0
