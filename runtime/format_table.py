"""The number formats of the machine, one row each: bits, bias, range, storage type.

`runtime/formats.py` derives encode, decode and rounding from the rows.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import numpy as np

from dojocc.runtime.errors import InputError

DENORMALS = ("gradual", "literal")
PRECISIONS = ("bf16", "fp32")
"""Formats that a compile may choose for what is stored between kernels."""


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
        check_mode("denormal mode", denormal, DENORMALS)
        step = 1 if denormal == "gradual" else 0
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


def check_mode(label: str, mode: str, known: tuple[str, ...]) -> None:
    if mode not in known:
        raise InputError(f"unknown {label} {mode!r}", help=f"use one of {known}")
