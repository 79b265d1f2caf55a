"""How strided bytes are written down: what transfer lists and the tables of exchanges share."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dojocc.runtime.folds import numbered, stable_order
from dojocc.runtime.remember import by_table
from dojocc.runtime.repeats import copied, repeated, unrepeated
from dojocc.runtime.whole_rows import picked

LARGEST_KEY = 1 << 62
LEVELS = 2
MOVING = ("dst_node", "src_node", "src")
"""Fields of a table's row that a repetition moves, each by `<field>_step<level>`."""

STRIDED = (
    ("bytes", "<u4"),
    ("count0", "<u4"),
    ("src_stride0", "<i8"),
    ("dst_stride0", "<i8"),
    ("count1", "<u4"),
    ("src_stride1", "<i8"),
    ("dst_stride1", "<i8"),
)
"""count1 x count0 runs of `bytes`; strides are in bytes at the source and at the destination."""

SEGMENT_DTYPE = np.dtype(
    [
        ("dst_node", "<i4"),
        ("src_node", "<i4"),
        ("operand", "<u2"),
        ("src", "<i8"),
        ("dst", "<i8"),
        *STRIDED,
    ]
)
"""One segment of an exchange: `src_node` pushes runs of its buffer of operand `operand` to the
destination buffer of `dst_node`. `src` and `dst` are relative to the buffers."""

TABLE_DTYPE = np.dtype(
    [
        *((name, SEGMENT_DTYPE[name]) for name in SEGMENT_DTYPE.names or ()),
        *(
            (f"{name}{level}", dtype)
            for level in range(LEVELS)
            for name, dtype in (
                ("repeat", "<u4"),
                ("dst_node_step", "<i4"),
                ("src_node_step", "<i4"),
                ("src_step", "<i8"),
            )
        ),
    ]
)
"""One row of an exchange's table: repeat1 x repeat0 segments, the first as its fields say, the
others moved by the steps of each level."""

MOVE_DTYPE = np.dtype(
    [
        ("chain", "<i4"),
        ("step", "<i4"),
        ("lane", "<i4"),
        ("dst_node", "<i4"),
        ("src_node", "<i4"),
        ("source", "<u2"),
        ("destination", "<u2"),
        ("src", "<i8"),
        ("dst", "<i8"),
        *STRIDED,
    ]
)
"""One transfer of a collective: in a step of a chain, `src_node` pushes runs of its buffer number
`source` into buffer `destination` of `dst_node` (which may be itself). A node hears the moves of
one `lane` apart from those of another: the two ways round a ring."""

ADD_DTYPE = np.dtype(
    [
        ("chain", "<i4"),
        ("step", "<i4"),
        ("turn", "<i4"),
        ("node", "<i4"),
        ("into_buffer", "<u2"),
        ("left_buffer", "<u2"),
        ("right_buffer", "<u2"),
        ("into", "<i8"),
        ("left", "<i8"),
        ("right", "<i8"),
        ("bytes", "<u4"),
        ("count", "<u4"),
        ("into_stride", "<i8"),
        ("left_stride", "<i8"),
        ("right_stride", "<i8"),
        ("terms", "<u4"),
        ("term_stride", "<i8"),
    ]
)
"""One reduction of a collective on one node: `count` runs of `bytes`, into = left (+) right, where
left is what has arrived; of several `terms`, `term_stride` apart, into = (right (+) first) (+)
second ... It follows the moves of its step, by turns."""


def reach(rows: np.ndarray | Mapping[str, np.ndarray], side: str) -> tuple[np.ndarray, np.ndarray]:
    """[low, high) of the bytes that each row of STRIDED fields touches at its `side`, src or dst:
    int64, relative to what the row's own offsets are relative to.
    """
    low = np.asarray(rows[side], np.int64)
    high = low + rows["bytes"]
    for level in "01":
        low, high = widened(low, high, rows[f"count{level}"], rows[f"{side}_stride{level}"])
    return low, high


def widened(
    low: np.ndarray, high: np.ndarray, count: np.ndarray, step: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What `count` ranges reach together, the first of them [low, high), each `step` further on."""
    span = (np.asarray(count, np.int64) - 1) * step
    return low + np.minimum(span, 0), high + np.maximum(span, 0)


def table_of(segments: np.ndarray) -> np.ndarray:
    """The table (TABLE_DTYPE) of segments (SEGMENT_DTYPE), one a row."""
    return unrepeated(segments, TABLE_DTYPE, LEVELS)


@by_table
def spelt(table: np.ndarray, nodes: int) -> np.ndarray:
    """The segments (SEGMENT_DTYPE) of a table (TABLE_DTYPE), by source, then in the order in which
    it starts them (runtime/lists.py); nodes: of the grid."""
    owner, moved = repeated(table, MOVING, LEVELS)
    giver, reader = moved["src_node"], moved["dst_node"]
    order = in_order(giver, reader, table["operand"][owner], table["dst"][owner], nodes)
    result = picked(copied(table, SEGMENT_DTYPE), owner[order])
    for name, column in moved.items():
        result[name] = column[order]
    return result


def node_sums(table: np.ndarray, side: str, weights: np.ndarray, nodes: int) -> np.ndarray:
    """[nodes] by node at that `side` (dst_node or src_node) of a table's segments the sum of their
    weights (int64), given by row."""
    if not len(table):
        return np.zeros(nodes, np.int64)
    total = np.asarray(weights, np.int64)
    rows = table.copy()
    for level in range(LEVELS):
        count = rows[f"repeat{level}"]
        still = rows[f"{side}_step{level}"] == 0
        total = np.where(still, total * count, total)
        count[still] = 1
    steps = [f"{name}{level}" for level in range(LEVELS) for name in ("repeat", f"{side}_step")]
    number = numbered([rows[name] for name in (side, *steps)])
    _, sample = np.unique(number, return_index=True)
    owner, moved = repeated(picked(rows, sample), (side,), LEVELS)
    return np.bincount(moved[side], np.bincount(number, total)[owner], nodes).astype(np.int64)


def in_order(
    giver: np.ndarray, reader: np.ndarray, operand: np.ndarray, dst: np.ndarray, nodes: int
) -> np.ndarray:
    """By source, then in the order in which the source starts them (runtime/lists.py)."""
    giver = giver.astype(np.int64)
    turn = (reader - giver) % max(nodes, 1)
    operands, places = (int(part.max(initial=0)) + 1 for part in (operand, dst))
    if nodes * nodes * operands * places >= LARGEST_KEY:
        return np.lexsort((dst, operand, turn, giver))
    return stable_order(((giver * nodes + turn) * operands + operand) * places + dst)
