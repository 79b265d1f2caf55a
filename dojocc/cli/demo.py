"""Compile a network with random weights, run it on the vector engine, and check the outputs.

The judge is ONNX Runtime where installed, else the reference meaning of the model's ops.
"""

from __future__ import annotations

import argparse
import time
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from dojocc.cli.shared import add_json, check_output, print_json, progress, table, write_output
from dojocc.compiler import Options, compile_model
from dojocc.dialects.context import DojoContext
from dojocc.dialects.interpret_nn import run_nn
from dojocc.frontends.onnx import import_onnx
from dojocc.report.profile import facts as timing_facts
from dojocc.runtime.errors import InputError
from dojocc.runtime.format_table import PRECISIONS
from dojocc.runtime.program import Program, to_bytes
from dojocc.runtime.timing import time_program
from dojocc.session import Session
from dojocc.zoo import MODELS, build, inputs

EXAMPLE = """\
dojocc demo
dojocc demo --model lenet --precision fp32 --save lenet.dojo"""
ALLOWED = {"fp32": 1e-5, "bf16": 2e-2}
"""Relative L2 error allowed against the other implementation."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", choices=sorted(MODELS), default="resnet50")
    parser.add_argument("--size", choices=("paper", "tiny"), default="paper")
    parser.add_argument("--precision", choices=PRECISIONS, default="bf16")
    parser.add_argument("--target", default="d1-die", help="a name or a .toml file (d1-die)")
    parser.add_argument("--save", metavar="PROG.dojo", help="keep the program")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    check_output(arguments.save)
    model = build(arguments.model, arguments.size)
    given = inputs(model)
    options = Options(target=arguments.target, precision=arguments.precision)
    with progress("compiling") as tell:
        compiled = compile_model(model, options, watch=tell)
    program = compiled.program
    assert program is not None
    if arguments.save:
        write_output(arguments.save, to_bytes(program))
    session = Session(program)
    with progress("running"):
        outputs = session.run(None, given)
    expected, judge, seconds = other_outputs(model, given)
    error = max(relative_error(a, b) for a, b in zip(outputs, expected, strict=True))
    values = facts(program, session) | {
        "model": f"{arguments.model} ({arguments.size})",
        "compile_seconds": compiled.seconds,
        "judge": judge,
        "judge_seconds": seconds,
        "relative_error": error,
        "allowed_error": ALLOWED[arguments.precision],
    }
    if arguments.json:
        print_json("dojocc.demo/1", values)
    else:
        print(text_of(values, program, arguments))
    if error > ALLOWED[arguments.precision]:
        raise InputError(
            f"the outputs differ from {judge}",
            numbers=f"relative error {error:.2e}, allowed {ALLOWED[arguments.precision]:.0e}",
        )
    return 0


def facts(program: Program, session: Session) -> dict[str, Any]:
    """What the run and the timing say."""
    counters = session.counters
    assert counters is not None
    timing = timing_facts(program, time_program(program))
    return {
        "target": program.target.name,
        "run_seconds": session.seconds,
        "lifted_share": counters.lifted_share,
        "instructions": counters.total,
        "mmac": counters.instructions.get("mmac", 0) + counters.instructions.get("mmact", 0),
    } | {key: timing[key] for key in ("cycles", "error_band", "seconds_modelled")}


def other_outputs(model: Any, given: dict[str, np.ndarray]) -> tuple[list[np.ndarray], str, float]:
    """Outputs of another implementation, its name, and its seconds."""
    if find_spec("onnxruntime") is not None:
        runtime = import_module("onnxruntime")
        session = runtime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        start = time.perf_counter()
        outputs = session.run(None, given)
        return outputs, f"ONNX Runtime {runtime.__version__}", time.perf_counter() - start
    context = DojoContext()
    module = import_onnx(model, context)
    start = time.perf_counter()
    outputs = list(run_nn(context, module, given).values())
    judge = "the reference meaning of the model's ops (ONNX Runtime is not installed)"
    return outputs, judge, time.perf_counter() - start


def relative_error(have: np.ndarray, want: np.ndarray) -> float:
    """L2 norm of the difference over that of what was wanted."""
    want64 = np.asarray(want, np.float64)
    scale = float(np.linalg.norm(want64)) or 1.0
    return float(np.linalg.norm(np.asarray(have, np.float64) - want64)) / scale


def text_of(values: dict[str, Any], program: Program, arguments: argparse.Namespace) -> str:
    nodes = sum(len(each.nodes) for each in program.classes)
    words = sum(len(each.code) for each in program.classes)
    rows = [
        ("model", f"{values['model']}, {arguments.precision}"),
        ("compiled", f"{values['compile_seconds']:.2f} s: {words} words for {nodes} nodes"),
        ("ran", f"{values['run_seconds']:.3f} s, {values['instructions']:,} instructions"),
        ("lifted", f"{values['lifted_share']:.2%} of the work in loops"),
        ("matrix unit", f"{values['mmac']:,} mmac of 256 multiply-accumulates"),
        ("cycles", f"{values['cycles']:,} +-{values['error_band']:.0%}, a model of the machine"),
        ("compared with", f"{values['judge']}, {values['judge_seconds']:.4f} s"),
        ("error", f"{values['relative_error']:.2e}, allowed {values['allowed_error']:.0e}"),
    ]
    saved = arguments.save or "PROG.dojo"
    look = "" if arguments.save else f" (keep it: dojocc demo --save {Path(saved).name})"
    return (
        f"{table(rows)}\n\nwhere to look{look}\n"
        f"  dojocc objdump {saved} --listing   the instruction streams\n"
        f"  dojocc profile {saved}             where the cycles go\n"
        "  python examples/00_tour.py         one small model through every level"
    )
