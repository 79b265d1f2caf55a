"""Oracles of narrow formats: ml_dtypes for rounding, whole Python numbers for random bits."""

from __future__ import annotations

import ml_dtypes
import numpy as np


def nearest(x: np.ndarray) -> np.ndarray:
    return x.astype(ml_dtypes.float8_e4m3fn).astype(np.float32)


def mixed(x: np.ndarray) -> np.ndarray:
    found = []
    for word in x.reshape(-1).tolist():
        word %= 2**32
        for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
            word = (word ^ word >> shift) * factor % 2**32
        found.append(word ^ word >> 16)
    return np.array(found, np.uint32).astype(np.int32).reshape(x.shape)


def truncated(x: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """Toward zero: with bits below 2**20 no value a 2**12-th below the next carries."""
    assert (np.abs(bits) < 2**20).all()
    below = x.astype(ml_dtypes.float8_e5m2).astype(np.float32)
    step = np.exp2(np.floor(np.log2(np.abs(x))) - 2)
    return np.where(np.abs(below) > np.abs(x), below - np.sign(x) * step, below)
