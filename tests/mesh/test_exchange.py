"""Transfer segments move exactly the bytes that NumPy indexing says."""

from __future__ import annotations

import time

import numpy as np
import pytest
from exchange_cases import exchanges
from hypothesis import given, settings

from dojocc.passes.solve import exchange_readers
from dojocc.passes.solve.exchange import (
    Exchanges,
    busiest_bytes,
    covers,
    exchange_segments,
    exchange_table,
    identity,
    network_bytes,
)
from dojocc.passes.solve.exchange_elements import element_segments
from dojocc.passes.solve.holders import row_layout, view
from dojocc.passes.solve.segments import apply_segments, moved_bytes
from dojocc.runtime.folds import spread
from dojocc.runtime.formats import FORMATS
from dojocc.runtime.layout import DimShard, Layout, whole
from dojocc.runtime.segments import spelt, table_of

POISON = 0xA5


def buffers(layout: Layout, codes: np.ndarray) -> np.ndarray:
    """Every node's buffer, poison but for what it holds and the zero pad of its last dimension."""
    layout = row_layout(layout)
    codes = codes.reshape(layout.shape)
    result = np.full((layout.nodes, layout.bytes), POISON, np.uint8)
    start, stop = layout.boxes()
    for node in range(layout.nodes):
        part = result[node].view(codes.dtype).reshape(layout.physical)
        shift = start[node] - layout.origin()[node]
        size = stop[node] - start[node]
        if not (size > 0).all():
            continue
        rows = tuple(slice(s, s + e) for s, e in zip(shift, size, strict=True))
        part[(*rows[:-1], slice(shift[-1] + size[-1], None))] = 0
        part[rows] = codes[tuple(slice(a, b) for a, b in zip(start[node], stop[node], strict=True))]
    return result


def check(dst: Layout, sources: tuple[Layout, ...], index: np.ndarray, table: np.ndarray) -> None:
    dtype = FORMATS[dst.fmt].dtype
    total = sum(int(np.prod(source.shape)) for source in sources)
    codes = np.arange(1, total + 1).astype(np.uint32).astype(dtype)
    pieces = np.split(codes, np.cumsum([int(np.prod(s.shape)) for s in sources])[:-1])
    held = tuple(buffers(s, piece) for s, piece in zip(sources, pieces, strict=True))
    fill = 0 if not covers(dst, table) else POISON
    got = np.full((dst.nodes, dst.bytes), fill, np.uint8)
    apply_segments(spelt(table, dst.nodes), held, got)
    wanted = np.where(index < 0, np.zeros((), dtype), codes[np.maximum(index, 0)])
    dst = row_layout(dst)
    start, stop = dst.boxes()
    for node in range(dst.nodes):
        part = got[node].view(dtype).reshape(dst.physical)
        shift = start[node] - dst.origin()[node]
        size = stop[node] - start[node]
        if not (size > 0).all():
            continue
        rows = tuple(slice(s, s + e) for s, e in zip(shift, size, strict=True))
        box = tuple(slice(a, b) for a, b in zip(start[node], stop[node], strict=True))
        np.testing.assert_array_equal(part[rows], wanted.reshape(dst.shape)[box])
        assert not part[(*rows[:-1], slice(shift[-1] + size[-1], None))].any()


@settings(max_examples=150, deadline=None)
@given(exchanges())
def test_segments_equal_numpy_indexing(case) -> None:
    dst, sources, index = case
    check(dst, sources, index, exchange_table(dst, sources, index))


@settings(max_examples=150, deadline=None)
@given(exchanges())
def test_blocks_of_readers_are_what_each_reader_takes(case) -> None:
    """Rows of blocks, whose givers are found by rows and by columns, against reader by reader."""
    dst, sources, index = case
    in_blocks = exchange_segments(dst, sources, index)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exchange_readers, "in_blocks", exchange_readers.one_by_one)
        one_by_one = exchange_segments(dst, sources, index)
    np.testing.assert_array_equal(np.sort(in_blocks), np.sort(one_by_one))


def test_a_turned_line_brings_no_neighbours_into_the_tail() -> None:
    source = Layout((2, 2), (whole(2), whole(2, 16)), "BF16", (2, 3))
    for index in ([[1, 3], [0, 2]], [[3, 1], [2, 0]], [[0, 2], [1, 3]]):
        turned = np.array(index)
        check(source, (source,), turned, exchange_table(source, (source,), turned))


@settings(max_examples=80, deadline=None)
@given(exchanges())
def test_general_path_equals_numpy_indexing(case) -> None:
    dst, sources, index = case
    views = tuple(view(row_layout(source)) for source in sources)
    check(dst, sources, index, table_of(element_segments(row_layout(dst), views, index)))


