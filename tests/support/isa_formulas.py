"""What each value-producing instruction should give, in plain Python on single numbers.

Written from the manual's words, not from the bodies: no NumPy arithmetic. Rounding to FP32 goes
through struct, which rounds a double once (exact for + - * / and sqrt of FP32 numbers).
"""

from __future__ import annotations

import math
import struct

INF, NAN = math.inf, math.nan


def f32(value: float) -> float:
    """Round to FP32, overflow to infinity."""
    try:
        return struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return math.copysign(INF, value)


def wrap(value: int, bits: int) -> int:
    """Two's complement of `bits` bits."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def divide(a: float, b: float) -> float:
    if math.isnan(a) or math.isnan(b) or (a == 0 and b == 0) or (math.isinf(a) and math.isinf(b)):
        return NAN
    if b == 0:
        return math.copysign(INF, a) * math.copysign(1, b)
    return f32(a / b)


def pick(a: float, b: float, better) -> float:
    return NAN if math.isnan(a) or math.isnan(b) else better(a, b)


def guarded(function, a: float, at_plus: float, at_minus: float, below_zero: bool = True) -> float:
    """`function` rounded to FP32; stated values at the infinities, NaN where it is undefined."""
    if math.isnan(a):
        return NAN
    if math.isinf(a):
        return at_plus if a > 0 else at_minus
    if a < 0 and not below_zero:
        return NAN
    try:
        return f32(function(a))
    except OverflowError:
        return INF


def whole(function, a: float) -> float:
    return a if not math.isfinite(a) else math.copysign(float(function(a)), a)


def to_int(a: float) -> int:
    if math.isnan(a):
        return 0
    return int(max(-(2**31), min(2**31 - 1, a if math.isinf(a) else round(a))))


def u(value: int, bits: int) -> int:
    return value & ((1 << bits) - 1)


# One lane at a time; arguments in the order of the body's.
LANES = {
    "vadd": lambda a, b: f32(a + b),
    "vsub": lambda a, b: f32(a - b),
    "vmul": lambda a, b: f32(a * b),
    "vdiv": divide,
    "vmin": lambda a, b: pick(a, b, min),
    "vmax": lambda a, b: pick(a, b, max),
    "vfma": lambda d, a, b: f32(d + f32(a * b)),
    "vacc": lambda d, a: f32(d + a),
    "vmaxa": lambda d, a: pick(d, a, max),
    "vmina": lambda d, a: pick(d, a, min),
    "vmula": lambda d, a: f32(d * a),
    "vabs": lambda a: math.copysign(a, 1.0),
    "vneg": lambda a: -a,
    "vrecip": lambda a: divide(1.0, a),
    "vsqrt": lambda a: (
        -0.0 if a == 0 and math.copysign(1, a) < 0 else guarded(math.sqrt, a, INF, NAN, False)
    ),
    "vrsqrt": lambda a: (
        math.copysign(INF, a) if a == 0 else guarded(lambda x: x**-0.5, a, 0.0, NAN, False)
    ),
    "vexp2": lambda a: guarded(lambda x: 2.0**x, a, INF, 0.0),
    "vlog2": lambda a: -INF if a == 0 else guarded(math.log2, a, INF, NAN, False),
    "vtanh": lambda a: guarded(math.tanh, a, 1.0, -1.0),
    "verf": lambda a: guarded(math.erf, a, 1.0, -1.0),
    "vsin": lambda a: guarded(math.sin, a, NAN, NAN),
    "vcos": lambda a: guarded(math.cos, a, NAN, NAN),
    "vfloor": lambda a: whole(math.floor, a),
    "vceil": lambda a: whole(math.ceil, a),
    "vround": lambda a: whole(round, a),
    "vmov": lambda a: a,
    "vcmplt": lambda a, b: a < b,
    "vcmple": lambda a, b: a <= b,
    "vcmpeq": lambda a, b: a == b,
    "vsel": lambda a, b, p: a if p else b,
    "pand": lambda a, b: a and b,
    "por": lambda a, b: a or b,
    "pnot": lambda a: not a,
    "viadd": lambda a, b: wrap(a + b, 32),
    "visub": lambda a, b: wrap(a - b, 32),
    "vimul": lambda a, b: wrap(a * b, 32),
    "viacc": lambda d, a: wrap(d + a, 32),
    "vimaxa": max,
    "vimina": min,
    "vimula": lambda d, a: wrap(d * a, 32),
    "vimin": min,
    "vimax": max,
    "viand": lambda a, b: a & b,
    "vior": lambda a, b: a | b,
    "vixor": lambda a, b: a ^ b,
    "visll": lambda a, b: wrap(a << (b & 31), 32),
    "visrl": lambda a, b: wrap(u(a, 32) >> (b & 31), 32),
    "visra": lambda a, b: a >> (b & 31),
    "vicmplt": lambda a, b: a < b,
    "vicmpeq": lambda a, b: a == b,
    "vif": lambda a: f32(float(a)),
    "vfi": to_int,
}

# One number at a time.
SCALARS = {
    "li": lambda n: n,
    "lil": lambda n: n,
    "add": lambda a, b: wrap(a + b, 64),
    "addi": lambda a, n: wrap(a + n, 64),
    "sub": lambda a, b: wrap(a - b, 64),
    "mul": lambda a, b: wrap(a * b, 64),
    "min": min,
    "max": max,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "sll": lambda a, b: wrap(a << (b & 63), 64),
    "srl": lambda a, b: wrap(u(a, 64) >> (b & 63), 64),
    "sra": lambda a, b: a >> (b & 63),
    "slt": lambda a, b: int(a < b),
    "sle": lambda a, b: int(a <= b),
    "seq": lambda a, b: int(a == b),
    "sne": lambda a, b: int(a != b),
    "csel": lambda d, a, b: a if d != 0 else b,
    "divu": lambda a, b: -1 if b == 0 else wrap(u(a, 64) // u(b, 64), 64),
    "remu": lambda a, b: a if b == 0 else wrap(u(a, 64) % u(b, 64), 64),
    "abase": lambda a: a,
    "abasei": lambda n: n,
    "aadd": lambda d, a: wrap(d + a, 64),
    "aaddi": lambda d, n: wrap(d + n, 64),
    "astr": lambda L, n: n,
    "astrx": lambda L, a: a,
    "apitch": lambda n: n,
    "aystr": lambda L, n: n,
    "axstr": lambda L, n: n,
    "post": lambda s, n: s + n,
    "rpost": lambda a, s: s + 1,
    "wait": lambda s, n: s - n,
    "waitx": lambda s, a: s - a,
    "loop": lambda L, n: n,
    "loopx": lambda L, a: max(a, 0),
    "call": lambda n: n,
    "seed": lambda a: a,
}


def fold(lanes: list[float], combine) -> list[float]:
    """Lanes 8, 4, 2, 1 apart."""
    for distance in (8, 4, 2, 1):
        lanes = [combine(lanes[i], lanes[i + distance]) for i in range(distance)]
    return lanes * 16


def halves(words: list[int]) -> list[int]:
    return [part for word in words for part in (word & 0xFFFF, word >> 16)]


def transpose8(a: list[int], b: list[int], half: int) -> list[int]:
    """Rows 4 * half .. of the transposed 8x8 block of 16-bit elements, as words."""
    flat = halves(a) + halves(b)
    turned = [flat[column * 8 + row] for row in range(8) for column in range(8)]
    part = turned[32 * half : 32 * half + 32]
    return [low | high << 16 for low, high in zip(part[::2], part[1::2], strict=True)]


# All 16 lanes of one register at a time.
ROWS = {
    "vshuf": lambda a, b: [a[index % 16] for index in b],
    "vtrn8": transpose8,
    "vrsum": lambda a: fold(a, lambda x, y: f32(x + y)),
    "vrmax": lambda a: fold(a, lambda x, y: pick(x, y, max)),
    "vrmin": lambda a: fold(a, lambda x, y: pick(x, y, min)),
    "viota": lambda: list(range(16)),
    "vli": lambda n: [f32(n)] * 16,
    "vlii": lambda n: [n] * 16,
    "vsplat": lambda a: [u(a, 32)] * 16,
}
