"""Compile a model (.onnx, .dojotext, .mlir, - for stdin) to a program or to a level on the way."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from dojocc.cache import Cache, compile_cached
from dojocc.cli.choices import Printer, add_choices, add_printing, options_of
from dojocc.cli.shared import (
    STREAM,
    add_json,
    check_output,
    print_json,
    progress,
    read_content,
    refuse_two_streams,
    size_text,
    table,
    write_output,
)
from dojocc.compiler import LEVELS, Compilation, chosen_passes, compile_model
from dojocc.dialects.printing import print_module
from dojocc.frontends.ir_file import write_ir
from dojocc.passes.errors import PassBroken
from dojocc.passes.pipeline import PIPELINE
from dojocc.runtime.errors import UsageError
from dojocc.runtime.files import write_atomically
from dojocc.runtime.isa.disasm import INLINE_BYTES, disassemble, sidecar_bytes
from dojocc.runtime.lists import entry_counts
from dojocc.runtime.program import DRAM_LOAD, Program, to_bytes
from dojocc.runtime.verify import verify

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
    output = arguments.output
    if output is None and arguments.emit == "dojo":
        raise UsageError(
            "where to write the program?", help="give -o prog.dojo, or -o - for stdout"
        )
    output = output or STREAM
    refuse_two_streams(arguments.json, output)
    check_output(output)
    options = options_of(arguments)
    stop_at = arguments.emit if arguments.emit in LEVELS else None
    printer = Printer(arguments)
    printer.check([each.name for each in chosen_passes(options, PIPELINE, stop_at)])
    model = read_content(arguments.model)
    with progress("compiling") as tell:
        if arguments.cache and stop_at is None and not printer.tells:
            result = compile_cached(model, options, Cache.of_environment(), tell)
        else:
            result = compile_model(model, options, stop_at, after=printer, watch=tell)
    for remark in result.context.remarks:
        print(f"dojocc: note: {remark}", file=sys.stderr)
    if arguments.verify:
        check_program(result)
    emit(result, arguments.emit, output)
    if arguments.timing:
        print(timing_table(result), file=sys.stderr)
    if arguments.json:
        print_json("dojocc.compile/1", facts(result))
    elif output != STREAM and result.program is not None:
        print(summary(result, result.program, output), file=sys.stderr)
    return 0


def check_program(result: Compilation) -> None:
    """Nothing is written when the program breaks one of its promises: that is our mistake."""
    if result.program is None:
        raise UsageError("--verify needs a program", help="leave out --emit, or --emit asm or dojo")
    report = verify(result.program)
    if not report.sound:
        raise PassBroken(
            "the compiled program does not verify",
            where=str(report.findings[0]),
            numbers=f"{len(report.findings)} faults",
            help="please report it; without --verify the program is written as it is",
        )


def emit(result: Compilation, kind: str, output: str) -> None:
    """Write what was asked for, whole or not at all."""
    program = result.program
    if program is None and output == STREAM:
        write_output(output, print_module(result.module).encode())
    elif program is None:
        write_ir(output, result.module, result.context)
    elif kind == "dojo":
        write_output(output, to_bytes(program))
    else:
        write_assembly(program, output)


def write_assembly(program: Program, output: str) -> None:
    """Assembly text; long tensors go to a file beside it, unless the text goes to stdout."""
    beside = Path(output).with_suffix(".safetensors")
    long = any(array.nbytes > INLINE_BYTES for array in program.tensors.values())
    if output == STREAM or not long:
        write_output(output, disassemble(program).encode())
        return
    write_atomically(beside, sidecar_bytes(program))
    write_output(output, disassemble(program, beside.name).encode())


def facts(result: Compilation) -> dict[str, object]:
    """What --json says."""
    values: dict[str, object] = {"seconds": result.seconds, "passes": result.passes}
    program = result.program
    if program is not None:
        values |= {
            "classes": len(program.classes),
            "class_names": [each.name for each in program.classes],
            "sram_peak_bytes": program.build.get("sram_peak_bytes"),
            "sram_lower_bound_bytes": program.build.get("sram_lower_bound_bytes"),
            "words": sum(len(each.code) for each in program.classes),
            "list_rows": len(program.lists),
            "transfers": int(entry_counts(program.lists).sum()),
            "dram_load_bytes": loaded_bytes(program.entries),
        }
    return values | {"remarks": list(result.context.remarks)}


def loaded_bytes(entries: np.ndarray) -> int:
    """Bytes that come from DRAM in a run."""
    rows = entries[entries["kind"] == DRAM_LOAD]
    return int((rows["bytes"].astype(np.int64) * rows["count0"] * rows["count1"]).sum())


def timing_table(result: Compilation) -> str:
    rows = [(f"{seconds:.3f} s", name) for name, seconds in result.passes.items()]
    return table([*rows, (f"{result.seconds:.3f} s", "total")], right=(0,))


def summary(result: Compilation, program: Program, output: str) -> str:
    nodes = sum(len(each.nodes) for each in program.classes)
    words = sum(len(each.code) for each in program.classes)
    peak = program.build.get("sram_peak_bytes")
    sram = f", {size_text(peak)} SRAM a node" if peak is not None else ""
    return (
        f"{output}: {nodes} nodes in {len(program.classes)} classes, {words} words, "
        f"{len(program.lists)} list rows{sram}; {result.seconds:.2f} s"
    )
