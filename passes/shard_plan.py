"""The sharding plan of one function: a layout for every value, and the copies in other layouts.

Reads the IR and decides; writes nothing. passes/shard_realise.py turns a plan into ops.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from xdsl.dialects.builtin import f32
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Block, Operation, SSAValue

from dojocc.dialects.location import describe
from dojocc.dialects.mesh import STORAGE
from dojocc.dialects.op import NNOp
from dojocc.passes.cost import Rates, exchange_cost, kernel_cycles
from dojocc.passes.movement import is_kernel, is_movement, movement_sources, reading_from
from dojocc.passes.shard_work import Formats, is_constant, make_work
from dojocc.passes.solve.sharding import (
    Placed,
    Source,
    Weights,
    candidates,
    choose,
    fits,
    is_brought,
    near_spread,
    needs_zero_rows,
)
from dojocc.passes.solve.traffic import Reading
from dojocc.passes.solve.work import Access, Grid, Work, spread_work
from dojocc.runtime.errors import UnsupportedError
from dojocc.runtime.layout import Layout


@dataclass(frozen=True)
class Copy:
    """A value in a layout other than its own: an exchange makes it, or an image (of a constant)."""

    value: SSAValue
    layout: Layout
    zero_dims: tuple[int, ...] = (-1,)
    image: bool = False


@dataclass
class Plan:
    """`homes`: the layout a value is made in; `reads[op]`: a Copy by operand, or None for home."""

    grid: Grid
    kernels: dict[Operation, Placed] = field(default_factory=dict)
    homes: dict[SSAValue, Layout] = field(default_factory=dict)
    reads: dict[Operation, list[Copy | None]] = field(default_factory=dict)
    copies: dict[Copy, None] = field(default_factory=dict)


@dataclass
class Known:
    """What plans of one function share: an op's work, candidates of equal work, exchange costs."""

    works: dict[tuple[Operation, str], Work] = field(default_factory=dict)
    offered: dict[tuple[Work, Grid], tuple[Placed, ...]] = field(default_factory=dict)
    moved: dict[tuple[Layout | None, Layout, Reading | None], int] = field(default_factory=dict)
    readings: dict[tuple[SSAValue, SSAValue], Reading | None] = field(default_factory=dict)
    spreads: dict[Work, dict[Layout, Layout]] = field(default_factory=dict)


