"""What a candidate costs: where operands come from, what bringing them takes, what SRAM is worth.

Pure: takes `Work`, where its operands are, and cost functions. `choose` takes the cheapest of one
kernel's candidates by itself; passes/solve/search.py chooses for all kernels of a graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil

from dojocc.passes.solve.candidates import Placed
from dojocc.passes.solve.traffic import Reading
from dojocc.passes.solve.work import Access, Choice, Work, access_layout
from dojocc.runtime.layout import Layout

SIDES = ("row", "col")
SPARE = 1.25
"""How much larger than need be a constant's share of a node may be, to lie near its readers."""

ExchangeCost = Callable[[Layout | None, Layout, Reading | None], float]


@dataclass(frozen=True)
class Source:
    """Where an operand comes from.

    "constant": stays in SRAM, as wanted or spread evenly, as `spread` says, and brought for each
    use;
    "free": an input without a layout yet; "held": in `layout`; "moved": made by data movement from
    elsewhere (`layout` is its largest source's, `reading` how its elements lie there).
    """

    kind: str
    layout: Layout | None = None
    spread: Callable[[Layout], Layout] | None = None
    reading: Reading | None = None


@dataclass(frozen=True)
class Weights:
    """Cycles that a byte of SRAM is taken to be worth: held by constants, or only for a while."""

    resident: float = 1 / 32
    activation: float = 1 / 512


def fits(held: Layout, wanted: Layout) -> bool:
    """A buffer laid out as `held` can be read as `wanted`: same parts, physically as large."""
    kinds = [(each.shape, each.fmt, each.grid, each.split) for each in (held, wanted)]
    if kinds[0] != kinds[1]:
        return False
    return all(
        (a.axes, a.step, a.offset, a.extent) == (b.axes, b.step, b.offset, b.extent)
        and a.physical >= b.physical
        for a, b in zip(held.dims, wanted.dims, strict=True)
    )


def operand_cost(
    access: Access, source: Source, wanted: Layout, exchange: ExchangeCost, weights: Weights
) -> float:
    """What bringing one operand costs."""
    return sum(cost_parts(access, source, wanted, exchange, weights))


def cost_parts(
    access: Access, source: Source, wanted: Layout, exchange: ExchangeCost, weights: Weights
) -> tuple[float, float]:
    """What one operand costs in movement, and in SRAM at its price."""
    kept = wanted.bytes * weights.activation
    if source.kind == "constant":
        if not is_brought(source, wanted, exchange, weights):
            return 0.0, wanted.bytes * weights.resident
        assert source.spread is not None
        spread = source.spread(wanted)
        return exchange(spread, wanted, None), spread.bytes * weights.resident + kept
    if source.kind == "free":
        return 0.0, kept
    if source.kind == "held":
        assert source.layout is not None
        if fits(source.layout, wanted) and not needs_zero_rows(access):
            return 0.0, 0.0
        return exchange(source.layout, wanted, None), kept
    return exchange(source.layout, wanted, source.reading), kept


def _bring_cost(source: Source, wanted: Layout, exchange: ExchangeCost, weights: Weights) -> float:
    """What it costs to keep a constant spread over the nodes and to bring it for each use."""
    assert source.spread is not None
    kept = source.spread(wanted)
    brought = exchange(kept, wanted, None) + wanted.bytes * weights.activation
    return kept.bytes * weights.resident + brought


def near_spread(spreads: Sequence[Layout], wanted: Layout) -> Layout:
    """Of layouts that share a constant out, one almost as small as any that is cheap to bring from.

    A node of `wanted` should take from its own row or column, so that what is wanted shared out
    stays so and only the other axis is gathered; and from few nodes, each of which then serves many
    readers alike.
    """
    room = SPARE * min(layout.bytes for layout in spreads)

    def distance(layout: Layout) -> tuple[int, float, int]:
        pairs = zip(layout.dims, wanted.dims, strict=True)
        apart = sum(bool(b.axes) and (a.axes, a.step) != (b.axes, b.step) for a, b in pairs)
        return apart, givers(layout, wanted), layout.bytes

    return min((each for each in spreads if each.bytes <= room), key=distance)


def shared_out_further(work: Work, wanted: Layout) -> list[Layout]:
    """Layouts of what `work` writes in which the nodes that want a part alike share it out.

    Each holds an equal share of every slice across it, and gives to nodes of its own line only.
    """
    used = {axis for dim in wanted.dims for axis in dim.axes}
    idle = tuple(axis for axis in SIDES if axis not in used)
    if used - set(SIDES) or not idle or len(wanted.dims) != len(work.loops):
        return []
    axes = [dim.axes for dim in wanted.dims]
    return [
        access_layout(
            work.results[0],
            work,
            Choice(
                tuple((*each, *idle) if other == dim else each for other, each in enumerate(axes))
            ),
            wanted.grid,
        )
        for dim, mine in enumerate(axes)
        if mine
    ]


def givers(source: Layout, wanted: Layout) -> float:
    """About how many nodes a node of `wanted` takes from."""
    count = 1.0
    for held, dim, size in zip(source.dims, wanted.dims, source.shape, strict=True):
        if held.axes and held.step:
            count *= max(1.0, min(dim.extent / held.step, ceil(size / held.step)))
    return count


def is_brought(source: Source, wanted: Layout, exchange: ExchangeCost, weights: Weights) -> bool:
    """A constant that is better kept spread over the nodes than laid out as its reader wants."""
    if source.kind != "constant":
        return False
    return _bring_cost(source, wanted, exchange, weights) < wanted.bytes * weights.resident


def needs_zero_rows(access: Access) -> bool:
    """The operand's contraction rows end inside a group of four: the pad must be zero."""
    dim = access.depth_dim
    return dim is not None and dim != len(access.shape) - 1 and access.shape[dim] % 4 != 0


def cost(
    work: Work,
    placed: Placed,
    sources: tuple[Source, ...],
    exchange: ExchangeCost,
    weights: Weights,
) -> float:
    """Cycles, with SRAM at its price."""
    operands = zip(work.operands, sources, placed.operands, strict=True)
    brought = sum(operand_cost(*each, exchange, weights) for each in operands)
    return placed.cycles + brought + sum(r.bytes for r in placed.results) * weights.activation


def activation_bytes(
    placed: Placed, sources: tuple[Source, ...], exchange: ExchangeCost, weights: Weights
) -> int:
    """SRAM bytes a node of the results, and of the operands that do not stay there."""
    read = zip(placed.operands, sources, strict=True)
    size = sum(
        layout.bytes
        for layout, source in read
        if source.kind != "constant" or is_brought(source, layout, exchange, weights)
    )
    return size + sum(layout.bytes for layout in placed.results)


def choose(
    work: Work,
    offered: tuple[Placed, ...],
    sources: tuple[Source, ...],
    exchange: ExchangeCost,
    weights: Weights,
    room: int,
) -> Placed:
    """The cheapest candidate whose activations fit `room` bytes; the smallest if none does."""
    fitting = [
        each for each in offered if activation_bytes(each, sources, exchange, weights) <= room
    ]
    if fitting:
        return min(fitting, key=lambda each: cost(work, each, sources, exchange, weights))
    return min(
        offered, key=lambda each: sum(part.bytes for part in (*each.operands, *each.results))
    )
