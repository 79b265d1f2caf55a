"""Assemble FILE.s (or - for stdin) to a program."""

from __future__ import annotations

import argparse
import sys

from dojocc.cli.shared import STREAM, check_output, read_text, write_output
from dojocc.runtime.isa.asm import assemble
from dojocc.runtime.program import to_bytes

EXAMPLE = "dojocc asm kernel.s -o kernel.dojo"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE.s")
    parser.add_argument("-o", "--output", metavar="PROG.dojo", required=True)


def execute(arguments: argparse.Namespace) -> int:
    check_output(arguments.output)
    text, name = read_text(arguments.file)
    program = assemble(text, name)
    write_output(arguments.output, to_bytes(program))
    if arguments.output != STREAM:
        words = sum(len(each.code) for each in program.classes)
        print(f"{arguments.output}: {words} words, {len(program.classes)} classes", file=sys.stderr)
    return 0
