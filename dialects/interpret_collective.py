"""What the tables of a collective mean: moves and additions run step by step on NumPy buffers.

Takes tables (runtime/segments.py) and buffers as bytes [nodes, buffer bytes]; changes the buffers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dojocc.dialects.mesh_collective import COMBINE


def run_collective(
    moves: np.ndarray,
    adds: np.ndarray,
    buffers: Sequence[np.ndarray],
    combine: str,
    dtype: np.dtype,
) -> None:
    """Every step: all moves, from what the steps before have left, then the additions by turns."""
    last = max(moves["step"].max(initial=-1), adds["step"].max(initial=-1))
    for step in range(int(last) + 1):
        run_moves(moves[moves["step"] == step], buffers)
        part = adds[adds["step"] == step]
        run_adds(part[np.argsort(part["turn"], kind="stable")], buffers, combine, dtype)


def run_moves(moves: np.ndarray, buffers: Sequence[np.ndarray]) -> None:
    """Moves at the same time: all read before any writes."""
    carried = [buffers[row["source"]][row["src_node"], move_bytes(row, "src")] for row in moves]
    for row, content in zip(moves, carried, strict=True):
        buffers[row["destination"]][row["dst_node"], move_bytes(row, "dst")] = content


def move_bytes(row: np.void, side: str) -> np.ndarray:
    """The bytes of a buffer that a move reads (src) or writes (dst), in its order."""
    inner = np.arange(int(row["count0"])) * int(row[f"{side}_stride0"])
    outer = np.arange(int(row["count1"])) * int(row[f"{side}_stride1"])
    start = int(row[side]) + outer[:, None, None] + inner[None, :, None]
    return (start + np.arange(int(row["bytes"]))).reshape(-1)


def run_adds(
    adds: np.ndarray, buffers: Sequence[np.ndarray], combine: str, dtype: np.dtype
) -> None:
    """Additions one after another."""
    for row in adds:
        lanes = np.arange(int(row["bytes"]))
        runs = np.arange(int(row["count"]))[:, None]

        def place(name: str) -> tuple[np.ndarray, np.ndarray]:
            at = int(row[name]) + runs * int(row[f"{name}_stride"]) + lanes  # noqa: B023
            return buffers[row[f"{name}_buffer"]][row["node"]], at.reshape(-1)  # noqa: B023

        (into, to), (left, first), (right, second) = map(place, ("into", "left", "right"))
        total = right[second].view(dtype)
        for term in range(int(row["terms"])):
            with np.errstate(all="ignore"):
                there = first + term * int(row["term_stride"])
                total = COMBINE[combine](left[there].view(dtype), total)
        into[to] = total.astype(dtype).view(np.uint8)
