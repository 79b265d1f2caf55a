"""Errors that passes raise besides the typed ones of runtime/errors.py."""

from __future__ import annotations

from dojocc.runtime.errors import DojoError, UsageError

UNTRIED = "dojocc compile plans the model again with other options and names those that work"
"""The help of a pass by itself where a model does not fit: only the whole compile can try."""


class PipelineError(UsageError):
    """A pipeline string or order is wrong in itself."""


class PassBroken(DojoError):
    """A pass left a module that is not valid: a bug of the compiler, never of the model."""

    exit_code = 70
