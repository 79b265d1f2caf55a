"""Places for intervals: no two that overlap share one, and no more are used than overlap at once.

Intervals are half-open [start, end). Greedy by start, lowest free place first, which is optimal for
intervals. Registers, address generators and semaphores are all given out this way.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush


class Crowded(Exception):
    """More intervals overlap at `position` than there are places; `holders` are their indexes."""

    def __init__(self, position: int, holders: tuple[int, ...], places: int) -> None:
        super().__init__(f"{len(holders)} intervals overlap at {position}, {places} places")
        self.position = position
        self.holders = holders
        self.places = places


def assign(intervals: Sequence[tuple[int, int]], places: Sequence[int]) -> list[int]:
    """The place of every interval; Crowded where they do not suffice."""
    free = list(places)
    heapify(free)
    busy: list[tuple[int, int, int]] = []
    result = [-1] * len(intervals)
    for index in sorted(range(len(intervals)), key=lambda number: (intervals[number][0], number)):
        start, end = intervals[index]
        if end <= start:
            raise ValueError(f"interval {index} is empty: [{start}, {end})")
        while busy and busy[0][0] <= start:
            heappush(free, heappop(busy)[1])
        if not free:
            raise Crowded(start, (*sorted(holder for _, _, holder in busy), index), len(places))
        result[index] = heappop(free)
        heappush(busy, (end, result[index], index))
    return result


def most_overlapping(intervals: Sequence[tuple[int, int]]) -> int:
    """How many intervals overlap at most: what `assign` needs."""
    events = sorted([(start, 1) for start, _ in intervals] + [(end, -1) for _, end in intervals])
    most = now = 0
    for _, change in events:
        now += change
        most = max(most, now)
    return most
