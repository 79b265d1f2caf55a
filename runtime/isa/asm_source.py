"""The text being assembled: its tokens' values, and errors that show the line with a caret."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lark import Token, Tree

from dojocc.runtime.errors import AssemblyError
from dojocc.runtime.isa.asm_text import OperandError, parse_integer


def parts(tree: Tree) -> list[Any]:
    """A syntax tree's children; their kinds are the grammar's to know."""
    return list(tree.children)


def first_token(tree: Tree | Token) -> Token:
    """The first token of a piece of syntax, for messages."""
    return next(tree.scan_values(lambda _: True)) if isinstance(tree, Tree) else tree


@dataclass(frozen=True)
class Source:
    """The text being assembled, and where messages say it is from."""

    text: str
    filename: str

    @property
    def folder(self) -> Path:
        return Path(self.filename).parent

    def line(self, number: int) -> str:
        lines = self.text.splitlines()
        return lines[number - 1] if 0 < number <= len(lines) else ""

    def error_at(
        self, line: int, column: int, what: str, numbers: str | None, help: str | None
    ) -> AssemblyError:
        """An error that shows the line with a caret under the column."""
        text = self.line(line)
        caret = "".join("\t" if c == "\t" else " " for c in text[: column - 1]) + "^"
        where = f"{self.filename}:{line}:{column}\n    {text}\n    {caret}"
        return AssemblyError(what, where, numbers, help)

    def error(
        self, token: Token, what: str, help: str | None = None, numbers: str | None = None
    ) -> AssemblyError:
        return self.error_at(token.line or 0, token.column or 0, what, numbers, help)

    def integer(self, token: Token, low: int = 0, high: int = 2**62) -> int:
        """A whole number in [low, high]."""
        try:
            value = parse_integer(token)
        except OperandError as error:
            raise self.error(token, f"{token} is not {error.expected}") from None
        if not low <= value <= high:
            raise self.error(token, f"{token} is out of range", numbers=f"{low} to {high} allowed")
        return value

    def string(self, token: Token) -> str:
        try:
            return json.loads(token)
        except ValueError as error:
            raise self.error(token, f"{token} is no valid text: {error}") from None

    def name(self, tree: Tree) -> str:
        token = first_token(tree)
        return self.string(token) if token.type == "STRING" else str(token)
