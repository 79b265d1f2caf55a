"""round-stores: values marked by nn.stored_as are rounded, at a scale that is given each step."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from xdsl.dialects.builtin import ModuleOp, f32, i32
from xdsl.ir import SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import (
    OBSERVED,
    Row,
    main_function,
    result_rows,
    returned,
    row,
    set_returned,
    set_rows,
)
from dojocc.dialects.nn import StoredAsOp
from dojocc.dialects.nn.rounding import AS_IT_IS
from dojocc.dialects.op import OpList
from dojocc.passes.base import SAME, Pass
from dojocc.passes.descend import Inputs
from dojocc.passes.errors import PipelineError
from dojocc.passes.rewriting import nn_ops, replace, shape
from dojocc.runtime.formats import ROUNDINGS, find_format
from dojocc.runtime.philox import tensor_key

KEY = "random key"
LARGEST, SATURATED, UNDERFLOWN = "largest", "saturated", "rounded to 0"


@dataclass(frozen=True)
class RoundStores(Pass):
    """Round what is marked, and count what that does to it.

    Takes: nn, as differentiate leaves it.
    Leaves: nn without nn.stored_as. New inputs: `scale of X` for each rounded tensor X, a power of
      two, and with `rounding=stochastic` one i32, `random key`. New results of role `observed`:
      `largest of X`, the largest magnitude before scaling; `saturated of X` and `rounded to 0 of
      X`, how many elements were beyond the format's range and how many became 0.
    How: rounded = round(x * scale) / scale. As the scale is a power of two that is the format with
      another bias. Stochastic rounding takes the random bits of the element's index in the whole
      tensor, mixed with the key of the step and one of the tensor's name: whoever computes the
      element, and wherever, draws the same.
    Fails: PipelineError for a rounding that does not exist.
    """

    name: ClassVar[str] = "round-stores"
    takes: ClassVar[str] = "nn"
    leaves: ClassVar[str] = SAME

    rounding: str = "nearest"

    def __post_init__(self) -> None:
        if self.rounding not in ROUNDINGS:
            raise PipelineError(
                f"round-stores: there is no rounding '{self.rounding}'",
                help=f"it is one of {', '.join(ROUNDINGS)}",
            )

    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:
        function = main_function(op)
        inputs = Inputs.of(function)
        key: SSAValue | None = None
        seen: list[tuple[Row, SSAValue]] = []
        for mark in [each for each in nn_ops(function.body.block) if isinstance(each, StoredAsOp)]:
            b = OpList.like(mark)
            if mark.p.format == AS_IT_IS:
                replace(mark, b, mark.x)
                continue
            if key is None and self.rounding == "stochastic":
                key = inputs.setting(KEY, i32)
            scale = inputs.setting(scale_name(mark.p.tensor))
            value, found = rounded(b, mark, scale, key)
            replace(mark, b, value)
            seen += found
        rows, values = result_rows(function), list(returned(function))
        set_returned(function, [*values, *(value for _, value in seen)])
        set_rows(function, inputs.rows, [*rows, *(each for each, _ in seen)])


def scale_name(tensor: str) -> str:
    """The input that holds a tensor's scale."""
    return f"scale of {tensor}"


def rounded(
    b: OpList, mark: StoredAsOp, scale: SSAValue, key: SSAValue | None
) -> tuple[SSAValue, list[tuple[Row, SSAValue]]]:
    """The rounded value, and what is observed of it."""
    x, sizes, p = mark.x, shape(mark.x), mark.p
    scaled = b("multiply", x, b.broadcast(scale, sizes, ()))
    if key is None:
        narrow = b("round_to", scaled, format=p.format)
    else:
        bits = bits_of(b, sizes, p.tensor, key)
        narrow = b("round_stochastically", scaled, bits, format=p.format)
    back = b("divide", b.splat(1.0, scale), scale)
    value = b("multiply", narrow, b.broadcast(back, sizes, ()))
    top = b.splat(find_format(p.format).largest(), scaled)
    over = b("compare", b("abs", scaled), top, direction="GT")
    zero = b.splat(0.0, x)
    lost = b("and", equal(b, narrow, zero), b("not", equal(b, x, zero)))
    dims = range(len(sizes))
    observed = {
        LARGEST: b("reduce", b("abs", x), kind="max", dims=dims),
        SATURATED: count(b, over),
        UNDERFLOWN: count(b, lost),
    }
    rows = [(row(f"{what} of {p.tensor}", OBSERVED), each) for what, each in observed.items()]
    return value, rows


def equal(b: OpList, x: SSAValue, y: SSAValue) -> SSAValue:
    return b("compare", x, y, direction="EQ")


def count(b: OpList, where: SSAValue) -> SSAValue:
    """How many elements are true."""
    ones = b("convert", where, element_type=f32)
    return b("reduce", ones, kind="sum", dims=range(len(shape(where))))


def bits_of(b: OpList, sizes: tuple[int, ...], tensor: str, key: SSAValue) -> SSAValue:
    """Random bits of every element, by its index in the whole tensor.

    The index is a sum over dims, so a large tensor needs no table of its own size.
    """
    own = tensor_key(tensor) % 2**32
    mixed = b("xor", key, b.scalar(own - 2**32 if own >= 2**31 else own, i32))
    counter = b.broadcast(b("random_bits", mixed), sizes, ())
    for dim, size in enumerate(sizes):
        if size == 1:
            continue
        line = b("iota", dim=0, shape=(size,), element_type=i32)
        stride = b.splat(prod(sizes[dim + 1 :]), line)
        counter = b("add", counter, b.broadcast(b("multiply", line, stride), sizes, [dim]))
    return b("random_bits", counter)
