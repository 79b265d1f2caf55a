"""Folding lanes: what a reduction starts from, one step of it, and the 16 lanes into one.

The order is the machine's: 16 lanes of partial results, then lanes 8, 4, 2 and 1 apart.
"""

from __future__ import annotations

import numpy as np
from xdsl.ir import SSAValue

from dojocc.passes.kernels.builder import KernelBuilder

FLOATS = ("FP32", "BF16")
ACCUMULATE = {"sum": "vacc", "mean": "vacc", "max": "vmaxa", "min": "vmina", "prod": "vmula"}
INTEGER_ACCUMULATE = {"sum": "viacc", "max": "vimaxa", "min": "vimina", "prod": "vimula"}
INTEGER_STEP = {"sum": "viadd", "max": "vimax", "min": "vimin", "prod": "vimul"}
FLOAT_STEP = {"sum": "vadd", "mean": "vadd", "max": "vmax", "min": "vmin", "prod": "vmul"}
ACROSS = {"sum": "vrsum", "mean": "vrsum", "max": "vrmax", "min": "vrmin"}
START = {"sum": 0.0, "mean": 0.0, "max": -np.inf, "min": np.inf, "prod": 1.0}


def start_of(kind: str, fmt: str) -> float | int:
    """The value that changes nothing: of the width of integer formats, so that padding can hold
    it."""
    start = START[kind]
    if fmt in FLOATS:
        return float(start)
    limits = np.iinfo({"INT8": np.int8, "INT16": np.int16, "INT32": np.int32}[fmt])
    return int(limits.max if start == np.inf else limits.min if start == -np.inf else start)


def fold_into(b: KernelBuilder, kind: str, cell: SSAValue, value: SSAValue, fmt: str) -> None:
    """cell = cell folded with value."""
    b.accumulate((ACCUMULATE if fmt in FLOATS else INTEGER_ACCUMULATE)[kind], cell, value)


def across(b: KernelBuilder, kind: str, value: SSAValue, fmt: str) -> SSAValue:
    """All 16 lanes folded; the result in every lane."""
    if fmt in FLOATS and kind in ACROSS:
        return b.vector(ACROSS[kind], [value])
    return shuffled(b, value, (FLOAT_STEP if fmt in FLOATS else INTEGER_STEP)[kind])


def shuffled(b: KernelBuilder, value: SSAValue, mnemonic: str) -> SSAValue:
    """Fold lanes 8, 4, 2 and 1 apart with any instruction of two operands.

    A lane's partner is the one whose number differs in one bit, so all lanes end alike (the
    operations commute).
    """
    lanes = b.lanes()
    for apart in (8, 4, 2, 1):
        partner = b.once(f"lanes {apart} apart", (lanes, b.constant(apart)), "vixor")
        value = b.vector(mnemonic, [value, b.vector("vshuf", [value, partner])])
    return value
