"""Number formats of the machine: one row a format; encode, decode and rounding derive from it.

`encode` turns values into storage codes, `decode` codes into float32 (int32 for integer formats).
The machine computes in FP32, so values are taken as float32 before they are narrowed.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntFlag
from functools import lru_cache

import numpy as np

from dojocc.runtime.errors import InputError

ROUNDINGS = ("nearest", "stochastic")
DENORMALS = ("gradual", "literal")
BLOCK = 1 << 16  # elements converted at a time, so that temporaries stay in cache


class Flag(IntFlag):
    """What a narrowing conversion met; sticky per node."""

    INVALID = 1
    DENORMAL = 2
    OVERFLOW = 4
    UNDERFLOW = 8


@dataclass(frozen=True)
class Format:
    """A numeric format: `sign`, `exponent` and `mantissa` count bits; `bias` is the default."""

    name: str
    long_name: str
    kind: str  # "ieee", "cfloat" or "int"
    sign: int
    exponent: int
    mantissa: int
    bias: int
    biases: range
    ir_name: str
    origin: str

    def __post_init__(self) -> None:
        if self.kind not in ("ieee", "cfloat", "int"):
            raise ValueError(f"format {self.name}: unknown kind {self.kind!r}")
        if self.bits not in (8, 16, 32):
            raise ValueError(f"format {self.name}: {self.bits} bits is no storage size")
        if self.bias not in self.biases:
            raise ValueError(f"format {self.name}: bias {self.bias} is outside {self.biases}")

    @property
    def bits(self) -> int:
        return self.sign + self.exponent + self.mantissa

    @property
    def bytes(self) -> int:
        return self.bits // 8

    @property
    def dtype(self) -> np.dtype:
        """NumPy type that codes are stored in."""
        if self.kind == "int":
            return np.dtype(f"int{self.bits}")
        return np.dtype("float32" if self.bits == 32 else f"uint{self.bits}")

    @property
    def value_dtype(self) -> np.dtype:
        """NumPy type of decoded values."""
        return np.dtype("int32" if self.kind == "int" else "float32")

    @property
    def epsilon(self) -> float:
        """Distance from 1 to the next value: a conversion is within half of it, relatively."""
        return 0.0 if self.kind == "int" else 2.0**-self.mantissa

    def largest(self, bias: int | None = None) -> float:
        """Largest finite value."""
        if self.kind == "int":
            return float((1 << self.mantissa) - 1)
        top = (1 << self.exponent) - (2 if self.kind == "ieee" else 1)
        return (2.0 - 2.0**-self.mantissa) * 2.0 ** (top - self.checked_bias(bias))

    def smallest_normal(self, bias: int | None = None) -> float:
        """Smallest positive normal value (1 for integers)."""
        return 1.0 if self.kind == "int" else 2.0 ** (1 - self.checked_bias(bias))

    def smallest_denormal(self, bias: int | None = None, denormal: str = "gradual") -> float:
        """Smallest positive value."""
        if self.kind == "int":
            return 1.0
        step = 1 if checked_denormal(denormal) == "gradual" else 0
        return 2.0 ** (step - self.checked_bias(bias) - self.mantissa)

    def checked_bias(self, bias: int | None) -> int:
        """The bias to use: the given one if the format allows it, the default for None."""
        if bias is None:
            return self.bias
        if bias not in self.biases:
            allowed = f"{self.biases[0]}..{self.biases[-1]}" if len(self.biases) > 1 else self.bias
            raise InputError(
                f"format {self.name} cannot have bias {bias}",
                numbers=f"allowed: {allowed}",
                help="leave the bias out to use the default",
            )
        return int(bias)


def _ieee(name: str, exponent: int, mantissa: int, bias: int, ir_name: str) -> Format:
    return Format(
        name, name, "ieee", 1, exponent, mantissa, bias, range(bias, bias + 1), ir_name, "published"
    )


def _int(bits: int) -> Format:
    name = f"INT{bits}"
    return Format(name, name, "int", 1, 0, bits - 1, 0, range(1), f"i{bits}", "published")


def _cfloat(
    name: str, long_name: str, fields: tuple[int, int, int], bias: int, biases: range
) -> Format:
    return Format(name, long_name, "cfloat", *fields, bias, biases, name.lower(), "published")


FORMATS: dict[str, Format] = {
    row.name: row
    for row in (
        _ieee("FP32", 8, 23, 127, "f32"),
        _ieee("BF16", 8, 7, 127, "bf16"),
        _int(8),
        _int(16),
        _int(32),
        _cfloat("CF8_143", "CFloat8_1_4_3", (1, 4, 3), 7, range(64)),
        _cfloat("CF8_152", "CFloat8_1_5_2", (1, 5, 2), 15, range(64)),
        _cfloat("CF16_SHP", "CFloat16_SHP", (1, 5, 10), 15, range(64)),
        _cfloat("CF16_UHP", "CFloat16_UHP", (0, 6, 10), 31, range(31, 32)),
    )
}

BY_NAME = FORMATS | {row.long_name: row for row in FORMATS.values()}


def find_format(fmt: Format | str) -> Format:
    """The row of a format given by row, name or long name."""
    if isinstance(fmt, Format):
        return fmt
    if fmt in BY_NAME:
        return BY_NAME[fmt]
    near = difflib.get_close_matches(str(fmt).upper(), [*FORMATS], 1, 0.4)
    raise InputError(
        f"no number format is called {fmt!r}",
        help=f"did you mean {near[0]}?" if near else f"known formats: {', '.join(FORMATS)}",
    )


def checked_denormal(denormal: str) -> str:
    if denormal not in DENORMALS:
        raise InputError(f"unknown denormal mode {denormal!r}", help=f"use one of {DENORMALS}")
    return denormal


def encode(
    values: np.ndarray,
    fmt: Format | str,
    *,
    bias: int | None = None,
    rounding: str = "nearest",
    denormal: str = "gradual",
    random: np.ndarray | None = None,
) -> np.ndarray:
    """Storage codes of `values`: nearest (ties to even) or, with uint32 `random` bits, stochastic.

    Integer formats saturate. FP32 values in an array come back as they are, without a copy.
    """
    row = find_format(fmt)
    bias = row.checked_bias(bias)
    checked_denormal(denormal)
    random = _checked_random(np.shape(values), rounding, random)
    if row.kind == "int":
        return _encode_int(np.asarray(values), row, random)
    values = _as_float32(values)
    if row.name == "FP32":
        return values
    if row.name == "BF16":
        return _in_blocks(values, random, row.dtype, _encode_bf16)
    return _in_blocks(
        values, random, row.dtype, lambda v, r: _encode_cfloat(v, row, bias, denormal, r)
    )


def decode(
    codes: np.ndarray, fmt: Format | str, *, bias: int | None = None, denormal: str = "gradual"
) -> np.ndarray:
    """Values of storage codes, exactly: float32, or int32 for integer formats."""
    row = find_format(fmt)
    bias = row.checked_bias(bias)
    checked_denormal(denormal)
    codes = np.asarray(codes)
    if row.kind == "int" or row.name == "FP32":
        return codes.astype(row.value_dtype, copy=False)
    if row.name == "BF16":
        return np.left_shift(codes, np.uint32(16), dtype=np.uint32).view(np.float32)
    return np.take(_decode_table(row, bias, denormal), codes)


def round_to(
    values: np.ndarray,
    fmt: Format | str,
    *,
    bias: int | None = None,
    rounding: str = "nearest",
    denormal: str = "gradual",
    random: np.ndarray | None = None,
) -> np.ndarray:
    """Values as they come back after a trip through the format."""
    codes = encode(values, fmt, bias=bias, rounding=rounding, denormal=denormal, random=random)
    return decode(codes, fmt, bias=bias, denormal=denormal)


def encode_with_flags(
    values: np.ndarray,
    fmt: Format | str,
    *,
    bias: int | None = None,
    rounding: str = "nearest",
    denormal: str = "gradual",
    random: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Storage codes, and per element the `Flag` bits (uint8) that its conversion raised.

    Denormal: the result is one. Underflow: a value below the smallest normal changed. Overflow:
    the value is beyond the format's range, so that the result is clamped (or infinite, in an IEEE
    format). Invalid: NaN where the format has none, or a negative value where it has no sign.
    """
    row = find_format(fmt)
    codes = encode(values, row, bias=bias, rounding=rounding, denormal=denormal, random=random)
    result = decode(codes, row, bias=bias, denormal=denormal).astype(np.float64)
    given = np.asarray(values)
    given = (given if row.kind == "int" else _as_float32(given)).astype(np.float64)
    size, small, nan = np.abs(given), row.smallest_normal(bias), np.isnan(given)
    if row.kind == "int":
        rounded = np.rint(given)
        beyond = (rounded > row.largest()) | (rounded < -row.largest() - 1)
        return codes, _flags(nan, beyond, nan, nan)
    if row.kind == "ieee":
        invalid, beyond = np.zeros_like(nan), np.isinf(result) & np.isfinite(given)
    else:
        invalid = nan if row.sign else nan | (given < 0)
        half_step = row.largest(bias) * row.epsilon / (2 - row.epsilon) / 2
        limit = row.largest(bias) + half_step
        beyond = size >= limit if rounding == "nearest" else size > row.largest(bias)
    underflow = (size > 0) & (size < small) & (result != given)
    is_denormal = (np.abs(result) > 0) & (np.abs(result) < small)
    return codes, _flags(invalid, beyond, underflow, is_denormal)


