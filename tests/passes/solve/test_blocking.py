"""Register blocking covers every block once, keeps to the accumulators, and beats one at a time."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest

from dojocc.passes.solve.blocking import (
    ACCUMULATORS,
    Contraction,
    Direction,
    Piece,
    best_pieces,
    cycles,
    interval,
)

ROWS, COLUMNS = (True, False), (False, True)
BOTH = (True, True)


def work(*counts: tuple[int, tuple[bool, bool]], trips: int = 64, vectors: int = 0) -> Contraction:
    ways = tuple(Direction(count, *moves) for count, moves in counts)
    return Contraction(ways, trips, 1, 0, vectors)


def share(each: Contraction, pieces: tuple[Piece, ...]) -> float:
    """Products over all cycles."""
    products = prod(way.blocks for way in each.directions) * each.trips * each.starts
    return products / sum(cycles(each, piece) for piece in pieces)


@pytest.mark.parametrize("sizes", [(57, 54), (1, 53), (13, 11), (7, 1), (1, 1), (2, 3), (29, 8)])
def test_pieces_cover_every_block_once(sizes: tuple[int, int]) -> None:
    each = work((sizes[0], ROWS), (sizes[1], COLUMNS))
    covered = np.zeros(sizes, int)
    for piece in best_pieces(each):
        assert prod(piece.factors) <= ACCUMULATORS
        assert all(c % f == 0 for c, f in zip(piece.count, piece.factors, strict=True))
        covered[tuple(slice(s, s + c) for s, c in zip(piece.start, piece.count, strict=True))] += 1
    assert (covered == 1).all()


def test_large_products_come_near_the_peak() -> None:
    for rows, columns, trips, least in ((57, 54, 128, 0.93), (12, 11, 256, 0.96), (8, 8, 16, 0.65)):
        each = work((rows, ROWS), (columns, COLUMNS), trips=trips)
        assert share(each, best_pieces(each)) > least


def test_side_by_side_is_never_dearer_than_one_at_a_time() -> None:
    for rows, columns in ((1, 1), (1, 2), (7, 3), (16, 5)):
        each = work((rows, ROWS), (columns, COLUMNS), trips=4)
        single = Piece((0, 0), (rows, columns), (1, 1))
        assert sum(cycles(each, piece) for piece in best_pieces(each)) <= cycles(each, single)


def test_operands_that_move_everywhere_are_bound_by_the_load_ports() -> None:
    each = work((8, BOTH))
    assert interval(each, (4,)) == 4
    assert interval(work((8, ROWS), (8, COLUMNS)), (4, 2)) == 8


def test_what_is_not_feasible_is_not_chosen() -> None:
    each = work((16, ROWS), (16, COLUMNS))
    pieces = best_pieces(each, lambda factors: factors[1] == 1)
    assert all(piece.factors[1] == 1 for piece in pieces)


def test_the_choice_is_the_same_every_time() -> None:
    each = work((13, ROWS), (11, COLUMNS), (3, ROWS))
    assert best_pieces(each) == best_pieces(each)
