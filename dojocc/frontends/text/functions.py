"""The functions of the text language: each nn op by its name, and short forms of common ones."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from xdsl.dialects.builtin import f32, i1, i32
from xdsl.ir import SSAValue

from dojocc.dialects.nn import NN_OPS
from dojocc.dialects.properties import INT, INTS, kind_of
from dojocc.frontends.build import Builder, BuildError, normal_axes, normal_axis, shape_of

ELEMENTS = {"f32": f32, "i32": i32, "i1": i1}
NOT_CALLABLE = ("fused", "yield", "constant")
DEFAULTS: dict[str, dict[str, Any]] = {
    "gelu": {"approximate": "none"},
    "softmax": {"axis": -1},
    "log_softmax": {"axis": -1},
    "layer_norm": {"axis": -1, "epsilon": 1e-5},
    "batch_norm_inference": {"feature": 1, "epsilon": 1e-5},
    "leaky_relu": {"alpha": 0.01},
    "elu": {"alpha": 1.0},
    "selu": {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875},
    "hard_sigmoid": {"alpha": 0.2, "beta": 0.5},
    "take": {"axis": 0},
    "concatenate": {"dim": 0},
}
BROADCASTING = (
    "add", "subtract", "multiply", "divide", "maximum", "minimum", "power", "remainder",
    "and", "or", "xor", "compare", "select", "clamp",
)  # fmt: skip
SUGAR: dict[str, Callable[..., SSAValue]] = {}


def sugar(function: Callable[..., SSAValue]) -> Callable[..., SSAValue]:
    SUGAR[function.__name__.rstrip("_")] = function
    return function


def pair(size: int | Sequence[int], rank: int) -> list[int]:
    return [int(size)] * rank if isinstance(size, int) else list(size)


@sugar
def relu(b: Builder, x: SSAValue) -> SSAValue:
    return b.emit("maximum", x, b.like(x, 0))


@sugar
def matmul(b: Builder, left: SSAValue, right: SSAValue) -> SSAValue:
    return b.matmul(left, right)


@sugar
def sigmoid(b: Builder, x: SSAValue) -> SSAValue:
    return b.emit("logistic", x)


@sugar
def exp(b: Builder, x: SSAValue) -> SSAValue:
    return b.emit("exponential", x)


@sugar
def embedding(b: Builder, table: SSAValue, tokens: SSAValue) -> SSAValue:
    return b.take(table, tokens, 0)


@sugar
def where(b: Builder, condition: SSAValue, yes: SSAValue, no: SSAValue) -> SSAValue:
    return b.select(condition, yes, no)


@sugar
def flatten(b: Builder, x: SSAValue, axis: int = 1) -> SSAValue:
    shape = shape_of(x)
    return b.reshape(x, (prod(shape[:axis]), prod(shape[axis:])))


@sugar
def reshape(b: Builder, x: SSAValue, shape: Sequence[int]) -> SSAValue:
    """One size may be -1."""
    sizes = list(shape)
    if sizes.count(-1) == 1:
        rest = -prod(sizes)
        sizes[sizes.index(-1)] = prod(shape_of(x)) // max(rest, 1)
    return b.reshape(x, sizes)


@sugar
def transpose(b: Builder, x: SSAValue, permutation: Sequence[int] | None = None) -> SSAValue:
    rank = len(shape_of(x))
    return b.transpose(x, range(rank)[::-1] if permutation is None else permutation)


@sugar
def broadcast(b: Builder, x: SSAValue, shape: Sequence[int]) -> SSAValue:
    return b.broadcast(x, shape)


@sugar
def concat(b: Builder, *parts: SSAValue, axis: int = 0) -> SSAValue:
    return b.concatenate(parts, axis)


@sugar
def convert(b: Builder, x: SSAValue, to: str) -> SSAValue:
    if to not in ELEMENTS:
        raise BuildError(f"element type {to!r} is none of {', '.join(ELEMENTS)}")
    return b.convert(x, ELEMENTS[to])


def _reduction(kind: str) -> Callable[..., SSAValue]:
    def reduction(
        b: Builder, x: SSAValue, axes: Sequence[int] | int | None = None, keepdims: bool = False
    ) -> SSAValue:
        every = range(len(shape_of(x)))
        chosen = every if axes is None else [axes] if isinstance(axes, int) else axes
        return b.reduce(kind, x, chosen, keepdims)

    return reduction


SUGAR.update({name: _reduction(name) for name in ("sum", "mean", "max", "min", "prod")})


@sugar
def conv(
    b: Builder,
    x: SSAValue,
    weight: SSAValue,
    bias: SSAValue | None = None,
    strides: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> SSAValue:
    """x is [n, c, spatial...], weight [out, c / groups, kernel...]; padding at both ends."""
    rank = len(shape_of(x)) - 2
    result = b.emit(
        "convolution",
        x,
        weight,
        strides=pair(strides, rank),
        padding=[amount for amount in pair(padding, rank) for _ in "lh"],
        lhs_dilation=[1] * rank,
        rhs_dilation=pair(dilation, rank),
        groups=groups,
        layout="nchw",
    )
    if bias is None:
        return result
    spread = b.emit("broadcast_in_dim", bias, dims=[1], shape=shape_of(result))
    return b.emit("add", result, spread)


def _pool(b: Builder, kind: str, x: SSAValue, window: Any, strides: Any, padding: Any) -> SSAValue:
    rank = len(shape_of(x)) - 2
    window = pair(window, rank)
    return b.emit(
        "reduce_window",
        x,
        kind=kind,
        window=[1, 1, *window],
        strides=[1, 1, *(window if strides is None else pair(strides, rank))],
        padding=[0] * 4 + [amount for amount in pair(padding, rank) for _ in "lh"],
        dilation=[1] * (rank + 2),
    )


@sugar
def max_pool(
    b: Builder,
    x: SSAValue,
    window: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
) -> SSAValue:
    return _pool(b, "max", x, window, strides, padding)


@sugar
def average_pool(
    b: Builder,
    x: SSAValue,
    window: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
) -> SSAValue:
    total = _pool(b, "sum", x, window, strides, 0)
    return b.scaled(total, 1 / prod(pair(window, len(shape_of(x)) - 2)))


def takes_tensor(function: Callable[..., SSAValue], at: int | str) -> bool:
    """True if a short form's parameter, by position or name, is a tensor."""
    rows = list(inspect.signature(function).parameters.values())[1:]
    for number, row in enumerate(rows):
        if at == row.name or at == number or row.kind == row.VAR_POSITIONAL and isinstance(at, int):
            return "SSAValue" in str(row.annotation)
    return False


