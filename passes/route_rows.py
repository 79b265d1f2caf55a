"""An exchange's table as rows of a list that lack only addresses, list and semaphores: what equal
exchanges of a program share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dojocc.passes.solve.folding import folded, repeat
from dojocc.passes.solve.peers import merged
from dojocc.passes.solve.segments import moved_bytes
from dojocc.runtime.lists import LEVELS as ROW_LEVELS
from dojocc.runtime.lists import LIST_DTYPE, PUSH
from dojocc.runtime.remember import by_table
from dojocc.runtime.repeats import repeated
from dojocc.runtime.segments import LEVELS, STRIDED, reach, widened
from dojocc.runtime.whole_rows import joined, picked

CLASS = 0
"""Number of the class of the grid's nodes; there is one class that communicates."""
NODES = ("src_node", "dst_node")


@by_table
def pushes(table: np.ndarray, columns: int, offsets: tuple[int, ...]) -> np.ndarray:
    """Rows (LIST_DTYPE) that push what a table (TABLE_DTYPE) says: what the lists of all exchanges
    with it have in common. Sources are relative to the lowest of their buffers, destinations to
    theirs.

    columns: of the grid of nodes; offsets: of the source buffers from the lowest of them.
    """
    rows = entries(table)
    rows["src"] += np.array(offsets, np.uint64)[table["operand"]]
    single = rows["peers"] == 1
    rows = joined(LIST_DTYPE, [merged(picked(rows, single)), picked(rows, ~single)])
    return folded(rows, columns)


def entries(table: np.ndarray) -> np.ndarray:
    """Rows (LIST_DTYPE), one a row of the table, relative to their buffers.

    Where a level of repetition goes from one node, with the same bytes, it is one entry for many
    peers.
    """
    rows = np.zeros(len(table), LIST_DTYPE)
    rows["cls"] = rows["peer_cls"] = CLASS
    rows["kind"] = PUSH
    rows["node"], rows["peer"] = table["src_node"], table["dst_node"]
    rows["peers"] = rows["peer_stride"] = 1
    rows["src"], rows["dst"] = table["src"], table["dst"]
    for name, _ in STRIDED:
        rows[name] = table[name]
    for level in range(ROW_LEVELS):
        rows[f"repeat{level}"] = 1
    free = np.ones(len(table), bool)  # no level is one of peers yet
    for level in range(LEVELS):
        count = table[f"repeat{level}"]
        node, peer, src = (table[f"{name}_step{level}"] for name in (*NODES, "src"))
        sent = (count > 1) & free & (node == 0) & (src == 0) & (peer > 0)
        rows["peers"][sent], rows["peer_stride"][sent] = count[sent], peer[sent]
        free &= ~sent
        repeat(rows, np.where(sent, 1, count), [node, peer, src, np.zeros_like(src)])
    return rows


def pairs(
    table: np.ndarray, packet_bytes: int, giver: np.ndarray, reader: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(giver, reader, packets) of the nodes between which a table moves anything, each pair once;
    of those pairs only whose ends are both marked in `giver` and in `reader`, [nodes] booleans."""
    keep = np.ones(len(table), bool)
    for side, marked in zip(NODES, (giver, reader), strict=True):
        still = (table[f"{side}_step0"] == 0) & (table[f"{side}_step1"] == 0)
        keep &= ~still | marked[table[side]]
    some = picked(table, keep)
    owner, moved = repeated(some, NODES, LEVELS)
    chosen = np.flatnonzero(giver[moved["src_node"]] & reader[moved["dst_node"]])
    key = moved["src_node"][chosen] * len(giver) + moved["dst_node"][chosen]
    packets = -(-moved_bytes(some) // packet_bytes)[owner[chosen]]
    every, of = np.unique(key, return_inverse=True)
    amount = np.bincount(of.reshape(-1), packets, len(every)).astype(np.int64)
    return *np.divmod(every, len(giver)), amount


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
def bounds(table: np.ndarray) -> Bounds:
    """What a table of at least one row reaches."""
    ends = [spans(table, side, *([table[side].astype(np.int64)] * 2)) for side in NODES]
    nodes = min(int(low.min()) for low, _ in ends), max(int(high.max()) for _, high in ends)
    low, high = spans(table, "src", *reach(table, "src"))
    operand = table["operand"]
    sources = np.zeros((int(operand.max()) + 1, 2), np.int64)
    for number in range(len(sources)):
        mine = slice(None) if len(sources) == 1 else operand == number
        sources[number] = low[mine].min(initial=0), high[mine].max(initial=0)
    low, high = reach(table, "dst")
    return Bounds(nodes, sources, (int(low.min()), int(high.max())))


def spans(
    table: np.ndarray, name: str, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """[low, high) of the first of each row's repetitions, over all of them; `name` of the field
    that moves."""
    for level in range(LEVELS):
        low, high = widened(low, high, table[f"repeat{level}"], table[f"{name}_step{level}"])
    return low, high
