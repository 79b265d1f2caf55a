"""Random bits by counter: 32 for each element of a tensor, whoever computes it, in any order.

The generator is Philox 4x64 with 10 rounds, as NumPy ships it. Element i takes 32-bit word i % 8 of
block i // 8, and a block is keyed by (seed, tensor) and counted by (block, step).
"""

from __future__ import annotations

import hashlib

import numpy as np

WORDS = 8  # 32-bit words in a block
ROUNDS = 10
MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


def tensor_key(tensor: int | str) -> int:
    """The 64-bit key of a tensor given by number or name."""
    if isinstance(tensor, str):
        return int.from_bytes(hashlib.blake2b(tensor.encode(), digest_size=8).digest(), "little")
    return int(tensor) % 2**64


def random_bits(seed: int, step: int, tensor: int | str, start: int, count: int) -> np.ndarray:
    """uint32 bits of elements start, ..., start + count - 1 of a tensor, at NumPy's speed."""
    first = start // WORDS
    key = np.array([seed % 2**64, tensor_key(tensor)], np.uint64)
    # NumPy counts up before it makes a block, so that block n comes from counter n - 1.
    counter = ((step % 2**64) << 64) + first
    generator = np.random.Philox(key=key, counter=(counter - 1) % 2**256)
    blocks = -(-(start + count) // WORDS) - first
    words = generator.random_raw(blocks * WORDS // 2).astype("<u8").view("<u4")
    return words[start - first * WORDS :][:count].astype(np.uint32)


def random_bits_at(seed: int, step: int, tensor: int | str, index: np.ndarray) -> np.ndarray:
    """uint32 bits of any elements of a tensor: `index` is their (global, row-major) index."""
    index = np.asarray(index, np.int64)
    blocks, member = np.unique(index // WORDS, return_inverse=True)
    zero = np.zeros(blocks.shape, np.uint64)
    counter = [blocks.astype(np.uint64), zero + np.uint64(step % 2**64), zero, zero]
    block = _philox(counter, (seed % 2**64, tensor_key(tensor)))
    words = np.stack(block, -1).astype("<u8").view("<u4")
    return words[member.reshape(index.shape), index % WORDS].astype(np.uint32)


def _philox(counter: list[np.ndarray], key: tuple[int, int]) -> list[np.ndarray]:
    """Ten rounds on four words of 64 bits."""
    a, b, c, d = counter
    for number in range(ROUNDS):
        keys = [np.uint64((k + number * w) % 2**64) for k, w in zip(key, WEYL, strict=True)]
        high_a, low_a = _multiply(a, MULTIPLIERS[0])
        high_c, low_c = _multiply(c, MULTIPLIERS[1])
        a, b, c, d = high_c ^ b ^ keys[0], low_c, high_a ^ d ^ keys[1], low_a
    return [a, b, c, d]


def _multiply(value: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """High and low 64 bits of the product, by halves."""
    low, high = value & LOW, value >> HALF
    factor_low, factor_high = np.uint64(factor & 0xFFFFFFFF), np.uint64(factor >> 32)
    bottom = low * factor_low
    middle = high * factor_low + (bottom >> HALF)
    cross = low * factor_high + (middle & LOW)
    top = high * factor_high + (middle >> HALF) + (cross >> HALF)
    return top, (cross << HALF) | (bottom & LOW)
