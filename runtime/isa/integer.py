"""Vector rows on INT32 lanes (arithmetic modulo 2^32), and conversions from and to FP32 lanes."""

from __future__ import annotations

import numpy as np

from dojocc.runtime.isa.instr import instruction
from dojocc.runtime.isa.vector import ACC, PVV, VECTOR, VV, VVV

INTEGER = {**VECTOR, "lanes": "i32", "group": "integer"}


def shift_count(b):
    return b & np.int32(31)


@instruction(0xA0, VVV, **INTEGER)
def viadd(a, b):
    """d = a + b."""
    return a + b


@instruction(0xA1, VVV, **INTEGER)
def visub(a, b):
    """d = a - b."""
    return a - b


@instruction(0xA2, VVV, **INTEGER)
def vimul(a, b):
    """d = the low 32 bits of a * b."""
    return a * b


@instruction(0xA3, VVV, **INTEGER)
def vimin(a, b):
    """d = the lesser of a and b, signed."""
    return np.minimum(a, b)


@instruction(0xA4, VVV, **INTEGER)
def vimax(a, b):
    """d = the greater of a and b, signed."""
    return np.maximum(a, b)


@instruction(0xA5, VVV, **INTEGER)
def viand(a, b):
    """d = a AND b, bit by bit."""
    return a & b


@instruction(0xA6, VVV, **INTEGER)
def vior(a, b):
    """d = a OR b, bit by bit."""
    return a | b


@instruction(0xA7, VVV, **INTEGER)
def vixor(a, b):
    """d = a XOR b, bit by bit."""
    return a ^ b


@instruction(0xA8, VVV, **INTEGER)
def visll(a, b):
    """d = a shifted left by the low 5 bits of b."""
    return np.left_shift(a, shift_count(b))


@instruction(0xA9, VVV, **INTEGER)
def visrl(a, b):
    """d = a shifted right by the low 5 bits of b, zeros shifted in."""
    return np.right_shift(a.astype(np.uint32), shift_count(b).astype(np.uint32)).astype(np.int32)


@instruction(0xAA, VVV, **INTEGER)
def visra(a, b):
    """d = a shifted right by the low 5 bits of b, copies of the sign shifted in."""
    return np.right_shift(a, shift_count(b))


@instruction(0xAB, PVV, **INTEGER)
def vicmplt(a, b):
    """d = lanes where a < b, signed."""
    return a < b


@instruction(0xAC, PVV, **INTEGER)
def vicmpeq(a, b):
    """d = lanes where a equals b."""
    return a == b


@instruction(0xAD, VV, **INTEGER)
def vif(a):
    """d = the FP32 number nearest to integer a, ties to even."""
    return a.astype(np.float32)


@instruction(0xAE, VV, **{**INTEGER, "lanes": "f32"})
def vfi(a):
    """d = the integer nearest to a, ties to even; saturates, and NaN gives 0."""
    wide = np.clip(np.rint(a.astype(np.float64)), -(2.0**31), 2.0**31 - 1)
    return np.nan_to_num(wide, nan=0.0).astype(np.int32)


@instruction(0xAF, ">d:v@rd ?p:p@mask", **INTEGER)
def viota():
    """Lane l of d = l."""
    return np.arange(16, dtype=np.int32)


@instruction(0x9C, ACC, reduces="add", **INTEGER)
def viacc(d, a):
    """d = d + a."""
    return d + a


@instruction(0x9D, ACC, reduces="max", **INTEGER)
def vimaxa(d, a):
    """d = the greater of d and a, signed."""
    return np.maximum(d, a)


@instruction(0x9E, ACC, reduces="min", **INTEGER)
def vimina(d, a):
    """d = the lesser of d and a, signed."""
    return np.minimum(d, a)


@instruction(0x9F, ACC, reduces="mul", **INTEGER)
def vimula(d, a):
    """d = the low 32 bits of d * a."""
    return d * a
