"""Resizing one dim: rows picked by number, or a product with known weights of the source rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from xdsl.ir import SSAValue

from dojocc.frontends.build import Builder, shape_of

REACH = {"linear": 1, "cubic": 2}


def picked(b: Builder, x: SSAValue, number: int, rows: np.ndarray) -> SSAValue:
    """Rows of one dim by number; a repetition of every row is no gather."""
    size, out = shape_of(x)[number], len(rows)
    if out % size == 0 and np.array_equal(rows, np.repeat(np.arange(size), out // size)):
        return repeated(b, x, number, out // size)
    return b.reorder(x, rows, number)


def repeated(b: Builder, x: SSAValue, axis: int, times: int) -> SSAValue:
    """Every row of one dim `times` times in a row."""
    if times == 1:
        return x
    shape = list(shape_of(x))
    wide = [*shape[: axis + 1], times, *shape[axis + 1 :]]
    dims = [i for i in range(len(wide)) if i != axis + 1]
    spread = b.emit("broadcast_in_dim", x, dims=dims, shape=wide)
    return b.reshape(spread, [*shape[:axis], shape[axis] * times, *shape[axis + 1 :]])


def interpolation(
    places: np.ndarray,
    size: int,
    mode: str,
    cubic: float = -0.75,
    spread: float = 1.0,
    inside: bool = False,
) -> np.ndarray:
    """(out, size) weights of the source rows around each place.

    Rows past an end are the end's own, unless `inside` leaves them out; `spread` below 1 widens
    the kernel, against aliasing.
    """
    table, shape, reach = np.zeros((len(places), size)), kernel(mode, cubic), REACH[mode] / spread
    for row, place in enumerate(places):
        first, last = int(np.floor(place - reach)), int(np.ceil(place + reach))
        steps = np.arange(first, last + 1)
        parts = shape((steps - place) * spread)
        if inside:
            parts = parts * ((steps >= 0) & (steps < size))
        parts = parts / parts.sum()
        np.add.at(table[row], np.clip(steps, 0, size - 1), parts)
    return table


def kernel(mode: str, a: float) -> Callable[[np.ndarray], np.ndarray]:
    """A neighbour's weight by its distance: a tent, or the cubic of Keys with coefficient `a`."""

    def tent(distance: np.ndarray) -> np.ndarray:
        return np.clip(1 - np.abs(distance), 0, None)

    def cubic(distance: np.ndarray) -> np.ndarray:
        x = np.abs(distance)
        near = (a + 2) * x**3 - (a + 3) * x**2 + 1
        far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
        return np.where(x <= 1, near, np.where(x < 2, far, 0.0))

    return tent if mode == "linear" else cubic


def weighted(b: Builder, x: SSAValue, number: int, table: np.ndarray, name: str) -> SSAValue:
    """The product of one dim with its weights [out, size]."""
    rank = len(shape_of(x))
    result = b.dot_general(x, b.constant(table.astype(np.float32), name), ([number], [1]))
    return b.transpose(result, back(number, rank))


def back(axis: int, rank: int) -> Sequence[int]:
    """The permutation that puts the last dim, which a product leaves there, back to `axis`."""
    return [*range(axis), rank - 1, *range(axis, rank - 1)]
