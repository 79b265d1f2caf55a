"""The bytes that a started list touches on the nodes of one class, by shape of its runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dojocc.runtime.program import DRAM_LOAD, PULL, PUSH
from dojocc.runtime.verify.footprint import Runs, strided_runs
from dojocc.runtime.verify.lists import distinct
from dojocc.runtime.whole_rows import picked


@dataclass(frozen=True, eq=False)
class Part:
    """Entries with one shape of runs at one end: on nodes `first`, `first` + `step`, ... (`count`),
    at `address`; node `home` started each."""

    runs: Runs
    first: np.ndarray
    count: np.ndarray
    step: np.ndarray
    address: np.ndarray
    home: np.ndarray

    def only(self, which: np.ndarray) -> Part:
        """The entries that `which` selects."""
        columns = (self.first, self.count, self.step, self.address, self.home)
        return Part(self.runs, *(column[which] for column in columns))

    def of(self, homes: np.ndarray) -> Part:
        """The entries that these nodes start."""
        return self.only(np.isin(self.home, homes))

    def within(self, low: int, high: int) -> Part:
        """What lies on nodes [low, high), their numbers from low on."""
        step = np.maximum(self.step, 1)
        skip = np.maximum(-(-(low - self.first) // step), 0)
        last = (high - 1 - self.first) // step
        count = np.minimum(last, self.count - 1) - skip + 1
        first = self.first + skip * step
        moved = Part(self.runs, first - low, count, step, self.address, self.home)
        return moved.only((count > 0) & (first < high))

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """(node, address) of every transfer."""
        which = np.repeat(np.arange(len(self.count)), self.count)
        turn = np.arange(len(which)) - np.repeat(np.cumsum(self.count) - self.count, self.count)
        return self.first[which] + turn * self.step[which], self.address[which]


def split_self(entries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Entries to peers, and entries of which the node itself is the one peer."""
    alone = (entries["peers"] == 1) & (entries["peer"] == entries["node"])
    alone &= (entries["peer_cls"] == entries["cls"]) & (entries["kind"] <= PULL)
    return picked(entries, ~alone), picked(entries, alone)


def touched_classes(entries: np.ndarray, cls: int, writes: bool) -> list[int]:
    """The classes on which a list writes (or reads) SRAM."""
    found: set[int] = set()
    for kind in np.unique(entries["kind"]).tolist():
        part = entries[entries["kind"] == kind]
        if at_peer(kind, writes):
            found |= set(np.unique(part["peer_cls"]).tolist())
        elif in_sram(kind, writes):
            found.add(cls)
    return sorted(found)


def at_peer(kind: int, writes: bool) -> bool:
    return (kind == PUSH and writes) or (kind == PULL and not writes)


def in_sram(kind: int, writes: bool) -> bool:
    """True when that end of a transfer is in SRAM."""
    if kind <= PULL:
        return True
    return writes == (kind == DRAM_LOAD)


def parts(entries: np.ndarray, cls: int, memory: int, writes: bool) -> Iterator[Part]:
    """What the entries of class `cls` touch on class `memory`."""
    side = "dst" if writes else "src"
    for kind in np.unique(entries["kind"]).tolist():
        some = np.flatnonzero(entries["kind"] == kind)
        peer = at_peer(kind, writes)
        if peer:
            some = some[entries["peer_cls"][some] == memory]
        elif cls != memory or not in_sram(kind, writes):
            continue
        rows = picked(entries, some)
        where = [rows["peer"], rows["peers"], rows["peer_stride"]]
        if not peer:
            where = [rows["node"], np.ones(len(rows)), np.ones(len(rows))]
        columns = [np.asarray(column, np.int64) for column in (*where, rows["node"])]
        yield from shapes(rows, columns, side, not writes)


def shapes(rows: np.ndarray, where: list[np.ndarray], side: str, once: bool) -> Iterator[Part]:
    """Entries by the shape of their runs; those that say the same are one where `once`."""
    names = ("bytes", "count0", f"{side}_stride0", "count1", f"{side}_stride1")
    shape = [rows[name].astype(np.int64) for name in names]
    key = [*shape, rows[side].astype(np.int64), *where]
    if once:
        first, _ = distinct(key)
        key = [column[first] for column in key]
    first, member = distinct(key[: len(names)])
    order = np.argsort(member, kind="stable")
    ends = np.cumsum(np.bincount(member, minlength=len(first)))
    for number, row in enumerate(first.tolist()):
        size, count0, stride0, count1, stride1 = (int(column[row]) for column in key[: len(names)])
        runs = strided_runs(size, ((count0, stride0), (count1, stride1)))
        if len(runs.starts):
            mine = order[ends[number - 1] if number else 0 : ends[number]]
            address, node, peers, step, home = (column[mine] for column in key[len(names) :])
            yield Part(runs, node, peers, step, address, home)
