"""Element maps stand for the same arrays as NumPy's movements make, and for the same exchanges."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dojocc.dialects.nn.windows import pad_interior
from dojocc.passes.solve.exchange import exchange_segments
from dojocc.passes.solve.segments import apply_segments
from dojocc.passes.solve.traffic import reading_of
from dojocc.runtime.element_map import NOWHERE, ElementMap, NotClosed
from dojocc.runtime.layout import DimShard, Layout

SIZES = st.integers(1, 5)


def factored(draw: Any, count: int) -> list[int]:
    """A shape of `count` elements."""
    shape: list[int] = []
    while count > 1 and len(shape) < 4:
        part = draw(st.sampled_from([n for n in range(1, count + 1) if count % n == 0]))
        shape.append(part)
        count //= part
    return [*shape, count]


def step(draw: Any, each: Any) -> Any:
    """A function that moves elements, for maps and arrays alike."""
    kind = draw(
        st.sampled_from(["reshape", "transpose", "slice", "flip", "pad", "double", "repeat"])
    )
    rank, shape = len(each.shape), each.shape
    match kind:
        case "reshape":
            wanted = factored(draw, prod(shape))
            return lambda x: x.reshape(wanted)
        case "transpose":
            order = draw(st.permutations(range(rank)))
            return lambda x: x.transpose(order)
        case "slice":
            spans = []
            for size in shape:
                start = draw(st.integers(0, size - 1))
                stop = draw(st.integers(start + 1, size))
                spans.append(slice(start, stop, draw(st.integers(1, 2))))
            return lambda x: x[tuple(spans)]
        case "flip":
            dims = [dim for dim in range(rank) if draw(st.booleans())]
            return lambda x: np.flip(x, dims)
        case "pad":
            low, high, gap = ([draw(st.integers(least, 2)) for _ in shape] for least in (-1, 0, 0))
            if any(a + size + b < 1 for a, size, b in zip(low, shape, high, strict=True)):
                return lambda x: x

            def padded(x: Any) -> Any:
                value = ElementMap(()) if isinstance(x, ElementMap) else np.int64(NOWHERE)
                return pad_interior(x, low, high, gap, value)  # pyright: ignore

            return padded
        case "double":
            if not rank:
                return lambda x: x
            dim = draw(st.integers(0, rank - 1))
            cut = draw(st.integers(1, shape[dim]))
            key = tuple(slice(0, cut if d == dim else size) for d, size in enumerate(shape))
            return lambda x: np.concatenate([x[key], x], dim)
        case _:
            at = draw(st.integers(0, rank))
            shape = (*shape[:at], 1, *shape[at:])
            wide = (*shape[:at], 3, *shape[at + 1 :])
            return lambda x: np.broadcast_to(x.reshape(shape), wide)


@st.composite
def pairs(draw: Any) -> tuple[ElementMap, np.ndarray]:
    shape = draw(st.lists(SIZES, min_size=0, max_size=3))
    each = ElementMap.whole(0, 0, shape)
    array = np.arange(prod(shape)).reshape(shape)
    for _ in range(draw(st.integers(1, 5))):
        move = step(draw, each)
        try:
            each = move(each)
        except NotClosed:
            return each, array
        array = move(array)
        if array.size > 3000 or not array.size:
            break
    return each, array


@given(pairs())
@settings(max_examples=400, deadline=None)
def test_a_map_is_the_array_that_numpy_makes(pair: tuple[ElementMap, np.ndarray]) -> None:
    each, array = pair
    np.testing.assert_array_equal(each.dense(), array)
    assert (each.max(), each.size) == (array.max(initial=NOWHERE), array.size)
    if each.pieces:
        assert each.min() == array[array >= 0].min()


@given(pairs())
@settings(max_examples=200, deadline=None)
def test_lines_and_readings_are_those_of_the_array(pair: tuple[ElementMap, np.ndarray]) -> None:
    each, array = pair
    for place in product(*map(range, array.shape)):
        if sum(place) % 3:
            continue
        for dim in range(array.ndim):
            key = tuple(slice(None) if d == dim else at for d, at in enumerate(place))
            np.testing.assert_array_equal(each.line(place, dim), array[key])
    source = (int(array.max(initial=0)) + 1,)
    readings = [reading_of(index, source) for index in (each, array)]
    assert (readings[0] is None) == (readings[1] is None)
    if readings[0] is None or readings[1] is None:
        return
    for one, other in zip(readings[0].terms, readings[1].terms, strict=True):
        assert [dim for dim, _ in one] == [dim for dim, _ in other]
        for (_, a), (_, b) in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def layout(shape: tuple[int, ...], dim: int) -> Layout:
    """On 2 x 3 nodes, one dimension cut in six."""
    dims = [DimShard((), 0, 0, size, size) for size in shape]
    part = -(-shape[dim] // 6)
    dims[dim] = DimShard(("row", "col"), part, 0, part, part)
    return Layout(shape, tuple(dims), "FP32", (2, 3))


@given(pairs(), st.integers(0, 100), st.integers(0, 100))
@settings(max_examples=150, deadline=None)
def test_an_exchange_moves_the_same_bytes(
    pair: tuple[ElementMap, np.ndarray], one: int, other: int
) -> None:
    each, array = pair
    if not array.ndim or not array.size or array.max() < 0:
        return
    count = int(array.max()) + 1
    source, target = layout((count,), 0), layout(array.shape, other % array.ndim)
    held = [np.zeros((6, layout.bytes), np.uint8) for layout in (source, target, target)]
    held[0][:] = np.random.default_rng(one).integers(1, 255, held[0].shape, np.uint8)
    for index, into in ((each, held[1]), (array, held[2])):
        apply_segments(exchange_segments(target, (source,), index), (held[0],), into)
    np.testing.assert_array_equal(held[1], held[2])


def test_joined_slices_of_one_source_are_one_piece() -> None:
    whole = ElementMap.whole(0, 0, (6, 4))
    again = np.concatenate([whole[0:2, 0:4], whole[2:6, 0:4]], 0)  # pyright: ignore
    assert len(again.pieces) == 1 and again.key() == whole.key()


def test_pieces_of_two_sources_stay_apart() -> None:
    parts = [ElementMap.whole(0, 0, (2, 4)), ElementMap.whole(1, 8, (3, 4))]
    both = np.concatenate(parts, 0)  # pyright: ignore
    assert [piece.source for piece in both.pieces] == [0, 1]  # pyright: ignore


def test_a_map_without_closed_form_says_so() -> None:
    turned = ElementMap.whole(0, 0, (3, 5)).transpose((1, 0))
    wide = ElementMap.whole(0, 0, (97, 101)).transpose((1, 0))
    assert (
        turned.reshape((3, 5)).dense().tolist()
        == np.arange(15).reshape(3, 5).T.reshape(3, 5).tolist()
    )
    with pytest.raises(NotClosed, match="a reshape to"):
        wide.reshape((97, 101))
    with pytest.raises(NotClosed, match="sum"):
        np.sum(turned)  # pyright: ignore
