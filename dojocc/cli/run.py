"""Run a program on the inputs in an npz file (keys: input names), or predict its cycles."""

from __future__ import annotations

import argparse
import io
import sys
import time
import zipfile
from typing import Any

import numpy as np

from dojocc.cli.shared import (
    STREAM,
    add_json,
    check_output,
    print_json,
    read_program,
    refuse_two_streams,
    table,
    write_output,
)
from dojocc.report.profile import facts as timing_facts
from dojocc.report.trace import trace_bytes
from dojocc.runtime.engines import ENGINES, MODES
from dojocc.runtime.errors import InputError, UsageError
from dojocc.runtime.program import Program
from dojocc.runtime.timing import TimingResult, time_program
from dojocc.session import Session

EXAMPLE = """\
dojocc run model.dojo --input in.npz --output out.npz
dojocc run model.dojo --timing-only --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("program", metavar="PROG.dojo")
    parser.add_argument("--input", metavar="IN.npz")
    parser.add_argument("--output", metavar="OUT.npz")
    parser.add_argument("--engine", choices=ENGINES, default="vector")
    parser.add_argument(
        "--mode", choices=MODES, default="fast", help="exact: FP32 sums in the machine's order"
    )
    parser.add_argument(
        "--timing-only", action="store_true", help="predict the cycles; no tensor is touched"
    )
    parser.add_argument("--trace", metavar="T.json", help="predicted time line (Chrome's format)")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    refuse_two_streams(arguments.json, arguments.output)
    if arguments.program == STREAM and arguments.input == STREAM:
        raise UsageError("program and inputs cannot both be read from stdin")
    for path in (arguments.output, arguments.trace):
        check_output(path)
    program = read_program(arguments.program)
    values: dict[str, Any] = {}
    if not arguments.timing_only:
        values |= run_values(program, arguments)
    if arguments.timing_only or arguments.trace:
        values = timing_values(program, arguments.trace) | values
    if arguments.json:
        print_json("dojocc.run/1", values)
    elif arguments.output != STREAM:
        print(summary(values), file=sys.stderr)
    return 0


def run_values(program: Program, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run, write the outputs, and say what was executed."""
    if arguments.input is None and program.inputs:
        names = ", ".join(port.name for port in program.inputs)
        raise UsageError(
            "the program needs inputs", numbers=f"they are {names}", help="--input F.npz"
        )
    inputs = read_npz(arguments.input) if arguments.input else {}
    session = Session(program, arguments.engine, arguments.mode)
    names = [port.name for port in program.outputs]
    outputs = dict(zip(names, session.run(None, inputs), strict=True))
    if arguments.output:
        write_output(arguments.output, npz_bytes(outputs))
    counters = session.counters
    assert counters is not None
    return {
        "seconds": session.seconds,
        "lifted_share": counters.lifted_share,
        "instructions": dict(sorted(counters.instructions.items())),
        "not_lifted": dict(sorted(counters.reasons.items())),
        "engine": arguments.engine,
        "mode": arguments.mode,
        "outputs": {name: shape_and_type(array) for name, array in outputs.items()},
    }


def timing_values(program: Program, trace: str | None) -> dict[str, Any]:
    """Predict, write the time line if asked, and say what came out."""
    start = time.perf_counter()
    result: TimingResult = time_program(program)
    seconds = time.perf_counter() - start
    if trace:
        write_output(trace, trace_bytes(program, result))
    return timing_facts(program, result) | {
        "seconds": seconds,
        "lifted_share": result.counters.lifted_share,
        "instructions": dict(sorted(result.counters.instructions.items())),
    }


def read_npz(path: str) -> dict[str, np.ndarray]:
    """The arrays of an npz file; nothing in it is executed."""
    try:
        content = io.BytesIO(sys.stdin.buffer.read()) if path == STREAM else path
        archive = np.load(content, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("one bare array, not an npz")
        with archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(
            f"cannot read inputs from {path}",
            where=getattr(error, "strerror", None) or str(error),
            help="write them with numpy.savez(path, name=array, ...)",
        ) from error


def npz_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    """An npz file: the same bytes for the same arrays."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            item = io.BytesIO()
            np.lib.format.write_array(item, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), item.getvalue())
    return buffer.getvalue()


def shape_and_type(array: np.ndarray) -> dict[str, object]:
    return {"shape": list(array.shape), "type": array.dtype.name}


def summary(values: dict[str, Any]) -> str:
    """What happened, for people."""
    rows: list[tuple[str, str]] = []
    if "engine" in values:
        rows += [(name, f"{o['type']} {o['shape']}") for name, o in values["outputs"].items()]
        rows.append(("seconds", f"{values['seconds']:.3f}"))
        rows.append(("engine", f"{values['engine']}, {values['mode']}"))
        rows.append(("lifted", f"{values['lifted_share']:.2%} of the work in loops"))
    if "cycles" in values:
        band = f"+-{values['error_band']:.1%}, not below {values['lower_bound_cycles']}"
        rows.append(("cycles", f"{values['cycles']} ({band})"))
        rows.append(("modelled", f"{values['seconds_modelled'] * 1e6:.1f} us"))
    rows.append(("instructions", f"{sum(values['instructions'].values()):,} over all nodes"))
    return table(rows)