@dataclass(frozen=True)
class Planner:
    """What a plan is made for."""

    grid: Grid
    rates: Rates
    room: int  # bytes that one kernel's activations may take
    weights: Weights = Weights()
    formats: Formats = field(default_factory=lambda: STORAGE)
    known: Known = field(default_factory=Known, compare=False)

    def plan(self, block: Block) -> Plan:
        """Choose for each kernel in order; movement is left to the kernels that want its result."""
        plan = Plan(self.grid)
        for op in block.ops:
            if isinstance(op, ReturnOp):
                plan.reads[op] = [self._returned(plan, value) for value in op.operands]
            elif isinstance(op, NNOp):
                if is_kernel(op):
                    self._kernel(plan, op)
            else:
                raise UnsupportedError(
                    f"{op.name} cannot be sharded",
                    where=describe(op),
                    help="run the nn passes up to fuse first",
                )
        return plan

    def _kernel(self, plan: Plan, op: NNOp) -> None:
        work = self._work(op)
        sources = tuple(self._source(plan, value) for value in op.operands)
        offered = self._offered(work)
        placed = choose(work, offered, sources, self._exchange, self.weights, self.room)
        plan.kernels[op] = placed
        plan.reads[op] = [
            self._read(plan, value, source, access, layout)
            for value, source, access, layout in zip(
                op.operands, sources, work.operands, placed.operands, strict=True
            )
        ]
        plan.homes.update(zip(op.results, placed.results, strict=True))

    def _work(self, op: NNOp) -> Work:
        key = op, self.formats[f32]
        if key not in self.known.works:
            self.known.works[key] = make_work(op, self.formats)
        return self.known.works[key]

    def _offered(self, work: Work) -> tuple[Placed, ...]:
        key = work, self.grid
        if key not in self.known.offered:
            self.known.offered[key] = candidates(
                work,
                self.grid,
                lambda each, choice: kernel_cycles(each, choice, self.grid, self.rates),
            )
        return self.known.offered[key]

    def _exchange(self, src: Layout | None, dst: Layout, reading: Reading | None) -> float:
        key = src, dst, reading
        if key not in self.known.moved:
            self.known.moved[key] = exchange_cost(src, dst, self.rates, reading).cycles
        return self.known.moved[key]

    def _source(self, plan: Plan, value: SSAValue) -> Source:
        if is_constant(value):
            return Source("constant", spread=self._near(plan, value))
        if value in plan.homes:
            return Source("held", plan.homes[value])
        if is_movement(value.owner):
            known = [base for base in movement_sources(value) if base in plan.homes]
            largest = max(known, key=lambda base: plan.homes[base].bytes, default=None)
            if largest is None:
                return Source("moved")
            return Source("moved", plan.homes[largest], reading=self._reading(value, largest))
        return Source("free")

    def _reading(self, value: SSAValue, base: SSAValue) -> Reading | None:
        key = value, base
        if key not in self.known.readings:
            self.known.readings[key] = reading_from(value, base)
        return self.known.readings[key]

    def _read(
        self, plan: Plan, value: SSAValue, source: Source, access: Access, wanted: Layout
    ) -> Copy | None:
        """How a kernel reads an operand; an input without a layout takes the one wanted here."""
        zero_dims = (-1,)
        if access.depth_dim is not None and access.depth_dim != len(access.shape) - 1:
            zero_dims = (access.depth_dim, -1)
        if is_constant(value):
            brought = is_brought(source, wanted, self._exchange, self.weights)
            if brought:
                plan.homes.setdefault(value, self._near(plan, value)(wanted))
            return self._copy(plan, Copy(value, wanted, zero_dims, image=not brought))
        free = value not in plan.homes and not is_movement(value.owner)
        if free:
            plan.homes[value] = wanted
            return None
        from_host = isinstance(value.owner, Block)
        if value in plan.homes and fits(plan.homes[value], wanted):
            if from_host or not needs_zero_rows(access):
                return None
        return self._copy(plan, Copy(value, wanted, zero_dims))

    def _copy(self, plan: Plan, copy: Copy) -> Copy:
        """Reuse a copy that is good enough; make sure that the sources of a new one have homes."""
        for known in plan.copies:
            same = known.value is copy.value and known.image == copy.image
            if (
                same
                and set(copy.zero_dims) <= set(known.zero_dims)
                and fits(known.layout, copy.layout)
            ):
                return known
        plan.copies[copy] = None
        for base in copy_sources(copy):
            if base not in plan.homes:
                plan.homes[base] = self._spread(base)
        return copy

    def _returned(self, plan: Plan, value: SSAValue) -> Copy | None:
        """Results are given back as made; movement and constants are spread over the nodes."""
        if value in plan.homes:
            return None
        if is_constant(value) or is_movement(value.owner):
            return self._copy(plan, Copy(value, self._spread(value), image=is_constant(value)))
        plan.homes[value] = self._spread(value)
        return None

    def _near(self, plan: Plan, value: SSAValue) -> Callable[[Layout], Layout]:
        """How a constant is kept spread over the nodes, by the layout in which it is wanted."""
        if value in plan.homes:
            home = plan.homes[value]
            return lambda wanted: home
        work = self._spread_work(value)
        known = self.known.spreads.setdefault(work, {})

        def near(wanted: Layout) -> Layout:
            if wanted not in known:
                spreads = [each.results[0] for each in self._offered(work)]
                known[wanted] = near_spread(spreads, wanted)
            return known[wanted]

        return near

    def _spread(self, value: SSAValue) -> Layout:
        """A layout that shares a tensor out evenly, where no kernel makes it or reads it first."""
        work = self._spread_work(value)
        offered = self._offered(work)
        return choose(work, offered, (), self._exchange, Weights(), self.room).results[0]

    def _spread_work(self, value: SSAValue) -> Work:
        kind = value.type
        shape = tuple(kind.get_shape())  # pyright: ignore[reportAttributeAccessIssue]
        fmt = self.formats[kind.element_type]  # pyright: ignore[reportAttributeAccessIssue]
        return spread_work(shape, fmt)


def copy_sources(copy: Copy) -> list[SSAValue]:
    """What an exchange for this copy reads; nothing for a constant's image."""
    if copy.image:
        return []
    return movement_sources(copy.value) if is_movement(copy.value.owner) else [copy.value]
