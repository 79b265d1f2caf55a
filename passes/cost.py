"""Cost of kernels and exchanges in cycles, from loops, layouts and the target's numbers.

An estimate to compare choices with; modelled time comes from the emitted streams, never from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod

from dojocc.passes.solve.traffic import Reading, traffic
from dojocc.passes.solve.work import Choice, Grid, Work, block
from dojocc.runtime.layout import Layout
from dojocc.runtime.target import Target

KERNEL_START = 60  # call, address set-up, pipeline fill
BLOCK_END = 12  # reading an 8x8 accumulator, epilogue and store
VECTOR_START = 6  # loop set-up and fill of one innermost loop
DETOUR = 2.0
"""What goes round a dead node uses the links of the line beside it, which has as much of its own."""


@dataclass(frozen=True)
class Rates:
    """What the cost model needs of a target."""

    rows: int
    columns: int
    depth: int
    lanes: int
    link_bytes: int
    hop_cycles: int
    entry_cycles: int
    exchange_cycles: int  # barrier, list start and semaphores of one exchange
    usable_share: float = 1.0
    die: tuple[int, int] = (1, 1)
    crossing_cycles: int = 0  # what a hop from one die to the next takes more
    detour: float = 1.0  # load of the busiest link over what it is with no node dead

    @staticmethod
    def of(target: Target) -> Rates:
        node, mesh, sync = target.node, target.mesh, target.sync
        return Rates(
            node.matrix_rows,
            node.matrix_cols,
            node.matrix_depth,
            node.vector_lanes,
            mesh.link_bytes,
            mesh.hop_cycles,
            mesh.entry_cycles,
            sync.region_barrier_cycles + mesh.message_cycles + 2 * sync.semaphore_cycles,
            mesh.usable_share,
            (target.die.rows, target.die.cols),
            round(target.die.edge_ns * 1e-9 * node.clock_hz),
            DETOUR if target.dead else 1.0,
        )


def kernel_cycles(work: Work, choice: Choice, grid: Grid, rates: Rates) -> float:
    """Cycles of the busiest node."""
    local = [
        min(block(loop, choice.shards(number, grid)), loop.size)
        for number, loop in enumerate(work.loops)
    ]
    kernel = work.kernel

    def take(number: int | None, unit: int) -> int:
        if number is None:
            return 1
        return ceil(local[number] / unit)

    if kernel.unit == "matrix":
        along = {kernel.rows, kernel.columns, kernel.depth}
        outer = prod(size for number, size in enumerate(local) if number not in along)
        blocks = take(kernel.rows, rates.rows) * take(kernel.columns, rates.columns)
        steps = outer * blocks * take(kernel.depth, rates.depth)
        reduced = prod(
            size
            for number, (size, loop) in enumerate(zip(local, work.loops, strict=True))
            if number not in along and loop.reduction
        )
        ends = blocks * outer / max(reduced, 1)
        return KERNEL_START + steps + ends * (BLOCK_END + 4 * kernel.weight)
    rows = prod(
        size
        for number, (size, loop) in enumerate(zip(local, work.loops, strict=True))
        if number != kernel.lanes and not loop.reduction
    )
    lanes = take(kernel.lanes, rates.lanes)
    points = prod(size for number, size in enumerate(local) if number != kernel.lanes) * lanes
    return KERNEL_START + points * kernel.root + rows * (lanes * kernel.weight + VECTOR_START)


@dataclass(frozen=True)
class Moved:
    """What an exchange moves: bytes over the mesh in all, and an estimate of its cycles."""

    bytes: int
    cycles: int


def exchange_cost(
    src: Layout | None, dst: Layout, rates: Rates, reading: Reading | None = None
) -> Moved:
    """Cost of bringing a tensor from one layout to another, every piece straight from its giver.

    By the busiest port, the busiest link and the node that starts the most transfers, as the timing
    model has them; whole packets of a typical transfer are counted. `src` is None where the source
    is not known.
    """
    found = traffic(src, dst, reading)
    packets = 1.0
    if found.bytes:
        packets = ceil(found.piece / rates.link_bytes) * rates.link_bytes / found.piece
    busiest = max(found.port, found.link * rates.detour / rates.usable_share) * packets
    moving = max(busiest / rates.link_bytes, found.sent * rates.entry_cycles)
    moving = max(moving, found.kept / rates.link_bytes)
    way = sum(found.hops) * rates.hop_cycles
    for hops, size in zip(found.hops, rates.die, strict=True):
        way += hops // size * rates.crossing_cycles
    return Moved(found.bytes, ceil(rates.exchange_cycles + moving + way))
