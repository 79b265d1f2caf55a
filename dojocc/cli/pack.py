"""Place buffers in SRAM: a CSV with the columns id, lower, upper, size gets the column offset."""

from __future__ import annotations

import argparse
import math
import sys
import time

from dojocc.cli.shared import (
    STREAM,
    add_json,
    check_output,
    print_json,
    read_text,
    refuse_two_streams,
    write_output,
)
from dojocc.passes.solve.packing import EFFORT, Packing, pack
from dojocc.passes.solve.packing_check import check_packing
from dojocc.passes.solve.packing_table import read_csv, write_csv
from dojocc.runtime.errors import DoesNotFit, UsageError

EXAMPLE = "dojocc pack buffers.csv --capacity 1048576 -o offsets.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("buffers", metavar="BUFFERS.csv", help="live in [lower, upper)")
    parser.add_argument("--capacity", type=int, required=True, metavar="BYTES")
    parser.add_argument("--alignment", type=int, default=1, metavar="BYTES")
    parser.add_argument("-o", "--output", metavar="OFFSETS.csv", default=STREAM)
    parser.add_argument(
        "--minimise", action="store_true", help="go on below the capacity, to the lower bound"
    )
    parser.add_argument(
        "--effort",
        type=int,
        default=EFFORT,
        metavar="N",
        help=f"decisions of the search at most (default {EFFORT})",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        metavar="S",
        help="end the search after this time; the answer may then depend on the machine's speed",
    )
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    _check(arguments)
    refuse_two_streams(arguments.json, arguments.output)
    check_output(arguments.output)
    text, name = read_text(arguments.buffers)
    buffers = read_csv(text)
    start = time.perf_counter()
    end = math.inf if arguments.seconds is None else start + arguments.seconds
    result = pack(
        buffers,
        arguments.alignment,
        None if arguments.minimise else arguments.capacity,
        arguments.effort,
        lambda: time.perf_counter() > end,
    )
    seconds = time.perf_counter() - start
    if result.peak > arguments.capacity:
        raise does_not_fit(result, name, arguments.capacity)
    wrong = check_packing(buffers, result.offsets, arguments.capacity, arguments.alignment)
    if wrong:
        raise AssertionError(f"the packing is not sound: {wrong[0]}")
    write_output(arguments.output, write_csv(buffers, result.offsets).encode())
    if arguments.json:
        values = {"peak_bytes": result.peak, "lower_bound_bytes": result.lower_bound}
        values |= {"gap": result.gap, "capacity_bytes": arguments.capacity}
        print_json("dojocc.pack/1", values | {"decisions": result.nodes, "seconds": seconds})
    else:
        print(
            f"peak {result.peak} B of {arguments.capacity}, lower bound {result.lower_bound} B,"
            f" gap {result.gap:.2%}; {result.nodes} decisions, {seconds:.2f} s",
            file=sys.stderr,
        )
    return 0


def does_not_fit(result: Packing, name: str, capacity: int) -> DoesNotFit:
    """The refusal: whether it is certain, and what would be enough."""
    if result.lower_bound > capacity:
        what = "the buffers do not fit: too much is live at once"
    elif result.refuted >= capacity:
        what = "the buffers do not fit: a complete search found no packing"
    else:
        what = "the buffers do not fit as far as the planner found"
    return DoesNotFit(
        what,
        where=name,
        numbers=f"need {result.peak} B, have {capacity} B, {result.peak - capacity} B too much; "
        f"no packing is below {result.lower_bound} B",
        help=f"--capacity {result.peak}, or fewer buffers live together",
    )


def _check(arguments: argparse.Namespace) -> None:
    for name in ("capacity", "alignment"):
        if getattr(arguments, name) < 1:
            raise UsageError(
                f"--{name} must be at least 1",
                numbers=f"have {getattr(arguments, name)}",
                help="give a number of bytes",
            )
    for name in ("effort", "seconds"):
        value = getattr(arguments, name)
        if value is not None and not value >= 0:
            raise UsageError(
                f"--{name} cannot be negative", numbers=f"have {value}", help="0 or more"
            )
