"""Compile a model (.onnx, .dojotext, .mlir, - for stdin) to a program or to a level on the way."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from time import perf_counter

import numpy as np

from dojocc.cache import Cache, key_of
from dojocc.cli.choices import add_choices, add_printing, options_of, prints
from dojocc.cli.shared import (
    STREAM,
    add_json,
    check_output,
    print_json,
    read_content,
    refuse_two_streams,
    size_text,
    write_output,
)
from dojocc.options import LEVELS
from dojocc.runtime.errors import UsageError
from dojocc.runtime.lists import entry_counts
from dojocc.runtime.program import DRAM_LOAD, Program

EXAMPLE = """\
dojocc compile model.onnx -o model.dojo
dojocc compile model.onnx -o model.dojo --precision fp32 --shape input=1x3x224x224 --timing
dojocc compile model.onnx --emit mesh"""
EMITS = (*LEVELS, "asm", "dojo")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("-o", "--output", metavar="FILE", help="text goes to stdout without it")
    add_choices(parser)
    parser.add_argument("--emit", choices=EMITS, default="dojo")
    parser.add_argument(
        "--verify", action="store_true", help="check the program as `dojocc verify` does"
    )
    parser.add_argument(
        "--cache",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="programs are kept in the folder DOJOCC_CACHE_DIR, where that is set (yes)",
    )
    add_printing(parser)
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """What the cache has is written as it lies there. All else is left to compile_anew.py, which
    imports the compiler: that alone takes longer than reading a program."""
    output = arguments.output
    if output is None and arguments.emit == "dojo":
        raise UsageError(
            "where to write the program?", help="give -o prog.dojo, or -o - for stdout"
        )
    arguments.output = output = output or STREAM
    refuse_two_streams(arguments.json, output)
    check_output(output)
    options = options_of(arguments)
    model = read_content(arguments.model)
    cache, key = None, None
    if arguments.cache and arguments.emit not in LEVELS and not prints(arguments):
        cache = Cache.of_environment()
    if cache is not None and arguments.emit == "dojo" and not arguments.verify:
        begun = perf_counter()
        key = key_of(model, options)
        kept = None if key is None else cache.get(key)
        if kept is not None:
            say(kept.remarks)
            write_output(output, kept.data)
            seconds = perf_counter() - begun
            conclude(arguments, kept.program, kept.remarks, {"cache": seconds}, seconds)
            return 0
    anew = import_module("dojocc.cli.compile_anew")
    anew.compile_anew(arguments, model, options, cache, key)
    return 0


def say(remarks: Sequence[str]) -> None:
    for remark in remarks:
        print(f"dojocc: note: {remark}", file=sys.stderr)


def conclude(
    arguments: argparse.Namespace,
    program: Program | None,
    remarks: Sequence[str],
    passes: Mapping[str, float],
    seconds: float,
) -> None:
    """What is said in the end."""
    if arguments.json:
        said = {"seconds": seconds, "passes": passes, **facts(program), "remarks": list(remarks)}
        print_json("dojocc.compile/1", said)
    elif arguments.output != STREAM and program is not None:
        print(summary(program, arguments.output, seconds), file=sys.stderr)


def facts(program: Program | None) -> dict[str, object]:
    """What --json says of a program."""
    if program is None:
        return {}
    return {
        "classes": len(program.classes),
        "class_names": [each.name for each in program.classes],
        "sram_peak_bytes": program.build.get("sram_peak_bytes"),
        "sram_lower_bound_bytes": program.build.get("sram_lower_bound_bytes"),
        "words": sum(len(each.code) for each in program.classes),
        "list_rows": len(program.lists),
        "transfers": int(entry_counts(program.lists).sum()),
        "dram_load_bytes": loaded_bytes(program.entries),
    }


def loaded_bytes(entries: np.ndarray) -> int:
    """Bytes that come from DRAM in a run."""
    rows = entries[entries["kind"] == DRAM_LOAD]
    return int((rows["bytes"].astype(np.int64) * rows["count0"] * rows["count1"]).sum())


def summary(program: Program, output: str, seconds: float) -> str:
    nodes = sum(len(each.nodes) for each in program.classes)
    words = sum(len(each.code) for each in program.classes)
    peak = program.build.get("sram_peak_bytes")
    sram = f", {size_text(peak)} SRAM a node" if peak is not None else ""
    return (
        f"{output}: {nodes} nodes in {len(program.classes)} classes, {words} words, "
        f"{len(program.lists)} list rows{sram}; {seconds:.2f} s"
    )