def signature(function: Callable[..., SSAValue]) -> str:
    """A sugar function's parameters without the builder, for messages."""
    rows = list(inspect.signature(function).parameters.values())[1:]
    return ", ".join(str(row.replace(annotation=inspect.Parameter.empty)) for row in rows)


def callable_ops() -> dict[str, Any]:
    return {name: op for name, op in NN_OPS.items() if name not in NOT_CALLABLE}


def call_op(
    b: Builder, name: str, operands: list[SSAValue], properties: dict[str, Any]
) -> SSAValue:
    """An nn op by name: negative axes counted from the end, element-wise operands broadcast."""
    definition = NN_OPS[name].get_irdl_definition()
    variadic = any(type(row).__name__.startswith("Var") for _, row in definition.operands)
    if len(operands) != len(definition.operands) and not variadic:
        names = ", ".join(row for row, _ in definition.operands)
        raise BuildError(
            f"{name} takes {len(definition.operands)} tensors ({names}), not {len(operands)}"
        )
    known = [row for row in definition.properties if row != "element_type"]
    given = {**DEFAULTS.get(name, {}), **properties}
    for row in given:
        if row not in known:
            raise BuildError(f"{name} has no setting {row!r}; it has {', '.join(known) or 'none'}")
    for row in known:
        if row not in given:
            raise BuildError(f"{name} needs the setting {row!r}")
        given[row] = checked(name, row, given[row], definition.properties[row].constr, operands)
    if name in BROADCASTING:
        operands = list(b.together(*operands))
    if "element_type" in definition.properties:
        given["element_type"] = i32
    return b.emit(name, *operands, **given)


def checked(name: str, row: str, value: Any, constraint: Any, operands: list[SSAValue]) -> Any:
    """A setting in the form its op declares; axes and dims may be negative."""
    if kind_of(constraint) is kind_of(INT):
        if not isinstance(value, int):
            raise BuildError(f"{name}: {row} is {value!r}, not a whole number")
        axis = row in ("axis", "feature", "dim") and operands
        return normal_axis(value, len(shape_of(operands[0]))) if axis else value
    if kind_of(constraint) is kind_of(INTS):
        values = [value] if isinstance(value, int) else value
        if not isinstance(values, list) or not all(isinstance(item, int) for item in values):
            raise BuildError(f"{name}: {row} is {value!r}, not a list of whole numbers")
        reduced = row == "dims" and name in ("reduce", "reverse")
        return normal_axes(values, len(shape_of(operands[0]))) if reduced else values
    return value
