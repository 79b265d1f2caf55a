"""Is a packing sound? A sweep over time that shares nothing with what makes packings."""

from __future__ import annotations

from bisect import bisect, insort
from collections.abc import Sequence
from typing import Protocol


class Placed(Protocol):
    """What the sweep wants to know of a buffer: live in [lower, upper), `size` bytes."""

    @property
    def name(self) -> str: ...
    @property
    def lower(self) -> int: ...
    @property
    def upper(self) -> int: ...
    @property
    def size(self) -> int: ...


def check_packing(
    buffers: Sequence[Placed],
    offsets: Sequence[int],
    capacity: int | None = None,
    alignment: int = 1,
) -> list[str]:
    """What is wrong with a packing, one text a problem; empty if it is sound."""
    if len(offsets) != len(buffers):
        return [f"{len(offsets)} offsets for {len(buffers)} buffers"]
    problems = []
    for buffer, offset in zip(buffers, offsets, strict=True):
        if offset < 0 or offset % alignment:
            problems.append(f"{buffer.name} at {offset} is not aligned to {alignment}")
        if capacity is not None and offset + buffer.size > capacity:
            problems.append(f"{buffer.name} ends at {offset + buffer.size}, beyond {capacity}")
    # Ends come before starts at the same time, since lifetimes are half open.
    events = [(buffer.upper, 0, i) for i, buffer in enumerate(buffers) if buffer.size]
    events += [(buffer.lower, 1, i) for i, buffer in enumerate(buffers) if buffer.size]
    active: list[tuple[int, int, int]] = []
    for time, start, i in sorted(events):
        span = (offsets[i], offsets[i] + buffers[i].size, i)
        if not start:
            active.remove(span)
            continue
        place = bisect(active, span)
        insort(active, span)
        for other in active[max(place - 1, 0) : place] + active[place + 1 : place + 2]:
            if span[0] < other[1] and other[0] < span[1]:
                names = f"{buffers[other[2]].name} and {buffers[i].name}"
                problems.append(f"{names} overlap at time {time}")
    return problems
