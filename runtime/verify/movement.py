"""What an exchange is for, as the build record says it: a chain of movements of whole tensors.

Each step is [name, numbers of its operands, properties]; the operands of the exchange come first,
each step adds a value, the last one is the result. Elements are numbers: those of the operands in
a row, ZERO for zeros that nobody sends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

ZERO = -1

Arrays = list[np.ndarray]
Rule = Callable[[Arrays, dict[str, Any]], np.ndarray]


def element_map(operands: Sequence[np.ndarray], steps: Sequence[Any]) -> np.ndarray:
    """The numbers of the elements of the result, from those of the operands. KeyError, TypeError,
    ValueError or IndexError where the steps are none."""
    values = list(operands)
    for name, numbers, properties in steps:
        values.append(RULES[name]([values[number] for number in numbers], properties))
    return values[-1]


def sliced(arrays: Arrays, p: dict[str, Any]) -> np.ndarray:
    return arrays[0][tuple(map(slice, p["start"], p["limit"], p["strides"]))]


def padded(arrays: Arrays, p: dict[str, Any]) -> np.ndarray:
    """Element i of a dimension stands at low + i * (interior + 1), if that is inside."""
    source, value = arrays
    places, kept, sizes = [], [], []
    for size, low, high, gap in zip(source.shape, p["low"], p["high"], p["interior"], strict=True):
        total = low + high + max(size + (size - 1) * gap, 0)
        place = low + np.arange(size) * (gap + 1)
        inside = (place >= 0) & (place < total)
        places.append(place[inside])
        kept.append(np.flatnonzero(inside))
        sizes.append(total)
    result = np.full(sizes, value.reshape(()), source.dtype)
    if source.ndim == 0:
        return source
    result[np.ix_(*places)] = source[np.ix_(*kept)]
    return result


def repeated(arrays: Arrays, p: dict[str, Any]) -> np.ndarray:
    shape = [1] * len(p["shape"])
    for size, axis in zip(arrays[0].shape, p["dims"], strict=True):
        shape[axis] = size
    return np.broadcast_to(arrays[0].reshape(shape), p["shape"])


RULES: dict[str, Rule] = {
    "reshape": lambda arrays, p: arrays[0].reshape(p["shape"]),
    "transpose": lambda arrays, p: arrays[0].transpose(p["permutation"]),
    "slice": sliced,
    "concatenate": lambda arrays, p: np.concatenate(arrays, p["dim"]),
    "pad": padded,
    "reverse": lambda arrays, p: np.flip(arrays[0], p["dims"]),
    "broadcast_in_dim": repeated,
    "zero": lambda arrays, p: np.full(p["shape"], ZERO, np.int64),
    "take": lambda arrays, p: arrays[0],
}
