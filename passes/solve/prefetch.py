"""How early transfers may start: plain data in and out.

Steps are positions of a schedule. A transfer that starts before an earlier step holds its buffer
and a semaphore over the steps between; it may go up only as far as both suffice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Transfer:
    """Starts before step `start`; could before any from `earliest` on; fills `bytes`."""

    start: int
    earliest: int
    bytes: int

    def __post_init__(self) -> None:
        if not 0 <= self.earliest <= self.start:
            raise ValueError(f"a transfer at {self.start} cannot start at {self.earliest}")
        if self.bytes < 0:
            raise ValueError(f"a transfer fills {self.bytes} bytes")


def earlier_starts(
    transfers: Sequence[Transfer],
    in_use: Sequence[int],
    under_way: Sequence[int],
    capacity: int,
    most_under_way: int,
) -> list[int]:
    """The step before which each transfer starts: the earliest that no step in between forbids.

    `in_use` and `under_way` are the bytes live and the transfers under way at every step as the
    schedule stands. The first of `transfers` chooses first. No step that has room before is driven
    over `capacity` or `most_under_way`, and none that is over already gets more.
    """
    used, busy = np.array(in_use, np.int64), np.array(under_way, np.int64)
    result = []
    for each in transfers:
        start = each.start
        while start > each.earliest:
            step = start - 1
            # The transfer's own step lies between this one and the one before.
            if used[step] + each.bytes > capacity or busy[max(step - 1, 0)] >= most_under_way:
                break
            if busy[step] >= most_under_way:
                break
            start = step
        used[start : each.start] += each.bytes
        busy[start : each.start] += 1
        result.append(start)
    return result


def largest_sound(moves: Sequence[int], sound: Callable[[frozenset[int]], bool]) -> frozenset[int]:
    """Moves that are sound together, kept in order: whatever half of them fails is tried by halves.

    Nothing is kept that `sound` refuses with what was kept before it. All at once is tried first,
    which is the usual answer; a refused move costs about as many questions as halvings.
    """

    def keep(kept: frozenset[int], rest: Sequence[int]) -> frozenset[int]:
        if not rest:
            return kept
        if sound(kept | frozenset(rest)):
            return kept | frozenset(rest)
        if len(rest) == 1:
            return kept
        half = len(rest) // 2
        return keep(keep(kept, rest[:half]), rest[half:])

    return keep(frozenset(), moves)
