"""Cost of kernels and exchanges in cycles, from loops, layouts and the target's numbers.

An estimate to compare choices with; modelled time comes from the emitted streams, never from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod

import numpy as np

from dojocc.passes.solve.blocking import GROUP, PARTS, RESTART
from dojocc.passes.solve.collective_costs import POST
from dojocc.passes.solve.relay_estimate import Relaying, relayed_cycles
from dojocc.passes.solve.traffic import Reading, traffic
from dojocc.passes.solve.work import Work
from dojocc.runtime.layout import Layout
from dojocc.runtime.target import Target

KERNEL_START = 60  # call, address set-up, pipeline fill
BLOCK_END = 12  # reading an 8x8 accumulator, epilogue and store
VECTOR_START = 6  # loop set-up and fill of one innermost loop
MERGED = 2  # innermost loops of a reduction that are one: a row of a window and its channels
DETOUR = 2.0
"""What goes round a dead node uses the links of the line beside it, which has as much itself."""


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
    dram_bytes: float = 0.0  # a cycle, from all DIPs together; 0 where there is none
    dram_cycles: int = 0  # from a load's start to its first bytes
    accumulators: int = 1  # blocks of a product's result that are summed side by side
    relaying: Relaying | None = None  # where readers of the same bytes pass them on

    @staticmethod
    def of(target: Target, relay_worth: float = 0.0, accumulators: int = 1) -> Rates:
        """`relay_worth`: exchanges are relayed where that takes at most so many times the cycles of
        pushes; `accumulators`: blocks of a product that are summed side by side."""
        node, mesh, sync = target.node, target.mesh, target.sync
        crossing = round(target.die.edge_ns * 1e-9 * node.clock_hz)
        several = (target.rows, target.cols) != (target.die.rows, target.die.cols)
        dip = min(target.dips.hbm_bytes_per_s, target.dips.mesh_bytes_per_s)
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
            crossing,
            DETOUR if target.dead else 1.0,
            target.dips.count * dip / node.clock_hz,
            ceil(target.dips.hbm_ns * 1e-9 * node.clock_hz) + mesh.message_cycles,
            accumulators,
            Relaying(
                mesh.link_bytes,
                mesh.message_cycles + sync.semaphore_cycles + POST,
                int(mesh.hop_cycles),
                DETOUR if target.dead else 1.0,
                relay_worth,
                (target.die.rows, target.die.cols),
                crossing if several else 0,
            )
            if relay_worth
            else None,
        )


def kernel_cycles(work: Work, blocks: np.ndarray, rates: Rates) -> np.ndarray:
    """Cycles of a node for blocks of the loops, [candidates, loops], in whole units of the machine.

    A block along a unit counts as whole: 8 x 8 x 4 of the matrix unit, 16 lanes of the vector unit.
    """
    kernel = work.kernel
    one = np.ones(len(blocks))

    def take(number: int | None, unit: int) -> np.ndarray:
        return one if number is None else np.ceil(blocks[:, number] / unit)

    def product(numbers: list[int]) -> np.ndarray:
        return blocks[:, numbers].prod(1) if numbers else one

    loops = range(len(work.loops))
    reductions = {number for number in loops if work.loops[number].reduction}
    if kernel.unit == "matrix":
        outer = [n for n in loops if n not in (kernel.rows, kernel.columns, kernel.depth)]
        ends = take(kernel.rows, rates.rows) * take(kernel.columns, rates.columns)
        steps = product(outer) * ends * take(kernel.depth, rates.depth)
        ends = ends * product([n for n in outer if n not in reductions])
        return KERNEL_START + steps + ends * block_end(work, ends, rates)
    rows = product([n for n in loops if n != kernel.lanes and n not in reductions])
    lanes = take(kernel.lanes, rates.lanes)
    points = product([n for n in loops if n != kernel.lanes]) * lanes
    return KERNEL_START + points * kernel.root + rows * (lanes * kernel.weight + VECTOR_START)


def block_end(work: Work, blocks: np.ndarray, rates: Rates) -> np.ndarray:
    """Cycles of a block of a product's result besides its products. Blocks side by side share what
    nothing hides: the loops' starts, and the last sums on their way."""
    if rates.accumulators == 1:
        return np.full(len(blocks), BLOCK_END + PARTS * work.kernel.weight)
    together = np.minimum(np.maximum(blocks, 1), rates.accumulators)
    taps = [loop.size for loop in work.loops if loop.reduction]
    starts = prod(taps[:-MERGED])
    finish = 1 + PARTS * max(1.0, work.kernel.weight)
    return finish + (starts * RESTART + GROUP) / together


@dataclass(frozen=True)
class Moved:
    """What an exchange moves: bytes over the mesh in all, and an estimate of its cycles."""

    bytes: int
    cycles: int


def exchange_cost(
    src: Layout | None, dst: Layout, rates: Rates, reading: Reading | None = None
) -> Moved:
    """Cost of bringing a tensor from one layout to another: every piece straight from its giver, or
    passed on among readers of the same where the target relays and that is clearly cheaper.

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
    moving += way
    if rates.relaying is not None:
        relayed = relayed_cycles(src, dst, reading is None, found, rates.relaying)
        if relayed is not None and relayed <= rates.relaying.worth * moving:
            moving = relayed
    return Moved(found.bytes, ceil(rates.exchange_cycles + moving))


def load_cost(dst: Layout, rates: Rates) -> Moved:
    """Cost of loading every node's part of a tensor from DRAM, all DIPs giving an equal share."""
    start, stop = dst.boxes()
    size = int((stop - start).prod(1).sum()) * dst.item
    return Moved(size, ceil(rates.dram_cycles + size / rates.dram_bytes))


def least_exchange(src: Layout | None, dst: Layout, rates: Rates) -> float:
    """No exchange costs less: what a node of `dst` needs beyond all it holds goes through its port.

    The least that the fullest node can have is what `src` holds on one node.
    """
    held = 0 if src is None else src.bytes
    needed = prod(min(dim.extent, size) for dim, size in zip(dst.dims, dst.shape, strict=True))
    return rates.exchange_cycles + max(needed * dst.item - held, 0) / rates.link_bytes
