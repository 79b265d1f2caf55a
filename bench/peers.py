"""`python -m bench peers [MODEL ...]`: cold and warm compiles against IREE's compiler, as commands.

Each is a process of its own that reads the same ONNX file and writes a program: `dojocc compile`
for a D1 die in bf16, without its cache (cold) and again with what that left there (warm); IREE's
importer and `iree-compile` for the CPU (llvm-cpu, this host's). Processor seconds of the process
and its threads decide, so that other work on the machine matters little; those of the wall stand
beside them. IREE is looked for in --iree, then beside this Python, then on the PATH
(`pip install "iree-base-compiler[onnx]"`). A command that fails is an error with what it said.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx

from dojocc.zoo import MODELS, build

SCHEMA = "dojocc.bench.peers/1"
CHOSEN = ("resnet50", "bert", "vit", "gpt2")
TOOLS = ("iree-import-onnx", "iree-compile")
OPSET = "17"
"""What IREE's importer lifts models to."""


@dataclass(frozen=True)
class Spent:
    """Seconds of a command: of the processors, and on the wall."""

    processor: float
    wall: float

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.processor + other.processor, self.wall + other.wall)

    def __str__(self) -> str:
        return f"{self.processor:.1f} ({self.wall:.1f})"


@dataclass(frozen=True)
class Row:
    """What one model takes."""

    model: str
    size: str
    cold: Spent
    warm: Spent
    iree: Spent

    @property
    def ratio(self) -> float:
        """Ours over IREE's, cold."""
        return self.cold.processor / self.iree.processor

    @property
    def saved(self) -> float:
        """How many times faster the warm one is."""
        return self.cold.processor / self.warm.processor

    def facts(self) -> dict[str, Any]:
        return asdict(self) | {"ratio": self.ratio, "saved": self.saved}


def spent(words: Sequence[str], more: Mapping[str, str] | None = None) -> Spent:
    """Run a command; RuntimeError with the end of what it said where it fails."""
    begun, before = time.perf_counter(), children_seconds()
    done = subprocess.run(
        words, env=os.environ | dict(more or {}), capture_output=True, text=True, check=False
    )
    wall, after = time.perf_counter() - begun, children_seconds()
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise RuntimeError(
            f"{Path(words[0]).name} ended with {done.returncode}: {' / '.join(said)}"
        )
    return Spent(after - before, wall)


def children_seconds() -> float:
    """Processor seconds of all commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def tools(folder: str | None) -> list[str]:
    """IREE's importer and compiler; FileNotFoundError says where they were looked for."""
    places = [folder] if folder else [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    found = [
        next(filter(None, (shutil.which(name, path=p) for p in places)), None) for name in TOOLS
    ]
    if None in found:
        raise FileNotFoundError(
            f"{TOOLS[found.index(None)]} is not in {' or '.join(places)}:"
            ' pip install "iree-base-compiler[onnx]", or give --iree FOLDER'
        )
    return [each for each in found if each]


def measured(name: str, size: str, iree: Sequence[str]) -> Row:
    """Compile one model with both."""
    with tempfile.TemporaryDirectory() as folder:
        model, mlir, out, cache = (
            str(Path(folder, each)) for each in ("model.onnx", "model.mlir", "out", "cache")
        )
        onnx.save(build(name, size), model)
        ours = [sys.executable, "-m", "dojocc", "compile", model, "--precision", "bf16", "-o"]
        cold, warm = (
            spent([*ours, str(Path(folder, f"{each}.dojo"))], {"DOJOCC_CACHE_DIR": cache})
            for each in ("cold", "warm")
        )
        backend = ["--iree-hal-target-backends=llvm-cpu", "--iree-llvmcpu-target-cpu=host"]
        theirs = spent([iree[0], model, "-o", mlir, "--opset-version", OPSET])
        theirs += spent([iree[1], mlir, *backend, "-o", out])
    return Row(name, size, cold, warm, theirs)


def as_markdown(rows: Sequence[Row]) -> str:
    lines = [
        "| model | cold: processor s (wall) | warm | IREE | cold / IREE | warm: times faster |",
        "|---" * 6 + "|",
    ]
    lines += [
        f"| {row.model} ({row.size}) | {row.cold} | {row.warm} | {row.iree} | {row.ratio:.2f}"
        f" | {row.saved:.1f} |"
        for row in rows
    ]
    return "\n".join(lines)


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench peers", description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=", ".join(MODELS))
    parser.add_argument("--size", choices=("paper", "tiny"), default="paper")
    parser.add_argument("--iree", metavar="FOLDER", help="where IREE's commands are")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    unknown = sorted(set(options.models) - set(MODELS))
    if unknown:
        parser.error(f"no model is called {unknown[0]}; there are {', '.join(MODELS)}")
    try:
        iree = tools(options.iree)
        rows = []
        for name in options.models or CHOSEN:
            print(f"bench: peers {name} ({options.size})", file=sys.stderr)
            rows.append(measured(name, options.size, iree))
            print(as_markdown(rows[-1:]).splitlines()[-1], file=sys.stderr)
    except (FileNotFoundError, RuntimeError) as problem:
        print(f"bench: {problem}", file=sys.stderr)
        return 1
    facts = {"schema": SCHEMA, "rows": [row.facts() for row in rows]}
    print(json.dumps(facts, indent=2) if options.json else as_markdown(rows))
    return 0
