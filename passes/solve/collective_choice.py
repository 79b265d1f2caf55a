"""Which algorithm a collective runs: candidates as chains of phases, and cycles by a cost model.

Takes the axes and the bytes; gives the cheapest chains. Cycles of a phase are those of its busiest
resource: ports and links (bytes), the latency of one chain's step, or the thread that adds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

from dojocc.passes.solve.collective_axes import Axis, Phase
from dojocc.passes.solve.collective_costs import POST, Costs, way
from dojocc.passes.solve.collective_estimate import estimate
from dojocc.passes.solve.collectives import (
    LINE,
    Chain,
    flat_chains,
    natural_weights,
)

CHAINS = (1, 2, 3, 4, 6)
KINDS = ("ring", "both", "direct")
"""How a phase may go along its axis."""
ADD_START = 26
"""Cycles of one addition besides its lines: parameters, call, first loads to last store."""
ADDERS = 3
"""Threads that add, each for some of the chains; the vector unit is one."""
MIXED = 1.05
"""How much longer steps take where chains go along different axes: they end at different times."""
CLOSE = 1.05
"""Up to how many times the least cycles candidates on several dies count as about the same."""
SHORTLIST = 12
"""Candidates by plain cost that are looked at more closely."""


@dataclass(frozen=True)
class Shards:
    """How one sharded dimension lies: shards of `slot` bytes up to `limit`, in `outer` rows that
    are `outer_stride` apart in the whole tensor and `own_stride` apart in a shard's buffer."""

    slot: int
    limit: int
    outer: int = 1
    outer_stride: int = 0
    own_stride: int = 0


