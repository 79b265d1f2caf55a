"""Items fetched ahead of their use, by a thread of their own."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

Item = TypeVar("Item")
PATIENCE = 0.1
"""Seconds after which a thread that waits looks whether anybody still wants its items."""


def fetched(items: Iterable[Item], ahead: int) -> Generator[Item, None, None]:
    """The items, of which up to `ahead` wait; closing the generator ends the fetching.

    What `items` raises is raised here, behind the items before it.
    """
    ready: Queue[tuple[list[Item], BaseException | None]] = Queue(ahead)
    unwanted = Event()

    def put(found: list[Item], error: BaseException | None = None) -> None:
        while not unwanted.is_set():
            try:
                return ready.put((found, error), timeout=PATIENCE)
            except Full:
                continue

    def fetch() -> None:
        try:
            for item in items:
                put([item])
                if unwanted.is_set():
                    return
            put([])
        except BaseException as error:  # the thread that asks gets it
            put([], error)

    Thread(target=fetch, daemon=True).start()
    try:
        while True:
            found, error = ready.get()
            if error is not None:
                raise error
            if not found:
                return
            yield found[0]
    finally:
        unwanted.set()
