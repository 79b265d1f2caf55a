"""Collectives as schedules: which node pushes which bytes to whom, and which additions follow.

Takes the grid's axes and how shards lie in the buffers; gives tables of moves and of additions
(runtime/segments.py). A schedule is made of chains that run side by side, each of steps: the moves
of a step read what the step before has left, its additions take what its moves have brought.

Every buffer holds the same elements at the same place on all nodes, so a piece is one region:

- OPERAND: what a node contributes (the whole vector for reductions, its own shard for a gather);
- WORK: the whole vector, where partial sums grow and where the gathered result stands;
- STAGING: what arrives for an addition whose place in WORK is taken;
- SHARD: a reduce-scatter's result.

How a phase goes along its axis is solve/collective_phases.py's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np

from dojocc.passes.solve.collective_axes import Phase
from dojocc.runtime.segments import ADD_DTYPE, MOVE_DTYPE

OPERAND, WORK, STAGING, SHARD = range(4)
LINE = 64
"""Bytes of a vector register: additions run over whole ones."""

Positions = dict[int, np.ndarray]
"""By the number of a phase, the position along its axis, [nodes]."""


@dataclass(frozen=True)
class Region:
    """Runs of bytes [nodes] at offsets [nodes], `levels` of (count, stride) times."""

    offset: np.ndarray
    bytes: np.ndarray
    run: int
    levels: tuple[tuple[int, int], ...]

    @property
    def packed(self) -> int:
        """Bytes of the largest one, without gaps."""
        return self.run * prod(count for count, _ in self.levels)


@dataclass(frozen=True)
class Chain:
    """The part of a collective that one chain of steps moves, in shards.

    `phases` stand in the order of a reduce-scatter; a gather runs them backwards. The shard of a
    node is number sum(position * weight). Shard s is the bytes [low, high) of a slot of `slot`
    bytes at base + s * slot of WORK, as far as `limit` goes, in `outer` rows `outer_stride` apart.
    A buffer of one shard has its rows `own_stride` apart, the first at `own_base`. `done`: so many
    phases are other chains' work, which a reduction does before and a gather after this chain's.
    `span`: only shards of these positions along the last phase's axis, which is then gone along
    directly. `begin`: steps of other chains that go before this one's first. `stop`: the number of
    the first phase that other chains go through after it.
    """

    phases: tuple[Phase, ...]
    weights: tuple[int, ...]
    slot: int
    limit: int
    base: int = 0
    low: int = 0
    high: int | None = None
    outer: int = 1
    outer_stride: int = 0
    own_stride: int = 0
    own_base: int = 0
    staging: int = 0
    done: int = 0
    span: tuple[int, int] | None = None
    begin: int = 0
    stop: int | None = None

    def __post_init__(self) -> None:
        if len(self.phases) != len(self.weights) or not self.phases:
            raise ValueError("a chain needs phases, each with a weight")
        if not 0 <= self.low <= self.end <= self.slot:
            raise ValueError(f"a chain's bytes {self.low}..{self.high} leave its slot {self.slot}")

    @property
    def end(self) -> int:
        return self.slot if self.high is None else self.high

    @property
    def nodes(self) -> int:
        return prod(phase.axis.size for phase in self.phases)

    def positions(self, number: int) -> tuple[int, int]:
        """From which to before which position along a phase's axis shards are this chain's."""
        if self.span is not None and number == len(self.phases) - 1:
            return self.span
        return 0, self.phases[number].axis.size

    @property
    def own_phases(self) -> range:
        """Numbers of the phases that this chain goes through."""
        return range(self.done, len(self.phases) if self.stop is None else self.stop)

    def region(self, fixed: Positions) -> Region:
        """Where the shards lie whose positions along some phases are given: in WORK."""
        run, levels, start = self.end - self.low, [], self.low
        whole = run == self.slot
        free = [number for number in range(len(self.phases)) if number not in fixed]
        for number in sorted(free, key=lambda number: self.weights[number]):
            first, end = self.positions(number)
            size, step = end - first, self.weights[number] * self.slot
            start += first * step
            if whole and step == run:
                run *= size
            elif levels and levels[-1][0] * levels[-1][1] == step:
                levels[-1] = (levels[-1][0] * size, levels[-1][1])
            else:
                levels.append((size, step))
                whole = False
        place = sum((fixed[n] * self.weights[n] for n in sorted(fixed)), np.zeros((), np.int64))
        start = place * self.slot + start
        if levels and self.limit < self.nodes * self.slot:
            raise ValueError("shards that end early have to lie in the order of the phases")
        size = np.clip(self.limit - start, 0, run)
        last = len(self.phases) - 1
        if last in fixed:
            first, end = self.positions(last)
            size = np.where((fixed[last] >= first) & (fixed[last] < end), size, 0)
        if self.outer > 1:
            levels.append((self.outer, self.outer_stride))
        return Region(self.base + start, size, run, tuple(levels))

    def own(self, fixed: Positions) -> Region:
        """The same region of one shard in a buffer that holds nothing else."""
        there = self.region(fixed)
        levels = ((self.outer, self.own_stride),) if self.outer > 1 else ()
        return replace(
            there, offset=np.full_like(there.offset, self.own_base + self.low), levels=levels
        )

    def staged(self, piece: Region, slot: int, offset: int) -> Region:
        """Where a piece that arrives is kept: without gaps, in one of several slots."""
        levels, step = [], piece.run
        for count, _ in piece.levels:
            levels.append((count, step))
            step *= count
        place = np.full_like(piece.offset, self.staging + offset + slot * padded(piece.packed))
        return replace(piece, offset=place, levels=tuple(levels))


@dataclass(frozen=True, eq=False)
class Schedule:
    """A collective on plain data. `staging` is the bytes of the STAGING buffer."""

    moves: np.ndarray
    adds: np.ndarray
    staging: int

    @property
    def steps(self) -> int:
        """Steps of the longest chain."""
        return int(self.moves["step"].max(initial=0)) + 1

    @property
    def lists(self) -> int:
        """Steps of all chains."""
        return len(np.unique(self.moves["chain"].astype(np.int64) << 32 | self.moves["step"]))


@dataclass(eq=False)
class Writer:
    """The tables of one chain under construction."""

    chain: Chain
    number: int
    nodes: np.ndarray
    step: int = 0
    moves: list[np.ndarray] = field(default_factory=list)
    adds: list[np.ndarray] = field(default_factory=list)

    def move(
        self,
        source: int,
        src: Region,
        destination: int,
        dst: Region,
        to: np.ndarray,
        lane: int = 0,
    ) -> None:
        """Every node pushes a region of its own into a region of `to`."""
        rows = np.zeros(len(self.nodes), MOVE_DTYPE)
        rows["chain"], rows["step"], rows["lane"] = self.number, self.step, lane
        rows["src_node"], rows["dst_node"] = self.nodes, to
        rows["source"], rows["destination"] = source, destination
        rows["src"], rows["dst"], rows["bytes"] = src.offset, dst.offset, src.bytes
        rows["count0"] = rows["count1"] = 1
        if len(src.levels) > 2:
            raise ValueError("a piece has more gaps than a list entry has strides")
        for level, (here, there) in enumerate(zip(src.levels, dst.levels, strict=True)):
            rows[f"count{level}"] = here[0]
            rows[f"src_stride{level}"], rows[f"dst_stride{level}"] = here[1], there[1]
        self.moves.append(rows[rows["bytes"] > 0])

    def add(
        self,
        into: tuple[int, Region],
        left: tuple[int, Region],
        right: tuple[int, Region],
        turn: int = 0,
        terms: tuple[int, int] = (1, 0),
    ) -> None:
        """Every node: into = left + right; `terms`: how many of left, and the bytes between."""
        rows = np.zeros(len(self.nodes), ADD_DTYPE)
        rows["terms"], rows["term_stride"] = terms
        rows["chain"], rows["step"], rows["turn"] = self.number, self.step, turn
        rows["node"], rows["bytes"], rows["count"] = self.nodes, into[1].bytes, 1
        for name, (buffer, region) in (("into", into), ("left", left), ("right", right)):
            rows[f"{name}_buffer"], rows[name] = buffer, region.offset
            if len(region.levels) > 1:
                raise ValueError("a piece has more gaps than an addition has strides")
            for count, stride in region.levels:
                rows["count"], rows[f"{name}_stride"] = count, stride
        self.adds.append(rows[rows["bytes"] > 0])


def padded(size: int) -> int:
    return -(-size // LINE) * LINE


def copies(nodes: int, size: int, destination: int) -> Schedule:
    """Every node copies its operand: what is left of a collective among one node each."""
    rows = np.zeros(nodes, MOVE_DTYPE)
    rows["src_node"] = rows["dst_node"] = np.arange(nodes)
    rows["source"], rows["destination"], rows["bytes"] = OPERAND, destination, size
    rows["count0"] = rows["count1"] = 1
    return Schedule(rows, np.zeros(0, ADD_DTYPE), 0)


def natural_weights(phases: Sequence[Phase]) -> tuple[int, ...]:
    """Shards numbered with the first phase's position as the slowest digit."""
    sizes = [phase.axis.size for phase in phases]
    return tuple(prod(sizes[number + 1 :]) for number in range(len(sizes)))


def flat_chains(orders: Sequence[Sequence[Phase]], size: int) -> list[Chain]:
    """Chains that share `size` bytes of a vector evenly, each with phases of its own: all-reduce.

    Which node reduces which shard is nobody's business, so each chain numbers them as suits it.
    """
    lines = -(-size // LINE)
    chains = []
    for number, phases in enumerate(orders):
        shards = prod(phase.axis.size for phase in phases)
        unit = shards if lines >= shards * len(orders) else 1  # so that only the last is ragged
        units = -(-lines // unit)
        ends = (units * n // len(orders) * unit for n in (number, number + 1))
        first, end = (min(each, lines) for each in ends)
        if end == first:
            continue
        slot = -(-(end - first) // shards) * LINE
        limit = min(end * LINE, size) - first * LINE
        weights = natural_weights(phases)
        chains.append(Chain(tuple(phases), weights, slot, limit, first * LINE))
    return chains
