"""Text of a module and back, byte for byte; arrays of large constants stay in the resources."""

from __future__ import annotations

from io import StringIO
from typing import Any

from xdsl.dialects.builtin import AnyFloat, ModuleOp
from xdsl.parser import AttrParser, Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import ParseError, VerifyException
from xdsl.utils.mlir_lexer import MLIRTokenKind

from dojocc.dialects.context import DojoContext
from dojocc.runtime.errors import InputError


def print_module(module: ModuleOp) -> str:
    """The module's text, with locations, ending in a newline."""
    stream = StringIO()
    Printer(stream=stream).print_op(module)
    return stream.getvalue() + "\n"


def parse_module(ctx: DojoContext, text: str, name: str = "<text>") -> ModuleOp:
    """A module from its text; a mistake is an InputError with line, column and caret."""
    parser = TextParser(ctx, text, name)
    try:
        return parser.parse_module()
    except ParseError as error:
        where = _where(error.span.start, text, name)
        raise InputError(f"IR text does not parse: {error.msg}", where=where) from error
    except (VerifyException, ValueError) as error:
        # An attribute or op that refuses its own parameters while it is built.
        words = str(error.args[0] if error.args else error)
        where = _where(parser.pos, text, name)
        raise InputError(f"IR text does not parse: {words}", where=where) from error


class BitsElement(Parser._TensorLiteralElement):
    """An element of a dense literal; a float may be given by its bits, as in `0xFF800000`."""

    def to_type(self, parser: AttrParser, type: Any) -> Any:
        digits = self.span.text.removeprefix("0x")
        if not isinstance(type, AnyFloat) or digits == self.span.text:
            return super().to_type(parser, type)
        size = type.compile_time_size
        if len(digits) != 2 * size:
            parser.raise_error(f"{type} has {2 * size} hexadecimal digits", self.span)
        return type.unpack(int(digits, 16).to_bytes(size, "little"), 1)[0]


class TextParser(Parser):
    """xDSL's parser with two of its faults mended, so that it reads what xDSL's printer prints.

    A string may hold any UTF-8, as model node names do (xDSL reads such as bytes); floats in dense
    literals may be given by their bits, as infinities and NaN are (xDSL reads those as numbers).
    """

    def _parse_tensor_literal_element(self) -> Parser._TensorLiteralElement:
        found = super()._parse_tensor_literal_element()
        return BitsElement(found.is_negative, found.value, found.span)

    def parse_optional_str_literal(self) -> str | None:
        if self._current_token.kind != MLIRTokenKind.BYTES_LIT:
            return super().parse_optional_str_literal()
        span = self._current_token.span
        try:
            return (self.parse_optional_bytes_literal() or b"").decode("utf-8")
        except UnicodeDecodeError:
            self.raise_error("string is not UTF-8", span)


def _where(position: int, text: str, name: str) -> str:
    """`file:line:column`, the line, and a caret below the place."""
    start = min(position, len(text))
    first = text.rfind("\n", 0, start) + 1
    column = start - first + 1
    line = text.count("\n", 0, start) + 1
    words = text[first:].split("\n", 1)[0]
    return f"{name}:{line}:{column}\n    {words}\n    {' ' * (column - 1)}^"
