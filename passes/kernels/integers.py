"""INT32 division on lanes, from FP32 quotients put right with exact integer remainders; powers."""

from __future__ import annotations

from xdsl.ir import SSAValue

from dojocc.passes.kernels.builder import KernelBuilder

EXPONENT_BITS = 31  # of an INT32 that is not negative


def _size(b: KernelBuilder, x: SSAValue) -> SSAValue:
    return b.vector("vimax", [x, b.vector("visub", [b.constant(0), x])])


def _estimate(b: KernelBuilder, rest: SSAValue, divisor: SSAValue) -> SSAValue:
    """floor(rest / divisor), wrong by at most a few units in the last of 24 bits."""
    ratio = b.vector("vdiv", [b.vector("vif", [rest]), divisor])
    return b.vector("vfi", [b.vector("vfloor", [ratio])])


def _parts(b: KernelBuilder, x: SSAValue, y: SSAValue) -> tuple[SSAValue, SSAValue]:
    """(|x| // |y|, |x| % |y|) for y other than 0.

    The first estimate is within 2 ** -22 of the quotient, so what it leaves has a quotient below
    2 ** 10; the second leaves at most one divisor too much or too little.
    """
    zero, one = b.constant(0), b.constant(1)
    size, step = _size(b, x), _size(b, y)
    divisor = b.vector("vif", [step])
    times = _estimate(b, size, divisor)
    rest = b.vector("visub", [size, b.vector("vimul", [times, step])])
    more = _estimate(b, rest, divisor)
    times = b.vector("viadd", [times, more])
    rest = b.vector("visub", [rest, b.vector("vimul", [more, step])])
    below = b.vector("vicmplt", [rest, zero])
    times = b.vector("vsel", [b.vector("visub", [times, one]), times], predicate=below)
    rest = b.vector("vsel", [b.vector("viadd", [rest, step]), rest], predicate=below)
    fits = b.vector("pnot", [b.vector("vicmplt", [rest, step])])
    times = b.vector("vsel", [b.vector("viadd", [times, one]), times], predicate=fits)
    rest = b.vector("vsel", [b.vector("visub", [rest, step]), rest], predicate=fits)
    return times, rest


def divide(b: KernelBuilder, x: SSAValue, y: SSAValue) -> SSAValue:
    """x / y toward zero; 0 where y is 0."""
    zero = b.constant(0)
    times, _ = _parts(b, x, y)
    negative = b.vector("vicmplt", [b.vector("vixor", [x, y]), zero])
    times = b.vector("vsel", [b.vector("visub", [zero, times]), times], predicate=negative)
    return b.vector("vsel", [zero, times], predicate=b.vector("vicmpeq", [y, zero]))


def remainder(b: KernelBuilder, x: SSAValue, y: SSAValue) -> SSAValue:
    """What x / y leaves, with x's sign; x where y is 0."""
    zero = b.constant(0)
    _, rest = _parts(b, x, y)
    below = b.vector("vicmplt", [x, zero])
    rest = b.vector("vsel", [b.vector("visub", [zero, rest]), rest], predicate=below)
    return b.vector("vsel", [x, rest], predicate=b.vector("vicmpeq", [y, zero]))


def integer_power(b: KernelBuilder, x: SSAValue, y: SSAValue) -> SSAValue:
    """x to the y by repeated squares, modulo 2 ** 32 as all products are; 0 where y is below 0."""
    zero, one = b.constant(0), b.constant(1)
    result, square, left = one, x, y
    for bit in range(EXPONENT_BITS):
        odd = b.vector("vicmpeq", [b.vector("viand", [left, one]), one])
        result = b.vector("vsel", [b.vector("vimul", [result, square]), result], predicate=odd)
        if bit + 1 < EXPONENT_BITS:
            square = b.vector("vimul", [square, square])
            left = b.vector("visrl", [left, one])
    return b.vector("vsel", [zero, result], predicate=b.vector("vicmplt", [y, zero]))
