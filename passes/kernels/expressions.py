"""Element-wise nn ops as vector instructions: one rule an op, the same formulas as the references.

i1 values are lane predicates inside a kernel and INT32 0 or 1 in buffers; i8 and i16 lanes are
INT32 lanes kept in range. Ops without a rule that can be taken apart (activations) are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from xdsl.dialects.builtin import TensorType, bf16, f32, i1, i8, i16, i32
from xdsl.ir import Attribute, SSAValue

from dojocc.dialects.location import describe
from dojocc.dialects.nn.rounding import LAST_SHIFT, MIXING
from dojocc.dialects.numerics import LN2, LOG2E
from dojocc.dialects.op import NNOp
from dojocc.dialects.tile import PredType
from dojocc.passes.kernels.builder import KernelBuilder
from dojocc.passes.kernels.integers import divide, integer_power, remainder
from dojocc.runtime.errors import UnsupportedError

Rule = Callable[[KernelBuilder, NNOp, Sequence[SSAValue]], SSAValue]
RULES: dict[str, Rule] = {}
NARROW = {i8: 24, i16: 16}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Enrol a function as the rule of the ops of these names."""

    def enrol(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return enrol


def element(value: SSAValue) -> Attribute:
    """The element type of a tensor value."""
    assert isinstance(value.type, TensorType)
    return value.type.element_type


def is_float(value: SSAValue) -> bool:
    return element(value) in (f32, bf16)


def emit(b: KernelBuilder, op: NNOp, inputs: Sequence[SSAValue]) -> SSAValue:
    """The instructions of one element-wise op on 16 lanes."""
    found = RULES.get(op.short_name)
    if found is None:
        raise UnsupportedError(
            f"{op.name} has no vector instructions", where=describe(op), help="decompose it first"
        )
    return found(b, op, inputs)


def as_lanes(b: KernelBuilder, value: SSAValue) -> SSAValue:
    """A predicate as INT32 0 or 1; lanes as they are."""
    if isinstance(value.type, PredType):
        return b.vector("vsel", [b.constant(1), b.constant(0)], predicate=value)
    return value


def as_predicate(b: KernelBuilder, value: SSAValue) -> SSAValue:
    """INT32 lanes as the predicate of those that are not 0."""
    if isinstance(value.type, PredType):
        return value
    return b.vector("pnot", [b.vector("vicmpeq", [value, b.constant(0)])])


def select(b: KernelBuilder, predicate: SSAValue, x: SSAValue, y: SSAValue) -> SSAValue:
    return b.vector("vsel", [x, y], predicate=predicate)


def in_range(b: KernelBuilder, value: SSAValue, kind: Attribute) -> SSAValue:
    """Wrap INT32 lanes to the width of a narrow integer type."""
    if kind not in NARROW:
        return value
    shift = b.constant(NARROW[kind])
    return b.vector("visra", [b.vector("visll", [value, shift]), shift])


def _plain(floats: str, integers: str | None = None) -> Rule:
    """One instruction, by float or integer lanes."""

    def apply(b: KernelBuilder, op: NNOp, inputs: Sequence[SSAValue]) -> SSAValue:
        kind = element(op.operands[0])
        if kind in (f32, bf16):
            return b.vector(floats, inputs)
        if integers is None or kind == i1:
            raise UnsupportedError(f"{op.name} on {kind} has no instruction", where=describe(op))
        return in_range(b, b.vector(integers, inputs), kind)

    return apply


for _name, _floats, _integers in (
    ("add", "vadd", "viadd"),
    ("subtract", "vsub", "visub"),
    ("multiply", "vmul", "vimul"),
    ("maximum", "vmax", "vimax"),
    ("minimum", "vmin", "vimin"),
    ("floor", "vfloor", "vmov"),
    ("ceil", "vceil", "vmov"),
    ("round_nearest_even", "vround", "vmov"),
    ("sqrt", "vsqrt", None),
    ("rsqrt", "vrsqrt", None),
    ("sine", "vsin", None),
    ("cosine", "vcos", None),
    ("tanh", "vtanh", None),
    ("erf", "verf", None),
):
    RULES[_name] = _plain(_floats, _integers)


@rule("abs")
def _abs(b: KernelBuilder, op: NNOp, inputs: Sequence[SSAValue]) -> SSAValue:
    if is_float(op.operands[0]):
        return b.vector("vabs", inputs)
    negative = b.vector("visub", [b.constant(0), *inputs])
    return in_range(b, b.vector("vimax", [inputs[0], negative]), element(op.operands[0]))


@rule("negate")
def _negate(b: KernelBuilder, op: NNOp, inputs: Sequence[SSAValue]) -> SSAValue:
    if is_float(op.operands[0]):
        return b.vector("vneg", inputs)
    return in_range(b, b.vector("visub", [b.constant(0), *inputs]), element(op.operands[0]))


@rule("sign")
def _sign(b: KernelBuilder, op: NNOp, inputs: Sequence[SSAValue]) -> SSAValue:
    (x,) = inputs
    less, one, minus, zero = (
        ("vcmplt", 1.0, -1.0, 0.0) if is_float(op.operands[0]) else ("vicmplt", 1, -1, 0)
    )
    positive = b.vector(less, [b.constant(zero), x])
    negative = b.vector(less, [x, b.constant(zero)])
    return select(b, positive, b.constant(one), select(b, negative, b.constant(minus), x))


def exponential(b: KernelBuilder, x: SSAValue) -> SSAValue:
    """exp(x) = 2 ** (x log2 e)."""
    return b.vector("vexp2", [b.vector("vmul", [x, b.constant(float(LOG2E))])])


def logarithm(b: KernelBuilder, x: SSAValue) -> SSAValue:
    """log(x) = log2(x) ln 2."""
    return b.vector("vmul", [b.vector("vlog2", [x]), b.constant(float(LN2))])


@rule("exponential")
def _exponential(b: KernelBuilder, op: NNOp, inputs: Sequence[SSAValue]) -> SSAValue:
    return exponential(b, inputs[0])


@rule("exponential_minus_one")
def _exponential_minus_one(b: KernelBuilder, op: NNOp, inputs: Sequence[SSAValue]) -> SSAValue:
    return b.vector("vsub", [exponential(b, inputs[0]), b.constant(1.0)])


@rule("log")
def _log(b: KernelBuilder, op: NNOp, inputs: Sequence[SSAValue]) -> SSAValue:
    return logarithm(b, inputs[0])


@rule("log_plus_one")
def _log_plus_one(b: KernelBuilder, op: NNOp, inputs: Sequence[SSAValue]) -> SSAValue:
    return logarithm(b, b.vector("vadd", [b.constant(1.0), inputs[0]]))


@rule("logistic")
def _logistic(b: KernelBuilder, op: NNOp, inputs: Sequence[SSAValue]) -> SSAValue:
    power = exponential(b, b.vector("vneg", inputs))
    return b.vector("vrecip", [b.vector("vadd", [b.constant(1.0), power])])


@rule("divide")
def _divide(b: KernelBuilder, op: NNOp, inputs: Sequence[SSAValue]) -> SSAValue:
    if is_float(op.operands[0]):
        return b.vector("vdiv", inputs)
    return in_range(b, divide(b, *inputs), element(op.operands[0]))


@rule("remainder")
def _remainder(b: KernelBuilder, op: NNOp, inputs: Sequence[SSAValue]) -> SSAValue:
    if not is_float(op.operands[0]):
        return remainder(b, *inputs)
    return float_remainder(b, *inputs)


def truncated(b: KernelBuilder, x: SSAValue) -> SSAValue:
    """Toward zero."""
    below = b.vector("vcmplt", [x, b.constant(0.0)])
    return select(b, below, b.vector("vceil", [x]), b.vector("vfloor", [x]))


def float_remainder(b: KernelBuilder, x: SSAValue, y: SSAValue) -> SSAValue:
    """|x| minus whole multiples of |y|, with x's sign. Exact while the quotient is below 2 ** 24.

    The product is taken apart into four exact ones of 12 by 12 bits; an off-by-one quotient, which
    the rounded division may give, is put right at the end.
    """
    size, step = b.vector("vabs", [x]), b.vector("vabs", [y])
    times = b.vector("vfloor", [b.vector("vdiv", [size, step])])
    rest = size
    for high in _halves(b, times):
        for low in _halves(b, step):
            rest = b.vector("vsub", [rest, b.vector("vmul", [high, low])])
    zero = b.constant(0.0)
    low = b.vector("vcmplt", [rest, zero])
    rest = select(b, low, b.vector("vadd", [rest, step]), rest)
    high = b.vector("vcmple", [step, rest])
    rest = select(b, high, b.vector("vsub", [rest, step]), rest)
    rest = select(b, b.vector("vcmplt", [size, step]), size, rest)
    return select(b, b.vector("vcmplt", [x, zero]), b.vector("vneg", [rest]), rest)


def _halves(b: KernelBuilder, x: SSAValue) -> tuple[SSAValue, SSAValue]:
    """x as a sum of two numbers of 12 significant bits each."""
    high = b.vector("viand", [x, b.constant(-4096)])
    return high, b.vector("vsub", [x, high])


@rule("power")
def _power(b: KernelBuilder, op: NNOp, inputs: Sequence[SSAValue]) -> SSAValue:
    if not is_float(op.operands[0]):
        return in_range(b, integer_power(b, *inputs), element(op.operands[0]))
    x, y = inputs
    one, zero = b.constant(1.0), b.constant(0.0)
    size = b.vector("vexp2", [b.vector("vmul", [y, b.vector("vlog2", [b.vector("vabs", [x])])])])
    half = b.vector("vmul", [y, b.constant(0.5)])
    even = b.vector("vcmpeq", [b.vector("vfloor", [half]), half])
    signed = select(b, even, size, b.vector("vneg", [size]))
    whole = b.vector("vcmpeq", [b.vector("vfloor", [y]), y])
    signed = select(b, whole, signed, b.constant(float("nan")))
    result = select(b, b.vector("vcmplt", [x, zero]), signed, size)
    plain = b.vector("por", [b.vector("vcmpeq", [y, zero]), b.vector("vcmpeq", [x, one])])
    return select(b, plain, one, result)


@rule("and", "or", "xor")
def _logical(b: KernelBuilder, op: NNOp, inputs: Sequence[SSAValue]) -> SSAValue:
    if element(op.operands[0]) != i1:
        return b.vector({"and": "viand", "or": "vior", "xor": "vixor"}[op.short_name], inputs)
    x, y = (as_predicate(b, value) for value in inputs)
    if op.short_name in ("and", "or"):
        return b.vector("p" + op.short_name, [x, y])
    both = b.vector("pand", [x, y])
    return b.vector("pand", [b.vector("por", [x, y]), b.vector("pnot", [both])])


@rule("not")
def _not(b: KernelBuilder, op: NNOp, inputs: Sequence[SSAValue]) -> SSAValue:
    if element(op.operands[0]) == i1:
        return b.vector("pnot", [as_predicate(b, inputs[0])])
    return b.vector("vixor", [inputs[0], b.constant(-1)])


@rule("is_finite")
def _is_finite(b: KernelBuilder, op: NNOp, inputs: Sequence[SSAValue]) -> SSAValue:
    return b.vector("vcmplt", [b.vector("vabs", inputs), b.constant(float("inf"))])


@rule("bitcast_convert")
def _bitcast_convert(b: KernelBuilder, op: NNOp, inputs: Sequence[SSAValue]) -> SSAValue:
    """A lane has no type of its own."""
    return b.vector("vmov", inputs)


@rule("compare")
def _compare(b: KernelBuilder, op: NNOp, inputs: Sequence[SSAValue]) -> SSAValue:
    direction = op.p.direction
    x, y = (as_lanes(b, value) for value in inputs)
    if direction in ("GT", "GE"):
        x, y = y, x
        direction = {"GT": "LT", "GE": "LE"}[direction]
    prefix = "v" if is_float(op.operands[0]) else "vi"
    match direction:
        case "EQ":
            return b.vector(prefix + "cmpeq", [x, y])
        case "NE":
            return b.vector("pnot", [b.vector(prefix + "cmpeq", [x, y])])
        case "LT":
            return b.vector(prefix + "cmplt", [x, y])
        case "LE" if prefix == "v":
            return b.vector("vcmple", [x, y])
        case "LE":
            return b.vector("pnot", [b.vector("vicmplt", [y, x])])
        case _:
            raise UnsupportedError(f"nn.compare has no direction {direction}", where=describe(op))


@rule("select")
def _select(b: KernelBuilder, op: NNOp, inputs: Sequence[SSAValue]) -> SSAValue:
    chosen, x, y = inputs
    predicate = as_predicate(b, chosen)
    return select(b, predicate, as_lanes(b, x), as_lanes(b, y))


@rule("clamp")
def _clamp(b: KernelBuilder, op: NNOp, inputs: Sequence[SSAValue]) -> SSAValue:
    low, x, high = inputs
    most, least = ("vmax", "vmin") if is_float(op.operands[1]) else ("vimax", "vimin")
    return b.vector(least, [b.vector(most, [x, low]), high])


@rule("convert")
def _convert(b: KernelBuilder, op: NNOp, inputs: Sequence[SSAValue]) -> SSAValue:
    source, target = element(op.operands[0]), element(op.results[0])
    (x,) = inputs
    if target == bf16:
        x = _convert_to(b, x, source, f32)
        return b.vector("vcvt", [x], format="BF16")
    return _convert_to(b, x, source, target)


def _convert_to(b: KernelBuilder, x: SSAValue, source: Attribute, target: Attribute) -> SSAValue:
    floats = (f32, bf16)
    if source == target or (source in floats and target in floats):
        return x
    if target == i1:
        if source in floats:
            return b.vector("pnot", [b.vector("vcmpeq", [x, b.constant(0.0)])])
        return as_predicate(b, x)
    if target in floats:
        return b.vector("vif", [as_lanes(b, x)])
    if source in floats:
        x = b.vector("vfi", [truncated(b, x)])
    limits = {i8: np.iinfo(np.int8), i16: np.iinfo(np.int16), i32: None}[target]
    if limits is None:
        return as_lanes(b, x)
    x = b.vector("vimax", [as_lanes(b, x), b.constant(int(limits.min))])
    return b.vector("vimin", [x, b.constant(int(limits.max))])


@rule("round_to")
def _round_to(b: KernelBuilder, op: NNOp, inputs: Sequence[SSAValue]) -> SSAValue:
    return b.vector("vcvt", inputs, format=op.p.format)


@rule("round_stochastically")
def _round_stochastically(b: KernelBuilder, op: NNOp, inputs: Sequence[SSAValue]) -> SSAValue:
    return b.vector("vsr", inputs, format=op.p.format)


@rule("random_bits")
def _random_bits(b: KernelBuilder, op: NNOp, inputs: Sequence[SSAValue]) -> SSAValue:
    (x,) = inputs
    for shift, factor in MIXING:
        x = b.vector("vixor", [x, b.vector("visrl", [x, b.constant(shift)])])
        x = b.vector("vimul", [x, b.constant(factor)])
    return b.vector("vixor", [x, b.vector("visrl", [x, b.constant(LAST_SHIFT)])])
