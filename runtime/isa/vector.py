"""Vector rows on FP32 lanes, and those that move lanes whatever they hold.

Bodies take arrays [..., 16]; predicates are bool [..., 16]. Integer lanes stand in integer.py. The
engine keeps the old destination in lanes where the trailing predicate is false.
"""

from __future__ import annotations

import numpy as np

from dojocc.runtime.formats import round_to
from dojocc.runtime.isa import mathfn
from dojocc.runtime.isa.instr import instruction
from dojocc.runtime.philox import random_bits_at

VECTOR = {
    "unit": "vector",
    "issue": 1,
    "latency": 4,
    "origin": "issue derived from one published 64 B SIMD pipe; latency assumed",
    "group": "vector",
}
LONG = {**VECTOR, "issue": 4, "latency": 14, "origin": "assumed: four passes through the SIMD pipe"}
LONGER = {
    **VECTOR,
    "issue": 8,
    "latency": 22,
    "origin": "assumed: eight passes through the SIMD pipe",
}
TREE = {
    **VECTOR,
    "issue": 4,
    "latency": 12,
    "origin": "assumed: four dependent steps of the SIMD pipe",
}
MOVE = {
    **VECTOR,
    "lanes": "raw",
    "latency": 2,
    "origin": "issue derived from the published SIMD pipe; latency assumed",
}
VV = ">d:v@rd <a:v@ra ?p:p@mask"
VVV = ">d:v@rd <a:v@ra <b:v@rb ?p:p@mask"
ACC = "=d:v@rd <a:v@ra ?p:p@mask"
PVV = ">d:p@rd <a:v@ra <b:v@rb ?p:p@mask"


@instruction(0x70, VVV, **VECTOR)
def vadd(a, b):
    """d = a + b."""
    return a + b


@instruction(0x71, VVV, **VECTOR)
def vsub(a, b):
    """d = a - b."""
    return a - b


@instruction(0x72, VVV, **VECTOR)
def vmul(a, b):
    """d = a * b."""
    return a * b


@instruction(0x73, VVV, **LONGER)
def vdiv(a, b):
    """d = a / b, correctly rounded."""
    return a / b


@instruction(0x74, VVV, **VECTOR)
def vmin(a, b):
    """d = the lesser of a and b; NaN if either is."""
    return np.minimum(a, b)


@instruction(0x75, VVV, **VECTOR)
def vmax(a, b):
    """d = the greater of a and b; NaN if either is."""
    return np.maximum(a, b)


@instruction(0x76, "=d:v@rd <a:v@ra <b:v@rb ?p:p@mask", reduces="add", product=True, **VECTOR)
def vfma(d, a, b):
    """d = d + a * b; the product is rounded, then the sum."""
    return d + a * b


@instruction(0x77, ACC, reduces="add", **VECTOR)
def vacc(d, a):
    """d = d + a."""
    return d + a


@instruction(0x78, ACC, reduces="max", **VECTOR)
def vmaxa(d, a):
    """d = the greater of d and a; NaN if either is."""
    return np.maximum(d, a)


@instruction(0x79, ACC, reduces="min", **VECTOR)
def vmina(d, a):
    """d = the lesser of d and a; NaN if either is."""
    return np.minimum(d, a)


@instruction(0x7A, ACC, reduces="mul", **VECTOR)
def vmula(d, a):
    """d = d * a."""
    return d * a


@instruction(0x7B, VV, **VECTOR)
def vabs(a):
    """d = a without its sign."""
    return np.abs(a)


@instruction(0x7C, VV, **VECTOR)
def vneg(a):
    """d = -a."""
    return -a


@instruction(0x7D, VV, **LONG)
def vrecip(a):
    """d = 1 / a, correctly rounded."""
    return mathfn.recip(a)


@instruction(0x7E, VV, **LONGER)
def vsqrt(a):
    """d = square root of a, correctly rounded; NaN below 0."""
    return mathfn.sqrt(a)


@instruction(0x7F, VV, **LONG)
def vrsqrt(a):
    """d = 1 / square root of a."""
    return mathfn.rsqrt(a)


@instruction(0x80, VV, **LONG)
def vexp2(a):
    """d = 2 to the power a."""
    return mathfn.exp2(a)


@instruction(0x81, VV, **LONG)
def vlog2(a):
    """d = logarithm of a to base 2; -inf at 0, NaN below."""
    return mathfn.log2(a)


@instruction(0x82, VV, **LONG)
def vtanh(a):
    """d = hyperbolic tangent of a."""
    return mathfn.tanh(a)


@instruction(0x83, VV, **LONG)
def verf(a):
    """d = error function of a."""
    return mathfn.erf(a)


@instruction(0x84, VV, **LONG)
def vsin(a):
    """d = sine of a (radians)."""
    return mathfn.sin(a)


@instruction(0x85, VV, **LONG)
def vcos(a):
    """d = cosine of a (radians)."""
    return mathfn.cos(a)


@instruction(0x86, VV, **VECTOR)
def vfloor(a):
    """d = the greatest whole number not above a."""
    return np.floor(a)


@instruction(0x87, VV, **VECTOR)
def vceil(a):
    """d = the least whole number not below a."""
    return np.ceil(a)


@instruction(0x88, VV, **VECTOR)
def vround(a):
    """d = the whole number nearest to a, ties to even."""
    return np.rint(a)


@instruction(0x89, VV, **MOVE)
def vmov(a):
    """d = a."""
    return a


@instruction(0x8A, ">d:v@rd <a:x@ra ?p:p@mask", **MOVE)
def vsplat(a):
    """Every lane of d = the low 32 bits of scalar a (an integer, or the bits of an FP32 number)."""
    low = (np.asarray(a, np.int64) & 0xFFFFFFFF).astype(np.uint32)
    return np.broadcast_to(low[..., None], (*low.shape, 16))


