"""How strided bytes are written down: what transfer lists and the tables of exchanges share."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dojocc.runtime.folds import numbered, spread, stable_order
from dojocc.runtime.remember import by_table
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
        turns = np.asarray(rows[f"count{level}"], np.int64) - 1
        span = turns * rows[f"{side}_stride{level}"]
        low, high = low + np.minimum(span, 0), high + np.maximum(span, 0)
    return low, high


def table_of(segments: np.ndarray) -> np.ndarray:
    """The table (TABLE_DTYPE) of segments (SEGMENT_DTYPE), one a row."""
    rows = np.zeros(len(segments), TABLE_DTYPE)
    for name in SEGMENT_DTYPE.names or ():
        rows[name] = segments[name]
    for level in range(LEVELS):
        rows[f"repeat{level}"] = 1
    return rows


@by_table
def spelt(table: np.ndarray, nodes: int) -> np.ndarray:
    """The segments (SEGMENT_DTYPE) of a table (TABLE_DTYPE), by source, then in the order in which
    it starts them (runtime/lists.py); nodes: of the grid."""
    owner, moved = repeated(table, MOVING)
    giver, reader = moved["src_node"], moved["dst_node"]
    order = in_order(giver, reader, table["operand"][owner], table["dst"][owner], nodes)
    single = np.empty(len(table), SEGMENT_DTYPE)
    for name in SEGMENT_DTYPE.names or ():
        single[name] = table[name]
    result = picked(single, owner[order])
    for name, column in moved.items():
        result[name] = column[order]
    return result


def segment_counts(table: np.ndarray) -> np.ndarray:
    """How many segments each row of a table stands for."""
    return table["repeat0"].astype(np.int64) * table["repeat1"]


def repeated(table: np.ndarray, names: tuple[str, ...]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """(row of each segment, these fields of each, int64), all of a row together."""
    owner, number = spread(segment_counts(table))
    outer, inner = np.divmod(number, table["repeat0"].astype(np.int64)[owner])
    moved = {}
    for name in names:
        first, *steps = (
            table[field].astype(np.int64) for field in (name, f"{name}_step0", f"{name}_step1")
        )
        moved[name] = first[owner]
        for turns, step in zip((inner, outer), steps, strict=True):
            if step.any():
                moved[name] += turns * step[owner]
    return owner, moved


def node_sums(table: np.ndarray, side: str, weights: np.ndarray, nodes: int) -> np.ndarray:
    """[nodes] by node at that `side` (dst_node or src_node) of a table's segments the sum of their
    weights (int64), given by row."""
    total = np.asarray(weights, np.int64)
    structure = [table[side].astype(np.int64)]
    for level in range(LEVELS):
        step, count = (
            table[f"{name}{level}"].astype(np.int64) for name in (f"{side}_step", "repeat")
        )
        total = np.where(step == 0, total * count, total)
        structure += [step, np.where(step == 0, 1, count)]
    if not len(table):
        return np.zeros(nodes, np.int64)
    number = numbered(structure)
    _, sample = np.unique(number, return_index=True)
    first, step0, count0, step1, count1 = (column[sample] for column in structure)
    owner, turn = spread(count0 * count1)
    outer, inner = np.divmod(turn, count0[owner])
    node = first[owner] + inner * step0[owner] + outer * step1[owner]
    sums = np.bincount(number, total)[owner]
    return np.bincount(node, sums, nodes).astype(np.int64)


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
