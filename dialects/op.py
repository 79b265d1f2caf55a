"""The base of every nn op: a class holds shape rule, reference, gradient, cost and decomposition.

Subclasses declare operands and properties as in xDSL and override `infer` and `compute`; printing,
parsing, verification and building are derived here. `NN_OPS` maps each short name to its class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import IRDLOperation, OptionalDef, irdl_op_definition
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from dojocc.dialects.domain import IterationDomain
from dojocc.dialects.location import get_location, set_location
from dojocc.dialects.numerics import Numerics
from dojocc.dialects.properties import (
    parse_properties,
    print_properties,
    to_attributes,
    to_python,
)
from dojocc.dialects.types import (
    as_element,
    dense_of,
    dtype_of,
    elements,
    same_type,
    stored_bytes,
    text_of,
)
from dojocc.runtime.errors import InputError

FUSIBLE_CLASSES = (
    "elementwise",
    "contraction",
    "window",
    "reduction",
    "row",
    "movement",
    "indexing",
    "structure",
)
NOT_YET = "not yet"  # differentiable, but no rule is written
ZERO_GRADIENT = "zero"  # constant almost everywhere, or not a float function
BY_DECOMPOSITION = "decompose"  # differentiate what `decompose` gives

Types = Sequence[TensorType]
OpT = TypeVar("OpT", bound="NNOp")


class TypeRuleError(InputError):
    """The operand types or properties do not suit the op."""


@dataclass(frozen=True)
class Cost:
    """Work of one op: floating-point (or integer) operations, and bytes of operands and results."""

    flops: int
    bytes: int


class NNOp(IRDLOperation):
    """An op of the nn dialect with tensor operands and, unless it says so, one result."""

    FUSIBLE: ClassVar[str] = "elementwise"
    FLOPS: ClassVar[int] = 1  # operations for each element of the result
    GRADIENT: ClassVar[str] = NOT_YET  # "rule" where `gradient` is written
    COMPOSITE: ClassVar[bool] = False  # `decompose` may give simpler ops

    @classmethod
    def infer(cls, types: Types, p: Any) -> list[TensorType]:
        """Result types for operand types and properties (Python values); raises TypeRuleError."""
        raise NotImplementedError(cls.name)

    def reference(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> list[np.ndarray]:
        """Result values, already rounded to the result element types."""
        value = self.compute(arrays, numerics)
        result = self.result_type
        return [as_element(value, result.element_type)]

    def compute(self, arrays: Sequence[np.ndarray], numerics: Numerics) -> np.ndarray:
        """The one result's values before rounding to its element type."""
        raise NotImplementedError(self.name)

    def cost(self) -> Cost:
        """Operations and bytes."""
        return Cost(self.FLOPS * elements(self.result_type), self.moved_bytes())

    def moved_bytes(self) -> int:
        """Bytes of all operands and results."""
        return sum(stored_bytes(type) for type in (*self.types, *self.result_tensors))

    def decompose(self, b: OpList) -> SSAValue | None:
        """The same value from simpler ops added to `b`; None where nothing is to be taken apart."""
        return None

    def gradient(self, b: OpList, upstream: SSAValue) -> list[SSAValue | None] | None:
        """The gradient for each operand (None: none flows), or None where no rule is written."""
        return None

    def iteration_domain(self) -> IterationDomain | None:
        """The op as loops with affine maps, or None where it is not one."""
        return None

    @property
    def p(self) -> Any:
        """The properties as Python values."""
        return to_python(self.get_irdl_definition(), self.properties)

    @property
    def types(self) -> list[TensorType]:
        """Operand types."""
        return [value.type for value in self.operands]  # pyright: ignore[reportReturnType]

    @property
    def result_tensors(self) -> list[TensorType]:
        """Result types."""
        return [value.type for value in self.results]  # pyright: ignore[reportReturnType]

    @property
    def result_type(self) -> TensorType:
        """The type of the first result."""
        return self.results[0].type  # pyright: ignore[reportReturnType]

    @property
    def short_name(self) -> str:
        """The name without `nn.`."""
        return self.name.removeprefix("nn.")

    def verify_(self) -> None:
        for number, found in enumerate((*self.operand_types, *self.result_types)):
            if not isinstance(found, TensorType):
                raise VerifyException(f"{self.name}: value {number} is {found}, not a tensor")
        try:
            expected = type(self).infer(self.types, self.p)
        except TypeRuleError as error:
            raise VerifyException(str(error)) from error
        found = self.result_tensors
        agree = len(expected) == len(found) and all(map(same_type, expected, found))
        if not agree:
            raise VerifyException(
                f"{self.name}: its operands give {', '.join(map(text_of, expected))}, "
                f"but the result is {', '.join(map(text_of, found))}"
            )

    def print(self, printer: Printer) -> None:
        if self.operands:
            printer.print_string(" ")
            printer.print_list(self.operands, printer.print_operand)
        definition = self.get_irdl_definition()
        print_properties(printer, definition, self.properties, self.attributes)
        printer.print_string(" : ")
        print_types(printer, list(self.operand_types), list(self.result_types))

    @classmethod
    def parse(cls: type[OpT], parser: Parser) -> OpT:
        operands = parser.parse_optional_undelimited_comma_separated_list(
            parser.parse_optional_unresolved_operand, parser.parse_unresolved_operand
        )
        operands = operands or []
        properties, attributes = parse_properties(parser, cls.get_irdl_definition())
        parser.parse_punctuation(":")
        position = parser.pos
        inputs, outputs = parse_types(parser, len(operands), len(cls.get_irdl_definition().results))
        return cls.create(
            operands=parser.resolve_operands(operands, inputs, position),
            result_types=outputs,
            properties=properties,
            attributes=attributes,
        )