def flat_candidates(axes: Sequence[Axis], size: int, algorithm: str) -> list[list[Chain]]:
    """Ways to reduce a vector of `size` bytes over `axes` on all nodes.

    Near axes come first, while pieces are large. Of the near ones each order is tried by itself and
    both in turn, so that the small phases of one chain go with the large ones of another.
    """
    near = [axis for axis in axes if axis.hops == 1]
    far = [axis for axis in axes if axis.hops > 1]
    orders = [near + far] + ([near[::-1] + far[::-1]] if len(axes) > 1 else [])
    found = []
    for kinds in phase_kinds(len(axes), algorithm):
        ways = [phases_of(order, kinds) for order in orders]
        for count in CHAINS:
            if size < count * LINE:
                continue
            found += [flat_chains([way] * count, size) for way in ways]
            if len(ways) > 1 and count % 2 == 0:
                found.append(flat_chains(ways * (count // 2), size))
    return found


def sharded_candidates(
    axes: Sequence[Axis], shards: Shards, algorithm: str, reduces: bool
) -> list[list[Chain]]:
    """Ways to scatter or gather along a dimension whose shards `axes` number, the first slowest.

    Chains share the rows outside the dimension, or where there are too few the lines of every
    shard. The axes may be gone through in another order where no shard ends early.
    """
    nodes = prod(axis.size for axis in axes)
    full = shards.limit == nodes * shards.slot
    found = []
    for kinds in phase_kinds(len(axes), algorithm):
        for count in CHAINS:
            for turned in (False, True) if full and len(axes) > 1 else (False,):
                for mixed in (False, True) if turned and count > 1 else (False,):
                    parts = split(shards, axes, count, full)
                    if parts is None:
                        continue
                    chains = []
                    for number, chain in enumerate(parts):
                        back = turned and not (mixed and number % 2)
                        chains.append(ordered(chain, kinds, back))
                    if all(representable(chain, reduces) for chain in chains):
                        found.append(chains)
    return found


def staged_candidates(axes: Sequence[Axis], shards: Shards, algorithm: str) -> list[list[Chain]]:
    """Ways to scatter or gather that go from die to die as one chain, and inside dies as several.

    What a node has of its die's shards is many lines even where a shard is one, so that chains
    inside dies can share them, and go along both axes at once.
    """
    near = [axis for axis in axes if axis.hops == 1]
    far = [axis for axis in axes if axis.hops > 1]
    nodes = prod(axis.size for axis in axes)
    plain = shards.outer == 1 and shards.limit == nodes * shards.slot and shards.slot % LINE == 0
    if list(axes) != near + far or not near or not far or not plain:
        return []
    slot = prod(axis.size for axis in far) * shards.slot
    inside = replace(shards, slot=slot)
    found = []
    for kinds in phase_kinds(len(axes), algorithm):
        phases = phases_of(axes, kinds)
        across = Chain(
            tuple(phases), natural_weights(phases), shards.slot, shards.limit, done=len(near)
        )
        for count in CHAINS[1:]:
            parts = split(inside, near, count, True) or []
            # Short steps first: what ends first then starts first, and chains do not bunch.
            own, odd = kinds[: len(near)], near[0].size >= near[-1].size
            chains = [ordered(part, own, number % 2 == odd) for number, part in enumerate(parts)]
            if chains and all(representable(chain, True) for chain in [*chains, across]):
                found.append([*chains, across])
    return found


def split(
    shards: Shards, axes: Sequence[Axis], count: int, full: bool
) -> list[tuple[Sequence[Axis], Chain]] | None:
    """The dimension's bytes shared by `count` chains; None where they cannot be."""
    phases = tuple(map(Phase, axes))
    whole = Chain(
        phases,
        natural_weights(phases),
        shards.slot,
        shards.limit,
        outer=shards.outer,
        outer_stride=shards.outer_stride,
        own_stride=shards.own_stride,
    )
    if count == 1:
        return [(axes, whole)]
    found = []
    lines = shards.slot // LINE
    for number in range(count):
        if shards.outer >= count:
            first, end = (shards.outer * n // count for n in (number, number + 1))
            base, own = first * shards.outer_stride, first * shards.own_stride
            found.append((axes, replace(whole, outer=end - first, base=base, own_base=own)))
        elif full and lines >= count and shards.slot % LINE == 0 and shards.outer == 1:
            low, high = (lines * n // count * LINE for n in (number, number + 1))
            found.append((axes, replace(whole, low=low, high=high)))
        else:
            return None
    return found


def ordered(part: tuple[Sequence[Axis], Chain], kinds: Sequence[str], back: bool) -> Chain:
    """The chain with its axes in the given or the reverse order, its phases of these kinds."""
    axes, chain = part
    pairs = list(zip(axes, chain.weights, strict=True))
    if back:
        pairs.reverse()
    return replace(
        chain,
        phases=tuple(phases_of([axis for axis, _ in pairs], kinds)),
        weights=tuple(weight for _, weight in pairs),
    )


def representable(chain: Chain, reduces: bool) -> bool:
    """True where every piece fits a list entry's strides (an addition's, where it reduces)."""
    still: dict[int, object] = dict.fromkeys(range(chain.done), 0)
    most = 1 if reduces else 2
    for number in chain.own_phases:
        still[number] = 0
        try:
            levels = chain.region(still).levels  # pyright: ignore[reportArgumentType]
        except ValueError:
            return False
        if len(levels) > most:
            return False
    return True


def phases_of(order: Sequence[Axis], kinds: Sequence[str]) -> list[Phase]:
    return [
        Phase(axis, kind != "direct", kind == "both")
        for axis, kind in zip(order, kinds, strict=True)
    ]


def phase_kinds(axes: int, algorithm: str) -> Iterable[tuple[str, ...]]:
    """By phase, in the order of a reduction: ring, both ways round or direct."""
    return product(KINDS if algorithm == "auto" else (algorithm,), repeat=axes)


def cycles(chains: Sequence[Chain], costs: Costs, reduces: bool, gathers: bool) -> float:
    """Modelled cycles of a collective."""
    longest = max(len(chain.phases) for chain in chains)
    total = float(costs.barrier)
    for number in range(longest):
        phases = [(c, c.phases[number]) for c in chains if number in c.own_phases]
        lines = [piece_bytes(chain, number) / costs.link_bytes for chain, _ in phases]
        kinds = [phase for _, phase in phases]
        total += phase_cycles(kinds, lines, costs, True) if reduces else 0.0
        total += phase_cycles(kinds, lines, costs, False) if gathers else 0.0
    return total


def piece_bytes(chain: Chain, number: int) -> float:
    """Bytes of the pieces that a phase of a reduction passes on, the largest."""
    done = prod(phase.axis.size for phase in chain.phases[: number + 1])
    return chain.nodes / done * (chain.end - chain.low) * chain.outer


def phase_cycles(
    phases: Sequence[Phase], lines: Sequence[float], costs: Costs, adds: bool
) -> float:
    """One phase of all chains side by side."""
    far = max(way(p, costs) for p in phases)
    latency = costs.message + far + costs.semaphore + costs.entry + POST
    ring = [(p, n * (1 + p.both)) for p, n in zip(phases, lines, strict=True) if p.ring]
    direct = [(p.axis, n) for p, n in zip(phases, lines, strict=True) if not p.ring]
    total = 0.0
    if ring:
        steps = max(p.steps for p, _ in ring)
        alone = max(n * (2 if adds else 1) for _, n in ring) + latency + adds * ADD_START
        port = sum(n for _, n in ring)
        link = most_loaded([(p.axis, p.axis.hops * n) for p, n in ring], costs)
        work = adding([n + ADD_START for _, n in ring], port) if adds else 0.0
        mixed = MIXED if len({p.axis for p, _ in ring}) > 1 else 1.0
        total += steps * max(alone, port, link, work) * mixed
    if direct:
        port = sum((axis.size - 1) * n for axis, n in direct)
        middle = [(axis, axis.size // 2 * (axis.size - axis.size // 2) * n) for axis, n in direct]
        link = most_loaded([(axis, axis.hops * load) for axis, load in middle], costs)
        entries = sum(axis.size - 1 for axis, _ in direct) * costs.entry
        each = [(axis.size - 1) * (n + ADD_START) for axis, n in direct]
        work = adding(each, port) if adds else 0.0
        total += max(port, link, entries) + latency + work
    return total


def adding(work: Sequence[float], lines: float) -> float:
    """Cycles that the threads need for their chains' additions, and the vector unit for all."""
    return max(lines, *(sum(work[number::ADDERS]) for number in range(ADDERS)))


def most_loaded(loads: Sequence[tuple[Axis, float]], costs: Costs) -> float:
    """Cycles of the busiest link, for lines by axis: axes of one direction share their links."""
    total = [0.0, 0.0]
    for axis, load in loads:
        total[along_row(axis)] += load
    return max(map(float.__mul__, total, costs.detours)) / costs.share


def along_row(axis: Axis) -> bool:
    """True for an axis on which a row's nodes lie: its neighbours are `hops` nodes apart."""
    return axis.stride == axis.hops


def cheapest(
    candidates: Sequence[list[Chain]],
    blocks: Sequence[list[Chain]],
    costs: Costs,
    reduces: bool,
    gathers: bool,
) -> tuple[list[Chain], float]:
    """The first of the cheapest, and its cycles. Of the candidates those that cost least phase by
    phase are played step by step; blocks all are.

    Of those that cost about the same where nodes are dead, the one of most chains: nodes beside
    dead ones run behind, which the play on one node for all does not see, and with more chains the
    others wait less for them. Not of gathers on one die: these got slower by it."""
    order = sorted(candidates, key=lambda chains: cycles(chains, costs, reduces, gathers))
    few = [*order[:SHORTLIST], *blocks]
    found = [(estimate(each, costs, reduces, gathers, ADDERS), n) for n, each in enumerate(few)]
    least, number = min(found)
    if max(costs.detours) > 1 and (reduces or costs.crossing):
        close = [each for each in found if each[0] <= CLOSE * least]
        least, number = min(close, key=lambda each: (-len(few[each[1]]), each))
    return few[number], least
