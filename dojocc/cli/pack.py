"""Place buffers in SRAM: a CSV with the columns id, lower, upper, size gets the column offset."""

from __future__ import annotations

import argparse
import sys

from dojocc.cli.shared import (
    STREAM,
    add_json,
    check_output,
    print_json,
    read_text,
    refuse_two_streams,
    write_output,
)
from dojocc.passes.solve.packing import check_packing, pack, read_csv, write_csv
from dojocc.runtime.errors import DoesNotFit, UsageError

EXAMPLE = "dojocc pack buffers.csv --capacity 1048576 -o offsets.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("buffers", metavar="BUFFERS.csv", help="live in [lower, upper)")
    parser.add_argument("--capacity", type=int, required=True, metavar="BYTES")
    parser.add_argument("--alignment", type=int, default=1, metavar="BYTES")
    parser.add_argument("-o", "--output", metavar="OFFSETS.csv", default=STREAM)
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    for name in ("capacity", "alignment"):
        if getattr(arguments, name) < 1:
            raise UsageError(
                f"--{name} must be at least 1",
                numbers=f"have {getattr(arguments, name)}",
                help="give a number of bytes",
            )
    refuse_two_streams(arguments.json, arguments.output)
    check_output(arguments.output)
    text, name = read_text(arguments.buffers)
    buffers = read_csv(text)
    result = pack(buffers, arguments.alignment, arguments.capacity)
    if result.peak > arguments.capacity:
        over = result.peak - arguments.capacity
        raise DoesNotFit(
            "the buffers do not fit as far as the planner found",
            where=name,
            numbers=f"need {result.peak} B, have {arguments.capacity} B, {over} B too much; "
            f"no packing is below {result.lower_bound} B",
            help=f"--capacity {result.peak}, or fewer buffers live together",
        )
    wrong = check_packing(buffers, result.offsets, arguments.capacity, arguments.alignment)
    if wrong:
        raise AssertionError(f"the packing is not sound: {wrong[0]}")
    write_output(arguments.output, write_csv(buffers, result.offsets).encode())
    if arguments.json:
        values = {"peak_bytes": result.peak, "lower_bound_bytes": result.lower_bound}
        print_json("dojocc.pack/1", values | {"capacity_bytes": arguments.capacity})
    else:
        print(
            f"peak {result.peak} B of {arguments.capacity}, lower bound {result.lower_bound} B",
            file=sys.stderr,
        )
    return 0
