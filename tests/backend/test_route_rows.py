"""Rows that equal exchanges share: the entries of the table, its pairs, and what it reaches."""

from __future__ import annotations

import numpy as np
import pytest
from exchange_cases import exchanges
from hypothesis import given, settings
from hypothesis import strategies as st

from dojocc.passes.route_rows import bounds, pairs, pushes
from dojocc.passes.solve.exchange import exchange_table
from dojocc.passes.solve.segments import moved_bytes
from dojocc.runtime.folds import spread
from dojocc.runtime.lists import entries_of_rows
from dojocc.runtime.repeats import repeat_counts
from dojocc.runtime.segments import (
    LEVELS,
    STRIDED,
    TABLE_DTYPE,
    node_sums,
    spelt,
    table_of,
)

PACKET = 64


@settings(max_examples=60, deadline=None)
@given(exchanges())
def test_rows_stand_for_the_segments_of_the_table(case) -> None:
    dst, sources, index = case
    table = exchange_table(dst, sources, index)
    if not len(table):
        return
    offsets = tuple(1 << 20 + number for number in range(len(sources)))
    found = pushes(table, dst.grid[1], offsets)
    assert pushes(table, dst.grid[1], offsets) is found
    segments = spelt(table, dst.nodes)
    single = pushes(table_of(segments), dst.grid[1], offsets)
    wanted = transfers(segments, offsets)
    for rows in (found, single):
        sent = entries_of_rows(rows, [dst.nodes], 1)
        assert np.array_equal(by_peer(sent), wanted)


def transfers(segments: np.ndarray, offsets: tuple[int, ...]) -> np.ndarray:
    """(node, peer, src, dst, shape) of each transfer, sorted."""
    src = segments["src"] + np.array(offsets)[segments["operand"]]
    ends = segments["src_node"], segments["dst_node"], src, segments["dst"]
    return sorted_rows([*ends, *(segments[name] for name, _ in STRIDED)])


def by_peer(entries: np.ndarray) -> np.ndarray:
    """The same of list entries, each peer of an entry by itself."""
    owner, turn = spread(entries["peers"])
    peer = entries["peer"][owner] + turn * entries["peer_stride"][owner].astype(np.int64)
    part = entries[owner]
    columns = [part["node"], peer, part["src"], part["dst"]]
    return sorted_rows([*columns, *(part[name] for name, _ in STRIDED)])


def sorted_rows(columns: list[np.ndarray]) -> np.ndarray:
    rows = np.stack([column.astype(np.int64) for column in columns], 1)
    return rows[np.lexsort(rows.T[::-1])]


@settings(max_examples=60, deadline=None)
@given(exchanges(), st.integers(0, 1 << 30))
def test_pairs_are_those_that_talk(case, seed) -> None:
    dst, sources, index = case
    table = exchange_table(dst, sources, index)
    giver, reader = np.random.default_rng(seed).integers(0, 4, (2, dst.nodes)) > 0
    wanted: dict[tuple[int, int], int] = {}
    segments = spelt(table, dst.nodes)
    for row, size in zip(segments, moved_bytes(segments).tolist(), strict=True):
        pair = int(row["src_node"]), int(row["dst_node"])
        if giver[pair[0]] and reader[pair[1]]:
            wanted[pair] = wanted.get(pair, 0) + -(-size // PACKET)
    *ends, packets = (each.tolist() for each in pairs(table, PACKET, giver, reader))
    assert dict(zip(zip(*ends, strict=True), packets, strict=True)) == wanted
    assert len(packets) == len(wanted)


@settings(max_examples=60, deadline=None)
@given(exchanges())
def test_a_table_reaches_what_its_segments_do(case) -> None:
    dst, sources, index = case
    table = exchange_table(dst, sources, index)
    if not len(table):
        return
    one, other = bounds(table), bounds(table_of(spelt(table, dst.nodes)))
    assert one.nodes == other.nodes and one.destination == other.destination
    np.testing.assert_array_equal(one.sources, other.sources)
    for side in ("dst_node", "src_node"):
        segments = spelt(table, dst.nodes)
        weights = np.arange(len(table)) + 1
        single = np.bincount(segments[side], minlength=dst.nodes)
        np.testing.assert_array_equal(
            node_sums(table, side, np.ones(len(table)), dst.nodes), single
        )
        assert (
            node_sums(table, side, weights, dst.nodes).sum()
            == (weights * repeat_counts(table, LEVELS)).sum()
        )


def table(**fields: int) -> np.ndarray:
    rows = np.zeros(2, TABLE_DTYPE)
    rows["count0"] = rows["count1"] = rows["repeat0"] = rows["repeat1"] = 1
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
        {"repeat0": 2, "src_step0": 49},
        {"repeat1": 2, "dst_node_step1": 1},
        {"repeat0": 4, "src_node_step0": 2},
    ],
)
def test_what_does_not_is_not(wrong) -> None:
    assert not bounds(table(**wrong)).within(4, np.array([16, 64]), 32)
