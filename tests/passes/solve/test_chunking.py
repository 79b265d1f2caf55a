"""Chunks of a contraction: whole granules that pay, and slices of which two fit a node."""

from __future__ import annotations

from math import ceil

import pytest

from dojocc.passes.solve.chunking import (
    GRANULE,
    RESERVED,
    Panels,
    Product,
    chain_cycles,
    chunks_of,
    cycles,
    depth_that_fits,
    even_slices,
    slices_of,
)

START = 130
SRAM = 1310720


def test_a_product_without_transfers_worth_hiding_stays_whole() -> None:
    assert chunks_of(Product(1, 456, 56, 152, (200,)), START) == 152
    assert chunks_of(Product(1, 8, 8, 64, (9000,)), START) == 64


@pytest.mark.parametrize("depth", [768, 1000, 2048])
@pytest.mark.parametrize("moved", [40_000, 90_000])
def test_a_chunk_is_whole_granules_and_pays(depth: int, moved: int) -> None:
    product = Product(1, 232, 216, depth, (moved, moved))
    size = chunks_of(product, START)
    assert size == depth or size % GRANULE == 0
    assert cycles(product, size, START) <= cycles(product, depth, START)
    assert size < depth


def test_cycles_are_at_least_those_of_either_resource() -> None:
    product = Product(2, 64, 64, 1024, (5000, 7000))
    for size in (64, 128, 512, 1024):
        assert cycles(product, size, START) >= product.blocks * 1024 / 4
        assert cycles(product, size, START) >= 12000


@pytest.mark.parametrize("size", [1024, 2048, 4096, 6000])
def test_two_slices_fit_beside_operands_and_result(size: int) -> None:
    panels = Panels((size, size), size, 2, 4, (18, 19))
    depth = depth_that_fits(panels, SRAM)
    rows, columns = panels.local
    held = 2 * size * size * 2 / 342 + rows * columns * 8 + RESERVED
    slices = 1 if depth == size else 2
    if depth < size or size < 3000:
        assert held + slices * (rows + columns) * depth * 2 <= SRAM
    assert depth == size or depth % GRANULE == 0 and depth >= 64


def test_slices_are_even() -> None:
    panels = Panels((4096, 4096), 4096, 2, 4, (18, 19))
    depth = depth_that_fits(panels, SRAM)
    count = ceil(4096 / depth)
    assert 4096 - (count - 1) * depth > depth / 2


def test_where_not_even_a_thin_slice_fits_nothing_is_cut() -> None:
    assert depth_that_fits(Panels((8192, 8192), 8192, 2, 4, (18, 19)), SRAM) == 8192


@pytest.mark.parametrize("depth", [1000, 2048, 4096, 8192])
@pytest.mark.parametrize("size", [64, 176, 1376])
@pytest.mark.parametrize("grid", [(2, 3), (18, 19), (90, 95)])
def test_slices_cover_the_depth_and_none_is_too_deep(depth: int, size: int, grid) -> None:
    panels = Panels((4096, 4096), depth, 2, 4, grid)
    slices = slices_of(panels, size)
    assert sum(slices) == depth and max(slices) <= size and min(slices) > 0
    assert all(each % GRANULE == 0 for each in slices[:-1])
    assert chain_cycles(panels, slices) <= chain_cycles(panels, even_slices(depth, size))


def test_the_first_slice_of_a_training_tile_is_thin() -> None:
    """It comes while nothing computes."""
    panels = Panels((8192, 8192), 8192, 2, 4, (90, 95))
    slices = slices_of(panels, depth_that_fits(panels, SRAM))
    assert slices[0] < max(slices) / 2
    assert slices == sorted(slices[:-1]) + slices[-1:]
