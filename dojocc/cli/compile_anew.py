"""`dojocc compile` of what no cache has: the compiler, what it prints, every form it can write."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dojocc.cache import Cache
from dojocc.cli.choices import prints
from dojocc.cli.compile import conclude, say
from dojocc.cli.printing import Printer
from dojocc.cli.shared import STREAM, progress, table, write_output
from dojocc.compiler import Compilation, chosen_passes, compile_cached, compile_model
from dojocc.dialects.printing import print_module
from dojocc.frontends.ir_file import write_ir
from dojocc.options import LEVELS, Options
from dojocc.passes.errors import PassBroken
from dojocc.passes.pipeline import PIPELINE
from dojocc.runtime.errors import UsageError
from dojocc.runtime.files import write_atomically
from dojocc.runtime.isa.disasm import INLINE_BYTES, disassemble, sidecar_bytes
from dojocc.runtime.program import Program, to_bytes
from dojocc.runtime.verify import verify


def compile_anew(
    arguments: argparse.Namespace,
    model: bytes | str,
    options: Options,
    cache: Cache | None,
    key: str | None,
) -> None:
    """Compile and write. `key`: the model's in the cache, where that does not have it."""
    stop_at = arguments.emit if arguments.emit in LEVELS else None
    printer = Printer(arguments)
    printer.check([each.name for each in chosen_passes(options, PIPELINE, stop_at)])
    with progress("compiling") as tell:
        if stop_at is None and not prints(arguments):
            result = compile_cached(model, options, cache, tell, key)
        else:
            result = compile_model(model, options, stop_at, after=printer, watch=tell)
    remarks = result.context.remarks
    say(remarks)
    if arguments.verify:
        check_program(result)
    emit(result, arguments.emit, arguments.output)
    if arguments.timing:
        print(timing_table(result), file=sys.stderr)
    conclude(arguments, result.program, remarks, result.passes, result.seconds)


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


def timing_table(result: Compilation) -> str:
    rows = [(f"{seconds:.3f} s", name) for name, seconds in result.passes.items()]
    return table([*rows, (f"{result.seconds:.3f} s", "total")], right=(0,))
