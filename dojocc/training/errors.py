"""Errors of a training run besides the typed ones of runtime/errors.py."""

from __future__ import annotations

from dojocc.runtime.errors import DojoError, InputError


class Diverged(DojoError):
    """A step gave numbers that are not finite; the trainer still holds what was before it."""


class BadBatch(InputError):
    """A batch that must not be trained on: NaN in it, or labels that are no classes."""


class CheckpointError(InputError):
    """A checkpoint that cannot be read, or is of another model or optimizer."""
