"""Sliding windows over NumPy arrays: padding with interior, strided views, and their sizes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MOST_PADDED = 2
"""Dims padded without a copy: an access of the machine has bounds on two coordinates."""


def padded_beyond(padding: Sequence[int], most: int = MOST_PADDED) -> tuple[int, ...]:
    """Of the dims padded (low and high of each), the outermost that are more than `most`."""
    edges = zip(padding[0::2], padding[1::2], strict=True)
    padded = [axis for axis, pair in enumerate(edges) if max(pair) > 0]
    return tuple(padded[: max(len(padded) - most, 0)])


def split_ahead(padding: Sequence[int], dims: Sequence[int]) -> tuple[list[int], list[int]]:
    """(edges to be padded ahead, edges left) where these dims are to be padded by an op of their
    own; an edge that cuts off stays."""
    ahead = [max(edge, 0) * (place // 2 in dims) for place, edge in enumerate(padding)]
    return ahead, [edge - first for edge, first in zip(padding, ahead, strict=True)]


def dilated(size: int, step: int) -> int:
    """Extent of `size` elements spread `step` apart."""
    return (size - 1) * step + 1 if size > 0 else 0


def window_count(length: int, span: int, stride: int) -> int:
    """How many windows of `span` fit in `length`, one each `stride`."""
    return (length - span) // stride + 1 if length >= span else 0


def pad_interior(
    x: np.ndarray,
    low: Sequence[int],
    high: Sequence[int],
    interior: Sequence[int],
    value: np.generic | np.ndarray,
) -> np.ndarray:
    """StableHLO's pad: `interior` values between elements, then edges; negative edges crop."""
    if not any(low) and not any(high) and not any(interior):
        return x
    spread = [dilated(size, gap + 1) for size, gap in zip(x.shape, interior, strict=True)]
    sizes = [a + size + c for a, size, c in zip(low, spread, high, strict=True)]
    shape = [max(size, 0) for size in sizes]
    result = np.full_like(x, value, shape=shape, order="C")
    source, place = [], []
    for size, gap, edge, total in zip(x.shape, interior, low, result.shape, strict=True):
        step = gap + 1
        first = max(0, -(edge // step))  # the first element that lands at or after index 0
        last = min(size, (total - edge + step - 1) // step)
        start = first * step + edge
        count = max(last - first, 0)
        source.append(slice(first, first + count))
        place.append(slice(start, start + (count - 1) * step + 1, step) if count else slice(0, 0))
    result[tuple(place)] = x[tuple(source)]
    return result


def windows(
    x: np.ndarray, size: Sequence[int], strides: Sequence[int], dilation: Sequence[int]
) -> np.ndarray:
    """A read-only view [window positions..., elements within a window...] of a padded array."""
    rows = zip(x.shape, size, dilation, strides, strict=True)
    counts = [window_count(n, dilated(k, step), stride) for n, k, step, stride in rows]
    steps = [held * stride for held, stride in zip(x.strides, strides, strict=True)]
    taps = [held * step for held, step in zip(x.strides, dilation, strict=True)]
    shape = (*counts, *size)
    return np.lib.stride_tricks.as_strided(x, shape, (*steps, *taps), writeable=False)
