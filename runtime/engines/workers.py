"""Two cores for one copy, conversion or product: its pieces side by side.

Every piece writes its own part of the result, and what is cut, and where, does not depend on the
number of workers; so neither does the result.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

LEAST = 1 << 20  # bytes; below that a second worker costs more than it saves


@cache
def workers() -> int:
    """Cores this process may use, two at most: copies are bound by memory beyond that."""
    return min(len(os.sched_getaffinity(0)), 2)


@cache
def pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(workers() - 1, 1), thread_name_prefix="dojocc")


def in_pieces(work: Callable[[slice], object], count: int, size: int, cut: int = 0) -> None:
    """`work` on slices that make up range(count), for `size` bytes in all; `cut`: where the second
    slice begins (the middle, where it is 0).
    """
    cut = cut or count // 2
    if size < LEAST or not 0 < cut < count:
        work(slice(0, count))
        return
    if workers() < 2:
        work(slice(0, cut))
        work(slice(cut, count))
        return
    second = pool().submit(work, slice(cut, count))
    try:
        work(slice(0, cut))
    finally:
        second.result()
