"""Philox4x64-10 random bits: element n of a key's sequence, without the elements before it.

NumPy ships the same (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
"""

from __future__ import annotations

import numpy as np

ROUNDS = 10
MULTIPLIERS = (np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157))
WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
LOW, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


def multiply_wide(a: np.uint64, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """High and low 64 bits of a * b."""
    a_low, a_high = a & LOW, a >> HALF
    b_low, b_high = b & LOW, b >> HALF
    middle = a_high * b_low + ((a_low * b_low) >> HALF)
    other = a_low * b_high + (middle & LOW)
    return a_high * b_high + (middle >> HALF) + (other >> HALF), a * b


def philox_bits(numbers, key) -> np.ndarray:
    """Low 32 bits of elements `numbers` of the 64-bit sequence of NumPy's Philox(key=key)."""
    numbers, key = np.broadcast_arrays(np.asarray(numbers, np.int64), np.asarray(key, np.int64))
    numbers = numbers.view(np.uint64)
    zero = np.zeros(numbers.shape, np.uint64)
    # NumPy counts before it draws: the first block is number 1, four elements each.
    words = [(numbers >> np.uint64(2)) + np.uint64(1), zero, zero, zero]
    key_low, key_high = key.view(np.uint64), np.uint64(0)
    for turn in range(ROUNDS):
        bump_low, bump_high = (np.uint64(turn * weyl & (2**64 - 1)) for weyl in WEYL)
        high0, low0 = multiply_wide(MULTIPLIERS[0], words[0])
        high1, low1 = multiply_wide(MULTIPLIERS[1], words[2])
        words = [
            high1 ^ words[1] ^ (key_low + bump_low),
            low1,
            high0 ^ words[3] ^ (key_high + bump_high),
            low0,
        ]
    chosen = np.choose((numbers & np.uint64(3)).astype(np.intp), words)
    return (chosen & LOW).astype(np.uint32)
