"""Writing files whole: beside the target first, then renamed, so that no partial file is left."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from dojocc.runtime.errors import InputError


def write_atomically(path: str | Path, data: bytes) -> None:
    """Put `data` at `path`; on failure `path` is as it was and InputError says why."""
    path = Path(path)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        with open(beside, "xb") as file:
            file.write(data)
        os.replace(beside, path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise InputError(
            f"cannot write {path}",
            where=error.strerror or str(error),
            help="the folder must exist and be writable",
        ) from error
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
