"""What a handler of one ONNX op sees: operands (known or computed), attributes, ways to refuse.

`@handles("Relu")` enrols a function `handler(node) -> value | tuple of values`; a value is an SSA
value of the nn dialect or, where it is known at import, a NumPy array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto
from xdsl.dialects.builtin import f32, i1
from xdsl.ir import Attribute, SSAValue

from dojocc.frontends.build import Builder, element_of, shape_of
from dojocc.frontends.onnx.kinds import ELEMENT_TYPES, INTEGERS
from dojocc.runtime.errors import UnsupportedError

Value = SSAValue | np.ndarray
Handler = Callable[["Node"], Value | tuple[Value | None, ...]]
HANDLERS: dict[str, Handler] = {}


class Refusal(Exception):
    """This node cannot be imported; the message says why. All are reported at once."""


class Unknown(Refusal):
    """An operand whose numbers must be known at import; `value` is what it is instead."""

    def __init__(self, message: str, value: SSAValue) -> None:
        super().__init__(message)
        self.value = value


class NeedsConstants(UnsupportedError):
    """Operands that must be known at import depend on these inputs of the model."""

    def __init__(self, *parts: str | None, inputs: Iterable[str]) -> None:
        super().__init__(*parts)  # pyright: ignore[reportArgumentType]
        self.inputs = frozenset(inputs)


class BadWeights(Exception):
    """NaN or infinity where a weight must be a number; the message has tensor, count and place."""


def handler_name(domain: str, op: str) -> str:
    """The key of an op's handler: the op type, behind `domain.` outside the standard domain."""
    return op if domain in ("", "ai.onnx") else f"{domain}.{op}"


def handles(*names: str) -> Callable[[Handler], Handler]:
    """Enrol a handler under one or more op types (`handler_name`)."""

    def enrol(handler: Handler) -> Handler:
        for name in names:
            if name in HANDLERS:
                raise ValueError(f"two handlers for {name}")
            HANDLERS[name] = handler
        return handler

    return enrol


def type_name(kind: int) -> str:
    """ONNX's word for an element type number; its number where ONNX has none."""
    if kind not in TensorProto.DataType.values():  # pyright: ignore[reportAttributeAccessIssue]
        return f"unknown type {kind}"
    return TensorProto.DataType.Name(kind).lower()  # pyright: ignore[reportAttributeAccessIssue]


