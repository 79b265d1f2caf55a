"""The model zoo of examples/, imported by path: `from zoo_models import zoo`."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

PATH = Path(__file__).resolve().parents[2] / "examples" / "zoo.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dojocc_zoo", PATH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


zoo = load()
