"""The list parser: carries out transfer lists for all nodes of a group at once.

A list's entries are expanded to equal granules (the largest power of two that divides every
address, stride and length, up to 64 bytes) and copied by index; the expansion is kept for whole
classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dojocc.runtime.errors import MachineStop
from dojocc.runtime.program import DRAM_LOAD, DRAM_STORE, NO_SEMAPHORE, PULL, PUSH

if TYPE_CHECKING:
    from dojocc.runtime.engines.machine import Machine
    from dojocc.runtime.engines.thread import Thread

KINDS = {"push": PUSH, "pull": PULL, "dld": DRAM_LOAD, "dst": DRAM_STORE}
LARGEST = 64
LONG_RUN = 24  # granules from which a slice beats an index


@dataclass(frozen=True, eq=False)
class Copy:
    """Granule indexes from one memory to another: ("sram", class) or ("dram", dip).

    `written` is for the first of `times` peers; each further one lies `step` granules on. `runs`
    (first granule, last + 1, place in `read`) says the same as `written` where runs are long.
    """

    source: tuple[str, int]
    target: tuple[str, int]
    granule: int
    read: np.ndarray
    written: np.ndarray
    times: int
    step: int
    runs: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything one list does: copies, then posts (class, node, semaphore), and bytes moved."""

    copies: tuple[Copy, ...]
    posts: tuple[tuple[int, np.ndarray, np.ndarray], ...]
    bytes: int


def divisor(values: np.ndarray) -> np.ndarray:
    """Largest power of two up to 64 that divides each of `values` [n, k] row by row."""
    low = np.bitwise_or.reduce(values.astype(np.int64), axis=1)
    return np.where(low == 0, LARGEST, np.minimum(low & -low, LARGEST))


