"""What several commands share: files or `-`, JSON with a schema, tables, progress, logs."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.status import Status

from dojocc.runtime.errors import InputError, UsageError
from dojocc.runtime.files import write_atomically
from dojocc.runtime.program import Program, from_bytes, load

STREAM = "-"


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def print_json(schema: str, values: dict[str, Any]) -> None:
    """One object; `schema` is its name with a version."""
    print(json.dumps({"schema": schema, **values}, indent=2, allow_nan=False))


def read_content(path: str) -> bytes | str:
    """A path as it is; for `-` the bytes of stdin."""
    return sys.stdin.buffer.read() if path == STREAM else path


def read_text(path: str) -> tuple[str, str]:
    """The text of a file or of stdin, and what to call it in messages."""
    if path == STREAM:
        return sys.stdin.read(), "<stdin>"
    try:
        return Path(path).read_text(encoding="utf-8"), path
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"cannot read {path}", where=reason, help="check the path") from error


def read_program(path: str) -> Program:
    return from_bytes(sys.stdin.buffer.read(), "<stdin>") if path == STREAM else load(path)


def write_output(path: str, data: bytes) -> None:
    """Put `data` at `path`, whole or not at all; `-` is stdout."""
    if path == STREAM:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        write_atomically(path, data)


def check_output(path: str | None) -> None:
    """Say early, before long work, that a file cannot be written."""
    if path is None or path == STREAM:
        return
    folder = Path(path).parent
    if not folder.is_dir() or not os.access(folder, os.W_OK) or Path(path).is_dir():
        if Path(path).is_dir():
            reason = "it is a folder"
        else:
            reason = "the folder is not writable" if folder.is_dir() else "there is no such folder"
        raise InputError(
            f"cannot write {path}", where=reason, help="the folder must exist and be writable"
        )


def refuse_two_streams(json_wanted: bool, output: str | None) -> None:
    if json_wanted and output == STREAM:
        raise UsageError("--json and -o - both want stdout", help="give one of them a file")


def table(rows: Iterable[Sequence[object]], right: Sequence[int] = ()) -> str:
    """Rows in columns; the columns numbered in `right` are flushed right."""
    texts = [[str(cell) for cell in row] for row in rows]
    if not texts:
        return ""
    widths = [max(len(row[column]) for row in texts) for column in range(len(texts[0]))]
    lines = []
    for row in texts:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def size_text(count: float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "KB", "MB", "GB"):
        if abs(count) < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.2f} {unit}"
        count /= 1000
    raise AssertionError(count)


class Tell(Protocol):
    """Says which step of how many is running."""

    def __call__(self, name: str, number: int, count: int, /) -> None: ...


@contextmanager
def progress(title: str) -> Iterator[Tell]:
    """A line on stderr that changes as work goes on; nothing where stderr is no terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda name, number, count: None
        return
    with Status(title, console=console) as status:
        yield lambda name, number, count: status.update(f"{title}: {name} ({number + 1}/{count})")


def logged() -> frozenset[str]:
    """The names in DOJOCC_LOGS="+shard,route"; "+all" logs everything."""
    text = os.environ.get("DOJOCC_LOGS", "")
    return frozenset(word.strip().lstrip("+") for word in text.split(",") if word.strip("+ "))


def log(name: str, text: str) -> None:
    """A line on stderr, if the user asked to hear of `name`."""
    wanted = logged()
    if name in wanted or "all" in wanted:
        print(f"[{name}] {text}", file=sys.stderr)
