"""Ways to run a collective over two axes when vectors are small: many chains with short steps.

The long phase, over one axis, goes both ways round rings; the other phase moves one shard for each
node and goes directly. Chains share the lines of every shard, and go along the axes in either
order, so that links of both directions are used; chains of one order also share the shards by their
positions along the second axis (`span`). Of a scatter the last phase of all chains of an order can
be one chain, which then starts when the others have ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

from dojocc.passes.solve.collective_axes import Axis, Phase
from dojocc.passes.solve.collectives import LINE, Chain, natural_weights

FEWEST, MOST = 3, 8
"""Chains that share the long phase: fewer do not hide each other's latencies, more need more
semaphores and threads."""


def block_candidates(
    axes: Sequence[Axis], slot: int, reduces: bool, gathers: bool
) -> list[list[Chain]]:
    """`axes` number the shards, the first slowest, all of `slot` bytes in whole lines."""
    found = []
    lines = slot // LINE
    most = 6 if reduces and gathers else MOST
    shares = sorted({lines, -(-lines * 2 // 3), -(-lines // 2)})
    for turned, first, groups, spans in product((False, True), shares, (1, 2), (1, 2, 3)):
        orders = [(turned, 0, first), (not turned, first, lines)]
        parts = [
            (order, low, high, span)
            for order, start, end in orders
            for low, high in cut(start, end, groups)
            for span in range(spans)
        ]
        if not FEWEST <= len(parts) <= most:
            continue
        for ring in (False, True) if spans == 1 else (False,):
            chains = [
                part_chain(axes, slot, order, (low, high), (span, spans), ring)
                for order, low, high, span in parts
            ]
            found.append(chains)
            if reduces and not gathers:
                found += list(staged(axes, slot, chains, orders, groups, ring))
    return found


def cut(start: int, end: int, groups: int) -> list[tuple[int, int]]:
    """Lines from start to before end in so many groups, empty ones left out."""
    edges = [start + (end - start) * n // groups for n in range(groups + 1)]
    return [(low, high) for low, high in zip(edges, edges[1:], strict=False) if low < high]


def part_chain(
    axes: Sequence[Axis],
    slot: int,
    turned: bool,
    lines: tuple[int, int],
    span: tuple[int, int],
    ring: bool,
) -> Chain:
    """A chain over some lines of every shard, one of so many spans of the second axis's positions.

    `turned`: it goes along the second axis first. `ring`: its short phase goes round rings, too.
    """
    weights = natural_weights([Phase(axis) for axis in axes])
    pairs = list(zip(axes, weights, strict=True))
    (major, heavy), (minor, light) = reversed(pairs) if turned else pairs
    number, spans = span
    size = minor.size
    return Chain(
        (Phase(major, True, True), Phase(minor, ring, ring)),
        (heavy, light),
        slot,
        major.size * minor.size * slot,
        low=lines[0] * LINE,
        high=lines[1] * LINE,
        span=(size * number // spans, size * (number + 1) // spans) if spans > 1 else None,
    )


def staged(
    axes: Sequence[Axis],
    slot: int,
    chains: Sequence[Chain],
    orders: Sequence[tuple[bool, int, int]],
    groups: int,
    ring: bool,
) -> Iterator[list[Chain]]:
    """The same chains with their second phases in chains of their own, as they are, or in pairs and
    then among every other node of the axis."""
    first = [replace(chain, stop=1) for chain in chains]
    for halved in (False, True) if not ring else (False,):
        last = []
        for turned, start, end in orders:
            for lines in cut(start, end, groups):
                chain = replace(part_chain(axes, slot, turned, lines, (0, 1), ring), done=1)
                minor, weight = chain.phases[1].axis, chain.weights[1]
                if halved and minor.size % 2 == 0 and minor.size > 2:
                    inner, outer = minor.parts(minor.size // 2)
                    phases = (chain.phases[0], Phase(inner, False), Phase(outer, False))
                    weights = (chain.weights[0], weight, weight * inner.size)
                    chain = replace(chain, phases=phases, weights=weights)
                last.append(chain)
        yield first + last
