"""How strided bytes are written down: what transfer lists and the tables of exchanges share."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

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
"""One row of an exchange's table: `src_node` pushes runs of its buffer of operand `operand` to the
destination buffer of `dst_node`. `src` and `dst` are relative to the buffers."""

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
