"""Frameworks that a frontend needs only where a model of theirs is given."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from dojocc.runtime.errors import UsageError


def framework(name: str, what: str) -> Any:
    """The module `name`; `what` says what cannot be done without it."""
    try:
        return import_module(name)
    except ImportError as error:
        raise UsageError(
            f"{what} needs {name}, which cannot be imported",
            numbers=str(error),
            help=f"pip install 'dojocc[{name}]', or pip install {name}",
        ) from error
