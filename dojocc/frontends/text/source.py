"""Text of a model and places in it: parsing, and errors that show the line with a caret."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken

from dojocc.runtime.errors import InputError

GRAMMAR = Path(__file__).with_name("grammar.lark")
SPELLED = {
    "LPAR": "(", "RPAR": ")", "LSQB": "[", "RSQB": "]", "LBRACE": "{", "RBRACE": "}",
    "COMMA": ",", "COLON": ":", "EQUAL": "=", "NAME": "a name", "NUMBER": "a number",
    "SIZE": "a size", "STRING": "a string", "ELEMENT": "f32, i32 or i1", "MODEL": "model",
    "WEIGHT": "weight", "WEIGHTS": "weights", "MINUS": "-", "SUM": "+", "PRODUCT": "*",
    "COMPARISON": "a comparison", "TRUTH": "true or false", "$END": "the end",
    "__ANON_0": "->",
}  # fmt: skip
PARSER = Lark(GRAMMAR.read_text(), parser="lalr", propagate_positions=True, maybe_placeholders=True)


@dataclass(frozen=True)
class Place:
    """A line and column, both from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class SourceText:
    """A model's text and the name of the file it is from."""

    text: str
    name: str

    def parse(self) -> Tree:
        try:
            return PARSER.parse(self.text)
        except UnexpectedInput as error:
            raise self.syntax_error(error) from error

    def syntax_error(self, error: UnexpectedInput) -> InputError:
        lines = self.text.splitlines() or [""]
        match error:
            case UnexpectedToken() if error.token.type == "$END":
                place = Place(len(lines), len(lines[-1]) + 1)
                what, expected = "the text ends too early", error.accepts or error.expected
            case UnexpectedToken():
                place = Place(error.line, error.column)
                what, expected = (
                    f"{str(error.token)!r} does not fit here",
                    error.accepts or error.expected,
                )
            case UnexpectedCharacters():
                place = Place(error.line, error.column)
                what, expected = f"{error.char!r} does not fit here", error.allowed or set()
            case UnexpectedEOF():
                place = Place(len(lines), len(lines[-1]) + 1)
                what, expected = "the text ends too early", error.expected
            case _:
                place, what, expected = Place(1, 1), "the text is no model", set()
        known = sorted(SPELLED.get(name, name) for name in expected)
        return self.error(what, place, help=f"expected {' or '.join(known)}" if known else None)

    def error(
        self,
        what: str,
        at: Place | Token | Tree,
        numbers: str | None = None,
        help: str | None = None,
    ) -> InputError:
        """An error that points at its place."""
        place = place_of(at)
        lines = self.text.splitlines()
        line = lines[place.line - 1] if 0 < place.line <= len(lines) else ""
        caret = " " * (place.column - 1) + "^"
        where = f"{self.name}:{place.line}:{place.column}\n    {line}\n    {caret}"
        return InputError(what, where, numbers, help)

    def location(self, at: Place | Token | Tree) -> str:
        """`file:line`, as ops carry it."""
        return f"{Path(self.name).name}:{place_of(at).line}"


def place_of(at: Place | Token | Tree) -> Place:
    match at:
        case Place():
            return at
        case Token():
            return Place(at.line or 1, at.column or 1)
        case _:
            return Place(at.meta.line, at.meta.column)


def nearest(name: str, known: Iterable[str], what: str) -> str:
    """`did you mean ...?`, or what there is."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, 1, 0.5)
    if near:
        return f"did you mean {near[0]}?"
    return f"{what}: {', '.join(names) or 'none'}" if len(names) <= 60 else f"see the {what}"
