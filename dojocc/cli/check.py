"""Say of a model what is not supported, which shapes are open, and whether it fits: all at once."""

from __future__ import annotations

import argparse
from typing import Any

from xdsl.dialects.builtin import ModuleOp

from dojocc.cli.choices import add_choices, options_of
from dojocc.cli.shared import add_json, print_json, progress, read_content, size_text, table
from dojocc.compiler import Options, compile_model
from dojocc.frontends.onnx import check_support
from dojocc.frontends.onnx.model_file import open_model
from dojocc.frontends.onnx.shapes import input_shapes
from dojocc.frontends.read import ONNX, kind_of
from dojocc.passes.base import Pass
from dojocc.report.bounds import Bounds, bounds_of
from dojocc.runtime.errors import DojoError, InputError
from dojocc.runtime.target import Target

EXAMPLE = """\
dojocc check model.onnx --target d1-die
dojocc check model.onnx --shape input=1x3x224x224 --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL")
    add_choices(parser)
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    options = options_of(arguments)
    target = options.machine()
    model = read_content(arguments.model)
    found: list[Bounds] = []

    def measure(each: Pass, module: ModuleOp) -> None:
        if each.leaves == "mesh":
            found.append(bounds_of(module, target, options.precision))

    with progress("checking") as tell:
        problems = import_problems(model, options)
        if not problems:
            try:
                compile_model(model, options, "tile", after=measure, watch=tell)
            except InputError as error:
                problems.append(row("fit", error))
    bounds = found[0] if found else None
    if arguments.json:
        print_json("dojocc.check/1", facts(target, problems, bounds))
    else:
        print(report(arguments.model, target, problems, bounds))
    return 1 if problems else 0


def import_problems(model: Any, options: Options) -> list[dict[str, Any]]:
    """What the import refuses; for ONNX unsupported ops and open shapes together."""
    if kind_of(model) != ONNX:
        return []
    try:
        source = open_model(model)
        known = {each.name for each in source.model.graph.initializer}
        inputs = [each for each in source.model.graph.input if each.name not in known]
    except InputError as error:
        return [row("model", error)]
    problems = []
    try:
        input_shapes(inputs, options.shapes, source.name)
    except InputError as error:
        problems.append(row("shapes", error))
    try:
        problems += [
            {"kind": "op", "what": str(finding), "op": finding.op, "count": finding.count}
            for finding in check_support(model, options.shapes)
        ]
    except InputError as error:
        if not problems:  # else the same open shapes again
            problems.append(row("model", error))
    return problems


def row(kind: str, error: DojoError) -> dict[str, Any]:
    """An error as a row of the report."""
    parts = {"where": error.where, "numbers": error.numbers, "help": error.help}
    return {"kind": kind, "what": error.what} | {k: v for k, v in parts.items() if v}


def facts(target: Target, problems: list[dict[str, Any]], bounds: Bounds | None) -> dict[str, Any]:
    values: dict[str, Any] = {"target": target.name, "ok": not problems, "problems": problems}
    if bounds is not None:
        values |= {
            "lower_bound_cycles": bounds.cycles,
            "flops": bounds.flops,
            "weight_bytes": bounds.weight_bytes,
            "sram_bytes": bounds.sram_bytes,
        }
    return values


def report(
    model: str, target: Target, problems: list[dict[str, Any]], bounds: Bounds | None
) -> str:
    """For people: every problem, then the bounds."""
    if problems:
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        lines = [f"{model} for {target.name}: {count}"]
        for problem in problems:
            lines.append(f"- {problem['kind']}: {problem['what']}")
            lines += [
                f"    {part}: {problem[part]}"
                for part in ("where", "numbers", "help")
                if part in problem
            ]
        return "\n".join(lines)
    rows = [("support", "every op"), ("fit", f"a plan was found for {target.name}")]
    if bounds is None:  # a model given at a lower level than the one that bounds are taken from
        return f"{model}: fine\n{table(rows)}"
    share = bounds.weight_bytes / bounds.sram_bytes
    rows += [
        ("weights", f"{size_text(bounds.weight_bytes)}, {share:.1%} of all SRAM"),
        ("work", f"{bounds.flops / 1e9:.3f} GFLOP"),
        ("bound", f"at least {bounds.cycles:,} cycles, were every unit busy"),
    ]
    return f"{model}: fine\n{table(rows)}"
