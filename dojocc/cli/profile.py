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
from dojocc.report.profile import facts, page
from dojocc.report.trace import trace_bytes
from dojocc.runtime.timing import TimingResult, time_program

EXAMPLE = """\
dojocc profile model.dojo
dojocc profile model.dojo --json -o report.html --trace trace.json"""
ROWS = 12


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
        print_json("dojocc.profile/1", facts(result))
    elif "-" not in (arguments.output, arguments.trace):
        print(summary(result))
    return 0


def summary(result: TimingResult) -> str:
    rows = [
        ("cycles", f"{result.cycles:,} +-{result.error_band:.0%}"),
        ("lower bound", f"{result.lower_bound_cycles:,} cycles"),
        ("modelled", f"{result.seconds_modelled * 1e6:,.1f} us"),
        ("moved", f"{result.bytes_moved:,} B over the mesh"),
        *((unit, f"{share:.1%} of peak") for unit, share in result.utilization.items()),
    ]
    longest = sorted(result.by_op.items(), key=lambda row: -row[1])[:ROWS]
    ops = table([(f"{cycles:,}", name) for name, cycles in longest], right=(0,))
    return f"{table(rows)}\n\ncycles by op (latest node)\n{ops}"
