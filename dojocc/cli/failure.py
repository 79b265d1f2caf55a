"""How errors are told: the typed ones as they are; any other with a one-file reproducer."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import sys
import tempfile
import traceback
import zipfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from dojocc import __version__
from dojocc.runtime.errors import DojoError

INTERNAL = 70
LARGEST_FILE = 512 << 20
PACKAGES = ("numpy", "xdsl", "onnx", "lark", "networkx", "msgpack", "safetensors")


def print_error(error: DojoError) -> None:
    """What, where, numbers, help: on stderr, no traceback."""
    print(f"dojocc: error: {error}", file=sys.stderr)


def report_internal(error: BaseException, words: Sequence[str]) -> int:
    """Say that this is our mistake, and where the file lies that lets us repeat it."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    place = f"{Path(last[0].filename).name}:{last[0].lineno}" if last else "unknown"
    text = str(error).splitlines() or [""]
    print(
        f"dojocc: internal error: {type(error).__name__}: {text[0][:400]}\n  where: {place}",
        file=sys.stderr,
    )
    try:
        path = write_reproducer(error, words)
        print(
            f"  reproducer: {path} (holds the command, versions and the input files)\n"
            "  help: send that file with a report; DOJOCC_DEBUG=1 shows the traceback",
            file=sys.stderr,
        )
    except OSError as failed:
        print(f"  no reproducer could be written: {failed}", file=sys.stderr)
    return INTERNAL


def write_reproducer(error: BaseException, words: Sequence[str]) -> Path:
    """A zip with command, traceback, versions and every input file named in the command."""
    trace = "".join(traceback.format_exception(error))
    about = {
        "schema": "dojocc.reproducer/1",
        "command": ["dojocc", *words],
        "dojocc": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: installed(name) for name in PACKAGES},
        "left_out": [
            str(path) for path in named_files(words) if path.stat().st_size > LARGEST_FILE
        ],
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("about.json", json.dumps(about, indent=2))
        archive.writestr("traceback.txt", trace)
        for number, path in enumerate(named_files(words)):
            if path.stat().st_size <= LARGEST_FILE:
                archive.write(path, f"inputs/{number}-{path.name}")
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()[:12]
    result = Path(tempfile.gettempdir()) / f"dojocc-reproducer-{digest}.zip"
    result.write_bytes(buffer.getvalue())
    return result


def installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def named_files(words: Sequence[str]) -> list[Path]:
    """Files that the command's words name."""
    return [Path(word) for word in words if not word.startswith("-") and Path(word).is_file()]
