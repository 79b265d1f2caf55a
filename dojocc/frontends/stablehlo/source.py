"""Where StableHLO comes from: text, or an object of JAX that can print it; and its locations."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from dojocc.runtime.errors import UsageError

ALIAS = re.compile(r"^(#loc\d*) = loc\((.*)\)\s*$", re.MULTILINE)
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
ARGUMENT = re.compile(r"%([\w$.]+): [^%]*?$")
DEEPEST = 8


@dataclass(frozen=True)
class StableText:
    """A module's text and what to call it in messages."""

    text: str
    name: str


@dataclass(frozen=True)
class Bare:
    """A text without locations; `lines`: line number -> name, `arguments`: of `main`."""

    text: str
    lines: dict[int, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)


def text_of_jax(model: Any) -> StableText | None:
    """The text of a jax.export.Exported or a lowered function; None for other objects.

    JAX is not imported: only an object of it can come here.
    """
    kind = type(model)
    if not kind.__module__.startswith(("jax.", "jax._src.")):
        return None
    if kind.__name__ == "Exported":
        return StableText(model.mlir_module(), f"the exported function {model.fun_name}")
    if kind.__name__ == "Lowered":
        return StableText(model.as_text(debug_info=True), "the lowered function")
    raise UsageError(
        "this object of JAX cannot be compiled",
        where=f"{kind.__module__}.{kind.__qualname__}",
        help="give jax.export.export(jax.jit(f))(*shapes), or jax.jit(f).lower(*shapes)",
    )


def without_locations(text: str) -> Bare:
    """Take `loc(...)` out, which xDSL does not keep, and remember the names in them."""
    if "loc(" not in text:
        return Bare(text)
    aliases = dict(ALIAS.findall(text))
    lines: dict[int, str] = {}
    arguments: dict[str, str] = {}
    kept = []
    for number, line in enumerate(ALIAS.sub("", text).split("\n"), 1):
        while (found := location_in(line)) is not None:
            start, end, inside = found
            name = name_of(inside, aliases)
            argument = ARGUMENT.search(line[:start]) if "@main(" in line else None
            if name and argument:
                arguments[argument.group(1)] = name
            elif name:
                lines.setdefault(number, name)
            line = line[:start].rstrip() + line[end:]
        kept.append(line)
    return Bare("\n".join(kept), lines, arguments)


def location_in(line: str) -> tuple[int, int, str] | None:
    """(start, end, inside) of the first `loc(...)` of a line."""
    start = line.find(" loc(")
    if start < 0:
        return None
    depth, quoted = 0, False
    for place in range(start + 4, len(line)):
        letter = line[place]
        if letter == '"' and line[place - 1] != "\\":
            quoted = not quoted
        elif not quoted and letter in "()":
            depth += 1 if letter == "(" else -1
            if depth == 0:
                return start, place + 1, line[start + 5 : place]
    return None


def name_of(inside: str, aliases: dict[str, str]) -> str | None:
    """The quoted name of a location, through aliases; files with line and column have none."""
    for _ in range(DEEPEST):
        if inside.startswith("#"):
            inside = aliases.get(inside, "")
            continue
        quoted = QUOTED.match(inside)
        if quoted is None:
            return None
        rest = inside[quoted.end() :]
        return None if rest.startswith(":") else quoted.group(1)
    return None


def lines_of_generic(text: str) -> dict[str, list[int]]:
    """The lines on which each op stands in generic form, in order."""
    found: dict[str, list[int]] = {}
    for match in re.finditer(r'"((?:stablehlo|chlo)\.\w+)"\s*\(', text):
        line = text.count("\n", 0, match.start()) + 1
        found.setdefault(match.group(1), []).append(line)
    return found
