"""The text of a model's file, or an error that names the file."""

from __future__ import annotations

from pathlib import Path

from dojocc.runtime.errors import InputError


def read_text(path: Path) -> str:
    """What the file says; InputError if there is none or it is no text."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}", help="check the path of the model") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as text: {error}") from error
