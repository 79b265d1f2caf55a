"""Typed errors: what did not work, where, the numbers, what would help."""

from __future__ import annotations


class DojoError(Exception):
    """Base of every error a user can cause or meet; `exit_code` is the command line's answer."""

    exit_code = 1

    def __init__(
        self,
        what: str,
        where: str | None = None,
        numbers: str | None = None,
        help: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.numbers = numbers
        self.help = help

    def __str__(self) -> str:
        parts = [("where", self.where), ("numbers", self.numbers), ("help", self.help)]
        return "\n".join([self.what, *(f"  {name}: {text}" for name, text in parts if text)])


class InputError(DojoError):
    """The input is rejected."""


class UsageError(DojoError):
    """The command or call is wrong in itself."""

    exit_code = 2


class MachineStop(DojoError):
    """The machine stopped: deadlock, trap or watchdog."""

    exit_code = 3


class ProgramFileError(InputError):
    """A .dojo file is corrupt, truncated, hostile or of another version."""


class AssemblyError(InputError):
    """Assembly text is wrong; `where` shows line, column and a caret."""


class TargetError(InputError):
    """A target description is wrong."""


class UnsupportedError(InputError):
    """The model uses something this compiler does not support."""


class DoesNotFit(InputError):
    """The model does not fit the target."""
