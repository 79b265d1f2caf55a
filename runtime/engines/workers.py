"""Two cores for one copy, conversion or product: its pieces side by side.

Every piece writes its own part of the result, and what is cut, and where, does not depend on the
number of workers; so neither does the result.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from queue import SimpleQueue
from threading import Lock, Thread

import numpy as np

LEAST = 1 << 20  # bytes; below that a second worker costs more than it saves


@cache
def workers() -> int:
    """Cores this process may use, two at most: copies are bound by memory beyond that."""
    return min(len(os.sched_getaffinity(0)), 2)


class Helper:
    """A thread that does one piece of work at a time; lighter than an executor's futures."""

    def __init__(self) -> None:
        self.asked: SimpleQueue[tuple[Callable[[slice], object], slice]] = SimpleQueue()
        self.done: SimpleQueue[BaseException | None] = SimpleQueue()
        self.free = Lock()
        Thread(target=self._work, name="dojocc", daemon=True).start()

    def _work(self) -> None:
        while True:
            work, piece = self.asked.get()
            try:
                with np.errstate(all="ignore"):
                    work(piece)
            except BaseException as error:
                self.done.put(error)
            else:
                self.done.put(None)
            del work

    def finish(self) -> None:
        """Wait for the piece; raises what it raised."""
        error = self.done.get()
        if error is not None:
            raise error


@cache
def helper() -> Helper:
    return Helper()


os.register_at_fork(after_in_child=helper.cache_clear)  # a child process has no thread of it


def in_pieces(work: Callable[[slice], object], count: int, size: int, cut: int = 0) -> None:
    """`work` on slices that make up range(count), for `size` bytes in all; `cut`: where the second
    slice begins (the middle, where it is 0).
    """
    cut = cut or count // 2
    if size < LEAST or not 0 < cut < count:
        work(slice(0, count))
        return
    first, second = slice(0, cut), slice(cut, count)
    if workers() < 2 or not helper().free.acquire(blocking=False):
        work(first)
        work(second)
        return
    try:
        helper().asked.put((work, second))
        try:
            work(first)
        finally:
            helper().finish()
    finally:
        helper().free.release()
