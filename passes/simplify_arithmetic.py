"""Rules for element-wise ops. Each takes an op and gives a simpler value, or None."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from xdsl.dialects.builtin import bf16, f32, i1, i8, i16, i32
from xdsl.ir import Attribute, SSAValue

from dojocc.dialects.op import NNOp, OpList
from dojocc.dialects.properties import to_python
from dojocc.passes.constants import splat_value
from dojocc.passes.rewriting import Rule, element, made_by, shape

# Operand number -> the number that leaves the other operand as it is.
NEUTRAL: dict[str, dict[int, float]] = {
    "add": {0: 0.0, 1: 0.0},
    "subtract": {1: 0.0},
    "multiply": {0: 1.0, 1: 1.0},
    "divide": {1: 1.0},
    "power": {1: 1.0},
}
INVOLUTIONS = ("negate", "not")
IDEMPOTENT = ("abs", "floor", "ceil", "round_nearest_even", "sign")
SAME_TWICE = ("maximum", "minimum", "and", "or")
# Every value of the key is also a value of each type beside it.
HOLDS: dict[Attribute, tuple[Attribute, ...]] = {
    i1: (i1, i8, i16, i32, bf16, f32),
    i8: (i8, i16, i32, bf16, f32),
    i16: (i16, i32, f32),
    i32: (i32,),
    bf16: (bf16, f32),
    f32: (f32,),
}


def arithmetic_rules(resources: Mapping[str, np.ndarray]) -> dict[str, tuple[Rule, ...]]:
    """The rules by op; those that look at constants read them from `resources`."""

    def neutral(op: NNOp, b: OpList) -> SSAValue | None:
        """x + 0, x - 0, x * 1, x / 1, x ** 1."""
        for number, value in NEUTRAL[op.short_name].items():
            if splat_value(op.operands[number], resources) == value:
                return op.operands[1 - number]
        return None

    def chosen(op: NNOp, b: OpList) -> SSAValue | None:
        """A predicate that is known, or two equal choices."""
        predicate, x, y = op.operands
        known = splat_value(predicate, resources)
        if x is y or known:
            return x
        return y if known is not None else None

    rules: dict[str, tuple[Rule, ...]] = {name: (neutral,) for name in NEUTRAL}
    rules["select"] = (chosen,)
    rules["convert"] = (convert_to_same, convert_of_convert)
    rules |= {name: (undone,) for name in INVOLUTIONS}
    rules |= {name: (done_already,) for name in IDEMPOTENT}
    rules |= {name: (of_itself,) for name in SAME_TWICE}
    rules["*elementwise"] = (before_broadcast,)
    return rules


def convert_to_same(op: NNOp, b: OpList) -> SSAValue | None:
    """A conversion to the type a value has."""
    return op.operands[0] if element(op.operands[0]) == element(op.results[0]) else None


def convert_of_convert(op: NNOp, b: OpList) -> SSAValue | None:
    """The middle type does not matter where it holds every value of the first."""
    inner = made_by(op.operands[0], "convert")
    if inner is None:
        return None
    first, middle = element(inner.operands[0]), element(inner.results[0])
    if middle not in HOLDS[first]:
        return None
    return b("convert", inner.operands[0], element_type=element(op.results[0]))


def undone(op: NNOp, b: OpList) -> SSAValue | None:
    """f(f(x)) is x."""
    inner = made_by(op.operands[0], op.short_name)
    return inner.operands[0] if inner else None


def done_already(op: NNOp, b: OpList) -> SSAValue | None:
    """f(f(x)) is f(x)."""
    inner = made_by(op.operands[0], op.short_name)
    return inner.results[0] if inner else None


def of_itself(op: NNOp, b: OpList) -> SSAValue | None:
    """f(x, x) is x."""
    return op.operands[0] if op.operands[0] is op.operands[1] else None


def before_broadcast(op: NNOp, b: OpList) -> SSAValue | None:
    """Work on broadcasts of equal shape (or of scalars) is done on what is broadcast."""
    result = shape(op.results[0])
    sources = [made_by(value, "broadcast_in_dim") for value in op.operands]
    if any(each is None or shape(each.results[0]) != result for each in sources) or not sources:
        return None
    spreads = [each for each in sources if each is not None]
    widest = max(spreads, key=lambda each: len(each.p.dims))
    small = shape(widest.operands[0])
    if len(small) == len(result) and small == result:
        return None
    operands = []
    for each in spreads:
        source = each.operands[0]
        if tuple(each.p.dims) == tuple(widest.p.dims) and shape(source) == small:
            operands.append(source)
        elif not shape(source):
            operands.append(b.broadcast(source, small, ()))
        else:
            return None
    properties = vars(to_python(op.get_irdl_definition(), op.properties))
    value = b(type(op), *operands, **properties)
    return b.broadcast(value, result, widest.p.dims)
