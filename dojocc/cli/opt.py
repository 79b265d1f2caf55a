"""Run passes of your choice on an IR file or a model, and print the IR."""

from __future__ import annotations

import argparse
import sys

from dojocc.cli.choices import add_printing
from dojocc.cli.printing import Printer
from dojocc.cli.shared import STREAM, check_output, read_content, table, write_output
from dojocc.compiler import Options
from dojocc.dialects.context import DojoContext
from dojocc.dialects.printing import print_module
from dojocc.dialects.verify import verify_module
from dojocc.frontends.ir_file import write_ir
from dojocc.frontends.read import read_model
from dojocc.passes.pipeline import available_passes, parse_passes, run_pipeline
from dojocc.runtime.errors import UsageError

EXAMPLE = """\
dojocc opt model.mlir -p 'canonicalise,fold'
dojocc opt model.onnx -p 'infer-shapes,canonicalise,fold,decompose' -o core.mlir
dojocc opt --list"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", nargs="?", help=".mlir, or any model; - is stdin")
    parser.add_argument("-p", "--passes", default="", metavar="'pass-a,pass-b{x=1}'")
    parser.add_argument("-o", "--output", metavar="FILE", default=STREAM)
    parser.add_argument("--target", default="d1-die", help="a name or a .toml file (d1-die)")
    parser.add_argument("--list", action="store_true", help="every pass and its forms")
    add_printing(parser)


def execute(arguments: argparse.Namespace) -> int:
    if arguments.list:
        print(pass_table())
        return 0
    if arguments.file is None:
        raise UsageError("which file?", help="dojocc opt FILE -p 'pass-a,pass-b', or --list")
    check_output(arguments.output)
    passes = parse_passes(arguments.passes)
    printer = Printer(arguments)
    printer.check([each.name for each in passes])
    context = DojoContext()
    context.target = Options(target=arguments.target).machine()
    module = read_model(read_content(arguments.file), context)
    verify_module(module, locations=False)
    seconds: dict[str, float] = {}
    run_pipeline(context, module, passes, printer, seconds)
    if arguments.output == STREAM:
        write_output(STREAM, print_module(module).encode())
    else:
        write_ir(arguments.output, module, context)
    if arguments.timing:
        rows = [(f"{taken:.3f} s", name) for name, taken in seconds.items()]
        print(table(rows, right=(0,)), file=sys.stderr)
    return 0


def pass_table() -> str:
    """Name, forms and the first line of each pass."""
    rows = [("pass", "takes", "leaves", "")]
    for name, make in available_passes().items():
        first = (make.__doc__ or "").strip().splitlines()[:1]
        rows.append((name, make.takes, make.leaves, first[0] if first else ""))
    return table(rows)
