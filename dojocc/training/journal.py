"""Metrics as JSON lines: one object a step, readable while the run goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dojocc.runtime.errors import InputError
from dojocc.runtime.files import write_atomically


class Journal:
    """A file of metrics. A run that goes on at step n keeps the lines up to n and adds to them."""

    def __init__(self, path: str | Path, step: int = 0) -> None:
        self.path = Path(path)
        write_atomically(self.path, "".join(self.lines_until(step)).encode())

    def lines_until(self, step: int) -> list[str]:
        if step == 0 or not self.path.exists():
            return []
        lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
        return [line for line in lines if step_of(line) in range(1, step + 1)]

    def add(self, metrics: Mapping[str, Any]) -> None:
        """One line; it reaches the file at once."""
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(metrics, allow_nan=False) + "\n")
        except OSError as error:
            raise InputError(f"cannot write {self.path}", where=error.strerror) from error


def step_of(line: str) -> int:
    """The step a line is of; 0 for a line that was cut off."""
    try:
        found = json.loads(line).get("step", 0)
    except (ValueError, AttributeError):
        return 0
    return found if isinstance(found, int) else 0
