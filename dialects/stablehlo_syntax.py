"""The pretty form of StableHLO ops, as JAX prints it: one reader for all ops.

After the name stand operands, words, `name = value` pairs and brackets in an order that depends on
the op; all are collected, and what stands where in the generic form is worked out by name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from xdsl.dialects.builtin import (
    ArrayAttr,
    DictionaryAttr,
    FunctionType,
    IntegerAttr,
    StringAttr,
    i64,
)
from xdsl.ir import Attribute, Operation, Region
from xdsl.parser import AttrParser, Parser, UnresolvedOperand

from dojocc.dialects.location import set_location

RENAMES = {
    "broadcast_in_dim": {"dims": "broadcast_dimensions"},
    "transpose": {"dims": "permutation"},
    "reverse": {"dims": "dimensions"},
    "iota": {"dim": "iota_dimension"},
    "concatenate": {"dim": "dimension"},
    "dynamic_slice": {"sizes": "slice_sizes"},
    "pad": {"low": "edge_padding_low", "high": "edge_padding_high", "interior": "interior_padding"},
}
"""Names in the pretty form, and in the generic one."""
WORDS = {"compare": ("comparison_direction", "compare_type")}
"""Bare words, in order."""
ONE_TYPE_FOR_ALL_BUT = {"select": 0, "clamp": None}
"""Ops whose short form lists the type of one operand apart."""


@dataclass
class Written:
    """What stands between an op's name and its types."""

    operands: list[UnresolvedOperand] = field(default_factory=list)
    properties: dict[str, Attribute] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)


def raw_body(parser: AttrParser) -> str:
    """The text of a dialect attribute: in its own brackets, or one word in opaque form."""
    word = parser.parse_optional_identifier()
    return word if word is not None else parser._parse_dialect_symbol_body()


def attribute_of(value: Any) -> Attribute:
    """A parsed value as an attribute."""
    match value:
        case Attribute():
            return value
        case int():
            return IntegerAttr(value, i64)
        case str():
            return StringAttr(value)
        case list():
            return ArrayAttr([attribute_of(each) for each in value])
        case dict():
            return DictionaryAttr({key: attribute_of(each) for key, each in value.items()})
    raise TypeError(type(value).__name__)


def parse_pretty(kind: type[Operation], parser: Parser) -> Operation:
    """The op behind a name that was just read."""
    start = parser.pos
    short = kind.name.split(".")[1]
    match short:
        case "while":
            op = parse_while(kind, parser)
        case "reduce":
            op = parse_reduce(kind, parser)
        case "constant":
            op = parse_constant(kind, parser)
        case "custom_call" | "composite":
            op = parse_call(kind, parser)
        case _:
            op = parse_plain(kind, parser, short)
    line = parser.lexer.input.content.count("\n", 0, start) + 1
    set_location(op, f"line {line} ({kind.name})")
    return op


def parse_plain(kind: type[Operation], parser: Parser, short: str) -> Operation:
    written = Written()
    parse_items(parser, written)
    written.properties.update(parser.parse_optional_attr_dict())
    names = RENAMES.get(short, {})
    properties = {names.get(key, key): value for key, value in written.properties.items()}
    properties |= dict(zip(WORDS.get(short, ()), map(StringAttr, written.words), strict=False))
    return finished(kind, parser, written.operands, properties, ONE_TYPE_FOR_ALL_BUT.get(short))


def parse_items(parser: Parser, written: Written) -> None:
    """Operands, words and pairs, with or without commas and one pair of brackets around them."""
    while True:
        operand = parser.parse_optional_unresolved_operand()
        if operand is not None:
            written.operands.append(operand)
            parse_ranges(parser, written)
        elif parser.parse_optional_punctuation("("):
            parse_items(parser, written)
            parser.parse_punctuation(")")
        elif (word := parser.parse_optional_identifier()) is not None:
            if parser.parse_optional_punctuation("="):
                written.properties[word] = attribute_of(parse_value(parser))
            else:
                written.words.append(word)
        elif not parser.parse_optional_punctuation(","):
            return


def parse_ranges(parser: Parser, written: Written) -> None:
    """`[0:4, 2:8:3]` behind the operand of a slice."""
    rows = parser.parse_optional_comma_separated_list(
        parser.Delimiter.SQUARE, lambda: parse_range(parser)
    )
    if rows is not None:
        for place, name in enumerate(("start_indices", "limit_indices", "strides")):
            written.properties[name] = attribute_of([row[place] for row in rows])


def parse_range(parser: Parser) -> tuple[int, int, int]:
    start = parser.parse_integer()
    parser.parse_punctuation(":")
    limit = parser.parse_integer()
    step = parser.parse_integer() if parser.parse_optional_punctuation(":") else 1
    return start, limit, step


def parse_value(parser: Parser) -> Any:
    """A number, word, list, `[..] x [..]`, braces of pairs, dim numbers or any attribute."""
    parts = [parse_part(parser)]
    while isinstance(parts[-1], list) and (
        parser.parse_optional_keyword("x") or parser.parse_optional_punctuation("->")
    ):
        parts.append(parse_part(parser))
    return parts[0] if len(parts) == 1 else parts


def parse_part(parser: Parser) -> Any:
    row = parser.parse_optional_comma_separated_list(
        parser.Delimiter.SQUARE, lambda: parse_value(parser)
    )
    if row is not None:
        return row
    if parser.parse_optional_punctuation("{"):
        found: dict[str, Any] = {}
        while not parser.parse_optional_punctuation("}"):
            key = parser.parse_identifier()
            parser.parse_punctuation("=")
            found[key] = parse_value(parser)
            parser.parse_optional_punctuation(",")
        return found
    number = parser.parse_optional_integer(allow_boolean=False)
    if number is not None:
        return number
    word = parser.parse_optional_identifier()
    if word in ("dense", "array"):
        parser.raise_error("attributes of this kind stand in the generic form only")
    if word in ("true", "false"):
        return word == "true"
    return word if word is not None else parser.parse_attribute()


