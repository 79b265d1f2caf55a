"""Checks the shape rules share; each raises TypeRuleError with op, numbers and help."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import TensorType, i1
from xdsl.ir import Attribute

from dojocc.dialects.op import TypeRuleError
from dojocc.dialects.types import FLOATS, text_of


def require(
    condition: bool, name: str, what: str, numbers: str | None = None, help: str | None = None
) -> None:
    """Raise unless the condition holds."""
    if not condition:
        raise TypeRuleError(f"{name}: {what}", numbers=numbers, help=help)


def shapes(types: Sequence[TensorType]) -> str:
    """`2x3xf32, 3xf32`, for the numbers of an error."""
    return ", ".join(map(text_of, types))


def require_same(name: str, types: Sequence[TensorType]) -> None:
    """All operands have one shape and one element type."""
    first = types[0]
    require(
        all(type.get_shape() == first.get_shape() for type in types),
        name,
        "operands must have equal shapes",
        shapes(types),
        "broadcasting is explicit: add nn.broadcast_in_dim",
    )
    require(
        all(type.element_type == first.element_type for type in types),
        name,
        "operands must have equal element types",
        shapes(types),
        "add nn.convert",
    )


def require_float(name: str, type: TensorType) -> None:
    """The operand is f32 or bf16."""
    require(type.element_type in FLOATS, name, "needs a float tensor", text_of(type))


def require_numeric(name: str, type: TensorType) -> None:
    """The operand is anything but i1."""
    require(type.element_type != i1, name, "needs a numeric tensor, not i1", text_of(type))


def require_axis(name: str, axis: int, type: TensorType) -> None:
    """`axis` names a dim of the tensor (counting from the front, not negative)."""
    rank = type.get_num_dims()
    require(
        0 <= axis < rank, name, f"has no dim {axis}", f"{text_of(type)} has dims 0 to {rank - 1}"
    )


def require_axes(name: str, axes: Sequence[int], type: TensorType) -> None:
    """All axes exist and none is named twice."""
    for axis in axes:
        require_axis(name, axis, type)
    require(len(set(axes)) == len(axes), name, "names a dim twice", str(list(axes)))


def require_word(name: str, prop: str, value: str, allowed: Sequence[str]) -> None:
    """A word-valued property is one of the allowed."""
    require(value in allowed, name, f"{prop} is {value!r}", f"it is one of {', '.join(allowed)}")


def require_length(name: str, prop: str, value: Sequence[int], length: int) -> None:
    """A list-valued property has the right number of entries."""
    require(len(value) == length, name, f"{prop} has {len(value)} entries", f"it needs {length}")


def element(types: Sequence[TensorType]) -> Attribute:
    """Element type of the first operand."""
    return types[0].element_type
