"""Make a model that fails as small as can be while it still fails in the same way."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from xdsl.dialects.builtin import ModuleOp

from dojocc.cli.choices import add_choices, options_of
from dojocc.cli.shared import STREAM, check_output, progress, read_content, write_output
from dojocc.compiler import Options
from dojocc.dialects.context import DojoContext
from dojocc.dialects.printing import print_module
from dojocc.frontends.ir_file import write_ir
from dojocc.frontends.onnx.model_file import open_model
from dojocc.frontends.read import ONNX, kind_of, read_model
from dojocc.reducing import reduced
from dojocc.reducing_checks import WAYS, Failure, failure_of
from dojocc.reducing_onnx import imported, reduced_onnx
from dojocc.runtime.errors import InputError, UsageError
from dojocc.runtime.files import write_atomically

EXAMPLE = """\
dojocc reduce model.onnx --with compare --precision fp32 -o small.mlir
dojocc reduce model.onnx --with compile -o small.onnx"""
ONNX_SUFFIX = ".onnx"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument(
        "--with",
        dest="way",
        choices=WAYS,
        default=WAYS[-1],
        help="compile it; run its streams, too; compare what they give with the references, too",
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", required=True, help=".mlir, or .onnx of an ONNX model"
    )
    add_choices(parser)


def execute(arguments: argparse.Namespace) -> int:
    check_output(arguments.output)
    options = options_of(arguments)
    model = read_content(arguments.model)
    wants_onnx = Path(arguments.output).suffix.lower() == ONNX_SUFFIX
    if wants_onnx and kind_of(model) != ONNX:
        raise UsageError(
            f"{arguments.model} is no ONNX model, and becomes none",
            where=f"-o {arguments.output}",
            help="write an .mlir file",
        )
    context = DojoContext()
    if not wants_onnx and kind_of(model) != ONNX:
        return reduce_nn(read_model(model, context, options.shapes), context, arguments, options)
    module = None if wants_onnx else imported(model, context, options)
    if isinstance(module, ModuleOp):
        return reduce_nn(module, context, arguments, options)
    return reduce_onnx(model, arguments, options)


def reduce_nn(
    module: ModuleOp, context: DojoContext, arguments: argparse.Namespace, options: Options
) -> int:
    """As a module of the nn level: ops, operands and sizes."""
    first = failing(failure_of(module, context, options, arguments.way), arguments)
    with progress("reducing") as tell:
        small = reduced(
            module,
            context,
            lambda smaller: first.same(failure_of(smaller, context, options, arguments.way)),
            lambda text: tell(text, 0, 1),
        )
    if arguments.output == STREAM:
        write_output(STREAM, print_module(small).encode())
    else:
        write_ir(arguments.output, small, context)
    return said(first, f"{len(list(small.walk()))} ops", arguments)


def reduce_onnx(model: str | bytes, arguments: argparse.Namespace, options: Options) -> int:
    """As an ONNX graph: nodes and inputs, for what goes wrong before there is a module."""
    if Path(arguments.output).suffix.lower() != ONNX_SUFFIX:
        raise UsageError(
            f"{arguments.model} fails while it is imported, so there is no module to reduce",
            help="write an .onnx file",
        )
    source = open_model(model).model

    def check(smaller: object) -> Failure | None:
        context = DojoContext()
        module = imported(smaller, context, options)
        if isinstance(module, Failure):
            return module
        return failure_of(module, context, options, arguments.way)

    first = failing(check(source), arguments)
    small = reduced_onnx(source, lambda smaller: first.same(check(smaller)))
    data = small.SerializeToString(deterministic=True)
    write_atomically(arguments.output, data)
    return said(first, f"{len(small.graph.node)} nodes", arguments)


def failing(failure: Failure | None, arguments: argparse.Namespace) -> Failure:
    if failure is None:
        raise InputError(
            f"{arguments.model} does not fail with '{arguments.way}', so there is nothing to keep",
            help="give the options it fails with: --target, --precision, -O",
        )
    return failure


def said(failure: Failure, size: str, arguments: argparse.Namespace) -> int:
    print(f"{arguments.output}: {size}; {failure.sort}: {failure.place}", file=sys.stderr)
    return 0
