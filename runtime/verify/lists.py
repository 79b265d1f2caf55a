"""Transfer lists as the verifier sees them: by class and list, posts and bytes at both ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from dojocc.runtime.program import DRAM_LOAD, DRAM_STORE, NO_SEMAPHORE, PULL, PUSH, Program

KINDS = {"push": PUSH, "pull": PULL, "dld": DRAM_LOAD, "dst": DRAM_STORE}


@dataclass(frozen=True, eq=False)
class Batch:
    """What a class's nodes post to one class when they start one list: (from, to, semaphore) of
    every post, and whether it is raised at the far end."""

    cls: int
    source: np.ndarray
    node: np.ndarray
    semaphore: np.ndarray
    far: bool


def entries_of(program: Program, number: int, cls: int) -> np.ndarray:
    """The entries of list `number` of a class."""
    if program not in _FIRSTS:
        _FIRSTS[program] = np.ascontiguousarray(program.entries["list"])
    first, end = np.searchsorted(_FIRSTS[program], [number, number + 1])
    part = program.entries[first:end]
    return part[part["cls"] == cls]


_FIRSTS: WeakKeyDictionary[Program, np.ndarray] = WeakKeyDictionary()
"""The list numbers of programs under examination, by themselves: searched in many times."""


def distinct(columns: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(first, member): one row of each sort of rows, the sorts in lexical order, and every row's
    sort. Rows are given by columns of whole numbers."""
    code, limit = np.zeros(len(columns[0]), np.int64), 1
    for column in columns:
        values, place = np.unique(column, return_inverse=True)
        if limit * len(values) > 1 << 62:
            code = np.unique(code, return_inverse=True)[1].reshape(-1)
            limit = int(code.max()) + 1
        code = code * len(values) + place.reshape(-1)
        limit *= len(values)
    _, first, member = np.unique(code, return_index=True, return_inverse=True)
    return first, member.reshape(-1)


def each_peer(entries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(entry, peer) of every transfer of `entries`."""
    count = entries["peers"].astype(np.int64)
    entry = np.repeat(np.arange(len(entries)), count)
    turn = np.arange(len(entry)) - np.repeat(np.cumsum(count) - count, count)
    peer = entries["peer"].astype(np.int64)[entry] + turn * entries["peer_stride"][entry]
    return entry, peer


def batches(entries: np.ndarray, cls: int) -> list[Batch]:
    """The posts of a list's entries, by the class that gets them."""
    found = []
    entry, peer = each_peer(entries)
    home = entries["node"].astype(np.int64)[entry]
    between = entries["kind"][entry] <= PULL
    for name in ("far_sem", "home_sem"):
        raised = entries[name].astype(np.int64)[entry]
        there = raised != NO_SEMAPHORE
        far = name == "far_sem"
        if far:
            there &= between
        for other in np.unique(entries["peer_cls"][entry][there]) if far else [cls]:
            mine = there & (entries["peer_cls"][entry] == other) if far else there
            if mine.any():
                node = peer if far else home
                found.append(Batch(int(other), home[mine], node[mine], raised[mine], far))
    return found


@dataclass(frozen=True, eq=False)
class Spans:
    """Of every transfer: the node that starts it, its peer, and [low, high) of its bytes at one
    end."""

    near: np.ndarray
    far: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def of(self, which: np.ndarray) -> Spans:
        return Spans(self.near[which], self.far[which], self.low[which], self.high[which])


def spans(entries: np.ndarray, side: str) -> Spans:
    """The bytes between the first and the last that each transfer touches at its `side` end."""
    low = entries[side].astype(np.int64)
    high = low + entries["bytes"]
    for level in "01":
        travel = entries[f"{side}_stride{level}"] * (entries[f"count{level}"].astype(np.int64) - 1)
        low, high = low + np.minimum(travel, 0), high + np.maximum(travel, 0)
    entry, peer = each_peer(entries)
    return Spans(entries["node"].astype(np.int64)[entry], peer, low[entry], high[entry])
