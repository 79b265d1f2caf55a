"""Sharding chooser: which grid axes share out which loops of a kernel.

Pure: takes `Work`, where its operands are, and cost functions; gives the cheapest choice. A choice
is made for one kernel at a time, in order; `Weights` says how dear SRAM is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dojocc.passes.solve.work import Access, Choice, Grid, Work, access_layout, block
from dojocc.runtime.layout import Layout

KernelCost = Callable[[Work, Choice], float]
ExchangeCost = Callable[[Layout | None, Layout, bool], float]


@dataclass(frozen=True)
class Source:
    """Where an operand comes from.

    "constant": laid out as wanted, stays in SRAM; "free": an input without a layout yet; "held": in
    `layout`; "moved": made by data movement from elsewhere (`layout` is its largest source's).
    """

    kind: str
    layout: Layout | None = None


@dataclass(frozen=True)
class Weights:
    """Cycles that a byte of SRAM is taken to be worth."""

    resident: float = 1 / 32
    activation: float = 0.0


@dataclass(frozen=True)
class Placed:
    """A choice with the layouts it means and what it costs."""

    choice: Choice
    operands: tuple[Layout, ...]
    results: tuple[Layout, ...]
    cost: float
    bytes: int  # SRAM bytes a node of operands and results


def choices(work: Work, grid: Grid) -> Iterator[Choice]:
    """Every assignment of the two grid axes to shardable loops that shares something out."""
    rows = [None, *_worth(work, grid, ("row",))]
    columns = [None, *_worth(work, grid, ("col",))]
    both = _worth(work, grid, ("row", "col"))
    for row in rows:
        for column in columns:
            if row is not None and row == column:
                continue
            yield _choice(work, {row: ("row",), column: ("col",)})
    for loop in both:
        yield _choice(work, {loop: ("row", "col")})


def _worth(work: Work, grid: Grid, axes: tuple[str, ...]) -> list[int]:
    return [
        number
        for number, loop in enumerate(work.loops)
        if loop.shardable and block(loop, grid, axes) < loop.size
    ]


def _choice(work: Work, axes: dict[int | None, tuple[str, ...]]) -> Choice:
    return tuple(axes.get(number, ()) for number in range(len(work.loops)))


def fits(held: Layout, wanted: Layout) -> bool:
    """A buffer laid out as `held` can be read as `wanted`: same parts, physically as large."""
    if (held.shape, held.fmt, held.grid) != (wanted.shape, wanted.fmt, wanted.grid):
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
    if source.kind == "constant":
        return wanted.bytes * weights.resident
    if source.kind == "free":
        return wanted.bytes * weights.activation
    if source.kind == "held":
        assert source.layout is not None
        if fits(source.layout, wanted) and not needs_zero_rows(access):
            return 0.0
        return exchange(source.layout, wanted, True) + wanted.bytes * weights.activation
    return exchange(source.layout, wanted, False) + wanted.bytes * weights.activation


def needs_zero_rows(access: Access) -> bool:
    """The operand's contraction rows end inside a group of four: the pad must be zero."""
    dim = access.depth_dim
    return dim is not None and dim != len(access.shape) - 1 and access.shape[dim] % 4 != 0


def choose(
    work: Work,
    sources: tuple[Source, ...],
    grid: Grid,
    kernel: KernelCost,
    exchange: ExchangeCost,
    weights: Weights,
    room: int,
) -> Placed:
    """The cheapest choice whose buffers fit `room` bytes a node; the smallest one if none fits."""
    best: Placed | None = None
    smallest: Placed | None = None
    for choice in choices(work, grid):
        operands = tuple(access_layout(each, work, choice, grid) for each in work.operands)
        results = tuple(access_layout(each, work, choice, grid) for each in work.results)
        size = sum(layout.bytes for layout in (*operands, *results))
        if smallest is not None and size > room and size >= smallest.bytes:
            continue
        cost = kernel(work, choice) + sum(
            operand_cost(access, source, wanted, exchange, weights)
            for access, source, wanted in zip(work.operands, sources, operands, strict=True)
        )
        cost += sum(layout.bytes for layout in results) * weights.activation
        placed = Placed(choice, operands, results, cost, size)
        if smallest is None or size < smallest.bytes:
            smallest = placed
        if size <= room and (best is None or cost < best.cost):
            best = placed
    found = best or smallest
    assert found is not None
    return found
