"""Transfer segments: bytes copied between nodes' buffers, in up to two strided levels.

Takes runs (source byte, destination byte, length) and folds them into few segments; applies
segments to byte buffers, as the list parsers do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dojocc.passes.solve.remember import Kept
from dojocc.runtime.folds import openings, stable_order, strided
from dojocc.runtime.segments import SEGMENT_DTYPE, STRIDED, reach
from dojocc.runtime.whole_rows import joined, picked

SHAPE = ("operand", "dst", *(name for name, _ in STRIDED))
shapes: Kept[tuple[np.ndarray, np.ndarray]] = Kept()
"""Of tables made from rows that many nodes share: these rows, and the one of each segment."""
COPY_BLOCK = 1 << 22  # bytes of index arrays built at a time when segments are applied
LARGEST_KEY = 1 << 62


def spread(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For counts c: (i repeated c[i] times, 0..c[i]-1 within each)."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)


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


@dataclass(frozen=True, eq=False)
class Spread:
    """Segments of many nodes: number n is rows[line[n]], between `giver` and `reader`, its source's
    bytes from `src` on."""

    rows: np.ndarray
    line: np.ndarray
    reader: np.ndarray
    giver: np.ndarray
    src: np.ndarray


def written(parts: Sequence[Spread], nodes: int) -> np.ndarray:
    """The segments of several parts, in order."""
    if not parts:
        return np.zeros(0, SEGMENT_DTYPE)
    rows = joined(SEGMENT_DTYPE, [part.rows for part in parts])
    begin = np.cumsum([0, *(len(part.rows) for part in parts)])
    line = np.concatenate([part.line + at for part, at in zip(parts, begin, strict=False)])
    reader, giver, src = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("reader", "giver", "src")
    )
    order = in_order(giver, reader, rows["operand"][line], rows["dst"][line], nodes)
    line = line[order]
    result = picked(rows, line)
    result["dst_node"], result["src_node"], result["src"] = reader[order], giver[order], src[order]
    shapes.keep(result, (rows, line))
    return result


def shapes_of(segments: np.ndarray) -> np.ndarray:
    """A number for every segment, the same where segments are equal in all but their nodes and
    their source's offset."""
    known = shapes.kept(segments)
    if known is None:
        return combined(*(segments[name] for name in SHAPE))
    rows, line = known
    return combined(*(rows[name] for name in SHAPE)).take(line)


def reached(segments: np.ndarray, side: str) -> tuple[np.ndarray, np.ndarray]:
    """[low, high) of the bytes that each segment touches at its `side`, src or dst."""
    known = shapes.kept(segments)
    if known is None:
        return reach(segments, side)
    rows, line = known
    low, high = (bound - rows[side] for bound in reach(rows, side))
    place = segments[side]
    return place + low.take(line), place + high.take(line)


def ordered(segments: np.ndarray, nodes: int) -> np.ndarray:
    """Segments in order."""
    nodes_of = segments["src_node"], segments["dst_node"]
    return picked(segments, in_order(*nodes_of, segments["operand"], segments["dst"], nodes))


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


def moved_bytes(segments: np.ndarray) -> np.ndarray:
    """Bytes each segment moves."""
    known = shapes.kept(segments)
    if known is not None:
        rows, line = known
        return moved_bytes(rows).take(line)
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
