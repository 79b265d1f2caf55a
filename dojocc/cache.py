"""Programs kept by what decides them: a model that was compiled before is read, not compiled.

The folder is that of the environment variable DOJOCC_CACHE_DIR; without it nothing is kept. A
program's key is a digest of the model's content, the options with the whole target, and the
compiler: its own sources and the versions of what it stands on. An entry is an ordinary program
file, so it carries its checksums; one that does not open is compiled again and written anew.
Entries are written whole or not at all. The folder holds at most DOJOCC_CACHE_BYTES (4 GB); what
was not used for longest goes first.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dojocc.frontends.kinds import ONNX, kind_of_written
from dojocc.options import Options
from dojocc.runtime.errors import DojoError, InputError, UsageError
from dojocc.runtime.files import write_atomically
from dojocc.runtime.program import Program, from_bytes, to_bytes

FOLDER, LARGEST = "DOJOCC_CACHE_DIR", "DOJOCC_CACHE_BYTES"
BYTES = 4 << 30
SUFFIX = ".dojo"
FORM = "dojocc.cache/1"
STANDS_ON = ("xdsl", "numpy", "onnx")
SOURCES = (".py", ".toml", ".lark")
ELSEWHERE = b"location"
"""In the bytes of every ONNX model with data in other files, as the name of the entry that says
where; models that only happen to hold these bytes are compiled anew, too."""


@dataclass(frozen=True, eq=False)
class Kept:
    """A program of the cache, the bytes of its file, and what was remarked when it was compiled."""

    program: Program
    data: bytes
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Cache:
    """A folder of programs, and how many bytes it may hold."""

    folder: Path
    largest: int = BYTES

    @staticmethod
    def of_environment() -> Cache | None:
        """The cache that the user asks for; UsageError where its size is no number."""
        folder, largest = os.environ.get(FOLDER), os.environ.get(LARGEST, str(BYTES))
        if not folder:
            return None
        if not largest.isdecimal():
            raise UsageError(f"{LARGEST} is a number of bytes", numbers=f"have {largest!r}")
        return Cache(Path(folder).expanduser(), int(largest))

    def path(self, key: str) -> Path:
        return self.folder / f"{key}{SUFFIX}"

    def get(self, key: str) -> Kept | None:
        """The program of a key; None where there is none that opens."""
        path = self.path(key)
        try:
            data = path.read_bytes()
            program = from_bytes(data, str(path))
            os.utime(path)
        except (OSError, DojoError):
            return None
        note = f"cache: the program was compiled before ({key[:12]})"
        return Kept(program, data, (*program.build.get("remarks", ()), note))

    def put(self, key: str, program: Program) -> str | None:
        """Keep a program, and let go of others until all fit; a note where that cannot be done."""
        data = to_bytes(program)
        if len(data) > self.largest:
            return f"a program of {len(data):,} B is not kept: {LARGEST} is {self.largest:,}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.trim(self.largest - len(data))
            write_atomically(self.path(key), data)
        except (OSError, InputError) as error:
            why = error.where if isinstance(error, InputError) else error.strerror
            return f"the program is not kept in {self.folder}: {why}"
        return None

    def trim(self, largest: int) -> None:
        """Remove entries, those not used for longest first, until the others take no more."""
        found = []
        for path in self.folder.glob(f"*{SUFFIX}"):
            try:
                state = path.stat()
            except OSError:
                continue  # somebody else has removed it
            found.append((state.st_mtime_ns, path.name, state.st_size))
        total = sum(size for *_, size in found)
        for _, name, size in sorted(found):
            if total <= largest:
                return
            (self.folder / name).unlink(missing_ok=True)
            total -= size


def key_of(model: Any, options: Options) -> str | None:
    """The digest of all that decides the program; None for models that are not all in one piece:
    text and IR name other files, and ONNX may."""
    content = content_of(model)
    if content is None or ELSEWHERE in content:
        return None
    target = options.machine()
    shapes = sorted((name, tuple(sizes)) for name, sizes in (options.shapes or {}).items())
    chosen = (options.precision, shapes, options.optimize, options.seed, options.dram)
    chosen = (*chosen, options.training)
    head = repr((FORM, compiler_digest(), target, chosen)).encode()
    return sha256(sha256(head).digest() + sha256(content).digest()).hexdigest()


def content_of(model: Any) -> bytes | None:
    """The bytes of an ONNX model; None for anything else, and for what cannot be read: compiling
    it says why."""
    onnx = sys.modules.get("onnx")  # without it there can be no model of its
    if onnx is not None and isinstance(model, onnx.ModelProto):
        return model.SerializeToString(deterministic=True)
    if not isinstance(model, str | Path | bytes) or kind_of_written(model) != ONNX:
        return None
    if isinstance(model, bytes):
        return model
    try:
        return Path(model).read_bytes()
    except OSError:
        return None


@lru_cache(maxsize=1)
def compiler_digest() -> str:
    """The digest of the compiler's own sources and of the versions of what it stands on."""
    versions = (sys.version, *(version(name) for name in STANDS_ON))
    return sha256((repr(versions) + digest_of(Path(__file__).parent)).encode()).hexdigest()


def digest_of(root: Path) -> str:
    """The digest of the names and the content of all sources below a folder."""
    found = sha256()
    folders = os.walk(root, followlinks=True)  # in a checkout, parts of the package are links
    paths = (Path(folder, name) for folder, _, names in folders for name in names)
    for path in sorted(each for each in paths if each.suffix in SOURCES):
        content = path.read_bytes()
        found.update(f"{path.relative_to(root)} {len(content)}\n".encode())
        found.update(content)
    return found.hexdigest()