def expand(entries: np.ndarray, granule: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(entry, source byte, target byte) of every granule of `entries`."""
    per_run = entries["bytes"].astype(np.int64) // granule
    count0, count1 = entries["count0"].astype(np.int64), entries["count1"].astype(np.int64)
    total = per_run * count0 * count1
    entry = np.repeat(np.arange(len(entries)), total)
    step = np.arange(int(total.sum())) - np.repeat(np.cumsum(total) - total, total)
    run, inner = np.divmod(step, per_run[entry])
    outer, middle = np.divmod(run, count0[entry])

    def place(start: str, stride0: str, stride1: str) -> np.ndarray:
        value = entries[start].astype(np.int64)[entry] + inner * granule
        return value + entries[stride0][entry] * middle + entries[stride1][entry] * outer

    return (
        entry,
        place("src", "src_stride0", "src_stride1"),
        place("dst", "dst_stride0", "dst_stride1"),
    )


def in_runs(
    read: np.ndarray, written: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[tuple[int, int, int], ...]]:
    """The same granules ordered by target, and their runs if these are long on average."""
    order = np.argsort(written, kind="stable")
    ordered = written[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-2) != 1)
    if len(starts) * LONG_RUN > len(written):
        return read, written, ()
    lengths = np.diff(starts, append=len(written))
    first = ordered[starts]
    runs = zip(first.tolist(), (first + lengths).tolist(), starts.tolist(), strict=True)
    return read[order], ordered, tuple(runs)


def each_peer(entries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Entries repeated once for each of their peers, and that peer."""
    count = entries["peers"].astype(np.int64)
    number = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    every = np.repeat(entries, count)
    return every, every["peer"].astype(np.int64) + number * every["peer_stride"]


class ListParser:
    """Carries out lists over a machine's memories."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.plans: dict[tuple, Plan] = {}
        lists = machine.program.lists
        order = np.lexsort((lists["node"], lists["cls"], lists["list"]))
        self.lists = lists[order]

    def entries(self, number: int, cls: int, nodes: np.ndarray) -> np.ndarray:
        """The entries of list `number` for these nodes of the class."""
        first, last = np.searchsorted(self.lists["list"], [number, number + 1])
        part = self.lists[first:last]
        part = part[part["cls"] == cls]
        if len(nodes) == len(self.machine.program.classes[cls].nodes):
            return part
        return part[np.isin(part["node"], nodes)]

    def run(self, name: str, number: int, thread: Thread) -> int:
        """Carry out a list for the thread's nodes; gives the bytes moved."""
        whole = len(thread.nodes) == len(self.machine.program.classes[thread.cls].nodes)
        key = (number, thread.cls, name)
        plan = self.plans.get(key) if whole else None
        if plan is None:
            entries = self.entries(number, thread.cls, thread.nodes)
            if len(entries) and (entries["kind"] != KINDS[name]).any():
                raise MachineStop(
                    f"trap: `{name}` started list {number}, which holds entries of another kind",
                    where=f"class {self.machine.program.classes[thread.cls].name}",
                )
            plan = self.plan(entries, thread.cls)
            if whole:
                self.plans[key] = plan
        for copy in plan.copies:
            self.copy(copy)
        for cls, nodes, semaphores in plan.posts:
            np.add.at(self.machine.semaphores[cls], (nodes, semaphores), 1)
        return plan.bytes

    def copy(self, copy: Copy) -> None:
        source, target = (
            self.granules(copy.source, copy.granule),
            self.granules(copy.target, copy.granule),
        )
        content = source[copy.read]
        if copy.runs:
            self.copy_runs(copy, content, target.view(np.uint8))
            return
        for number in range(copy.times):
            target[copy.written + number * copy.step if number else copy.written] = content

    def copy_runs(self, copy: Copy, content: np.ndarray, target: np.ndarray) -> None:
        """Write long runs as slices of bytes."""
        width, flat = copy.granule, content.view(np.uint8)
        for number in range(copy.times):
            shift = number * copy.step
            for first, last, place in copy.runs:
                part = flat[place * width : (place + last - first) * width]
                target[(first + shift) * width : (last + shift) * width] = part

    def granules(self, memory: tuple[str, int], granule: int) -> np.ndarray:
        """A memory as an array of granules."""
        kind, number = memory
        flat = (
            self.machine.sram[number].reshape(-1) if kind == "sram" else self.machine.dram[number]
        )
        return flat.view(f"u{granule}" if granule <= 8 else f"V{granule}")

    def plan(self, entries: np.ndarray, cls: int) -> Plan:
        """Expand entries, grouped by the memories they join and by granule."""
        copies, posts, moved = [], [], 0
        key = np.stack([entries["kind"].astype(np.int64), entries["peer_cls"].astype(np.int64)], 1)
        dram = np.isin(entries["kind"], (DRAM_LOAD, DRAM_STORE))
        key[:, 1] = np.where(dram, entries["peer"], key[:, 1])
        for kind, other in np.unique(key, axis=0):
            part = entries[(key == (kind, other)).all(1)]
            size = part["bytes"].astype(np.int64) * part["count0"] * part["count1"] * part["peers"]
            moved += int(size.sum())
            copies += self.copies(part, int(kind), int(other), cls)
            posts += self.posts(part, int(kind), int(other), cls)
            self.remember(part, int(kind), int(other), cls)
        return Plan(tuple(copies), tuple(posts), moved)

    def remember(self, part: np.ndarray, kind: int, other: int, cls: int) -> None:
        """Note which SRAM bytes the list writes."""
        if kind == DRAM_STORE:
            return
        _, _, written = (
            expand(part[part["bytes"] > 0], 1) if len(part) < 64 else (0, 0, _ends(part))
        )
        if len(written):
            target = other if kind == PUSH else cls
            self.machine.dirty[target].add((int(written.min()), int(written.max()) + 1))

    def copies(self, part: np.ndarray, kind: int, other: int, cls: int) -> list[Copy]:
        here, there = ("sram", cls), ("sram" if kind in (PUSH, PULL) else "dram", other)
        source, target = (here, there) if kind in (PUSH, DRAM_STORE) else (there, here)
        size = self.machine.sram_bytes
        names = ("src", "dst", "bytes", "src_stride0", "dst_stride0", "src_stride1", "dst_stride1")
        parts = [part[name].astype(np.int64) for name in names] + [np.full(len(part), size)]
        granule = divisor(np.stack(parts, 1))
        key = np.stack([granule, part["peers"], part["peer_stride"]], 1).astype(np.int64)
        found = []
        for width, peers, stride in np.unique(key, axis=0):
            chosen = part[(key == (width, peers, stride)).all(1)]
            entry, read, written = expand(chosen, int(width))
            node, peer = (chosen[name].astype(np.int64)[entry] for name in ("node", "peer"))
            if kind in (PUSH, PULL):
                read += (node if kind == PUSH else peer) * size
                written += (peer if kind == PUSH else node) * size
            elif kind == DRAM_LOAD:
                written += node * size
            else:
                read += node * size
            step = int(stride) * size // int(width)
            read, written, runs = in_runs(read // width, written // width)
            found.append(Copy(source, target, int(width), read, written, int(peers), step, runs))
        return found

    def posts(self, part: np.ndarray, kind: int, other: int, cls: int) -> list[tuple]:
        peer_is_target = kind == PUSH
        found = []
        for name, at_target in (("far_sem", True), ("home_sem", False)):
            chosen = part[part[name] != NO_SEMAPHORE]
            at_peer = at_target == peer_is_target
            if not len(chosen) or (at_peer and kind in (DRAM_LOAD, DRAM_STORE)):
                continue
            chosen, peers = each_peer(chosen)
            nodes = peers if at_peer else chosen["node"].astype(np.int64)
            found.append((other if at_peer else cls, nodes, chosen[name].astype(np.int64)))
        return found


def _ends(part: np.ndarray) -> np.ndarray:
    """First and last written bytes of every entry (strides are not negative in written spans'
    ends).
    """
    low = part["dst"].astype(np.int64)
    ends = [low]
    for count, stride in (("count0", "dst_stride0"), ("count1", "dst_stride1")):
        ends += [e + (part[count].astype(np.int64) - 1) * part[stride] for e in list(ends)]
    every = np.concatenate(ends)
    return np.concatenate([every, every + np.tile(part["bytes"].astype(np.int64), len(ends)) - 1])