@settings(max_examples=60, deadline=None)
@given(exchanges())
def test_no_byte_is_written_twice(case) -> None:
    dst, sources, index = case
    segments = exchange_segments(dst, sources, index)
    written = np.zeros((dst.nodes, dst.bytes), int)
    owner, number = spread(segments["count0"].astype(int) * segments["count1"])
    part = segments[owner]
    at = part["dst"] + number % part["count0"] * part["dst_stride0"]
    at += number // part["count0"] * part["dst_stride1"]
    for node, byte, size in zip(part["dst_node"], at, part["bytes"], strict=True):
        written[node, byte : byte + size] += 1
    assert written.max(initial=0) <= 1


def test_a_node_takes_what_it_holds_from_itself() -> None:
    halo = Layout((12, 16), (DimShard(("col",), 4, -1, 6, 6), whole(16)), "BF16", (2, 3))
    plain = Layout((12, 16), (DimShard(("col",), 4, 0, 4, 4), whole(16)), "BF16", (2, 3))
    assert network_bytes(exchange_segments(plain, (halo,), identity(plain))) == 0
    back = exchange_segments(halo, (plain,), identity(halo))
    away = back[back["dst_node"] != back["src_node"]]
    assert network_bytes(back) == 2 * 4 * 16 * 2  # two rows: inner borders, both ways
    assert (away["dst_node"] // 3 == away["src_node"] // 3).all()  # the replica in the own row


def test_replicas_share_the_load() -> None:
    source = Layout((3, 16), (DimShard(("col",), 1, 0, 1, 1), whole(16)), "FP32", (2, 3))
    dst = Layout((3, 16), (whole(3), whole(16)), "FP32", (2, 3))
    segments = exchange_segments(dst, (source,), identity(dst))
    sent = np.bincount(segments["src_node"], moved_bytes(segments).astype(float), 6)
    assert (sent == 3 * 64).all()
    assert busiest_bytes(segments, 6) == 3 * 64


def test_last_dimension_pads_decide_on_zero_fill() -> None:
    source = Layout((6, 20), (DimShard(("row",), 3, 0, 3, 3), whole(20, 32)), "BF16", (2, 3))
    dst = Layout((6, 20), (whole(6), whole(20, 32)), "BF16", (2, 3))
    wider = Layout((6, 20), (whole(6, 8), whole(20, 48)), "BF16", (2, 3))
    assert covers(dst, exchange_table(dst, (source,), identity(dst)))
    assert not covers(wider, exchange_table(wider, (source,), identity(wider)))
    tall = Layout((6, 20), (whole(6, 8), whole(20, 32)), "BF16", (2, 3))
    table = exchange_table(tall, (source,), identity(tall))
    assert covers(tall, table) and not covers(tall, table, (0, -1))


def test_a_die_sized_all_gather_is_quick_and_small() -> None:
    shape = (1, 56, 56, 256)
    by_block = (DimShard(("col",), 3, 0, 3, 3), whole(56), DimShard(("row",), 16, 0, 16, 16))
    source = Layout(shape, (whole(1), *by_block), "BF16", (18, 19))
    dst = Layout(shape, tuple(whole(size) for size in shape), "BF16", (18, 19))
    begin = time.perf_counter()
    table = exchange_table(dst, (source,), identity(dst))
    assert time.perf_counter() - begin < 2.0
    assert len(table) <= 19 * 18  # a row a block of the source, whoever reads it
    segments = spelt(table, dst.nodes)
    assert len(segments) == 342 * 19 * 16
    assert int(moved_bytes(segments).sum()) == 342 * 56 * 56 * 256 * 2


def test_exchanges_are_remembered_by_content() -> None:
    source = Layout((6, 16), (DimShard(("row",), 3, 0, 3, 3), whole(16)), "BF16", (2, 3))
    dst = Layout((6, 16), (whole(6), whole(16)), "BF16", (2, 3))
    known = Exchanges()
    first = known.table(dst, (source,), identity(dst))
    assert known.table(dst, (source,), identity(dst).copy()) is first
    assert known.table(dst, (source,), identity(dst)[::-1].copy()) is not first


@pytest.mark.parametrize(
    ("fmt", "index", "text"),
    [
        ("FP32", np.arange(4), "an exchange keeps format and grid"),
        ("BF16", np.arange(4) + 1, "index map reaches 1..4, sources have 4"),
        ("BF16", np.arange(5), "index map of shape (5,)"),
    ],
)
def test_impossible_exchanges_are_refused(fmt: str, index: np.ndarray, text: str) -> None:
    source = Layout((4,), (whole(4, 16),), "BF16", (1, 1))
    dst = Layout((4,), (whole(4, 16),), fmt, (1, 1))
    with pytest.raises(ValueError) as error:
        exchange_segments(dst, (source,), index)
    assert text in str(error.value)


def test_a_hole_in_a_source_is_refused() -> None:
    source = Layout((4, 16), (DimShard(("row",), 1, 0, 1, 1), whole(16)), "BF16", (2, 3))
    dst = Layout((4, 16), (whole(4), whole(16)), "BF16", (2, 3))
    with pytest.raises(ValueError) as error:
        exchange_segments(dst, (source,), identity(dst))
    assert "no node holds coordinate 2 of a dimension of 4" in str(error.value)
