"""Text of a module and back, byte for byte; arrays of large constants stay in the context's resources."""

from __future__ import annotations

from io import StringIO

from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import ParseError

from dojocc.dialects.context import DojoContext
from dojocc.runtime.errors import InputError


def print_module(module: ModuleOp) -> str:
    """The module's text, with locations, ending in a newline."""
    stream = StringIO()
    Printer(stream=stream).print_op(module)
    return stream.getvalue() + "\n"


def parse_module(ctx: DojoContext, text: str, name: str = "<text>") -> ModuleOp:
    """A module from its text; a mistake is an InputError with line, column and caret."""
    try:
        return Parser(ctx, text, name).parse_module()
    except ParseError as error:
        raise InputError(_message(error), where=_where(error, text, name)) from error


def _message(error: ParseError) -> str:
    lines = [line for line in str(error.args[0] if error.args else error).splitlines() if line]
    return f"IR text does not parse: {error.msg if hasattr(error, 'msg') else lines[-1]}"


def _where(error: ParseError, text: str, name: str) -> str:
    """`file:line:column`, the line, and a caret below the place."""
    start = min(error.span.start, len(text))
    line = text.count("\n", 0, start) + 1
    column = start - (text.rfind("\n", 0, start) + 1) + 1
    lines = text.split("\n")
    return f"{name}:{line}:{column}\n    {lines[line - 1]}\n    {' ' * (column - 1)}^"