@instruction(0x8B, ">d:v@rd #n:f32@ext ?p:p@mask", **{**MOVE, "lanes": "f32"})
def vli(n):
    """Every lane of d = the FP32 number n."""
    return np.full(16, n, np.float32)


@instruction(0x8C, ">d:v@rd #n:imm32@ext ?p:p@mask", **{**MOVE, "lanes": "i32"})
def vlii(n):
    """Every lane of d = the INT32 number n."""
    return np.full(16, n, np.int32)


@instruction(0x8D, PVV, **VECTOR)
def vcmplt(a, b):
    """d = lanes where a < b; false where either is NaN."""
    return a < b


@instruction(0x8E, PVV, **VECTOR)
def vcmple(a, b):
    """d = lanes where a <= b; false where either is NaN."""
    return a <= b


@instruction(0x8F, PVV, **VECTOR)
def vcmpeq(a, b):
    """d = lanes where a equals b; false where either is NaN."""
    return a == b


@instruction(0x90, ">d:v@rd <a:v@ra <b:v@rb <p:p@mask", **MOVE)
def vsel(a, b, p):
    """d = a in the lanes of predicate p, b in the others."""
    return np.where(p, a, b)


@instruction(0x91, ">d:p@rd <a:p@ra <b:p@rb", **MOVE)
def pand(a, b):
    """d = lanes in both a and b."""
    return a & b


@instruction(0x92, ">d:p@rd <a:p@ra <b:p@rb", **MOVE)
def por(a, b):
    """d = lanes in a, in b or in both."""
    return a | b


@instruction(0x93, ">d:p@rd <a:p@ra", **MOVE)
def pnot(a):
    """d = lanes not in a."""
    return ~a


@instruction(0x94, ">d:v@rd <a:v@ra <fmt:d@rb ?p:p@mask", **VECTOR)
def vcvt(a, fmt):
    """d = a rounded through the format of descriptor fmt. In the body, fmt is the format's name."""
    return np.asarray(round_to(a, fmt), np.float32)


@instruction(0x95, ">d:v@rd <a:v@9 <fmt:d@0 <b:v@4 ?p:p@mask", **VECTOR)
def vsr(a, fmt, b):
    """d = a rounded stochastically through the format of descriptor fmt, with the random bits in b.

    In the body, fmt is the format's name and b holds the bits as the FP32 view of the register.
    """
    bits = np.ascontiguousarray(b).view(np.uint32)
    a, bits = np.broadcast_arrays(a, bits)
    return np.asarray(round_to(a, fmt, rounding="stochastic", random=bits), np.float32)


@instruction(0x96, VVV, **MOVE)
def vshuf(a, b):
    """Lane l of d = lane (b[l] modulo 16) of a."""
    lanes = (b & np.uint32(15)).astype(np.intp)
    leading = np.broadcast_shapes(a.shape[:-1], b.shape[:-1])
    a, lanes = np.broadcast_to(a, (*leading, 16)), np.broadcast_to(lanes, (*leading, 16))
    return np.take_along_axis(a, lanes, axis=-1)


@instruction(0x97, ">d:v@rd <a:v@ra <b:v@rb #half:u1@21", **{**MOVE, "latency": 4})
def vtrn8(a, b, half):
    """d = rows 4 * half to 4 * half + 3 of the 8x8 transpose of 16-bit elements.

    a holds rows 0-3 of the block, b rows 4-7.
    """
    leading = np.broadcast_shapes(a.shape[:-1], b.shape[:-1])
    rows = [np.ascontiguousarray(np.broadcast_to(half_, (*leading, 16))) for half_ in (a, b)]
    block = np.concatenate(
        [half_.view(np.uint16).reshape(*leading, 4, 8) for half_ in rows], axis=-2
    )
    turned = np.swapaxes(block, -1, -2)[..., 4 * half : 4 * half + 4, :]
    return np.ascontiguousarray(turned).reshape(*leading, 32).view(np.uint32)


@instruction(0x98, VV, **TREE)
def vrsum(a):
    """Every lane of d = the sum of a's lanes: lanes 8 apart are added, then 4, 2 and 1 apart."""
    return across(np.add, a)


@instruction(0x99, VV, **TREE)
def vrmax(a):
    """Every lane of d = the greatest of a's lanes; NaN if any is."""
    return across(np.maximum, a)


@instruction(0x9A, VV, **TREE)
def vrmin(a):
    """Every lane of d = the least of a's lanes; NaN if any is."""
    return across(np.minimum, a)


@instruction(0x9B, ">d:v@rd <a:x@ra ?p:p@mask", implicit=("seed",), **{**LONGER, "lanes": "raw"})
def vrand(a, seed):
    """Lane l of d = 32 random bits number a + l of the sequence whose key the thread's `seed` set.

    The bits are the 32-bit words of Philox 4x64-10 with key (seed, 0), eight a block, from block 0:
    a pure function of key and number, so that they do not depend on how work is spread.
    """
    numbers = np.asarray(a, np.int64)[..., None] + np.arange(16)
    numbers, keys = np.broadcast_arrays(numbers, np.asarray(seed, np.int64)[..., None])
    result = np.zeros(numbers.shape, np.uint32)
    for key in np.unique(keys):
        result[keys == key] = random_bits_at(int(key), 0, 0, numbers[keys == key])
    return result


def across(combine, a):
    """Fold the 16 lanes in halves, 8 4 2 1 apart; the result in every lane."""
    folded = a
    for distance in (8, 4, 2, 1):
        folded = combine(folded[..., :distance], folded[..., distance:])
    return np.repeat(folded, 16, axis=-1)
