"""Conversion of values to and from the number formats, derived from the rows of the table.

`encode` turns values into storage codes, `decode` codes into float32 (int32 for integer formats).
The machine computes in FP32, so values are taken as float32 before they are narrowed.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntFlag
from functools import lru_cache

import numpy as np

from dojocc.runtime.errors import InputError
from dojocc.runtime.format_table import DENORMALS, FORMATS, Format, check_mode, find_format

__all__ = [
    "FORMATS",
    "Flag",
    "Format",
    "decode",
    "encode",
    "encode_with_flags",
    "find_format",
    "round_to",
]

ROUNDINGS = ("nearest", "stochastic")
BLOCK = 1 << 16  # elements converted at a time, so that temporaries stay in cache


class Flag(IntFlag):
    """What a narrowing conversion met; sticky per node."""

    INVALID = 1
    DENORMAL = 2
    OVERFLOW = 4
    UNDERFLOW = 8


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
    check_mode("denormal mode", denormal, DENORMALS)
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
    codes: np.ndarray,
    fmt: Format | str,
    *,
    bias: int | None = None,
    denormal: str = "gradual",
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Values of storage codes, exactly: float32, or int32 for integer formats; in `out`, an array
    of that type and the codes' shape, if there is one.
    """
    row = find_format(fmt)
    bias = row.checked_bias(bias)
    check_mode("denormal mode", denormal, DENORMALS)
    codes = np.asarray(codes)
    if row.name == "BF16":
        bits = None if out is None else out.view(np.uint32)
        return np.left_shift(codes, np.uint32(16), out=bits, dtype=np.uint32).view(np.float32)
    if row.kind == "int" or row.name == "FP32":
        values = codes.astype(row.value_dtype, copy=False)
    else:
        values = np.take(_decode_table(row, bias, denormal), codes)
    if out is None:
        return values
    out[...] = values
    return out


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
    low = (np.abs(result) > 0) & (np.abs(result) < small)
    return codes, _flags(invalid, beyond, underflow, low)


def _flags(
    invalid: np.ndarray, overflow: np.ndarray, underflow: np.ndarray, denormal: np.ndarray
) -> np.ndarray:
    """Flag bits; an invalid conversion raises nothing else."""
    flags = overflow * np.uint8(Flag.OVERFLOW) | underflow * np.uint8(Flag.UNDERFLOW)
    flags = flags | denormal * np.uint8(Flag.DENORMAL)
    return np.where(invalid, np.uint8(Flag.INVALID), flags)


def _as_float32(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    if values.dtype == np.float32:
        return values
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def _checked_random(
    shape: tuple[int, ...], rounding: str, random: np.ndarray | None
) -> np.ndarray | None:
    check_mode("rounding", rounding, ROUNDINGS)
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

    def convert(part: np.ndarray, draw: np.ndarray | None) -> np.ndarray:
        part = part.astype(np.float64)
        part = np.rint(part) if draw is None else np.floor(part + draw * 2.0**-32)
        part[np.isnan(part)] = 0
        return np.clip(part, low, high, out=part)

    return _in_blocks(_as_float32(values), random, row.dtype, convert)


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