def finished(
    kind: type[Operation],
    parser: Parser,
    operands: list[UnresolvedOperand],
    properties: dict[str, Attribute],
    apart: int | None = None,
    regions: list[Region] | None = None,
) -> Operation:
    """The op with the types behind the colon."""
    inputs, outputs = parse_types(parser, len(operands), apart)
    if kind.name.endswith(".return"):
        outputs = []
    values = [
        parser.resolve_operand(operand, type)
        for operand, type in zip(operands, inputs, strict=True)
    ]
    return kind.create(
        operands=values, result_types=outputs, properties=properties, regions=regions or []
    )


def parse_types(
    parser: Parser, count: int, apart: int | None
) -> tuple[list[Attribute], list[Attribute]]:
    """(types of the operands, of the results) from any of the short forms.

    `(T, U) -> V`; `T -> U`; `T` for all; `T, U` one each; with `apart`, `P, T` for an operand of
    type P and all others and the result of T.
    """
    if not parser.parse_optional_punctuation(":"):
        return [], []
    types: list[Attribute] = [parser.parse_type()]
    while parser.parse_optional_punctuation(","):
        types.append(parser.parse_type())
    if isinstance(types[0], FunctionType):
        return list(types[0].inputs.data), list(types[0].outputs.data)
    if parser.parse_optional_punctuation("->"):
        rows = parser.parse_optional_comma_separated_list(parser.Delimiter.PAREN, parser.parse_type)
        results: list[Attribute] = list(rows or [parser.parse_type()])
        return types * count if len(types) == 1 else types, results
    if apart is not None and len(types) == 2:
        inputs = [types[1]] * count
        inputs[apart] = types[0]
        return inputs, [types[1]]
    if len(types) == 1:
        return types * count, types
    return types, types


def parse_constant(kind: type[Operation], parser: Parser) -> Operation:
    attributes = parser.parse_optional_attr_dict()
    value = parser.parse_attribute()
    type: Any = getattr(value, "type", None) or value.get_type()  # pyright: ignore
    return kind.create(result_types=[type], properties={"value": value}, attributes=attributes)


def parse_call(kind: type[Operation], parser: Parser) -> Operation:
    """`custom_call @name(%a) {...} : types`, `composite "name" %a {...} : types`."""
    properties: dict[str, Attribute] = {}
    symbol = parser.parse_optional_symbol_name()
    if symbol is not None:
        properties["call_target_name"] = symbol
    else:
        properties["name"] = StringAttr(parser.parse_str_literal())
    written = Written()
    parse_items(parser, written)
    properties |= parser.parse_optional_attr_dict()
    return finished(kind, parser, written.operands, properties)


def parse_while(kind: type[Operation], parser: Parser) -> Operation:
    """`while(%a = %x, ...) : types cond {...} do {...}`."""

    def pair() -> tuple[Any, UnresolvedOperand]:
        name = parser.parse_argument(expect_type=False)
        parser.parse_punctuation("=")
        return name, parser.parse_unresolved_operand()

    pairs = parser.parse_comma_separated_list(parser.Delimiter.PAREN, pair)
    types: list[Attribute] = []
    if parser.parse_optional_punctuation(":"):
        types = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)
    attributes = parser.parse_optional_attr_dict_with_keyword()
    rows = list(zip(pairs, types, strict=True))
    arguments = [name.resolve(type) for (name, _), type in rows]
    operands = [parser.resolve_operand(operand, type) for (_, operand), type in rows]
    parser.parse_keyword("cond")
    condition = parser.parse_region(arguments)
    parser.parse_keyword("do")
    body = parser.parse_region(arguments)
    op = kind.create(operands=operands, result_types=types, regions=[condition, body])
    op.attributes.update(attributes.data if attributes is not None else {})
    return op


def parse_reduce(kind: type[Operation], parser: Parser) -> Operation:
    """`reduce(%x init: %c), ... applies f across dimensions = [...] : types`, or with a reducer."""
    values, starts = [], []
    while True:
        parser.parse_punctuation("(")
        values.append(parser.parse_unresolved_operand())
        parser.parse_keyword("init")
        parser.parse_punctuation(":")
        starts.append(parser.parse_unresolved_operand())
        parser.parse_punctuation(")")
        if not parser.parse_optional_punctuation(","):
            break
    properties: dict[str, Attribute] = {}
    if parser.parse_optional_keyword("applies"):
        properties["applies"] = StringAttr(parser.parse_identifier())
    parser.parse_keyword("across")
    parser.parse_keyword("dimensions")
    parser.parse_punctuation("=")
    properties["dimensions"] = attribute_of(parse_part(parser))
    parser.parse_optional_attr_dict()
    op = finished(kind, parser, [*values, *starts], properties)
    if parser.parse_optional_keyword("reducer"):
        op.add_region(parse_reducer(parser, len(values)))
    return op


def parse_reducer(parser: Parser, count: int) -> Region:
    """`(%a: T, %b: T) (%c: U, %d: U) { ... }`: the block takes a, c, then b, d."""
    pairs = [
        parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_argument)
        for _ in range(count)
    ]
    arguments = [pair[0] for pair in pairs] + [pair[1] for pair in pairs]
    return parser.parse_region(arguments)
