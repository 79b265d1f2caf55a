"""Files stay under 400 lines and functions under 60; there is no list of exceptions."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("runtime", "dialects", "passes", "dojocc", "tests", "examples", "bench")
FILE_LINES = 400
FUNCTION_LINES = 60


def python_files() -> list[Path]:
    """Every Python file of the repository once (dojocc/ holds links to the other folders)."""
    found = []
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path.resolve() == path:
                found.append(path)
    return found


def long_functions(source: str) -> list[str]:
    tree = ast.parse(source)
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = [(f.name, f.lineno, (f.end_lineno or f.lineno) - f.lineno + 1) for f in functions]
    return [
        f"{n} at line {line}: {size} lines" for n, line, size in lengths if size > FUNCTION_LINES
    ]


@pytest.mark.parametrize("path", python_files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_file_and_function_sizes(path: Path) -> None:
    source = path.read_text()
    lines = source.count("\n")
    assert lines <= FILE_LINES, f"{path.name} has {lines} lines, {lines - FILE_LINES} too many"
    assert not long_functions(source)


@pytest.mark.parametrize("path", python_files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_file_opens_with_what_it_is(path: Path) -> None:
    source = path.read_text()
    if path.name == "__init__.py" and not source.strip():
        return
    assert ast.get_docstring(ast.parse(source)), f"{path.name} has no docstring"


def test_the_check_sees_a_long_function() -> None:
    body = "\n".join(f"    x{i} = {i}" for i in range(FUNCTION_LINES))
    assert long_functions(f"def long():\n{body}\n") == [
        f"long at line 1: {FUNCTION_LINES + 1} lines"
    ]
    assert long_functions("def short():\n    pass\n") == []
