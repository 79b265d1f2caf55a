"""The `disa` dialect: one op an instruction, generated from the table, and their containers.

An instruction op holds its operands as properties in assigned form (`disa.vadd v3, v1, v2`); loops
are the instructions `loop` and `end`, whose nesting the container verifies. Converts to and from
`Instr`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from xdsl.dialects.builtin import (
    I64,
    FlatSymbolRefAttrConstr,
    Float32Type,
    FloatAttr,
    IntegerAttr,
    SymbolRefAttr,
    f32,
    i64,
)
from xdsl.ir import Attribute, Data, Dialect, Operation
from xdsl.irdl import (
    AnyOf,
    BaseAttr,
    IRDLOperation,
    irdl_attr_definition,
    irdl_op_definition,
    prop_def,
)
from xdsl.parser import AttrParser, Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from dojocc.dialects.disa_structure import (
    STRUCTURE_ATTRS,
    STRUCTURE_OPS,
    ClassOp,
    DramOp,
    ImageOp,
    KernelOp,
    MarkAttr,
    PortOp,
    ProgramOp,
    ThreadOp,
)
from dojocc.runtime.isa import TABLE
from dojocc.runtime.isa.codec import decode, encode
from dojocc.runtime.isa.instr import KINDS, Instr, Operand, Row

__all__ = [
    "DISA",
    "OPS",
    "ClassOp",
    "DramOp",
    "ImageOp",
    "InstructionOp",
    "KernelOp",
    "MarkAttr",
    "PortOp",
    "ProgramOp",
    "RegisterAttr",
    "ThreadOp",
    "from_words",
    "instruction",
    "to_instr",
    "to_op",
    "to_words",
    "word_count",
]

REGISTER_KINDS = tuple(kind for kind, facts in KINDS.items() if facts.prefix)
CALLS = ("call",)
"""Instructions whose immediate may be a kernel's name until the code has its place."""


