"""Predict a program's cycles: what they are made of, their lower bound, and their error band."""

from __future__ import annotations

import argparse

from dojocc.cli.shared import (
    add_json,
    check_output,
    print_json,
    read_program,
    refuse_two_streams,
    table,
    write_output,
)
from dojocc.report.profile import (
    LONGEST,
    exchange_rows,
    facts,
    op_rows,
    overview,
    path_rows,
)
from dojocc.report.profile_page import page
from dojocc.report.trace import trace_bytes
from dojocc.runtime.program import Program
from dojocc.runtime.timing import TimingResult, time_program

EXAMPLE = """\
dojocc profile model.dojo
dojocc profile model.dojo --json -o report.html --trace trace.json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("program", metavar="PROG.dojo")
    parser.add_argument("-o", "--output", metavar="REPORT.html")
    parser.add_argument("--trace", metavar="TRACE.json", help="time line in Chrome's format")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    refuse_two_streams(arguments.json, arguments.output)
    refuse_two_streams(arguments.json, arguments.trace)
    for path in (arguments.output, arguments.trace):
        check_output(path)
    program = read_program(arguments.program)
    result = time_program(program)
    if arguments.output:
        write_output(arguments.output, page(program, result).encode())
    if arguments.trace:
        write_output(arguments.trace, trace_bytes(program, result))
    if arguments.json:
        print_json("dojocc.profile/1", facts(program, result))
    elif "-" not in (arguments.output, arguments.trace):
        print(summary(program, result))
    return 0


def summary(program: Program, result: TimingResult) -> str:
    """What people want to see first."""
    parts = [
        table(overview(result)),
        "cycles by op (latest node), and of them waiting\n"
        + table([(b, c, a) for a, b, c in op_rows(result)[:LONGEST]], right=(0, 1)),
        "critical path: cycles\n"
        + table([(c, a, b) for a, b, c in path_rows(program, result)[:LONGEST]], right=(0,)),
    ]
    exchanges = exchange_rows(program, result)[:LONGEST]
    if exchanges:
        rows = [
            (cycles, bound, term, kind, op) for op, kind, _, _, cycles, bound, term in exchanges
        ]
        parts.append("exchanges: cycles, lower bound, what sets it\n" + table(rows, right=(0, 1)))
    return "\n\n".join(parts)
