"""What the documents tell people to type works, and what they link to is there."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_run import dojocc, write

from dojocc.cli.main import COMMANDS
from dojocc.passes.pipeline import PIPELINE
from dojocc.runtime.targets import load_target
from dojocc.zoo import main as zoo_main

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)\)")
RUN = ("console", "python", "toml")
SHOWN = ("mermaid",)


def blocks(path: Path, language: str) -> list[str]:
    return [text for kind, text in FENCE.findall(path.read_text()) if kind == language]


def with_blocks(language: str) -> list[Path]:
    return [path for path in DOCUMENTS if blocks(path, language)]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to work in, with the model that the documents start from."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["zoo.py", "mlp", "--size", "tiny", "-o", "mlp.onnx"])
    assert zoo_main() == 0
    yield tmp_path


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_links_and_blocks(path: Path) -> None:
    text = path.read_text()
    for link in LINK.findall(text):
        if "://" not in link:
            assert (path.parent / link).exists(), f"{link} is not there"
    for kind, _ in FENCE.findall(text):
        assert kind in (*RUN, *SHOWN), f"no test runs blocks of {kind!r}"


@pytest.mark.parametrize("path", with_blocks("console"), ids=name)
def test_console_blocks(path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for block in blocks(path, "console"):
        for line in block.splitlines():
            type_in(shlex.split(line), monkeypatch)


def type_in(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One line of a console block."""
    if words[0] == "dojocc":
        answer = dojocc(*words[1:])
        assert answer.code == 0, f"{words}: {answer.err}"
    elif words[:2] == ["python", "-c"]:
        exec(words[2], {})
    else:
        assert words[0] == "python"
        monkeypatch.setattr(sys, "argv", words[1:])
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(ROOT / words[1]), run_name="__main__")
        assert stop.value.code == 0


@pytest.mark.parametrize("path", with_blocks("python"), ids=name)
def test_python_blocks(path: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    for block in blocks(path, "python"):
        exec(compile(block, str(path), "exec"), names)
    assert capsys.readouterr().out


@pytest.mark.parametrize("path", with_blocks("toml"), ids=name)
def test_toml_blocks_are_targets(path: Path, tmp_path: Path) -> None:
    for block in blocks(path, "toml"):
        target = load_target(write(tmp_path / "mine.toml", block))
        assert target.name == "mine" and target.defect_nodes == ((3, 4),)


def test_every_command_is_described() -> None:
    text = (ROOT / "docs" / "cli.md").read_text()
    assert [each for each in COMMANDS if f"`{each}" not in text] == []


def test_set_up_commands_exist() -> None:
    """`./dojo X` in any document is a command of the script."""
    known = subprocess.run([ROOT / "dojo", "help"], capture_output=True, text=True, check=True)
    for path in DOCUMENTS:
        for command in re.findall(r"\./dojo ([a-z]+)", path.read_text()):
            assert re.search(rf"\b{command}\b", known.stdout), f"{path.name}: ./dojo {command}"
    unknown = subprocess.run([ROOT / "dojo", "tset"], capture_output=True, text=True)
    assert unknown.returncode == 2 and "there is no command 'tset'" in unknown.stderr


def test_scripts_are_sound_and_executable() -> None:
    for script in (ROOT / "dojo", ROOT / ".ci" / "run"):
        assert os.access(script, os.X_OK)
        subprocess.run(["bash", "-n", script], check=True)


def test_paths_named_in_contributing_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    found = re.findall(r"`((?:runtime|dialects|passes|tests|docs)/[\w./]*)`", text)
    assert len(found) > 8
    assert [path for path in found if not (ROOT / path).exists()] == []


def test_every_pass_has_its_folder_of_cases() -> None:
    """The promise of CONTRIBUTING.md: a pass is a file, a line, and a folder of cases."""
    for step in PIPELINE:
        module = Path(*step.make.__module__.split(".")[1:])
        assert (ROOT / module).with_suffix(".py").is_file()
        assert list((ROOT / "tests" / "filecheck" / step.make.name).glob("*.mlir")), step.make.name