@irdl_attr_definition
class RegisterAttr(Data[tuple[str, int]]):
    """A numbered piece of machine state: `#disa.reg<v3>` (kind letter, number)."""

    name = "disa.reg"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> tuple[str, int]:
        with parser.in_angle_brackets():
            return parse_register(parser)

    def print_parameter(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(f"{self.data[0]}{self.data[1]}")


def parse_register(parser: AttrParser) -> tuple[str, int]:
    position = parser.pos
    text = parser.parse_identifier("a register")
    kind, digits = text[:1], text[1:]
    if kind not in REGISTER_KINDS or not digits.isdecimal():
        parser.raise_error(
            f"'{text}' is no register: a letter of {', '.join(REGISTER_KINDS)} and a number",
            position,
            parser.pos,
        )
    return kind, int(digits)


class InstructionOp(IRDLOperation):
    """Base of the generated ops. `ROW` is the instruction's row of the table."""

    ROW: ClassVar[Row]

    @classmethod
    def make(cls, values: Sequence[int | float | str]) -> InstructionOp:
        """An op of this class; a string stands for the name of the kernel that is called."""
        properties = {
            operand.name: to_attribute(operand, value)
            for operand, value in zip(cls.ROW.operands, values, strict=True)
        }
        return cls(properties=properties)

    def values(self) -> tuple[int | float | str, ...]:
        """Operand values in the row's order; a kernel's name where the op calls one."""
        return tuple(from_attribute(self.properties[operand.name]) for operand in self.ROW.operands)

    def verify_(self) -> None:
        for operand in self.ROW.operands:
            check_value(self.ROW, operand, self.properties[operand.name])

    def print(self, printer: Printer) -> None:
        plain = [operand for operand in self.ROW.operands if operand is not self.ROW.mask]
        for number, operand in enumerate(plain):
            printer.print_string(", " if number else " ")
            print_value(printer, self.properties[operand.name])
        mask = self.ROW.mask
        if mask is not None and from_attribute(self.properties[mask.name]) != 0:
            printer.print_string(" (")
            print_value(printer, self.properties[mask.name])
            printer.print_string(")")
        printer.print_op_attributes(self.attributes)

    @classmethod
    def parse(cls, parser: Parser) -> InstructionOp:
        properties: dict[str, Attribute] = {}
        for operand in cls.ROW.operands:
            if operand is cls.ROW.mask:
                continue
            if properties:
                parser.parse_punctuation(",")
            properties[operand.name] = parse_value(parser, cls.ROW, operand)
        mask = cls.ROW.mask
        if mask is not None:
            properties[mask.name] = RegisterAttr(("p", 0))
            if parser.parse_optional_punctuation("(") is not None:
                properties[mask.name] = RegisterAttr(parse_register(parser))
                parser.parse_punctuation(")")
        return cls(properties=properties, attributes=parser.parse_optional_attr_dict())


def to_attribute(operand: Operand, value: int | float | str) -> Attribute:
    """A plain operand value as the property that holds it."""
    if isinstance(value, str):
        return SymbolRefAttr(value)
    if operand.kind in REGISTER_KINDS:
        return RegisterAttr((operand.kind, int(value)))
    if operand.kind == "f32":
        return FloatAttr(float(value), f32)
    return IntegerAttr(int(value), i64)


def from_attribute(attribute: Attribute) -> int | float | str:
    match attribute:
        case RegisterAttr():
            return attribute.data[1]
        case IntegerAttr() | FloatAttr():
            return attribute.value.data
        case SymbolRefAttr():
            return attribute.root_reference.data
        case _:
            raise VerifyException(f"{attribute} is no operand of an instruction")


def check_value(row: Row, operand: Operand, attribute: Attribute) -> None:
    """The property is of the operand's kind and its value fits the field."""
    where = f"{row.mnemonic}: operand {operand.name}"
    if isinstance(attribute, SymbolRefAttr | FloatAttr):
        return
    kind = KINDS[operand.kind]
    if isinstance(attribute, RegisterAttr) and attribute.data[0] != operand.kind:
        raise VerifyException(
            f"{where} is a {kind.meaning} ({kind.prefix}), not {attribute.data[0]}"
        )
    value = from_attribute(attribute)
    assert isinstance(value, int)
    if not kind.low <= value <= kind.high:
        raise VerifyException(f"{where} must lie in {kind.low}..{kind.high}, not {value}")


def print_value(printer: Printer, attribute: Attribute) -> None:
    match attribute:
        case RegisterAttr():
            printer.print_string(f"{attribute.data[0]}{attribute.data[1]}")
        case SymbolRefAttr():
            printer.print_attribute(attribute)
        case FloatAttr():
            printer.print_string(float_text(attribute.value.data))
        case _:
            printer.print_string(str(from_attribute(attribute)))


def float_text(value: float) -> str:
    """A decimal that reads back to the same FP32; bits in quotes where no decimal can."""
    if not math.isfinite(value):
        return f'"0x{struct.unpack("<I", struct.pack("<f", value))[0]:08X}"'
    text = repr(value)
    if "e" in text and "." not in text:
        text = text.replace("e", ".0e")
    return text


def parse_value(parser: Parser, row: Row, operand: Operand) -> Attribute:
    """One operand as `print_value` writes it."""
    if operand.kind in REGISTER_KINDS:
        return RegisterAttr(parse_register(parser))
    if operand.kind == "f32":
        bits = parser.parse_optional_str_literal()
        if bits is None:
            return FloatAttr(float(parser.parse_number()), f32)
        return FloatAttr(struct.unpack("<f", struct.pack("<I", int(bits, 16)))[0], f32)
    if row.mnemonic in CALLS:
        name = parser.parse_optional_symbol_name()
        if name is not None:
            return SymbolRefAttr(name)
    return IntegerAttr(parser.parse_integer(allow_boolean=False), i64)


def property_constraint(row: Row, operand: Operand) -> Any:
    if operand.kind in REGISTER_KINDS:
        return BaseAttr(RegisterAttr)
    if operand.kind == "f32":
        return FloatAttr[Float32Type]
    if row.mnemonic in CALLS:
        return AnyOf((FlatSymbolRefAttrConstr, BaseAttr(IntegerAttr)))
    return IntegerAttr[I64]


def operation_for(row: Row) -> type[InstructionOp]:
    """The op class of one row."""
    fields: dict[str, Any] = {
        operand.name: prop_def(property_constraint(row, operand)) for operand in row.operands
    }
    taken = [name for name in fields if hasattr(InstructionOp, name)]
    if taken:
        raise ValueError(
            f"instruction {row.mnemonic}: operand names {taken} mean something else on an op"
        )
    body = {
        "name": f"disa.{row.mnemonic}",
        "__doc__": row.doc,
        "__module__": __name__,
        "__qualname__": f"Op_{row.mnemonic}",
        **fields,
    }
    made = irdl_op_definition(type(f"Op_{row.mnemonic}", (InstructionOp,), body))
    made.ROW = row
    return made


OPS: dict[str, type[InstructionOp]] = {name: operation_for(row) for name, row in TABLE.items()}
"""The op class of every instruction, by mnemonic."""

DISA = Dialect("disa", [*STRUCTURE_OPS, *OPS.values()], [RegisterAttr, *STRUCTURE_ATTRS])


def instruction(mnemonic: str, *values: int | float | str) -> InstructionOp:
    """The op of an instruction from plain operand values; a string is the name of a kernel to
    call."""
    return OPS[mnemonic].make(values)


def to_op(instr: Instr, names: Mapping[int, str] | None = None) -> InstructionOp:
    """The op of one instruction; `names` gives kernels by start word, for calls."""
    values: list[int | float | str] = list(instr.operands)
    if instr.mnemonic in CALLS and names is not None:
        values = [names.get(int(value), value) for value in instr.operands]
    return OPS[instr.mnemonic].make(values)


def to_instr(op: Operation, starts: Mapping[str, int] | None = None) -> Instr:
    """The instruction of one op; `starts` gives the start word of kernels by name, for calls."""
    if not isinstance(op, InstructionOp):
        raise VerifyException(f"'{op.name}' is not an instruction")
    values = []
    for value in op.values():
        if isinstance(value, str):
            if starts is None or value not in starts:
                known = ", ".join(sorted(starts or {})) or "none"
                raise VerifyException(
                    f"call of kernel '{value}', which has no place; placed are: {known}"
                )
            value = starts[value]
        values.append(value)
    return Instr(op.ROW.mnemonic, tuple(values))


def to_words(ops: Iterable[Operation], starts: Mapping[str, int] | None = None) -> list[int]:
    """The encoded words of a run of instruction ops."""
    return [word for op in ops for word in encode(to_instr(op, starts))]


def word_count(ops: Iterable[Operation]) -> int:
    """How many words the ops will take, without encoding them."""
    return sum(op.ROW.words for op in ops if isinstance(op, InstructionOp))


def from_words(words: Sequence[int], names: Mapping[int, str] | None = None) -> list[InstructionOp]:
    """Decode words to ops; calls of the start words in `names` become calls by name."""
    ops = []
    position = 0
    while position < len(words):
        instr, position = decode(words, position)
        ops.append(to_op(instr, names))
    return ops
