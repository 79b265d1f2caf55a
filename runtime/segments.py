"""How strided bytes are written down: what transfer lists and the tables of exchanges share."""

from __future__ import annotations

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
