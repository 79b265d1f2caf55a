"""Access: which bytes of a buffer one instruction touches, as an affine function of the loop
counters.

The plain description of an address generator's fields; `#tile.access<...>` carries it in IR text.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from xdsl.ir import Data
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer

LEVELS = 6


@dataclass(frozen=True)
class Access:
    """Granule g lies at offset + sum(strides[L] * counter[L]) + (first + g) * pitch bytes into the
    buffer.

    Its lanes have coordinates y = y_start + sum(y_strides * counter) and x = x_start +
    sum(x_strides * counter) + (first + g) * gstep + lane * lstep. They are in bounds when 0 <= y <
    y_limit and 0 <= x < x_limit; an axis whose strides are empty has no bound. Operands y0, x0,
    ylim, xlim of the op add to y_start, x_start, y_limit, x_limit. Lanes out of bounds read (or
    store) `pad`.
    """

    offset: int = 0
    strides: tuple[int, ...] = (0,) * LEVELS
    pitch: int = 0
    first: int = 0
    y_strides: tuple[int, ...] = ()
    x_strides: tuple[int, ...] = ()
    y_limit: int = 0
    x_limit: int = 0
    y_start: int = 0
    x_start: int = 0
    gstep: int = 0
    lstep: int = 0
    pad: float = 0.0

    def __post_init__(self) -> None:
        if len(self.strides) != LEVELS:
            raise ValueError(
                f"an access has {LEVELS} byte strides, one a loop level: {self.strides}"
            )
        for name in ("y_strides", "x_strides"):
            if len(getattr(self, name)) not in (0, LEVELS):
                raise ValueError(f"{name} has {LEVELS} entries or none: {getattr(self, name)}")

    @property
    def bounded(self) -> bool:
        """True when some lanes may be out of bounds."""
        return bool(self.y_strides or self.x_strides)

    def levels(self) -> frozenset[int]:
        """The loop levels the access depends on."""
        tables = (self.strides, self.y_strides, self.x_strides)
        return frozenset(level for table in tables for level, step in enumerate(table) if step)


DEFAULTS = {field.name: field.default for field in fields(Access)}


@irdl_attr_definition
class AccessAttr(Data[Access]):
    """`#tile.access<offset 64, strides [0, 32, 0, 0, 0, 0], pitch 8>`; fields at their default are
    left out."""

    name = "tile.access"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Access:
        values = {}
        parser.parse_punctuation("<")
        while parser.parse_optional_punctuation(">") is None:
            if values:
                parser.parse_punctuation(",")
            name = parser.parse_identifier("a field of an access")
            if name not in DEFAULTS:
                parser.raise_error(f"an access has no field '{name}'; it has {', '.join(DEFAULTS)}")
            values[name] = _parse_field(parser, DEFAULTS[name])
        return Access(**values)

    def print_parameter(self, printer: Printer) -> None:
        shown = []
        for name, default in DEFAULTS.items():
            value = getattr(self.data, name)
            if repr(value) == repr(default):
                continue
            shown.append(f"{name} {_field_text(value)}")
        printer.print_string(f"<{', '.join(shown)}>")


def _field_text(value: int | float | tuple[int, ...]) -> str:
    match value:
        case tuple():
            return f"[{', '.join(map(str, value))}]"
        case float():
            return f'"{value!r}"'
        case _:
            return str(value)


def _parse_field(parser: AttrParser, default: object) -> int | float | tuple[int, ...]:
    match default:
        case tuple():
            entries = parser.parse_comma_separated_list(
                parser.Delimiter.SQUARE, lambda: parser.parse_integer(allow_boolean=False)
            )
            return tuple(entries)
        case float():
            return float(parser.parse_str_literal("a quoted number"))
        case _:
            return parser.parse_integer(allow_boolean=False)
