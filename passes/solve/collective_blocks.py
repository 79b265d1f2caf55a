"""Ways to run a collective over two axes when vectors are small: many chains with short steps.

The long phase, over one axis, goes both ways round rings; the other phase moves one shard for each
node and goes directly. Chains share the lines of every shard, and go along the axes in either
order, so that links of both directions are used; chains of one order also share the shards by their
positions along the second axis (`span`). Of a scatter the last phase of all chains of an order can
be one chain, which then starts when the others have ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from dojocc.passes.solve.collective_axes import Axis, Phase
from dojocc.passes.solve.collectives import LINE, Chain, natural_weights

FEWEST, MOST = 3, 8
"""Chains that share the long phase: fewer do not hide each other's latencies, more need more
semaphores and threads."""
DIRECT, HALVED, RING = SHAPES = ("direct", "halved", "ring")
"""How the short phase goes: to all others of a line; in pairs of neighbours first, then among every
other node; round a ring both ways."""


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
            (order, part, span)
            for order, start, end in orders
            for part in cut(start, end, groups)
            for span in range(spans)
        ]
        if not FEWEST <= len(parts) <= most:
            continue
        for shape in SHAPES if spans == 1 else (DIRECT, HALVED):
            if shape == HALVED and not any(map(halves, axes)):
                continue

            def chain(order: bool, part: tuple[int, int], span: tuple[int, int], shape: str):
                return part_chain(axes, slot, order, part, span, shape)

            found.append([chain(order, part, (n, spans), shape) for order, part, n in parts])
            if reduces and not gathers:
                whole = {(order, part): None for order, part, _ in parts}
                ends = [replace(chain(*each, (0, 1), shape), done=1) for each in whole]
                begins = [
                    replace(chain(order, part, (n, spans), DIRECT), stop=1)
                    for order, part, n in parts
                ]
                found.append(begins + ends)
    return found


def halves(axis: Axis) -> bool:
    """True where neighbours along an axis make pairs, of which there are several."""
    return axis.size % 2 == 0 and axis.size > 2


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
    shape: str,
) -> Chain:
    """A chain over some lines of every shard, one of so many spans of the second axis's positions.

    `turned`: it goes along the second axis first. `shape`: how it goes along the other.
    """
    weights = natural_weights([Phase(axis) for axis in axes])
    pairs = list(zip(axes, weights, strict=True))
    (major, heavy), (minor, light) = reversed(pairs) if turned else pairs
    ring = shape == RING
    phases, steps = [Phase(minor, ring, ring)], [light]
    if shape == HALVED and halves(minor):
        inner, outer = minor.parts(minor.size // 2)
        phases, steps = [Phase(inner, False), Phase(outer, False)], [light, light * inner.size]
    size, (number, spans) = phases[-1].axis.size, span
    return Chain(
        (Phase(major, True, True), *phases),
        (heavy, *steps),
        slot,
        major.size * minor.size * slot,
        low=lines[0] * LINE,
        high=lines[1] * LINE,
        span=(size * number // spans, size * (number + 1) // spans) if spans > 1 else None,
    )
