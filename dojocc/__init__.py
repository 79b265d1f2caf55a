"""dojocc: compiles model graphs to instruction streams for Dojo and runs them.

The names below load on first use, so that `import dojocc` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dojocc.api import compile, load
    from dojocc.runtime.program import Program
    from dojocc.session import Session
    from dojocc.training.trainer import Trainer

__version__ = "0.1.0"
__all__ = ["Program", "Session", "Trainer", "__version__", "compile", "load"]

HOMES = {
    "compile": "dojocc.api",
    "load": "dojocc.api",
    "Program": "dojocc.runtime.program",
    "Session": "dojocc.session",
    "Trainer": "dojocc.training.trainer",
}


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module 'dojocc' has no attribute {name!r}")
    value = getattr(import_module(HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *HOMES})
