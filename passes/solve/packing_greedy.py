"""Packings made by placing buffers one after another: several orders, several ways to fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FITS = ("lowest", "tightest", "ends")


@dataclass(frozen=True)
class Problem:
    """Sizes, padded sizes, lifetimes, and for each buffer the others live together with it."""

    sizes: list[int]
    padded: list[int]
    lower: list[int]
    upper: list[int]
    conflicts: list[list[int]]

    @classmethod
    def of(
        cls,
        lower: NDArray[np.int64],
        upper: NDArray[np.int64],
        size: NDArray[np.int64],
        alignment: int,
    ) -> Problem:
        together = (lower[:, None] < upper[None, :]) & (lower[None, :] < upper[:, None])
        np.fill_diagonal(together, False)
        return cls(
            size.tolist(),
            (-(-size // alignment) * alignment).tolist(),
            lower.tolist(),
            upper.tolist(),
            [np.flatnonzero(row).tolist() for row in together],
        )

    def peak(self, offsets: Iterable[int]) -> int:
        """Where the highest buffer ends."""
        spans = zip(offsets, self.sizes, strict=True)
        return max((offset + size for offset, size in spans), default=0)


def placements(problem: Problem, ceiling: int) -> Iterator[list[int]]:
    """Offsets by each order and fit, the usually best first. `ceiling` is the hoped-for peak."""
    for order in orders(problem):
        for fit in FITS:
            yield place(problem, order, fit, ceiling)


def orders(problem: Problem) -> list[list[int]]:
    """Different orders worth trying; ties go by position."""
    padded, lower, upper = problem.padded, problem.lower, problem.upper
    span = [end - start for start, end in zip(lower, upper, strict=True)]
    crowd = [sum(padded[j] for j in row) for row in problem.conflicts]
    keys: list[Callable[[int], tuple[int, ...]]] = [
        lambda i: (-padded[i], -span[i]),
        lambda i: (-padded[i] * span[i],),
        lambda i: (-crowd[i] - padded[i], -padded[i]),
        lambda i: (-span[i], -padded[i]),
        lambda i: (lower[i], -padded[i]),
        lambda i: (-upper[i], -padded[i]),
        lambda i: (-len(problem.conflicts[i]), -padded[i]),
    ]
    count = range(len(padded))
    found = [sorted(count, key=lambda i, key=key: (*key(i), i)) for key in keys]
    return list({tuple(order): order for order in found}.values())


def place(problem: Problem, order: Sequence[int], fit: str, ceiling: int) -> list[int]:
    """Offsets when buffers are placed one after another.

    Each goes into a gap between those that are live with it and already placed, or above them all:
    the lowest gap, the tightest, or (ends) by turns the bottom of the lowest and the top of the
    highest gap below the ceiling. By turns a chain of layers reaches the bound.
    """
    offsets = [-1] * len(order)
    for turn, i in enumerate(order):
        need = problem.padded[i]
        taken = sorted(
            (offsets[j], offsets[j] + problem.padded[j])
            for j in problem.conflicts[i]
            if offsets[j] >= 0
        )
        level, gaps = 0, []
        for first, end in taken:
            if first - level >= need:
                gaps.append((first - level, level))
            level = max(level, end)
        if ceiling - level >= need and fit == "ends":
            gaps.append((ceiling - level, level))
        if not gaps:
            offsets[i] = level
        elif fit == "tightest":
            offsets[i] = min(gaps)[1]
        elif fit == "ends" and turn % 2:
            offsets[i] = sum(gaps[-1]) - need
        else:
            offsets[i] = gaps[0][1]
    return offsets
