"""Numbers written by their bits, `dense<0xFF800000>` for -inf: xDSL reads them as integers.

They are rewritten as strings of bytes, which it takes as they are.
"""

from __future__ import annotations

import re

import numpy as np

DENSE = re.compile(r"dense<([^\"<>]*0x[^\"<>]*)>(\s*:\s*tensor<(?:\d+x)*(bf16|f16|f32|f64)>)")
NUMBER = re.compile(r"0x[0-9A-Fa-f]+|[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?)")
WIDTHS = {"bf16": np.uint16, "f16": np.uint16, "f32": np.uint32, "f64": np.uint64}
FLOATS = {"f16": np.float16, "f32": np.float32, "f64": np.float64}


def bits_of(word: str, kind: str) -> int:
    """The bits of a number written either way."""
    if word.lower().startswith("0x"):
        return int(word, 16)
    if kind == "bf16":  # FP32's upper half, rounded to nearest even
        whole = int(np.array(float(word), np.float32).view(np.uint32))
        return (whole + 0x7FFF + (whole >> 16 & 1)) >> 16
    return int(np.array(float(word), FLOATS[kind]).view(WIDTHS[kind]))


def with_bytes(text: str) -> str:
    """The text with such literals as strings of bytes."""

    def rewritten(match: re.Match[str]) -> str:
        kind = match.group(3)
        bits = [bits_of(word, kind) for word in NUMBER.findall(match.group(1))]
        data = np.array(bits, WIDTHS[kind]).astype(WIDTHS[kind]().dtype.newbyteorder("<"))
        return f'dense<"0x{data.tobytes().hex().upper()}">{match.group(2)}'

    return DENSE.sub(rewritten, text) if "0x" in text else text
