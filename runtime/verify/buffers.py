"""The buffers that a program says it has: where, how large, and from which word of thread 0 to
which.

The build record's `buffers` holds rows [class, name, address, bytes, first word, end word,
layout]; -1 is from the start, or to the end. Each is a promise: nobody else uses these bytes in
that time, and what the buffer holds before is nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dojocc.runtime.layout import Layout
from dojocc.runtime.program import Program, layout_of_tree
from dojocc.runtime.verify.findings import Finding, Report
from dojocc.runtime.verify.lists import distinct
from dojocc.runtime.verify.trace import Step

KEY = "buffers"


@dataclass(frozen=True)
class Buffer:
    """Bytes [address, address + bytes) over the positions [first, end) of thread 0."""

    name: str
    address: int
    bytes: int
    first: int
    end: int
    layout: Layout


class Buffers:
    """The buffers of each class, sorted by address."""

    def __init__(self, program: Program, traces: list[list[list[Step]]]) -> None:
        self.program = program
        self.of: list[list[Buffer]] = []
        self.known: dict[tuple[int, int, int], tuple[np.ndarray, np.ndarray]] = {}
        rows = program.build.get(KEY, [])
        for item, each in zip(program.classes, traces, strict=True):
            words = np.array([s.call if s.call >= 0 else s.word for s in each[0]] or [0], np.int64)
            length = len(each[0])
            mine = []
            for cls, name, address, size, first, end, tree in rows:
                if cls == item.name:
                    start = int(np.searchsorted(words, first)) if first >= 0 else -1
                    stop = int(np.searchsorted(words, end)) if end >= 0 else length + 1
                    layout = layout_of_tree(tree)
                    mine.append(Buffer(name, address, size, start, stop, layout))
            self.of.append(sorted(mine, key=lambda b: (b.address, b.first, b.name)))

    def edges(self, cls: int) -> list[tuple[int, Buffer]]:
        """(position, buffer) where one begins or ends within the run."""
        length = len(self.of[cls]) and max(b.end for b in self.of[cls])
        found = [(b.first, b) for b in self.of[cls] if b.first >= 0]
        found += [(b.end, b) for b in self.of[cls] if b.end < length]
        return sorted(found, key=lambda pair: (pair[0], pair[1].address, pair[1].name))

    def alive(self, cls: int, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """(begin, end) of the buffers that live over the positions [first, last] of thread 0, by
        address; images and ports that no buffer holds always live."""
        key = (cls, first, last)
        if key not in self.known:
            spans = [
                (b.address, b.address + b.bytes)
                for b in self.of[cls]
                if b.first <= first and last < b.end
            ]
            spans += self.fixed(cls)
            begin, end = np.array(sorted(spans), np.int64).reshape(-1, 2).T
            self.known[key] = begin, end
        return self.known[key]

    def fixed(self, cls: int) -> list[tuple[int, int]]:
        program, name = self.program, self.program.classes[cls].name
        items = [i for i in (*program.images, *program.inputs, *program.outputs) if i.cls == name]
        held = {b.address for b in self.of[cls]}
        return [
            (item.address, item.address + item.layout.bytes)
            for item in items
            if item.address not in held
        ]

    def outside(
        self, cls: int, first: int, last: int, low: np.ndarray, high: np.ndarray
    ) -> np.ndarray:
        """Which of [low, high) do not lie within one buffer that lives all the time."""
        if not self.of[cls]:
            return np.zeros(len(low), bool)
        begin, end = self.alive(cls, first, last)
        if not len(begin):
            return high > low
        place = np.searchsorted(begin, low, "right") - 1
        good = (place >= 0) & (high <= end[np.maximum(place, 0)])
        return ~good & (high > low)

    def holds(
        self, cls: int, position: int, nodes: np.ndarray, begin: np.ndarray, end: np.ndarray
    ) -> np.ndarray:
        """Which of the bytes [begin, end) have some of a row that the layout of a buffer alive at
        `position` puts there, with the pads behind its elements; all, where no buffer says."""
        result = np.ones(len(begin), bool)
        for buffer in self.of[cls]:
            mine = (begin >= buffer.address) & (begin < buffer.address + buffer.bytes)
            if buffer.first <= position < buffer.end and mine.any():
                first, group = buffer.layout.distinct_boxes()
                spans = (begin[mine] - buffer.address, end[mine] - buffer.address)
                row, member = distinct((group[nodes[mine]], *spans))
                some = (first[group[nodes[mine][row]]], *(each[row] for each in spans))
                result[mine] = some_held(buffer.layout, *some)[member]
        return result

    def name_at(self, cls: int, address: int) -> str:
        """`byte 64 (of 'x' or 'y'): `: the buffers that lie there at some time."""
        names = sorted({b.name for b in self.of[cls] if 0 <= address - b.address < b.bytes})
        some = " or ".join(map(repr, names[:3])) + " or others" * (len(names) > 3)
        return f"byte {address}" + f" (of {some})" * bool(names)

    def check(self, report: Report) -> None:
        """No two that are alive together share bytes; all lie in SRAM."""
        sram = self.program.target.node.sram_bytes
        for item, buffers in zip(self.program.classes, self.of, strict=True):
            for number, one in enumerate(buffers):
                if one.address < 0 or one.address + one.bytes > sram:
                    report.add(
                        Finding(
                            "capacity",
                            f"buffer {one.name!r} lies outside SRAM",
                            f"class {item.name}",
                            f"bytes [{one.address}, {one.address + one.bytes}) of {sram}",
                        )
                    )
                for other in buffers[number + 1 :]:
                    if other.address >= one.address + one.bytes:
                        break
                    if one.first < other.end and other.first < one.end:
                        report.add(
                            Finding(
                                "overlap",
                                f"buffers {one.name!r} and {other.name!r} are alive together and"
                                " share bytes",
                                f"class {item.name}",
                                f"[{one.address}, {one.address + one.bytes}) and"
                                f" [{other.address}, {other.address + other.bytes})",
                            )
                        )


def some_held(layout: Layout, nodes: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Which of the bytes [begin, end) of a node's buffer have some of a row that it holds, along
    the last dimension."""
    low, high = begin // layout.item, -(-end // layout.item)
    count = high - low
    span = np.repeat(np.arange(len(nodes)), count)
    place = (np.arange(len(span)) - (np.cumsum(count) - count - low)[span]) * layout.item
    start, stop = layout.boxes()
    origin = layout.origin()
    inside = np.ones(len(span), bool)
    for dim, stride in enumerate(layout.strides[:-1]):
        at, place = np.divmod(place, stride)
        at += origin[nodes, dim][span]
        inside &= (at >= start[nodes, dim][span]) & (at < stop[nodes, dim][span])
    return np.bincount(span[inside], minlength=len(nodes)) > 0
