"""Transfers hold to what their exchange is for: every element of the destination comes, once it is
due, from a place that holds it.

The build record's `exchanges` holds rows [first list, destination, sources, steps, number of
lists]: buffers by their row in `buffers`, DRAM as [name, address, layout], steps as movement.py
reads them. Where there are several lists, nodes pass on what has come: entries read the destination
too. With the layouts of both ends every byte of a buffer has an element, or none; an entry may
bring an element only to where that same one belongs. What the entries are made from, and how, does
not matter here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dojocc.runtime.layout import Layout
from dojocc.runtime.program import DRAM_LOAD, PUSH, Program, layout_of_tree
from dojocc.runtime.verify.findings import Finding, Report, node_names
from dojocc.runtime.verify.lists import distinct, each_peer, entries_of
from dojocc.runtime.verify.movement import ZERO, element_map
from dojocc.runtime.whole_rows import picked

KEY = "exchanges"
NOTHING = -2
"""Where a buffer holds no element."""
CHUNK = 1 << 19
"""Granules compared at a time."""
LARGEST_GRANULE = 64
UNREADABLE = (KeyError, TypeError, ValueError, IndexError)


@dataclass(frozen=True, eq=False)
class Content:
    """The numbers of the elements in a buffer: `elements` [distinct contents, places], and which
    of them each node has."""

    name: str
    address: int
    layout: Layout
    elements: np.ndarray
    which: np.ndarray

    @property
    def bytes(self) -> int:
        return self.elements.shape[1] * self.layout.item

    def granules(self, size: int) -> np.ndarray:
        """[contents x granules, elements of a granule]."""
        return self.elements.reshape(-1, size // self.layout.item)


@dataclass(frozen=True, eq=False)
class Exchange:
    """One exchange: its lists, and what its buffers hold."""

    program: Program
    number: int
    lists: int
    cls: int
    destination: Content
    sources: tuple[Content, ...]

    @property
    def where(self) -> str:
        return f"list {self.number}, into {self.destination.name!r}"


def check_exchanges(program: Program, report: Report) -> None:
    """All exchanges that the build record names."""
    for row in program.build.get(KEY, []):
        try:
            exchange = read(program, row)
        except UNREADABLE as error:
            where = f"build record, exchange {row[0] if isinstance(row, list) and row else row}"
            report.add(Finding("exchange", "its record cannot be read", where, repr(error)))
            continue
        check(exchange, report)
        check_dram(exchange, row[2], report)
        report.count("exchanges")


def read(program: Program, row: list[Any]) -> Exchange:
    """An exchange of the build record. A buffer that is named twice has its elements once."""
    number, destination, sources, steps, lists = row
    buffers = program.build["buffers"]
    names = [item.name for item in program.classes]
    cls = names.index(buffers[destination][0])
    contents: dict[str, Content] = {}
    arrays = []
    base = 0
    for source in sources:
        row = source_row(buffers, source)
        layout = layout_of_tree(row[6])
        if str(source) not in contents:
            size = int(np.prod(layout.shape))
            array = np.arange(base, base + size, dtype=np.int32).reshape(layout.shape)
            base += size
            contents[str(source)] = content_of(row, layout, array)
            arrays.append(array)
        else:
            arrays.append(arrays[sources.index(source)])
    layout = layout_of_tree(buffers[destination][6])
    wanted = element_map(arrays, steps).astype(np.int32, copy=False)
    if wanted.shape != layout.shape:
        raise ValueError(f"it gives {wanted.shape}, the destination has {layout.shape}")
    last = content_of(buffers[destination], layout, wanted)
    passed_on = (last,) if lists > 1 else ()
    return Exchange(program, number, lists, cls, last, (*contents.values(), *passed_on))


def source_row(buffers: list[list[Any]], source: int | list[Any]) -> list[Any]:
    """The row of a source: of the table of buffers, or made up for what lies in DRAM."""
    if isinstance(source, int):
        return buffers[source]
    name, address, layout = source
    return ["", name, address, 0, 0, 0, layout]


def content_of(row: list[Any], layout: Layout, array: np.ndarray) -> Content:
    """What a buffer holds whose tensor has the elements `array`."""
    parts = list(layout.parts())
    places = -(-layout.bytes // LARGEST_GRANULE) * LARGEST_GRANULE // layout.item
    elements = np.full((len(parts), places), NOTHING, np.int32)
    which = np.zeros(layout.nodes, np.int64)
    for number, (_, members, source, place) in enumerate(parts):
        whole = elements[number, : layout.bytes // layout.item].reshape(layout.physical)
        whole[place] = array[source]
        which[members] = number
    return Content(row[1], row[2], layout, elements, which)


def check(exchange: Exchange, report: Report) -> None:
    """Entries bring elements to where they belong; none is left out."""
    numbers = range(exchange.number, exchange.number + exchange.lists)
    entries = np.concatenate(
        [entries_of(exchange.program, number, exchange.cls) for number in numbers]
    )
    loads = entries["kind"] == DRAM_LOAD
    entries["peer"][loads] = entries["node"][loads]  # every DIP holds the same
    there = loads | ((entries["kind"] == PUSH) & (entries["peer_cls"] == exchange.cls))
    there &= (entries["bytes"].astype(np.int64) * entries["count0"] * entries["count1"]) > 0
    size = granule_of(exchange, picked(entries, there))
    item = exchange.destination.layout.item
    if size < item:
        complain(exchange, report, "an entry moves a part of an element", f"{size} B of {item}")
        return
    brought = np.zeros(
        (exchange.destination.layout.nodes, exchange.destination.bytes // size), bool
    )
    for source, rows in by_source(exchange, picked(entries, there), report):
        compare(exchange, source, rows, size, brought, report)
    check_whole(exchange, size, brought, report)


def check_dram(exchange: Exchange, sources: list[Any], report: Report) -> None:
    """Every DIP that a load names holds at the start what the load is for."""
    named = [tuple(source[:2]) for source in sources if not isinstance(source, int)]
    entries = entries_of(exchange.program, exchange.number, exchange.cls)
    for dip in np.unique(entries["peer"][entries["kind"] == DRAM_LOAD]).tolist():
        images = exchange.program.dram
        there = {(each.name, each.address) for each in images if each.dip == dip}
        for name, address in sorted(set(named) - there):
            numbers = f"DIP {dip}: {name!r} at {address}"
            complain(exchange, report, "a DIP does not hold what a load is for", numbers)


def granule_of(exchange: Exchange, entries: np.ndarray) -> int:
    """The largest power of two that divides all places and lengths of the entries."""
    values = [LARGEST_GRANULE, exchange.destination.address]
    values += [source.address for source in exchange.sources]
    for name in ("bytes", "src", "dst"):
        values.append(int(np.bitwise_or.reduce(entries[name].astype(np.int64))))
    for level in "01":
        several = entries[entries[f"count{level}"] > 1]
        for side in ("src", "dst"):
            values.append(int(np.bitwise_or.reduce(several[f"{side}_stride{level}"])))
    low = int(np.bitwise_or.reduce(values))
    return low & -low


def by_source(
    exchange: Exchange, entries: np.ndarray, report: Report
) -> list[tuple[Content, np.ndarray]]:
    """Entries by the source buffer that they read; those that read none are faults."""
    found, left = [], np.ones(len(entries), bool)
    low, high = reach(entries, "src")
    for source in exchange.sources:
        mine = (low >= source.address) & (high <= source.address + source.layout.bytes)
        found.append((source, picked(entries, mine & left)))
        left &= ~mine
    if left.any():
        first = int(np.argmax(left))
        numbers = f"bytes [{low[first]}, {high[first]}) of node {entries['node'][first]}"
        complain(exchange, report, "an entry reads outside the exchange's sources", numbers)
    inside = []
    address, end = exchange.destination.address, exchange.destination.layout.bytes
    for source, rows in found:
        low, high = reach(rows, "dst")
        good = (low >= address) & (high <= address + end)
        if not good.all():
            first = int(np.argmin(good))
            numbers = f"bytes [{low[first]}, {high[first]}) of node {rows['peer'][first]}"
            complain(exchange, report, "an entry writes outside the destination", numbers)
        inside.append((source, picked(rows, good)))
    return inside


def reach(entries: np.ndarray, side: str) -> tuple[np.ndarray, np.ndarray]:
    """The first byte of each entry at one end, and the byte behind the last."""
    low = entries[side].astype(np.int64)
    high = low + entries["bytes"]
    for level in "01":
        travel = entries[f"{side}_stride{level}"] * (entries[f"count{level}"].astype(np.int64) - 1)
        low, high = low + np.minimum(travel, 0), high + np.maximum(travel, 0)
    return low, high


SHAPE = (
    "bytes",
    "count0",
    "src_stride0",
    "dst_stride0",
    "count1",
    "src_stride1",
    "dst_stride1",
)


def compare(
    exchange: Exchange,
    source: Content,
    entries: np.ndarray,
    size: int,
    brought: np.ndarray,
    report: Report,
) -> None:
    """Every granule that the entries move, at both ends; marks those that arrive."""
    if not len(entries):
        return
    goal = exchange.destination
    have, want = source.granules(size), goal.granules(size)
    entry, peer = each_peer(entries)
    node = entries["node"].astype(np.int64)[entry]
    at_source = source.which[node] * (source.bytes // size)
    at_source += (entries["src"].astype(np.int64)[entry] - source.address) // size
    offset = (entries["dst"].astype(np.int64)[entry] - goal.address) // size
    at_goal = goal.which[peer] * (goal.bytes // size) + offset
    arrived = peer * brought.shape[1] + offset
    key = [entries[name].astype(np.int64) for name in SHAPE]
    rows, member = distinct(key)
    order = np.argsort(member[entry], kind="stable")
    ends = np.cumsum(np.bincount(member[entry], minlength=len(rows)))
    flat = brought.reshape(-1)
    for number, row in enumerate(rows.tolist()):
        shape = [int(column[row]) for column in key]
        mine = order[ends[number - 1] if number else 0 : ends[number]]
        from_source, from_goal = places(shape, size)
        step = max(1, CHUNK // len(from_goal))
        for first in range(0, len(mine), step):
            some = mine[first : first + step, None]
            good = have[at_source[some] + from_source] == want[at_goal[some] + from_goal]
            if not good.all():
                bad = int(np.argmin(good.all((1, 2))))
                which = mine[first + bad]
                misplaced(exchange, report, int(node[which]), int(peer[which]), ~good)
            flat[arrived[some] + from_goal] = True


def places(shape: list[int], size: int) -> tuple[np.ndarray, np.ndarray]:
    """The granules of an entry relative to its first one, at the source and at the destination."""
    length, count0, src0, dst0, count1, src1, dst1 = shape
    outer, inner = np.arange(count1)[:, None, None], np.arange(count0)[:, None]
    found = []
    for stride0, stride1 in ((src0, src1), (dst0, dst1)):
        at = outer * (stride1 // size) + inner * (stride0 // size) + np.arange(length // size)
        found.append(at.reshape(-1))
    return found[0], found[1]


def check_whole(exchange: Exchange, size: int, brought: np.ndarray, report: Report) -> None:
    """Every element that somebody sends has arrived on every node that holds it."""
    goal = exchange.destination
    due = (goal.granules(size) > ZERO).any(1).reshape(len(goal.elements), -1)
    missing = due[goal.which] & ~brought
    if missing.any():
        nodes = np.flatnonzero(missing.any(1))
        at = goal.address + int(np.argmax(missing[nodes[0]])) * size
        names = node_names(exchange.program, exchange.cls, nodes)
        numbers = f"from byte {at} on nodes {names}; {int(missing.sum()) * size} B in all"
        complain(exchange, report, "elements of the destination that no entry brings", numbers)


def misplaced(exchange: Exchange, report: Report, node: int, peer: int, bad: np.ndarray) -> None:
    ends = [node_names(exchange.program, exchange.cls, np.array([each])) for each in (node, peer)]
    complain(
        exchange,
        report,
        "an entry brings an element to where another belongs",
        f"from node {ends[0]} to node {ends[1]}; {int(bad.sum())} elements such",
    )


def complain(exchange: Exchange, report: Report, what: str, numbers: str) -> None:
    report.add(Finding("exchange", what, exchange.where, numbers))