class Node:
    """One node with its operands. `operands` holds None where an optional input is left out."""

    def __init__(
        self,
        proto: onnx.NodeProto,
        operands: list[Value | None],
        opset: int,
        builder: Builder,
        materialise: Callable[[np.ndarray, str], SSAValue],
        kinds: Sequence[int | None],
    ) -> None:
        self.proto = proto
        self.operands = operands
        self.kinds = kinds
        self.opset = opset
        self.b = builder
        self.materialise = materialise
        self.attributes = {row.name: row for row in proto.attribute}

    @property
    def op(self) -> str:
        return self.proto.op_type

    @property
    def count(self) -> int:
        """How many inputs are written (left-out ones included)."""
        return len(self.operands)

    def has(self, index: int) -> bool:
        return index < len(self.operands) and self.operands[index] is not None

    def operand(self, index: int) -> Value:
        if not self.has(index):
            raise Refusal(f"input {index} is missing")
        value = self.operands[index]
        assert value is not None
        return value

    def x(self, index: int = 0) -> SSAValue:
        """Operand `index` as an nn value; a known one becomes a constant."""
        value = self.operand(index)
        if isinstance(value, SSAValue):
            return value
        return self.materialise(value, self.proto.input[index])

    def weight(self, index: int) -> SSAValue:
        """Operand `index` of a contraction or normalisation: known numbers must be finite."""
        value = self.operand(index)
        if isinstance(value, np.ndarray):
            check_finite(value, self.proto.input[index])
        return self.x(index)

    def known(self, index: int) -> np.ndarray | None:
        """The operand's numbers if they are known at import."""
        value = self.operands[index] if index < len(self.operands) else None
        return value if isinstance(value, np.ndarray) else None

    def require(self, index: int, what: str) -> np.ndarray:
        """The operand's numbers, which must be known."""
        value = self.operand(index)
        if isinstance(value, SSAValue):
            raise Unknown(
                f"{what} (input {index}) must be a constant; it depends on the model's input", value
            )
        return value

    def kind(self, index: int = 0) -> int:
        """The operand's own ONNX element type."""
        kind = self.kinds[index]
        assert kind is not None
        return kind

    def is_unsigned(self, index: int = 0) -> bool:
        return self.kind(index) in INTEGERS and type_name(self.kind(index)).startswith("u")

    def integers(self, index: int, what: str) -> list[int]:
        return [int(number) for number in self.require(index, what).reshape(-1)]

    def empty(self, shape: Sequence[int]) -> np.ndarray:
        """A result without elements, of the first operand's kind: known whatever the inputs are."""
        assert 0 in shape
        return np.zeros(shape, onnx.helper.tensor_dtype_to_np_dtype(self.kind()))

    def shape(self, index: int = 0) -> tuple[int, ...]:
        value = self.operand(index)
        return shape_of(value) if isinstance(value, SSAValue) else tuple(value.shape)

    def rank(self, index: int = 0) -> int:
        return len(self.shape(index))

    def is_float(self, index: int = 0) -> bool:
        value = self.operand(index)
        if isinstance(value, SSAValue):
            return element_of(value) == f32
        return value.dtype.kind not in "biu"

    def is_bool(self, index: int = 0) -> bool:
        value = self.operand(index)
        return element_of(value) == i1 if isinstance(value, SSAValue) else value.dtype == np.bool_

    def need_float(self, index: int = 0) -> None:
        if not self.is_float(index):
            raise Refusal(f"input {index} holds integers; {self.op} is supported on floats only")

    def attr(self, name: str, default: Any = None) -> Any:
        """An attribute's value: int, float, str, bytes-free lists, TensorProto or GraphProto."""
        row = self.attributes.get(name)
        if row is None:
            return default
        if row.ref_attr_name:
            raise Refusal(f"attribute {name!r} is one of a function, and this node is in none")
        value = onnx.helper.get_attribute_value(row)
        try:
            if isinstance(value, bytes):
                return value.decode()
            if isinstance(value, list | tuple) and value and isinstance(value[0], bytes):
                return [text.decode() for text in value]
        except UnicodeDecodeError as error:
            raise Refusal(f"attribute {name!r} is no UTF-8 text") from error
        return value

    def uses(self, index: int) -> bool:
        """True if output `index` is asked for."""
        return index < len(self.proto.output) and bool(self.proto.output[index])

    def no_output(self, *indices: int) -> None:
        for index in indices:
            if self.uses(index):
                raise Refusal(f"output {index} ({self.proto.output[index]!r}) is not supported")

    def element_type(self, kind: int) -> Attribute:
        """The element type a cast to an ONNX type number gives."""
        if kind not in ELEMENT_TYPES:
            raise Refusal(f"element type {type_name(kind)} is not supported")
        return ELEMENT_TYPES[kind]


def check_finite(array: np.ndarray, name: str) -> None:
    """Refuse NaN and infinity, naming the tensor, how many and the first place."""
    if array.dtype.kind in "biu":
        return
    bad = ~np.isfinite(array)
    if bad.any():
        first = np.unravel_index(int(np.argmax(bad)), array.shape)
        nans = int(np.isnan(array).sum())
        place = ", ".join(str(int(index)) for index in first)
        raise BadWeights(
            f"{name}: {nans} NaN and {int(bad.sum()) - nans} infinite of {array.size} numbers, "
            f"the first at [{place}]"
        )


def check_not_nan(array: np.ndarray, name: str) -> None:
    """Refuse NaN; infinities may be meant (the -inf of an attention mask)."""
    if array.dtype.kind not in "biu" and np.isnan(array).any():
        check_finite(np.where(np.isnan(array), array, 0), name)
