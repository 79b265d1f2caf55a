"""The SRAM of one class of nodes: each distinct content is kept once, however many nodes hold it.

Memory is a row of `Part`s: spans of addresses with a table of rows and a grouping that says which
node holds which row. Untouched bytes are zero and take no space. Rows are only written in place
where one node holds each of them and nobody else has a view (`exclusive`); anything else puts a new
part in place of the old ones, so that a snapshot of the parts restores a memory.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace

import numpy as np

from dojocc.runtime.engines.covered import Received
from dojocc.runtime.engines.grouping import Grouping, Groupings
from dojocc.runtime.engines.workers import in_pieces

LINE = 64  # bytes: rows begin and end at multiples, so that wide items can be moved
JOINS = 8  # joined parts kept at most
NOT_FIXED = -1


@dataclass(frozen=True, eq=False)
class Part:
    """Bytes [start, stop): column c of `buffer` [rows, width] is the byte at address origin + c.

    `owned`: no other part has rows in these bytes of the buffer. `content`: a number that stands
    for the bytes where these are the same in every run (images, and what is made of them alone).
    `received`: which nodes a list sent the same, though they differ in what it left.
    """

    start: int
    stop: int
    origin: int
    buffer: np.ndarray
    grouping: Grouping
    owned: bool = False
    content: int = NOT_FIXED
    received: Received | None = None

    def bytes(self, low: int, high: int) -> np.ndarray:
        """[rows, high - low]: a view."""
        return self.buffer[:, low - self.origin : high - self.origin]

    @property
    def signature(self) -> tuple:
        """All but the bytes themselves."""
        width = self.buffer.shape[1]
        number = self.grouping.number
        return (self.start, self.stop, self.origin, width, number, self.owned, self.content)


class Contents:
    """Numbers for contents that are the same in every run of a machine, up to `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self.left = limit
        self.count = 0
        self.known: dict[tuple, int] = {}

    def of(self, key: tuple) -> int:
        """The number of what `key` says."""
        if key not in self.known:
            self.count += 1
            self.known[key] = self.count
        return self.known[key]

    def new(self, size: int) -> int:
        """A number for a content of `size` bytes that is kept, or NOT_FIXED where these are too
        many.
        """
        if size > self.left:
            return NOT_FIXED
        self.left -= size
        self.count += 1
        return self.count


def frame(low: int, high: int) -> tuple[int, int]:
    """(origin, width) of a buffer for bytes [low, high)."""
    origin = low // LINE * LINE
    return origin, -(-(high - origin) // LINE) * LINE


def copy_rows(target: np.ndarray, content: np.ndarray, part: Part, nodes: np.ndarray) -> None:
    """target[i] = what node nodes[i] holds of `content`, bytes of a part."""
    rows = part.grouping.rows(nodes)
    held = content[rows] if isinstance(rows, slice) else content
    if len(held) == 1:
        held = np.broadcast_to(held, target.shape)

    def copy(own: slice) -> None:
        target[own] = held[own] if isinstance(rows, slice) else held[rows[own]]

    in_pieces(copy, len(target), 2 * target.size)


class Memory:
    """`size` bytes on each of `nodes` nodes."""

    def __init__(self, nodes: int, size: int, contents: Contents | None = None) -> None:
        self.nodes, self.size = nodes, size
        self.contents = Contents(0) if contents is None else contents
        self.groupings = Groupings(nodes)
        self.parts: list[Part] = []
        self.starts: list[int] = []
        self.zeros = np.zeros((1, size), np.uint8)
        self.kept: tuple[Part, ...] = ()
        self.joins: list[Part] = []

    def keep(self) -> None:
        """Remember the present content for `restore`."""
        self.parts = [replace(part, owned=False) for part in self.parts]
        self.kept = tuple(self.parts)

    def restore(self) -> None:
        """The content at the time of the last `keep`."""
        self.parts = list(self.kept)
        self.joins = []
        self.starts = [part.start for part in self.parts]

    def covering(self, low: int, high: int) -> list[Part]:
        """The parts that hold bytes [low, high), in order; untouched bytes as parts of zeros."""
        found: list[Part] = []
        at = low
        for part in self.parts[max(bisect_right(self.starts, low) - 1, 0) :]:
            if part.start >= high:
                break
            if part.stop <= low:
                continue
            if part.start > at:
                found.append(self.untouched(at, part.start))
            found.append(part)
            at = part.stop
        if at < high:
            found.append(self.untouched(at, high))
        return found

    def untouched(self, low: int, high: int) -> Part:
        return Part(low, high, 0, self.zeros, self.groupings.alike, content=0)

    def put(self, part: Part) -> None:
        """The part in place of what its addresses held."""
        self.forget(part.start, part.stop)
        first = max(bisect_right(self.starts, part.start) - 1, 0)
        last = bisect_left(self.starts, part.stop)
        pieces = [part]
        for old in self.parts[first:last]:
            if old.start < part.start:
                pieces.append(replace(old, stop=min(old.stop, part.start)))
            if old.stop > part.stop:
                pieces.append(replace(old, start=max(old.start, part.stop)))
        pieces.sort(key=lambda piece: piece.start)
        self.parts[first:last] = pieces
        self.starts[first:last] = [piece.start for piece in pieces]

    def put_alike(self, low: int, content: np.ndarray) -> None:
        """All nodes hold `content` from byte `low` on."""
        origin, width = frame(low, low + len(content))
        buffer = np.zeros((1, width), np.uint8)
        buffer[0, low - origin : low - origin + len(content)] = content
        alike = self.groupings.alike
        self.put(Part(low, low + len(content), origin, buffer, alike, owned=True))

    def forget(self, low: int, high: int) -> None:
        """Bytes [low, high) change: joined parts that hold some of them are out of date."""
        if self.joins:
            self.joins = [p for p in self.joins if p.stop <= low or p.start >= high]

    def unsure(self, low: int, high: int) -> None:
        """Bytes [low, high) are written in place: what lists sent there counts no longer."""
        first = max(bisect_right(self.starts, low) - 1, 0)
        for number in range(first, bisect_left(self.starts, high)):
            part = self.parts[number]
            if part.received is not None and part.stop > low:
                self.parts[number] = replace(part, received=None)

    def received(self, low: int, high: int) -> Received | None:
        """What is known of bytes [low, high) that one list has sent."""
        parts = self.covering(max(low, 0), min(high, self.size))
        return parts[0].received if len(parts) == 1 else None

    def read(self, low: int, high: int) -> Part:
        """A part that holds bytes [low, high); outside of the memory there are zeros."""
        if low < 0 or high > self.size:
            return self.outside(low, high)
        parts = self.covering(low, high)
        if len(parts) == 1:
            return parts[0]
        for known in self.joins:
            if known.start <= low and high <= known.stop:
                return known
        return self.joined(parts, low, high)

    def grouping(self, low: int, high: int) -> Grouping:
        """Which nodes hold alike all bytes of [low, high) that lie in memory."""
        grouping = self.groupings.alike
        for part in self.covering(max(low, 0), min(high, self.size)):
            grouping = self.groupings.join(grouping, part.grouping)
        return grouping

    def gather(self, nodes: np.ndarray, low: int, high: int, buffer: np.ndarray) -> None:
        """Copy bytes [low, high) of some nodes, as far as they lie in memory, to a buffer [nodes,
        high - low].
        """
        for part in self.covering(max(low, 0), min(high, self.size)):
            start, stop = max(part.start, low, 0), min(part.stop, high, self.size)
            copy_rows(buffer[:, start - low : stop - low], part.bytes(start, stop), part, nodes)

    def joined(self, parts: list[Part], low: int, high: int) -> Part:
        """One part of several: in their place where no content is lost by that."""
        grouping = self.grouping(low, high)
        origin, width = frame(low, high)
        buffer = np.empty((grouping.count, width), np.uint8)
        self.gather(grouping.first, low, high, buffer[:, low - origin : high - origin])
        alike = all(p.grouping is grouping and p.content == NOT_FIXED for p in parts)
        fixed = self.fixed(low, high)
        content = NOT_FIXED if fixed is None else self.contents.of((id(self), fixed, high))
        part = Part(low, high, origin, buffer, grouping, alike, content)
        if alike:
            self.put(part)
        else:
            self.joins = [*self.joins[1 - JOINS :], part]
        return part

    def fixed(self, low: int, high: int) -> tuple | None:
        """What stands for bytes [low, high), if they are the same in every run."""
        parts = self.covering(low, high)
        if any(part.content == NOT_FIXED for part in parts):
            return None
        return tuple((max(p.start, low), p.content) for p in parts)

    def outside(self, low: int, high: int) -> Part:
        """Bytes that partly lie outside of the memory."""
        first, last = max(low, 0), min(high, self.size)
        grouping = self.groupings.alike
        inner = self.read(first, last) if first < last else None
        if inner is not None:
            grouping = inner.grouping
        origin, width = frame(low, high)
        buffer = np.zeros((grouping.count, width), np.uint8)
        if inner is not None:
            buffer[:, first - origin : last - origin] = inner.bytes(first, last)
        return Part(low, high, origin, buffer, grouping)

    def view(self, nodes: np.ndarray, low: int, high: int) -> np.ndarray:
        """Bytes [low, high) of some nodes: [nodes, high - low], or one row where all hold the
        same; a view where it can be.
        """
        part = self.read(low, high)
        return part.bytes(low, high)[part.grouping.rows(nodes)]

    def exclusive(self, low: int, high: int) -> np.ndarray:
        """Bytes [low, high) of all nodes to write in: [nodes, high - low], a view."""
        buffer, column = self.writable(low, high)
        return buffer[:, column : column + high - low]

    def writable(self, low: int, high: int) -> tuple[np.ndarray, int]:
        """A buffer [nodes, width], and the column in it at which bytes [low, high) lie."""
        parts = self.covering(low, high)
        self.forget(low, high)
        own = self.groupings.own
        if len(parts) == 1 and parts[0].owned and parts[0].grouping is own:
            self.unsure(low, high)
            return parts[0].buffer, low - parts[0].origin
        origin, width = frame(low, high)
        touched = all(part.buffer is not self.zeros for part in parts)
        buffer = (np.empty if touched else np.zeros)((self.nodes, width), np.uint8)
        columns = buffer[:, low - origin : high - origin]
        for part in parts:
            if part.buffer is not self.zeros:
                start, stop = max(part.start, low), min(part.stop, high)
                target = columns[:, start - low : stop - low]
                copy_rows(target, part.bytes(start, stop), part, own.of)
        self.put(Part(low, high, origin, buffer, own, owned=True))
        return buffer, low - origin
