"""`python -m bench [MODEL ...]`: every model of examples/zoo.py against ONNX Runtime.

A Markdown table on stdout, or JSON with --json; progress on stderr. A model that fails is a row
that says so, and the exit code is 1. `python -m bench mesh`, `python -m bench collectives`,
`python -m bench gemm`, `python -m bench models`, `python -m bench compile`, `python -m bench peers`
and `python -m bench onnx` are others: see bench/mesh.py, bench/collectives.py, bench/gemm.py,
bench/models.py, bench/compiling.py, bench/peers.py, bench/onnx_suite.py.
`python -m bench.opinfo` needs PyTorch.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from typing import Any

from bench import collectives, compiling, gemm, mesh, models, onnx_suite, peers
from bench.measure import Row, measure
from dojocc.allocator import keep_freed_memory
from dojocc.passes.precision import PRECISIONS
from dojocc.runtime.errors import DojoError
from dojocc.zoo import MODELS

SCHEMA = "dojocc.bench/1"
OTHERS = {
    "mesh": mesh.main,
    "collectives": collectives.main,
    "gemm": gemm.main,
    "models": models.main,
    "compile": compiling.main,
    "peers": peers.main,
    "onnx": onnx_suite.main,
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=", ".join(MODELS))
    parser.add_argument("--size", choices=("paper", "tiny"), default="paper")
    parser.add_argument("--precision", choices=(*PRECISIONS, "both"), default="both")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--target", default="d1-die")
    parser.add_argument("--json", action="store_true")
    result = parser.parse_args()
    unknown = sorted(set(result.models) - set(MODELS))
    if unknown:
        parser.error(f"no model is called {unknown[0]}; there are {', '.join(MODELS)}")
    return result


def main() -> int:
    keep_freed_memory()
    if sys.argv[1:2] and sys.argv[1] in OTHERS:
        return OTHERS[sys.argv[1]](sys.argv[2:])
    options = arguments()
    precisions = PRECISIONS if options.precision == "both" else (options.precision,)
    rows: list[Row] = []
    failures: list[dict[str, str]] = []
    for name in options.models or MODELS:
        for precision in precisions:
            print(f"bench: {name} ({options.size}, {precision})", file=sys.stderr)
            try:
                row = measure(name, options.size, precision, options.repeats, options.target)
                rows.append(row)
            except DojoError as error:
                failures.append({"model": name, "precision": precision, "error": str(error)})
    print(as_json(rows, failures) if options.json else as_markdown(rows, failures))
    return 1 if failures else 0


def machine() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "processor": platform.machine(),
    }


def as_json(rows: list[Row], failures: list[dict[str, str]]) -> str:
    found = {"schema": SCHEMA, "machine": machine(), "rows": [row.facts() for row in rows]}
    return json.dumps(found | {"failures": failures}, indent=2)


def as_markdown(rows: list[Row], failures: list[dict[str, str]]) -> str:
    lines = [
        "| model | precision | compile s | first run s | ONNX Runtime s | ratio of first runs "
        "| later run s | ONNX Runtime s | ratio of later runs | error | lifted "
        "| mmac x 256 / MACs | cycles |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        matrix = f"{row.matrix_ratio:.2f}" if row.matrix_ratio else "-"
        lines.append(
            f"| {row.model} | {row.precision} | {row.compile_seconds:.2f} "
            f"| {row.first_run_seconds:.3f} | {row.onnxruntime_first_seconds:.4f} "
            f"| {row.first_ratio:.1f} | {row.run_seconds:.3f} | {row.onnxruntime_seconds:.4f} "
            f"| {row.ratio:.1f} | {row.relative_error:.1e} | {row.lifted_share:.2%} "
            f"| {matrix} | {row.cycles:,} |"
        )
    for failure in failures:
        text = failure["error"].splitlines()[0]
        lines.append(f"| {failure['model']} | {failure['precision']} | failed: {text} " + "|" * 11)
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
