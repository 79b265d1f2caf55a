"""Assembler: the text of a whole program (grammar in asm.lark) -> Program.

Every mistake raises AssemblyError with file, line, column, the line itself with a caret, and what
was expected. The text that disasm.py writes assembles to the same program, byte for byte.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from lark import Lark, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.lexer import PatternStr

from dojocc.runtime.errors import AssemblyError, DojoError, InputError
from dojocc.runtime.isa.asm_build import Builder
from dojocc.runtime.isa.asm_source import Source
from dojocc.runtime.isa.asm_text import nearest
from dojocc.runtime.program import Program

__all__ = ["assemble", "assemble_file"]

READABLE = {
    "_NL": "end of line",
    "NAME": "a name",
    "NUMBER": "a number",
    "STRING": "a quoted text",
    "LABEL": "a label",
    "GRID": "a grid such as 18x19",
    "RANGE": "a range such as 0..5",
    "JSON": "a JSON table",
    "PORT": ".input or .output",
    "ENTRY": ".push, .pull, .dld or .dst",
}


@lru_cache(maxsize=1)
def grammar() -> Lark:
    """The parser, built on first use."""
    return Lark.open("asm.lark", rel_to=__file__, parser="lalr", maybe_placeholders=False)


def assemble_file(path: str | Path) -> Program:
    """The program in an assembly file; files it names are looked for beside it."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}", where=str(error), help="check the path") from error
    return assemble(text, str(path))


def assemble(text: str, filename: str = "<text>") -> Program:
    """The program in assembly text; `filename` is for messages and for files named in the text."""
    source = Source(text, filename)
    builder = Builder(source)
    for line in parse(source).children:
        assert isinstance(line, Tree)
        for item in line.children:
            builder.add(item)
    try:
        return builder.program()
    except AssemblyError:
        raise
    except DojoError as error:
        where = f"{filename}, {error.where}" if error.where else filename
        raise AssemblyError(error.what, where, error.numbers, error.help) from error


def parse(source: Source) -> Tree:
    """The syntax tree; a syntax error names what could have stood there."""
    try:
        return grammar().parse(source.text + "\n")
    except UnexpectedInput as error:
        raise syntax_error(source, error) from None


def syntax_error(source: Source, error: UnexpectedInput) -> AssemblyError:
    """What stands there, and what could."""
    words = source.line(error.line)[error.column - 1 :].split()
    found = words[0] if words else "end of line"
    if isinstance(error, UnexpectedToken):
        expected = error.accepts or error.expected
    else:
        expected = error.allowed if isinstance(error, UnexpectedCharacters) else ()
    names = sorted({readable(name) for name in expected or ()})
    directives = [name for name in names if name.startswith(".")]
    help_ = nearest(found, directives) if found.startswith(".") else None
    return source.error_at(
        error.line,
        error.column,
        f"syntax error at {found!r}" if words else "syntax error at the end of the line",
        numbers=None,
        help=help_ or f"expected {', '.join(names)}",
    )


def readable(terminal: str) -> str:
    """A grammar terminal in words."""
    if terminal in READABLE:
        return READABLE[terminal]
    for known in grammar().terminals:
        if known.name == terminal and isinstance(known.pattern, PatternStr):
            text = known.pattern.value
            return text if text[0].isalpha() or text[0] == "." else repr(text)
    return terminal
