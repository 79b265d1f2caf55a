"""Clocks of the token walk: what a thread must know of others at each position.

A thread (n, t) keeps

- own[n, t, t']: the positions of its node's threads that have surely passed;
- all[n, t, c, t']: the same for every node of class c at once;
- pairs[n, t, n', t'] (if asked for): those of node n' of the same class.

A wait makes its thread know what the posters knew, if the posts that it takes are the only ones
there can be by then, or all come from one thread, whose posts come in order. Where others could
come first, it is put down as ambiguous, makes nothing known, and the walk starts again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dojocc.runtime.verify.lists import KINDS

THREADS, SEMAPHORES = 4, 64
NOBODY, SEVERAL = -1, -2
NEVER = 1 << 30
Place = tuple[int, int, int]
"""(class, thread, position)."""
SYNC = ("post", "rpost", "wait", "waitx", "nbar", "rbar", *KINDS)


@dataclass(eq=False)
class Clocks:
    """Of threads, posts or nodes (see the file's head); `pairs` has no columns unless asked for."""

    own: np.ndarray
    all: np.ndarray
    pairs: np.ndarray

    @staticmethod
    def new(shape: tuple[int, ...], classes: int, nodes: int, kind: type) -> Clocks:
        sizes = ((THREADS,), (classes, THREADS), (nodes, THREADS))
        return Clocks(*(np.zeros((*shape, *size), kind) for size in sizes))

    def at(self, index: Any) -> Clocks:
        return Clocks(self.own[index], self.all[index], self.pairs[index])


@dataclass(eq=False)
class Posts:
    """Posts to one semaphore at once: how many each node has had then (-1: none of these), from
    whom, and the posters' clocks."""

    count: np.ndarray
    clocks: Clocks
    place: tuple[int, int, int] | None
    far: bool


@dataclass(eq=False)
class Started:
    """A list as started at `place` = (class, thread, position), and when it is known to have ended.

    `far[cls]` and `home` are (thread, position) or None; `left` the (node, semaphore) at which it
    is not yet known; `known[cls]` what those who push know of all their peers' threads."""

    place: tuple[int, int, int]
    number: int
    far: dict[int, tuple[int, int] | None] = field(default_factory=dict)
    home: tuple[int, int] | None = None
    left: dict[tuple[int, bool], np.ndarray] = field(default_factory=dict)
    known: dict[int, np.ndarray] = field(default_factory=dict)


def later(one: tuple[int, int] | None, other: tuple[int, int]) -> tuple[int, int] | None:
    """The later of two positions of one thread; never, if they are of different threads."""
    if one is None or one == other:
        return other
    return max(one, other) if one[0] == other[0] else (one[0], NEVER)
