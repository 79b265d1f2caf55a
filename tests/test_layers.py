"""Imports go one way: runtime <- dialects <- passes <- dojocc, deferred imports included."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ORDER = ("runtime", "dialects", "passes", "dojocc")
# Frameworks that a frontend may import inside a function, since they are optional.
OPTIONAL_FRAMEWORKS = {"torch", "jax", "onnxruntime", "flax", "tensorflow"}
RUNTIME_MAY_USE = {"numpy", "lark", "msgpack", "msgspec", "safetensors", "networkx"}


def layer_files() -> list[tuple[str, Path]]:
    found = []
    for layer in ORDER:
        for path in sorted((ROOT / layer).rglob("*.py")):
            if path.resolve() == path:
                found.append((layer, path))
    return found


def layer_of(module: str) -> str | None:
    """Which of the four folders a module name stands in; None for anything outside."""
    parts = module.split(".")
    if parts[0] in ORDER[:3]:
        return "banned"
    if parts[0] != "dojocc":
        return None
    return parts[1] if len(parts) > 1 and parts[1] in ORDER[:3] else "dojocc"


def imports(tree: ast.AST) -> list[tuple[str, int, bool]]:
    """(module, line, deferred) of every import; deferred = inside a function."""
    deferred = {
        id(inner)
        for outer in ast.walk(tree)
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for inner in ast.walk(outer)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno, id(node) in deferred) for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            names = [f"dojocc.{a.name}" for a in node.names] if node.module == "dojocc" else []
            module = ("." * node.level) + (node.module or "")
            found += [(name, node.lineno, id(node) in deferred) for name in names or [module]]
    return found


def violations(layer: str, source: str, frontend: bool = False) -> list[str]:
    found = []
    for module, line, deferred in imports(ast.parse(source)):
        target = layer_of(module)
        top = module.split(".")[0]
        if target == "banned" or module.startswith("."):
            found.append(f"line {line}: write dojocc.{module}, not {module}")
        elif target is not None and ORDER.index(target) > ORDER.index(layer):
            found.append(f"line {line}: {layer} may not import {module}")
        elif deferred and not (frontend and top in OPTIONAL_FRAMEWORKS):
            found.append(f"line {line}: import of {module} inside a function")
        elif layer == "runtime" and top == "xdsl":
            found.append(f"line {line}: the machine knows nothing of xdsl")
    return found


@pytest.mark.parametrize(
    "layer, path",
    layer_files(),
    ids=lambda v: v if isinstance(v, str) else str(v.relative_to(ROOT)),
)
def test_imports_point_down(layer: str, path: Path) -> None:
    frontend = "frontends" in path.parts or path.name in ("onnx_backend.py", "doctor.py")
    assert violations(layer, path.read_text(), frontend) == []


@pytest.mark.parametrize(
    "path", [p for layer, p in layer_files() if layer == "passes" and "solve" in p.parts]
)
def test_solvers_are_plain_data(path: Path) -> None:
    tops = {module.split(".")[0] for module, _, _ in imports(ast.parse(path.read_text()))}
    assert "xdsl" not in tops
    above = [
        m
        for m, _, _ in imports(ast.parse(path.read_text()))
        if layer_of(m) in ("dialects", "dojocc")
    ]
    assert above == []


@pytest.mark.parametrize("path", [p for layer, p in layer_files() if layer == "runtime"])
def test_runtime_uses_few_packages(path: Path) -> None:
    standard = sys.stdlib_module_names
    tops = {module.split(".")[0] for module, _, _ in imports(ast.parse(path.read_text()))}
    assert tops - standard - {"dojocc"} <= RUNTIME_MAY_USE


def test_the_check_sees_each_violation() -> None:
    assert violations("runtime", "from dojocc.passes.base import Pass\n") == [
        "line 1: runtime may not import dojocc.passes.base"
    ]
    assert violations("passes", "def f():\n    import json\n") == [
        "line 2: import of json inside a function"
    ]
    assert violations("passes", "from runtime.errors import DojoError\n") == [
        "line 1: write dojocc.runtime.errors, not runtime.errors"
    ]
    assert violations("runtime", "import xdsl.ir\n") == [
        "line 1: the machine knows nothing of xdsl"
    ]
    assert violations("dialects", "def f():\n    from dojocc import api\n") == [
        "line 2: dialects may not import dojocc.api"
    ]
    assert violations("dojocc", "def f():\n    import torch\n", frontend=True) == []
    assert violations("dojocc", "from dojocc.runtime.errors import InputError\n") == []