def print_types(printer: Printer, inputs: list[Attribute], outputs: list[Attribute]) -> None:
    """One type where all values share it, else `(operand types) -> result types`."""
    if len(outputs) == 1 and all(type == outputs[0] for type in inputs):
        printer.print_attribute(outputs[0])
    else:
        printer.print_function_type(inputs, outputs)


def parse_types(
    parser: Parser, operands: int, results: int
) -> tuple[Sequence[Attribute], Sequence[Attribute]]:
    """The inverse of `print_types`."""
    function_type = parser.parse_optional_function_type()
    if function_type is not None:
        return function_type.inputs.data, function_type.outputs.data
    shared = parser.parse_type()
    return [shared] * operands, [shared] * results


NN_OPS: dict[str, type[NNOp]] = {}


def nn_op(cls: type[OpT]) -> type[OpT]:
    """Declare a class an op of the nn dialect and enrol it in `NN_OPS`."""
    if cls.FUSIBLE not in FUSIBLE_CLASSES:
        raise ValueError(f"{cls.name}: {cls.FUSIBLE!r} is none of {FUSIBLE_CLASSES}")
    short = cls.name.removeprefix("nn.")
    if short in NN_OPS or short == cls.name:
        raise ValueError(f"{cls.name} is declared twice or lacks the nn. prefix")
    defined = irdl_op_definition(cls)
    NN_OPS[short] = defined
    return defined


def build(
    cls: type[OpT],
    operands: Sequence[SSAValue | Operation],
    *,
    location: str | None = None,
    **properties: Any,
) -> OpT:
    """An op with the result types of its shape rule; properties are Python values or attributes."""
    values = [SSAValue.get(operand) for operand in operands]
    definition = cls.get_irdl_definition()
    attributes = to_attributes(definition, properties)
    for name, row in definition.properties.items():
        if name in attributes:
            continue
        if row.default_value is not None:
            attributes[name] = row.default_value
        elif not isinstance(row, OptionalDef):
            raise TypeRuleError(
                f"{cls.name}: required property '{name}' is missing", where=location
            )
    types: list[Any] = [value.type for value in values]
    try:
        result_types = cls.infer(types, to_python(definition, attributes))
    except TypeRuleError as error:
        error.where = error.where or location
        raise
    op = cls.create(operands=values, result_types=result_types, properties=attributes)
    set_location(op, location)
    return op


class OpList:
    """Ops under construction, in order; calling it builds one and gives its value."""

    def __init__(self, location: str | None = None) -> None:
        self.ops: list[Operation] = []
        self.location = location

    @classmethod
    def like(cls, op: Operation) -> OpList:
        """A list whose ops stand for `op`."""
        return cls(get_location(op))

    def __call__(self, op: type[NNOp] | str, *operands: SSAValue, **properties: Any) -> SSAValue:
        cls = NN_OPS[op] if isinstance(op, str) else op
        built = build(cls, operands, location=self.location, **properties)
        self.ops.append(built)
        return built.results[0]

    def splat(self, value: float, like: SSAValue) -> SSAValue:
        """A tensor of the type of `like` that holds one value everywhere."""
        type: Any = like.type
        scalar = self.scalar(value, type.element_type)
        if not type.get_shape():
            return scalar
        return self("broadcast_in_dim", scalar, dims=(), shape=type.get_shape())

    def scalar(self, value: float, element_type: Attribute) -> SSAValue:
        """A rank-0 constant."""
        array = np.array(value).astype(dtype_of(element_type))
        return self("constant", value=dense_of(array, element_type))

    def broadcast(self, value: SSAValue, shape: Sequence[int], dims: Sequence[int]) -> SSAValue:
        """`broadcast_in_dim`, or the value itself where it already has the shape."""
        type: Any = value.type
        if tuple(type.get_shape()) == tuple(shape):
            return value
        return self("broadcast_in_dim", value, dims=dims, shape=shape)
