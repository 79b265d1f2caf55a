"""Attributes as Python values: numbers, texts, lists, dicts."""

from __future__ import annotations

import re
from typing import Any

from xdsl.dialects.builtin import (
    ArrayAttr,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    DictionaryAttr,
    FloatAttr,
    IntegerAttr,
    StringAttr,
    SymbolRefAttr,
    i1,
)
from xdsl.ir import Attribute

from dojocc.dialects.stablehlo import RawAttribute
from dojocc.frontends.build import NotSupported

FIELD = re.compile(r"(\w+)\s*=\s*(\[[^\]]*\]|-?\d+)")
LIST = re.compile(r"\[([^\]]*)\]")


def plain(attribute: Attribute | None) -> Any:
    """The attribute's value; of the dialect's own ones their text."""
    match attribute:
        case None:
            return None
        case IntegerAttr():
            value = attribute.value.data
            return bool(value) if attribute.type == i1 else value
        case FloatAttr():
            return attribute.value.data
        case StringAttr() | RawAttribute():
            return attribute.data
        case SymbolRefAttr():
            return attribute.root_reference.data
        case ArrayAttr():
            return [plain(each) for each in attribute.data]
        case DictionaryAttr():
            return {key: plain(each) for key, each in attribute.data.items()}
        case DenseArrayBase():
            return list(attribute.get_values())  # pyright: ignore[reportAttributeAccessIssue]
        case DenseIntOrFPElementsAttr():
            return rows_of(list(attribute.get_values()), list(attribute.get_shape()))
    raise NotSupported(f"an attribute {attribute} cannot be read")


def rows_of(values: list[Any], shape: list[int]) -> Any:
    """A flat list as nested lists; a splat stands for all elements."""
    total = 1
    for size in shape:
        total *= size
    values = values * total if len(values) == 1 else values
    for size in reversed(shape[1:]):
        values = [values[at : at + size] for at in range(0, len(values), size)]
    return values


def fields(text: str) -> dict[str, Any]:
    """`a = [1, 2], b = 3` as a dict."""
    found: dict[str, Any] = {}
    for name, value in FIELD.findall(text):
        found[name] = numbers(value[1:-1]) if value.startswith("[") else int(value)
    return found


def numbers(text: str) -> list[Any]:
    """`b, 0, 1, f` as a list; what is no number stays a word."""
    parts = (part.strip() for part in text.split(",") if part.strip())
    return [int(part) if part.lstrip("-").isdigit() else part for part in parts]


def lists(text: str) -> list[list[Any]]:
    """Every bracketed list of a text."""
    return [numbers(inside) for inside in LIST.findall(text)]
