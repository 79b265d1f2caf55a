"""What a handler of one StableHLO op sees; and a builder that works out scalars as it goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from xdsl.dialects.builtin import TensorType, f32, i1, i32
from xdsl.ir import Attribute, Operation, SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.nn import NN_OPS, ConstantOp, TypeRuleError
from dojocc.dialects.nn import build as build_op
from dojocc.dialects.numerics import PLAIN
from dojocc.frontends.build import Builder, BuildError, NotSupported, shape_of
from dojocc.frontends.stablehlo.plain import plain
from dojocc.passes.constants import known_array

Results = SSAValue | Sequence[SSAValue] | None
Handler = Callable[["Node"], Results]
HandlerT = TypeVar("HandlerT", bound=Handler)
HANDLERS: dict[str, Handler] = {}
FOLDED = 1
"""Results up to this many elements are worked out at once: counters of loops, conditions."""
LARGEST_KNOWN = 1 << 22
LANES: dict[str, Attribute] = {
    **dict.fromkeys(("f16", "bf16", "f32", "f64"), f32),
    **dict.fromkeys(("i2", "i4", "i8", "i16", "i32", "i64"), i32),
    **dict.fromkeys(("ui2", "ui4", "ui8", "ui16", "ui32", "ui64"), i32),
    "i1": i1,
}
AS_THEY_ARE = ("f32", "i32", "i1")


def handles(*names: str) -> Callable[[HandlerT], HandlerT]:
    """Enrol a handler under one or more ops, `stablehlo.` left out (`chlo.` written)."""

    def enrol(handler: HandlerT) -> HandlerT:
        for name in names:
            full = name if "." in name else f"stablehlo.{name}"
            if full in HANDLERS:
                raise ValueError(f"two handlers for {full}")
            HANDLERS[full] = handler
        return handler

    return enrol


def element_name(type: Attribute) -> str:
    """`f32`, `ui8`: the element type in StableHLO's word."""
    element = type.element_type if isinstance(type, TensorType) else type
    return str(element)


def lanes_of(type: Attribute) -> Attribute:
    """The element type that holds a StableHLO tensor's."""
    name = element_name(type)
    if name not in LANES:
        raise NotSupported(f"element type {name} is not supported")
    return LANES[name]


def sizes_of(type: Attribute) -> tuple[int, ...]:
    if not isinstance(type, TensorType):
        raise NotSupported(f"a value of type {type}: only tensors are supported")
    shape = tuple(type.get_shape())
    if any(size < 0 for size in shape):
        raise NotSupported(f"a tensor of open sizes: {type}; export with fixed shapes")
    return shape


class FoldingBuilder(Builder):
    """A builder that computes small results of known operands at once."""

    def __init__(self, context: DojoContext, block: Any) -> None:
        super().__init__(context, block)
        self.known: dict[SSAValue, np.ndarray] = {}

    def emit(self, name: str, *operands: SSAValue, **properties: object) -> SSAValue:
        if name in ("constant", "iota") or not all(each in self.known for each in operands):
            return self.added(name, operands, properties)
        try:
            op = build_op(NN_OPS[name], operands, **properties)  # pyright: ignore[reportArgumentType]
        except TypeRuleError as error:
            raise BuildError(str(error)) from error
        small = np.prod(shape_of(op.results[0])) <= FOLDED
        arrays = [self.known[each] for each in operands]
        value = op.reference(arrays, PLAIN)[0] if small else None
        op.erase()
        if value is None:
            return self.added(name, operands, properties)
        return self.constant(value.reshape(shape_of_result(op, value)))

    def added(self, name: str, operands: tuple[SSAValue, ...], properties: Any) -> SSAValue:
        value = super().emit(name, *operands, **properties)
        if isinstance(value.owner, ConstantOp) and np.prod(shape_of(value)) <= FOLDED:
            self.known[value] = value.owner.array(self.context.resources)
        return value

    def number(self, value: SSAValue) -> np.ndarray | None:
        """What a value holds, if it comes from constants alone and is not large."""
        if value in self.known:
            return self.known[value]
        if np.prod(shape_of(value)) > LARGEST_KNOWN:
            return None
        return known_array(value, self.context.resources)


def shape_of_result(op: Operation, value: np.ndarray) -> tuple[int, ...]:
    type = op.results[0].type
    return tuple(type.get_shape()) if isinstance(type, TensorType) else value.shape


class Node:
    """One op: `operands` are nn values."""

    def __init__(self, op: Operation, operands: Sequence[SSAValue], b: FoldingBuilder) -> None:
        self.op, self.operands, self.b = op, operands, b

    @property
    def name(self) -> str:
        """Without `stablehlo.` or `chlo.`."""
        return self.op.name.split(".")[1]

    def x(self, index: int = 0) -> SSAValue:
        return self.operands[index]

    def shape(self, index: int = 0) -> tuple[int, ...]:
        return shape_of(self.operands[index])

    @property
    def wanted(self) -> tuple[int, ...]:
        """The shape of the first result."""
        return sizes_of(self.op.results[0].type)

    @property
    def element_type(self) -> Attribute:
        """The lanes of the first result."""
        return lanes_of(self.op.results[0].type)

    def raw(self, name: str) -> Any:
        """A property or attribute as a Python value; None where there is none."""
        found = self.op.properties.get(name, self.op.attributes.get(name))
        return plain(found)

    def require(self, name: str) -> Any:
        value = self.raw(name)
        if value is None:
            raise BuildError(f"{self.op.name} needs {name}")
        return value

    def known(self, index: int) -> np.ndarray | None:
        return self.b.number(self.operands[index])
