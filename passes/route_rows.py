"""An exchange's table as rows of a list that lack only addresses, list and semaphores: what equal
exchanges of a program share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dojocc.passes.solve.folding import folded
from dojocc.passes.solve.peers import progressions
from dojocc.passes.solve.remember import by_table
from dojocc.passes.solve.segments import moved_bytes, reached, shapes_of
from dojocc.runtime.folds import openings
from dojocc.runtime.lists import ENTRY_DTYPE, PUSH
from dojocc.runtime.segments import STRIDED
from dojocc.runtime.whole_rows import picked

CLASS = 0
"""Number of the class of the grid's nodes; there is one class that communicates."""


@dataclass(frozen=True, eq=False)
class Pushes:
    """`rows` (LIST_DTYPE) push what the table says: sources relative to the lowest of their
    buffers, destinations to theirs.

    `giver`, `reader`: pairs of nodes between which anything moves, each once; `packets` of each.
    """

    rows: np.ndarray
    giver: np.ndarray
    reader: np.ndarray
    packets: np.ndarray


@by_table
def pushes(
    segments: np.ndarray, columns: int, packet_bytes: int, offsets: tuple[int, ...]
) -> Pushes:
    """What the lists of all exchanges with this table (SEGMENT_DTYPE) have in common.

    columns: of the grid of nodes; offsets: of the source buffers from the lowest of them.
    """
    giver, reader = segments["src_node"].astype(np.int64), segments["dst_node"].astype(np.int64)
    alike = shapes_of(segments), segments["src"]
    some, peers, step = progressions(giver, reader, alike)
    rows = entries(picked(segments, some))
    rows["src"] += np.array(offsets, np.uint64)[segments["operand"][some]]
    rows["peers"], rows["peer_stride"] = peers, step
    rows = folded(rows, columns)
    packets = -(-moved_bytes(segments) // packet_bytes)
    opens = openings([giver, reader])
    opens[:1] = True
    first = np.flatnonzero(opens)
    amount = np.add.reduceat(packets, first) if len(first) else packets
    return Pushes(rows, giver[first], reader[first], amount)


@dataclass(frozen=True, eq=False)
class Bounds:
    """The nodes that a table names, lowest and highest; by source, the bytes touched of it, and of
    the destination: [low, high)."""

    nodes: tuple[int, int]
    sources: np.ndarray
    destination: tuple[int, int]

    def within(self, nodes: int, sources: np.ndarray, destination: int) -> bool:
        """Whether all that is named is there: so many nodes, sources of these sizes."""
        if len(self.sources) > len(sources):
            return False
        low, high = self.sources.T
        inside = (low >= 0) & (high <= sources[: len(low)])
        return (
            bool(inside.all())
            and 0 <= self.nodes[0]
            and self.nodes[1] < nodes
            and 0 <= self.destination[0]
            and self.destination[1] <= destination
        )


@by_table
def bounds(segments: np.ndarray) -> Bounds:
    """What a table of at least one segment reaches."""
    ends = [segments[side] for side in ("src_node", "dst_node")]
    nodes = min(int(each.min()) for each in ends), max(int(each.max()) for each in ends)
    low, high = reached(segments, "src")
    operand = segments["operand"]
    sources = np.zeros((int(operand.max()) + 1, 2), np.int64)
    for number in range(len(sources)):
        mine = slice(None) if len(sources) == 1 else operand == number
        sources[number] = low[mine].min(initial=0), high[mine].max(initial=0)
    low, high = reached(segments, "dst")
    return Bounds(nodes, sources, (int(low.min()), int(high.max())))


def entries(segments: np.ndarray) -> np.ndarray:
    """Entries (ENTRY_DTYPE), one a segment, relative to their buffers."""
    rows = np.zeros(len(segments), ENTRY_DTYPE)
    rows["cls"] = rows["peer_cls"] = CLASS
    rows["kind"] = PUSH
    rows["node"], rows["peer"] = segments["src_node"], segments["dst_node"]
    rows["peers"] = rows["peer_stride"] = 1
    rows["src"], rows["dst"] = segments["src"], segments["dst"]
    for name, _ in STRIDED:
        rows[name] = segments[name]
    return rows
