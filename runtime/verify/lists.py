"""Transfer lists as the verifier sees them: by class and list, posts and bytes at both ends."""

from __future__ import annotations

from dataclasses import dataclass

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
    lists = program.entries
    part = lists[np.searchsorted(lists["list"], number) :]
    part = part[: np.searchsorted(part["list"], number + 1)]
    return part[part["cls"] == cls]


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
