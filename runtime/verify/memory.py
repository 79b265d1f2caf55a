"""Every byte of every node, over the run: written before it is read, and no access without order.

The accesses of a walk are replayed on shadow memory, which holds for each cell (pieces.py) the
event that wrote it last and, for each kind of reader, the last event that read it since. An access
asks of each of them whether it surely comes before (order.py). Nodes are taken in blocks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from dojocc.runtime.program import Image, Port
from dojocc.runtime.verify.accesses import TRANSFERS, Memory, Use, held
from dojocc.runtime.verify.buffers import Buffer
from dojocc.runtime.verify.findings import Finding, node_names
from dojocc.runtime.verify.footprint import box_runs, strided_runs
from dojocc.runtime.verify.order import IMAGE, INPUT
from dojocc.runtime.verify.pieces import Piece, Shadow, is_flat, pieces, places
from dojocc.runtime.verify.spread import Part
from dojocc.runtime.verify.trace import Step

ROOM = 600 << 20
"""Bytes of shadow memory at a time."""


def check_memory(memory: Memory) -> None:
    """Replay all events of one class's memory."""
    memory.run()
    if not memory.uses and not memory.images and not memory.inputs:
        return
    nodes = len(memory.program.classes[memory.cls].nodes)
    each = 4 * len(memory.edges) * (2 + len(memory.readers))
    block = int(max(1, min(nodes, ROOM // each)))
    for low in range(0, nodes, block):
        Block(memory, low, min(low + block, nodes)).replay()


class Block:
    """The replay on nodes [low, high) of a class."""

    def __init__(self, memory: Memory, low: int, high: int) -> None:
        self.memory, self.low, self.high = memory, low, high
        self.edges = memory.edges
        size = high - low, len(memory.edges) - 1
        self.last = Shadow(*size)
        self.reads = {reader: Shadow(*size) for reader in memory.readers}
        self.turns = np.empty(size, np.int32)
        self.choices: dict[int, np.ndarray] = {}
        self.defined = memory.events.defined()
        self.joint: list[int] = [n for n, each in enumerate(memory.events.items) if each.parts]

    def replay(self) -> None:
        memory = self.memory
        self.fill(memory.images, IMAGE)
        self.fill(memory.inputs, INPUT)
        for cls, thread, first, last, nodes in memory.walk.order:
            among = None if len(nodes) == len(memory.program.classes[cls].nodes) else nodes
            for position in range(first, last):
                for use, buffer in memory.uses.get((cls, thread, position, "edge"), ()):
                    self.edge(use, cast(Buffer, buffer), among)
                for use, content in memory.uses.get((cls, thread, position), ()):
                    if isinstance(content, Step):
                        self.step(use, content, among)
                    else:
                        self.transfer(use, cast(list[Part], content), among)
        self.read_outputs()

    def fill(self, items: Sequence[Image | Port], event: int) -> None:
        for item in items:
            end = item.address + item.layout.bytes
            first, last = np.searchsorted(self.edges, [item.address, end]).tolist()
            piece = (slice(0, self.high - self.low), slice(first, last))
            there = self.last.get(piece)
            if there.any():
                _, cells = places(piece, there > 0)
                self.memory.report.add(
                    Finding(
                        "overlap",
                        f"{kind_of(item)} {item.name!r} shares bytes with another image or input",
                        f"class {item.cls}",
                        f"bytes [{item.address}, {end}), shared at {self.edges[cells[0]]}",
                    )
                )
            self.last.put(piece, event)

    def rows(
        self, nodes: np.ndarray, bases: np.ndarray, among: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The nodes of this block (and `among` these), counted from its first, and their bases."""
        keep = (nodes >= self.low) & (nodes < self.high)
        if among is not None:
            keep &= np.isin(nodes, among)
        if keep.all():
            return nodes - self.low, bases
        return nodes[keep] - self.low, bases[keep]

    def edge(self, use: Use, buffer: Buffer, among: np.ndarray | None) -> None:
        """A buffer begins or ends: what it holds is nothing."""
        every = np.arange(self.low, self.high)
        nodes, bases = self.rows(every, np.full(len(every), buffer.address), among)
        size = min(buffer.bytes, int(self.edges[-1]) - buffer.address)
        for piece in pieces(nodes, bases, strided_runs(size, ()), self.edges):
            self.write(use, piece)

    def step(self, use: Use, step: Step, among: np.ndarray | None) -> None:
        for touch in step.touches:
            nodes, bases = self.rows(touch.nodes, touch.bases, among)
            runs = box_runs(touch.box)
            if not len(nodes) or not len(runs.starts):
                continue
            low, high = runs.span
            inside = (bases + low >= 0) & (bases + high <= self.edges[-1])
            for piece in pieces(nodes[inside], bases[inside], runs, self.edges):
                (self.write if use.writes else self.read)(use, piece)

    def transfer(self, use: Use, content: list[Part], among: np.ndarray | None) -> None:
        for whole in content:
            part = whole if among is None else whole.of(among)
            nodes, bases = part.within(self.low, self.high).pairs()
            for piece in pieces(nodes, bases, part.runs, self.edges):
                if use.writes:
                    self.twice(use, piece)
                    self.write(use, piece)
                else:
                    self.read(use, piece)

    def twice(self, use: Use, piece: Piece) -> None:
        """Two entries of one batch must not write the same cell."""
        rows, cols = piece
        if is_flat(piece):
            number = np.arange(len(rows), dtype=np.int32)
        elif isinstance(rows, slice):
            return
        else:
            number = np.arange(rows.size, dtype=np.int32)[:, None]
        self.turns[piece] = number
        bad = self.turns[piece] != number
        if bad.any():
            self.conflict(use, piece, bad, np.array([use.number]), "written")

    # -- checks ----------------------------------------------------------------------------------

    def before(self, use: Use) -> np.ndarray:
        """[events]: which are surely over when `use` begins. Events that came to be since the last
        question are added."""
        events = self.memory.events
        known = self.choices.get(use.number)
        start = 0 if known is None else len(known)
        if known is not None and start == len(events.items):
            return known
        fresh = events.before(use.acquire, start)
        known = fresh if known is None else np.concatenate([known, fresh])
        if use.writes:
            for number in self.memory.followed(events.items[use.number].step):
                known[number] = True
        for number in self.joint[bisect_left(self.joint, start) :]:
            known[number] |= known[list(events.items[number].parts)].all()
        self.choices[use.number] = known
        return known

    def read(self, use: Use, piece: Piece) -> None:
        before = self.before(use)
        last = self.last.get(piece)
        if not before[last].all():
            bad = ~before[last]
            self.conflict(use, piece, bad, last[bad], "written")
        allowed = self.defined
        if use.constant:
            allowed = np.zeros(len(self.defined), bool)
            allowed[IMAGE] = True
        if use.sure and not allowed[last].all():
            self.undefined(use, piece, ~allowed[last], last)
        shadow = self.reads[use.reader]
        if use.reader != TRANSFERS:
            shadow.put(piece, use.number)
            return
        old = shadow.get(piece)
        present = np.unique(old)
        if len(present) == 1 and present[0] == 0:
            shadow.put(piece, use.number)
            return
        shadow.put(piece, self.later(use, present)[old])

    def later(self, use: Use, present: np.ndarray) -> np.ndarray:
        """By event that read before, the one that stands for both: over when both are."""
        events = self.memory.events
        choose = np.arange(len(events.items) + len(present) + 1)
        # One that is over later by clocks may be known to be over by an answer of its own.
        asked = bool(self.memory.walk.follows)
        for old in present.tolist():
            mine, theirs = events.rows[use.number], events.rows[old]
            if old == 0 or ((mine >= theirs).all() and not asked):
                choose[old] = use.number
            elif asked or not (theirs >= mine).all():
                event = replace(events.items[use.number], parts=(old, use.number))
                number = events.add(event, np.maximum(mine, theirs))
                choose[old] = number
                self.joint.append(number)
                self.defined = events.defined()
        return choose.astype(np.int32)

    def write(self, use: Use, piece: Piece) -> None:
        before = self.before(use)
        last = self.last.get(piece)
        if not before[last].all():
            bad = ~before[last]
            self.conflict(use, piece, bad, last[bad], "written")
        for shadow in self.reads.values():
            old = shadow.get(piece)
            if not old.any():
                continue
            before = self.before(use)
            if not before[old].all():
                bad = ~before[old]
                self.conflict(use, piece, bad, old[bad], "read")
            shadow.put(piece, 0)
        self.last.put(piece, use.number)

    def read_outputs(self) -> None:
        """The host reads outputs when all threads have halted."""
        memory = self.memory
        acquire = np.array([max(len(s), 0) for s in memory.walk.traces[memory.cls]], np.int64)
        before = memory.events.before(np.maximum(acquire, 0))
        for port in memory.outputs:
            for nodes, runs in held(port):
                nodes, bases = self.rows(nodes, np.full(len(nodes), port.address), None)
                for piece in pieces(nodes, bases, runs, self.edges):
                    last = self.last.get(piece)
                    if not (good := (before & self.defined)[last]).all():
                        self.output(port, piece, ~good, last)

    # -- messages --------------------------------------------------------------------------------

    def where(self, piece: Piece, bad: np.ndarray) -> tuple[int, str]:
        rows, cells = places(piece, bad)
        node = np.array([int(rows[0]) + self.low])
        name = node_names(self.memory.program, self.memory.cls, node)
        amount = int((self.edges[cells + 1] - self.edges[cells]).sum())
        return int(self.edges[cells[0]]), f"on node {name} ({amount} B such)"

    def conflict(
        self, use: Use, piece: Piece, bad: np.ndarray, others: np.ndarray, done: str
    ) -> None:
        memory = self.memory
        at, numbers = self.where(piece, bad)
        other = int(others[0])
        event = memory.events.items[other]
        if use.writes:
            memory.suspect(np.unique(others).tolist(), use.number)
        verb = "writes" if use.writes else "reads"
        memory.report.add(
            Finding(
                "race",
                f"{verb} bytes that may still be {done} by {memory.place(other)}",
                memory.place(use.number),
                f"{memory.buffers.name_at(memory.cls, at)}, {numbers}",
            ),
            ("race", memory.place(use.number), event.what),
        )

    def held(self, use: Use, piece: Piece, bad: np.ndarray) -> np.ndarray:
        """Which of the places `bad` hold elements of a buffer."""
        memory = self.memory
        rows, cells = places(piece, bad)
        result = np.zeros(bad.shape, bool)
        position = int(use.acquire[0])
        begin, end = self.edges[cells], self.edges[cells + 1]
        result[bad] = memory.buffers.holds(memory.cls, position, rows + self.low, begin, end)
        return result

    def undefined(self, use: Use, piece: Piece, bad: np.ndarray, last: np.ndarray) -> None:
        memory = self.memory
        # Kernels may take whole blocks: what rows that nobody holds give is not stored as theirs.
        bad = bad & self.held(use, piece, bad)
        if not bad.any():
            return
        at, numbers = self.where(piece, bad)
        event = memory.events.items[int(last[bad][0])]
        what = "reads bytes that nothing wrote before"
        if use.constant:
            what = "takes a parameter from bytes that no image holds any more"
        elif event.what != "nothing":
            what += f" since {event.what} began"
        memory.report.add(
            Finding(
                "undefined",
                what,
                memory.place(use.number),
                f"{memory.buffers.name_at(memory.cls, at)}, {numbers}",
            )
        )

    def output(self, port: Port, piece: Piece, bad: np.ndarray, last: np.ndarray) -> None:
        event = self.memory.events.items[int(last[bad][0])]
        at, numbers = self.where(piece, bad)
        numbers = f"{self.memory.buffers.name_at(self.memory.cls, at)}, {numbers}"
        done = "are not surely written" if self.defined[int(last[bad][0])] else "nothing wrote"
        self.memory.report.add(
            Finding(
                "undefined",
                f"output {port.name!r} holds bytes that {done} at the end",
                f"class {port.cls}, last touched by {event.what}",
                numbers,
            )
        )


def kind_of(item: Image | Port) -> str:
    return "image" if isinstance(item, Image) else "input"