def _flags(
    invalid: np.ndarray, overflow: np.ndarray, underflow: np.ndarray, denormal: np.ndarray
) -> np.ndarray:
    """Flag bits; an invalid conversion raises nothing else."""
    flags = overflow * np.uint8(Flag.OVERFLOW) | underflow * np.uint8(Flag.UNDERFLOW)
    flags = flags | denormal * np.uint8(Flag.DENORMAL)
    return np.where(invalid, np.uint8(Flag.INVALID), flags)


def _as_float32(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.asarray(values).astype(np.float32, copy=False)


def _checked_random(
    shape: tuple[int, ...], rounding: str, random: np.ndarray | None
) -> np.ndarray | None:
    if rounding not in ROUNDINGS:
        raise InputError(f"unknown rounding {rounding!r}", help=f"use one of {ROUNDINGS}")
    if rounding == "nearest":
        return None
    if random is None:
        raise InputError(
            "stochastic rounding needs random bits", help="pass random=, one uint32 a value"
        )
    random = np.asarray(random)
    if random.dtype != np.uint32 or random.shape != shape:
        raise InputError(
            "random bits do not match the values",
            numbers=f"have {random.dtype} {random.shape}, need uint32 {shape}",
        )
    return random


def _in_blocks(
    values: np.ndarray,
    random: np.ndarray | None,
    dtype: np.dtype,
    convert: Callable[[np.ndarray, np.ndarray | None], np.ndarray],
) -> np.ndarray:
    """Apply `convert(values, random)` block by block, so that its temporaries stay in cache."""
    result = np.empty(values.shape, dtype)
    flat = np.ascontiguousarray(values).reshape(-1)
    bits = None if random is None else np.ascontiguousarray(random).reshape(-1)
    out = result.reshape(-1)
    for start in range(0, flat.size, BLOCK):
        part = slice(start, start + BLOCK)
        out[part] = convert(flat[part], None if bits is None else bits[part])
    return result


def _encode_bf16(values: np.ndarray, random: np.ndarray | None) -> np.ndarray:
    bits = values.view(np.uint32)
    high = bits >> np.uint32(16)
    if random is None:
        code = ((high & np.uint32(1)) + np.uint32(0x7FFF) + bits) >> np.uint32(16)
    else:
        infinite = (bits & np.uint32(0x7FFFFFFF)) == np.uint32(0x7F800000)
        code = np.where(infinite, high, (bits + (random >> np.uint32(16))) >> np.uint32(16))
    nan = np.isnan(values)
    if nan.any():
        code = np.where(nan, high | np.uint32(0x40), code)  # quiet, sign and top payload kept
    return code


def _encode_int(values: np.ndarray, row: Format, random: np.ndarray | None) -> np.ndarray:
    if values.dtype == row.dtype:
        return values
    low, high = -(1 << row.mantissa), (1 << row.mantissa) - 1
    if values.dtype.kind in "iub":
        wide = values.astype(np.uint64 if values.dtype == np.uint64 else np.int64)
        return np.clip(wide, 0 if wide.dtype == np.uint64 else low, high).astype(row.dtype)
    wide = _as_float32(values).astype(np.float64)
    wide = np.rint(wide) if random is None else np.floor(wide + random * 2.0**-32)
    return np.nan_to_num(np.clip(wide, low, high), nan=0.0).astype(row.dtype)


def _encode_cfloat(
    values: np.ndarray, row: Format, bias: int, denormal: str, random: np.ndarray | None
) -> np.ndarray:
    """Shift and round the FP32 bits; codes of one sign stand in the order of their values.

    A carry out of the mantissa therefore lands in the exponent, and clamping is a minimum.
    """
    bits = values.view(np.uint32)
    size = bits & np.uint32(0x7FFFFFFF)
    shift = np.uint32(23 - row.mantissa)
    if random is None:
        odd = (size >> shift) & np.uint32(1)
        rounded = size + odd + np.uint32((1 << (int(shift) - 1)) - 1)
    else:
        rounded = size + (random >> (np.uint32(32) - shift))
    code = (rounded >> shift).astype(np.int32) - ((127 - bias) << row.mantissa)
    top = (1 << (row.exponent + row.mantissa)) - 1
    np.minimum(code, top, out=code)
    small = size < np.float32(row.smallest_normal(bias)).view(np.uint32)
    if small.any():
        low, draw = size[small].view(np.float32), None if random is None else random[small]
        code[small] = _encode_small(low, row, bias, denormal, draw)
    negative = (bits >> np.uint32(31)).astype(np.int32)
    code = code | (negative << (row.bits - 1)) if row.sign else code * (1 - negative)
    code[size > np.uint32(0x7F800000)] = top  # NaN, of either sign
    return code


def _encode_small(
    size: np.ndarray, row: Format, bias: int, denormal: str, random: np.ndarray | None
) -> np.ndarray:
    """Codes of magnitudes below the smallest normal.

    With literal denormals the last one and the smallest normal are more than a step apart: there
    the position in the gap decides (the tie goes to the normal, whose code is even).
    """
    steps = size.astype(np.float64) / row.smallest_denormal(bias, denormal)
    if denormal == "literal":
        last = (1 << row.mantissa) - 1
        gap = (2 << row.mantissa) - last
        steps = np.where(steps > last, last + (steps - last) / gap, steps)
    if random is None:
        return np.rint(steps).astype(np.int32)
    return np.floor(steps + random * 2.0**-32).astype(np.int32)


@lru_cache(maxsize=64)
def _decode_table(row: Format, bias: int, denormal: str) -> np.ndarray:
    """Value of every code of a CFloat format."""
    codes = np.arange(1 << row.bits, dtype=np.int64)
    mantissa = codes & ((1 << row.mantissa) - 1)
    exponent = (codes >> row.mantissa) & ((1 << row.exponent) - 1)
    fraction = np.where(exponent == 0, 0.0, 1.0) + mantissa / (1 << row.mantissa)
    lowest = 1 if denormal == "gradual" else 0
    scale = np.where(exponent == 0, lowest, exponent) - bias
    size = np.ldexp(fraction, scale)
    negative = codes >> (row.bits - 1) if row.sign else np.zeros_like(codes)
    table = np.where(negative == 1, -size, size).astype(np.float32)
    table.setflags(write=False)
    return table
