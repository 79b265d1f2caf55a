"""Rows that equal exchanges share: the entries of the table, its pairs, and what it reaches."""

from __future__ import annotations

import numpy as np
import pytest
from exchange_cases import exchanges
from hypothesis import given, settings

from dojocc.passes.route_rows import bounds, entries, pushes
from dojocc.passes.solve.exchange import exchange_segments
from dojocc.passes.solve.peers import merged
from dojocc.passes.solve.segments import moved_bytes
from dojocc.runtime.lists import entries_of_rows
from dojocc.runtime.segments import SEGMENT_DTYPE

PACKET = 64


@settings(max_examples=60, deadline=None)
@given(exchanges())
def test_rows_stand_for_the_merged_entries_of_the_table(case) -> None:
    dst, sources, index = case
    segments = exchange_segments(dst, sources, index)
    if not len(segments):
        return
    offsets = tuple(1 << 20 + number for number in range(len(sources)))
    found = pushes(segments, dst.grid[1], PACKET, offsets)
    assert pushes(segments, dst.grid[1], PACKET, offsets) is found
    bare = pushes(segments.copy(), dst.grid[1], PACKET, offsets)  # how it was made is not known
    names = ("rows", "giver", "reader", "packets")
    assert all((getattr(found, name) == getattr(bare, name)).all() for name in names)
    spelt = entries_of_rows(found.rows, [dst.nodes], 1)
    single = entries(segments)
    single["src"] += np.array(offsets, np.uint64)[segments["operand"]]
    wanted = merged(single)
    assert np.array_equal(np.sort(spelt), np.sort(wanted))
    pairs: dict[tuple[int, int], int] = {}
    for row, size in zip(segments, moved_bytes(segments).tolist(), strict=True):
        pair = int(row["src_node"]), int(row["dst_node"])
        pairs[pair] = pairs.get(pair, 0) + -(-size // PACKET)
    given = zip(found.giver.tolist(), found.reader.tolist(), strict=True)
    assert dict(zip(given, found.packets.tolist(), strict=True)) == pairs


def table(**fields: int) -> np.ndarray:
    rows = np.zeros(2, SEGMENT_DTYPE)
    rows["count0"] = rows["count1"] = 1
    rows["bytes"], rows["dst_node"] = 16, (0, 3)
    rows["operand"] = (0, 1)
    for name, value in fields.items():
        rows[name][1] = value
    return rows


def test_what_lies_inside_is_within() -> None:
    sizes = np.array([16, 64])
    assert bounds(table(src=48, dst=16)).within(4, sizes, 32)
    assert bounds(table(operand=0)).within(4, sizes[:1], 16)


@pytest.mark.parametrize(
    "wrong",
    [
        {"src": 49},
        {"src": -1},
        {"dst": 17},
        {"dst": -1},
        {"dst_node": 4},
        {"src_node": -1},
        {"operand": 2},
        {"count0": 4, "src_stride0": 17},
        {"count1": 3, "dst_stride1": 16},
    ],
)
def test_what_does_not_is_not(wrong) -> None:
    assert not bounds(table(**wrong)).within(4, np.array([16, 64]), 32)
