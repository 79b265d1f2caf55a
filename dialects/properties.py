"""Typed properties of ops: each kind's declaration, Python form, printing and parsing.

An op declares `axis = prop_def(INT)`; builders pass `axis=1`; `infer` and `compute` read `p.axis`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from xdsl.dialects.builtin import DenseArrayBase, FloatAttr, IntegerAttr, StringAttr, f32, i64
from xdsl.ir import Attribute
from xdsl.irdl import AnyAttr, AttrConstraint, BaseAttr, OpDef
from xdsl.parser import Parser
from xdsl.printer import Printer

INT = BaseAttr(IntegerAttr)
INTS = BaseAttr(DenseArrayBase)
FLOAT = BaseAttr(FloatAttr)
WORD = BaseAttr(StringAttr)
ANY = AnyAttr()


@dataclass(frozen=True)
class Kind:
    """One kind of property: its Python form and its short text."""

    to_attribute: Callable[[Any], Attribute]
    to_python: Callable[[Any], Any]
    show: Callable[[Printer, Any], None]
    parse: Callable[[Parser], Attribute]


def _ints(values: Any) -> Attribute:
    return DenseArrayBase.from_list(i64, [int(value) for value in values])


def _show_ints(printer: Printer, attribute: Any) -> None:
    with printer.in_square_brackets():
        printer.print_list(attribute.get_values(), printer.print_int)


def _parse_ints(parser: Parser) -> Attribute:
    return _ints(parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_integer))


def _show_float(printer: Printer, attribute: Any) -> None:
    """The shortest decimal that reads back the same; infinities and NaN by their bits."""
    value = np.float32(attribute.value.data)
    if np.isfinite(value):
        printer.print_string(np.format_float_scientific(value, trim="0", unique=True))
    else:
        printer.print_string(f"0x{int(value.view(np.uint32)):08X}")


def _parse_float(parser: Parser) -> Attribute:
    number = parser.parse_number()
    if isinstance(number, float):
        return FloatAttr(number, f32)
    return FloatAttr(float(np.array(number, np.uint32).view(np.float32)), f32)


KINDS: dict[type[Attribute], Kind] = {
    IntegerAttr: Kind(
        lambda value: IntegerAttr(int(value), i64),
        lambda attribute: attribute.value.data,
        lambda printer, attribute: printer.print_int(attribute.value.data),
        lambda parser: IntegerAttr(parser.parse_integer(), i64),
    ),
    DenseArrayBase: Kind(_ints, lambda a: tuple(a.get_values()), _show_ints, _parse_ints),
    FloatAttr: Kind(
        lambda value: FloatAttr(float(value), f32),
        lambda attribute: attribute.value.data,
        _show_float,
        _parse_float,
    ),
    StringAttr: Kind(
        StringAttr,
        lambda attribute: attribute.data,
        lambda printer, attribute: printer.print_string_literal(attribute.data),
        lambda parser: StringAttr(parser.parse_str_literal()),
    ),
}
OTHER = Kind(
    lambda value: value,
    lambda attribute: attribute,
    lambda printer, attribute: printer.print_attribute(attribute),
    lambda parser: parser.parse_attribute(),
)


def kind_of(constraint: AttrConstraint) -> Kind:
    """The kind a declared property belongs to."""
    bases = constraint.get_bases() or set()
    return KINDS.get(next(iter(bases)), OTHER) if len(bases) == 1 else OTHER


def to_attributes(definition: OpDef, values: Mapping[str, Any]) -> dict[str, Attribute]:
    """Attributes for Python values, by the op's declaration; a value of None means absent."""
    unknown = sorted(set(values) - set(definition.properties))
    if unknown:
        known = ", ".join(definition.properties) or "none"
        raise TypeError(f"{definition.name} has no property {unknown[0]!r} (it has: {known})")
    return {
        name: value
        if isinstance(value, Attribute)
        else kind_of(definition.properties[name].constr).to_attribute(value)
        for name, value in values.items()
        if value is not None
    }


def to_python(definition: OpDef, attributes: Mapping[str, Attribute]) -> Any:
    """A namespace with a Python value for every declared property (None where absent)."""
    return SimpleNamespace(
        **{
            name: kind_of(row.constr).to_python(attributes[name]) if name in attributes else None
            for name, row in definition.properties.items()
        }
    )


def print_properties(
    printer: Printer,
    definition: OpDef,
    properties: Mapping[str, Attribute],
    discardable: Mapping[str, Attribute],
) -> None:
    """` {axis = 1, dims = [0, 1], loc = "..."}`: declared ones in short form, then the rest."""
    rows = [(name, properties[name]) for name in definition.properties if name in properties]
    if not rows and not discardable:
        return

    def show(row: tuple[str, Attribute]) -> None:
        name, attribute = row
        printer.print_identifier_or_string_literal(name)
        printer.print_string(" = ")
        declared = definition.properties.get(name)
        kind = kind_of(declared.constr) if declared is not None else OTHER
        kind.show(printer, attribute)

    printer.print_string(" ")
    with printer.in_braces():
        printer.print_list([*rows, *discardable.items()], show)


def parse_properties(
    parser: Parser, definition: OpDef
) -> tuple[dict[str, Attribute], dict[str, Attribute]]:
    """(properties, discardable attributes) of the dictionary that may stand here."""

    def entry() -> tuple[str, Attribute]:
        name = parser.parse_identifier_or_str_literal()
        if name in rows:
            parser.raise_error(f"{definition.name}: {name} is given twice")
        parser.parse_punctuation("=")
        declared = definition.properties.get(name)
        kind = kind_of(declared.constr) if declared is not None else OTHER
        return name, kind.parse(parser)

    rows: dict[str, Attribute] = {}
    if parser.parse_optional_punctuation("{") is None:
        return {}, {}
    while parser.parse_optional_punctuation("}") is None:
        if rows:
            parser.parse_punctuation(",")
        name, value = entry()
        rows[name] = value
    properties = {name: value for name, value in rows.items() if name in definition.properties}
    return properties, {name: value for name, value in rows.items() if name not in properties}
