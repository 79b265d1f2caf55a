"""Print a program as assembly that assembles to the same program, or as a listing with words."""

from __future__ import annotations

import argparse
from pathlib import Path

from dojocc.cli.shared import STREAM, check_output, read_program, write_output
from dojocc.runtime.files import write_atomically
from dojocc.runtime.isa.disasm import disassemble, listing, sidecar_bytes

EXAMPLE = """\
dojocc objdump model.dojo --listing | less
dojocc objdump model.dojo -o model.s --weights model.safetensors"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("program", metavar="PROG.dojo")
    parser.add_argument("-o", "--output", metavar="FILE.s", default=STREAM)
    parser.add_argument(
        "--weights", metavar="FILE.safetensors", help="long tensors go here, not into the text"
    )
    parser.add_argument(
        "--listing", action="store_true", help="code only, with word numbers and words"
    )


def execute(arguments: argparse.Namespace) -> int:
    check_output(arguments.output)
    check_output(arguments.weights)
    program = read_program(arguments.program)
    if arguments.listing:
        write_output(arguments.output, listing(program).encode())
        return 0
    if arguments.weights:
        write_atomically(arguments.weights, sidecar_bytes(program))
    named = Path(arguments.weights).name if arguments.weights else None
    write_output(arguments.output, disassemble(program, named).encode())
    return 0
