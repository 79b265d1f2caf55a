"""Transfer segments: bytes copied between nodes' buffers, in up to two strided levels.

Takes runs (source byte, destination byte, length) and folds them into few segments; applies
segments to byte buffers, as the list parsers do.
"""

from __future__ import annotations

import numpy as np

from dojocc.runtime.folds import openings, spread, strided
from dojocc.runtime.segments import SEGMENT_DTYPE
from dojocc.runtime.whole_rows import picked

COPY_BLOCK = 1 << 22  # bytes of index arrays built at a time when segments are applied


def combined(*columns: np.ndarray) -> np.ndarray:
    """One integer key for several columns: equal exactly where all of them are."""
    key = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        values, inverse = np.unique(column, return_inverse=True)
        key = np.unique(key * len(values) + inverse.reshape(-1), return_inverse=True)[1].reshape(-1)
    return key


def fold_runs(key: np.ndarray, src: np.ndarray, dst: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Runs in destination order into segments: joined where contiguous, then two strided levels.

    Returns SEGMENT_DTYPE rows whose `dst_node` is the number of one of the runs folded into the
    row.
    """
    order = np.argsort(key, kind="stable")
    key, src, dst, size = key[order], src[order], dst[order], size[order]
    opens = np.ones(len(key), bool)
    joined = (src[1:] == src[:-1] + size[:-1]) & (dst[1:] == dst[:-1] + size[:-1])
    opens[1:] = ~(joined & (key[1:] == key[:-1]))
    begin = np.flatnonzero(opens)
    size = np.add.reduceat(size, begin) if len(begin) else size
    order, key, src, dst = order[begin], key[begin], src[begin], dst[begin]

    shape = combined(key, size)
    by_shape = np.argsort(shape, kind="stable")
    first, count0, (src0, dst0) = strided(
        openings([shape[by_shape]]), [src[by_shape], dst[by_shape]]
    )
    first = by_shape[first]
    shape = combined(shape[first], count0, src0, dst0)
    by_shape = np.argsort(shape, kind="stable")
    outer, count1, (src1, dst1) = strided(
        openings([shape[by_shape]]), [src[first][by_shape], dst[first][by_shape]]
    )
    outer = by_shape[outer]
    first, count0, src0, dst0 = first[outer], count0[outer], src0[outer], dst0[outer]
    rows = np.zeros(len(first), SEGMENT_DTYPE)
    rows["dst_node"], rows["src"], rows["dst"] = order[first], src[first], dst[first]
    rows["bytes"], rows["count0"], rows["count1"] = size[first], count0, count1
    rows["src_stride0"], rows["dst_stride0"] = src0, dst0
    rows["src_stride1"], rows["dst_stride1"] = src1, dst1
    return rows


def moved_bytes(segments: np.ndarray) -> np.ndarray:
    """Bytes each segment moves."""
    return segments["bytes"].astype(np.int64) * segments["count0"] * segments["count1"]


def apply_segments(
    segments: np.ndarray, sources: tuple[np.ndarray, ...], destination: np.ndarray
) -> None:
    """Copy: `sources` and `destination` are uint8 [nodes, buffer bytes]."""
    owner, number = spread(segments["count0"].astype(np.int64) * segments["count1"])
    part = picked(segments, owner)
    inner, outer = number % part["count0"], number // part["count0"]
    src = part["src"] + inner * part["src_stride0"] + outer * part["src_stride1"]
    dst = part["dst"] + inner * part["dst_stride0"] + outer * part["dst_stride1"]
    for operand, size in {(int(s["operand"]), int(s["bytes"])) for s in segments}:
        rows = np.flatnonzero((part["operand"] == operand) & (part["bytes"] == size))
        lane = np.arange(size)
        for chunk in np.array_split(rows, max(1, len(rows) * size * 8 // COPY_BLOCK)):
            read = sources[operand][part["src_node"][chunk, None], src[chunk, None] + lane]
            destination[part["dst_node"][chunk, None], dst[chunk, None] + lane] = read
