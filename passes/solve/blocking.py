"""Register blocking: which blocks of a contraction's result are summed side by side.

Takes how many blocks a node has along each direction, what the inner loop and the epilogue take,
and gives pieces: boxes of blocks with one blocking each. Plain data in and out; cycles by the port
model of an in-order node, an estimate to compare choices with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from math import ceil, prod

ACCUMULATORS = 8
PARTS = 4
"""Vectors that an accumulator is read as."""
CALL = 60
"""Cycles of one more kernel call: parameters, address set-up."""
GROUP = 12
"""Cycles of a group that nothing hides: first loads, last sums on their way to the store."""
RESTART = 5
"""Cycles from the last product of an inner loop to the first of its next run."""


@dataclass(frozen=True)
class Ports:
    """What a node issues a cycle."""

    loads: int = 2
    decode: int = 4


@dataclass(frozen=True)
class Direction:
    """Blocks along one dim, and which operands move along it."""

    blocks: int
    moves_left: bool
    moves_right: bool


@dataclass(frozen=True)
class Contraction:
    """A node's share: `trips` of the innermost loop, started `starts` times for every block;
    instructions of the epilogue for one part of a block."""

    directions: tuple[Direction, ...]
    trips: int
    starts: int
    loads: int
    vectors: int
    ports: Ports = Ports()


@dataclass(frozen=True)
class Piece:
    """Blocks [start, start + count) along each direction, `factors` of them side by side."""

    start: tuple[int, ...]
    count: tuple[int, ...]
    factors: tuple[int, ...]

    @property
    def groups(self) -> int:
        return prod(c // f for c, f in zip(self.count, self.factors, strict=True))


Feasible = Callable[[tuple[int, ...]], bool]


def interval(work: Contraction, factors: tuple[int, ...]) -> int:
    """Cycles of one turn of the inner loop: matrix unit, load ports or decoder."""
    products = prod(factors)
    sides = zip(factors, work.directions, strict=True)
    left, right = 1, 1
    for factor, way in sides:
        left *= factor if way.moves_left else 1
        right *= factor if way.moves_right else 1
    loads = left + right
    ports = work.ports
    return max(products, ceil(loads / ports.loads), ceil((products + loads) / ports.decode))


def epilogue(work: Contraction) -> float:
    """Cycles of zeroing, reading, finishing and storing one block."""
    every = 2 + work.loads + work.vectors
    part = max(1, work.vectors, work.loads / work.ports.loads, every / work.ports.decode)
    return 1 + PARTS * part


def cycles(work: Contraction, piece: Piece) -> float:
    """Cycles of a piece, its call included."""
    inner = work.starts * (work.trips * interval(work, piece.factors) + RESTART)
    ends = prod(piece.factors) * epilogue(work)
    return CALL + piece.groups * (inner + ends + GROUP)


def blockings(work: Contraction, feasible: Feasible, most: int) -> list[tuple[int, ...]]:
    """Factors whose product is at most `most`."""
    ranges = [range(1, min(way.blocks, most) + 1) for way in work.directions]
    return [
        factors
        for factors in product(*ranges)
        if prod(factors) <= most and (prod(factors) == 1 or feasible(factors))
    ]


def best_pieces(
    work: Contraction, feasible: Feasible = lambda _: True, most: int = ACCUMULATORS
) -> tuple[Piece, ...]:
    """The cheapest cover by groups of at most `most` blocks: one blocking that divides the counts,
    or a cut along a direction where none does well. The first of equals wins, so the answer depends
    on nothing else."""
    offered = blockings(work, feasible, most)

    @cache
    def best(count: tuple[int, ...], cuts: int) -> tuple[float, tuple[Piece, ...]]:
        zero = (0,) * len(count)
        found = [
            (cycles(work, piece), (piece,))
            for factors in offered
            if all(c % f == 0 for c, f in zip(count, factors, strict=True))
            for piece in (Piece(zero, count, factors),)
        ]
        if cuts:
            found += [
                (first[0] + rest[0], first[1] + moved(rest[1], axis, at))
                for axis, at in places(count)
                for first in (best(with_count(count, axis, at), cuts - 1),)
                for rest in (best(with_count(count, axis, count[axis] - at), cuts - 1),)
            ]
        return min(found, key=lambda each: each[0])

    return best(tuple(way.blocks for way in work.directions), 2)[1]


def places(count: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Where a box may be cut: at the last multiple of a factor along one direction."""
    for axis, size in enumerate(count):
        cuts = {size // factor * factor for factor in range(2, ACCUMULATORS + 1)}
        yield from ((axis, at) for at in sorted(cuts, reverse=True) if 0 < at < size)


def with_count(count: tuple[int, ...], axis: int, size: int) -> tuple[int, ...]:
    return (*count[:axis], size, *count[axis + 1 :])


def moved(pieces: tuple[Piece, ...], axis: int, by: int) -> tuple[Piece, ...]:
    """The pieces further on along one direction."""
    return tuple(
        Piece(with_count(each.start, axis, each.start[axis] + by), each.count, each.factors)
        for each in pieces
    )
