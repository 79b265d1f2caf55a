"""Say what this installation has and lacks: versions, cores, memory, packages, a first run."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from importlib import metadata

import numpy as np

from dojocc import __version__
from dojocc.cli.shared import add_json, print_json, size_text, table
from dojocc.runtime.engines import run
from dojocc.runtime.errors import DojoError
from dojocc.runtime.isa.asm import assemble

EXAMPLE = "dojocc doctor"
NEEDED = ("xdsl", "numpy", "lark", "networkx", "msgpack", "safetensors", "rich", "onnx")
OPTIONAL = {
    "onnxruntime": "the demo and the benchmarks compare with it: pip install 'dojocc[bench]'",
    "torch": "PyTorch models: pip install 'dojocc[torch]'",
    "jax": "JAX functions: pip install 'dojocc[jax]'",
}
KERNEL = """\
.target d1-die
.class grid 1x1 nodes 0
.thread 0
  li x1, 40
  addi x1, x1, 2
  vsplat v1, x1
  abasei a0, 256
  vst v1, a0, INT32, 0
  halt
.output "y" in grid at 256 layout INT32 1x1 (16: -, 0, 0, 16, 16) as int32 [16]
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    rows = list(findings())
    fine = all(state != "bad" for _, state, _ in rows)
    if arguments.json:
        items = [dict(zip(("name", "state", "text"), row, strict=True)) for row in rows]
        print_json("dojocc.doctor/1", {"ok": fine, "findings": items})
    else:
        print(table(rows))
    return 0 if fine else 1


def findings() -> Iterator[tuple[str, str, str]]:
    """(name, ok | missing | bad, text)."""
    yield "dojocc", "ok", __version__
    yield "python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield "cores", "ok", str(len(os.sched_getaffinity(0)) if LINUX else os.cpu_count())
    if LINUX:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        yield "memory", "ok", size_text(total)
    for name in NEEDED:
        yield package(name, "bad", "needed: install dojocc again")
    for name, use in OPTIONAL.items():
        yield package(name, "missing", use)
    yield writable()
    yield first_run()


LINUX = hasattr(os, "sched_getaffinity")


def package(name: str, otherwise: str, advice: str) -> tuple[str, str, str]:
    try:
        return name, "ok", metadata.version(name)
    except metadata.PackageNotFoundError:
        return name, otherwise, advice


def writable() -> tuple[str, str, str]:
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b"x")
    except OSError as error:
        return "temporary files", "bad", str(error)
    return "temporary files", "ok", tempfile.gettempdir()


def first_run() -> tuple[str, str, str]:
    """Assemble a few instructions and run them on the reference engine."""
    start = time.perf_counter()
    try:
        outputs = run(assemble(KERNEL), {}, engine="reference").outputs
    except DojoError as error:
        return "first run", "bad", str(error)
    if not np.array_equal(outputs["y"], np.full(16, 42, np.int32)):
        return "first run", "bad", f"expected 42 in every lane, have {outputs['y'].tolist()}"
    return "first run", "ok", f"{time.perf_counter() - start:.3f} s"
