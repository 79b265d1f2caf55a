"""What a handler of one ATen op sees: arguments by name, the builder, ways to refuse.

`@handles("aten.relu")` enrols a function `handler(node) -> value | tuple of values` for all
overloads of the op. An op with a handler is kept whole by the export, others are decomposed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from xdsl.dialects.builtin import f32, i1, i32
from xdsl.ir import Attribute, SSAValue

from dojocc.dialects.types import dtype_of
from dojocc.frontends.build import Builder, NotSupported, element_of, normal_axis, shape_of
from dojocc.frontends.torch.dtypes import FLOATS, INTEGERS, lanes_of
from dojocc.frontends.torch.graph import Dtype, Meta, Reference, TorchNode
from dojocc.passes.constants import known_array

Results = SSAValue | tuple[SSAValue | None, ...] | None
Handler = Callable[["Node"], Results]
HandlerT = TypeVar("HandlerT", bound=Handler)
HANDLERS: dict[str, Handler] = {}
LARGEST_KNOWN = 1 << 22


def handles(*names: str) -> Callable[[HandlerT], HandlerT]:
    """Enrol a handler under one or more ops, `aten.` left out."""

    def enrol(handler: HandlerT) -> HandlerT:
        for name in names:
            if f"aten.{name}" in HANDLERS:
                raise ValueError(f"two handlers for aten.{name}")
            HANDLERS[f"aten.{name}"] = handler
        return handler

    return enrol


class Node:
    """One call with its arguments. `value(reference)` gives a graph value's nn value."""

    def __init__(
        self,
        source: TorchNode,
        builder: Builder,
        value: Callable[[Reference], SSAValue],
        meta: Callable[[Reference], Meta],
    ) -> None:
        self.source = source
        self.b = builder
        self._value = value
        self._meta = meta

    @property
    def op(self) -> str:
        """The op without `aten.`."""
        return self.source.op.removeprefix("aten.")

    def has(self, name: str) -> bool:
        """True if the overload has this argument and it is not None."""
        return self.source.arguments.get(name) is not None

    def is_tensor(self, name: str) -> bool:
        return isinstance(self.source.arguments.get(name), Reference)

    def raw(self, name: str, default: Any = None) -> Any:
        """The argument as it is; `default` where the overload lacks it or it is None."""
        value = self.source.arguments.get(name)
        return default if value is None else value

    def number(self, name: str, default: Any = None) -> Any:
        """A number, text or tuple of such; a tensor must be known at import and of one element."""
        value = self.raw(name, default)
        if isinstance(value, Reference):
            array = self.known(self._value(value))
            if array is None or array.size != 1:
                raise NotSupported(f"{name} must be known at import; it depends on an input")
            return array.reshape(()).item()
        if isinstance(value, tuple) and any(isinstance(each, Reference) for each in value):
            raise NotSupported(f"{name} must be numbers that are known at import")
        return value

    def x(self, name: str = "self") -> SSAValue:
        """The tensor argument `name`."""
        value = self.source.arguments.get(name)
        if not isinstance(value, Reference):
            raise NotSupported(f"{name} must be a tensor, not {value!r}")
        return self._value(value)

    def maybe(self, name: str) -> SSAValue | None:
        return self.x(name) if self.has(name) else None

    def tensors(self, name: str) -> list[SSAValue]:
        """A list of tensors, without those that have no elements."""
        rows = self.raw(name, ())
        return [self._value(each) for each in rows if 0 not in self._meta(each).shape]

    def value(self, reference: Reference) -> SSAValue:
        return self._value(reference)

    def like(self, name: str, element_type: Attribute) -> SSAValue:
        """A tensor or number as a tensor of an element type; a number has rank 0."""
        if self.is_tensor(name):
            return self.b.convert(self.x(name), element_type)
        number = self.raw(name)
        array = np.array(number).astype(dtype_of(element_type))
        return self.b.constant(array, name)

    def dtype(self, name: str = "self") -> str:
        """The PyTorch type of a tensor argument; of a number the type of its kind."""
        value = self.source.arguments[name]
        if isinstance(value, Reference):
            return self._meta(value).dtype
        if isinstance(value, bool):
            return "bool"
        return "int64" if isinstance(value, int) else "float32"

    def is_float(self, name: str = "self") -> bool:
        return self.dtype(name) in FLOATS

    def need_float(self, name: str = "self") -> None:
        if not self.is_float(name):
            raise NotSupported(f"{name} holds {self.dtype(name)}; only floats are supported here")

    def promoted(self, *names: str) -> Attribute:
        """The lanes that arguments are computed on together: of the most general kind."""
        kinds = [self.dtype(name) for name in names]
        if any(kind in FLOATS for kind in kinds):
            return f32
        return i32 if any(kind in INTEGERS for kind in kinds) else i1

    def shape(self, name: str = "self") -> tuple[int, ...]:
        return shape_of(self.x(name))

    def rank(self, name: str = "self") -> int:
        return len(self.shape(name))

    def axis(self, name: str = "dim", default: int | None = None, of: str = "self") -> int:
        """A dim counted from the front; of a scalar there is dim 0."""
        return normal_axis(self.number(name, default), max(self.rank(of), 1))

    def axes(self, name: str = "dim", of: str = "self") -> list[int]:
        """Dims counted from the front, in the order given; none means all."""
        given, rank = self.number(name), self.rank(of)
        if given is None or given == ():
            return list(range(rank))
        rows = given if isinstance(given, tuple) else (given,)
        return [normal_axis(axis, rank) for axis in rows] if rank else []

    @property
    def result(self) -> Meta:
        """What PyTorch says of the first result."""
        meta = self.source.results[0]
        assert meta is not None
        return meta

    @property
    def element_type(self) -> Attribute:
        """The element type of the first result."""
        return lanes_of(self.result.dtype)

    def wanted(self, name: str = "dtype") -> str | None:
        value = self.raw(name)
        return value.name if isinstance(value, Dtype) else None

    def known(self, value: SSAValue) -> np.ndarray | None:
        """What a value holds, if it comes from constants alone and is not large."""
        if np.prod(shape_of(value)) > LARGEST_KNOWN:
            return None
        return known_array(value, self.b.context.resources)

    def spread(self, name: str, count: int, default: Any = None) -> list[int]:
        """A tuple of `count` numbers, of which one may stand for all."""
        value = self.number(name, default)
        rows = list(value) if isinstance(value, tuple | list) else [value]
        return rows * count if len(rows) == 1 else rows

    def full(self, number: float, shape: Sequence[int] | None = None) -> SSAValue:
        """The result's type, or another shape of its element type, of one number."""
        shape = self.result.shape if shape is None else shape
        return self.b.full(number, shape, self.element_type)


def as_float(value: SSAValue, b: Builder) -> SSAValue:
    return b.convert(value, f32) if element_of(value) != f32 else value
