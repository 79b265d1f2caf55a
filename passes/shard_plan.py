"""The sharding plan of one function: a layout for every value, and the copies in other layouts.

Reads the IR and decides; writes nothing. passes/shard_realise.py turns a plan into ops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np
from xdsl.dialects.builtin import TensorType, f32
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Block, Operation, SSAValue

from dojocc.dialects.location import describe
from dojocc.dialects.mesh import STORAGE
from dojocc.dialects.op import NNOp
from dojocc.passes.cost import Rates, exchange_cost, kernel_cycles, least_exchange
from dojocc.passes.movement import is_kernel, is_movement, movement_sources, reading_from
from dojocc.passes.shard_copy import Copy, Plan, copy_sources
from dojocc.passes.shard_work import Formats, is_constant, make_work
from dojocc.passes.solve.candidates import Machine, Placed, Way, aligned, owner_computes
from dojocc.passes.solve.families import along_lines
from dojocc.passes.solve.search import Costs, KnownSteps, Node, Operand, least_cost, search
from dojocc.passes.solve.sharding import (
    Source,
    Weights,
    choose,
    fits,
    is_brought,
    near_spread,
    needs_zero_rows,
    operand_cost,
    shared_out_further,
)
from dojocc.passes.solve.traffic import Reading
from dojocc.passes.solve.work import Access, Work, spread_work
from dojocc.runtime.errors import UnsupportedError
from dojocc.runtime.layout import Layout

HOST_SPARE = 1.5
"""How much larger than need be an input's share of a node may be, to lie near its readers."""


@dataclass
class Known:
    """What plans of one function share: works, candidates of equal work, exchange costs.

    Equal layouts and works are one object, so that costs are remembered by identity.
    """

    layouts: dict[Layout, Layout] = field(default_factory=dict)
    works: dict[tuple[Operation, str], Work] = field(default_factory=dict)
    equal: dict[Work, Work] = field(default_factory=dict)
    offered: dict[tuple, list[Placed]] = field(default_factory=dict)
    ranked: dict[tuple, list[tuple[float, Placed]]] = field(default_factory=dict)
    moved: dict[tuple[int, int, int], int] = field(default_factory=dict)
    constants: dict[tuple, tuple[float, bool]] = field(default_factory=dict)
    readings: dict[tuple[SSAValue, SSAValue], Reading | None] = field(default_factory=dict)
    alike: dict[tuple, Reading] = field(default_factory=dict)
    steps: KnownSteps = field(default_factory=dict)
    spreads: dict[tuple[Work, Weights | None], dict[Layout, Layout]] = field(default_factory=dict)
    nodes: dict[str, list[Node]] = field(default_factory=dict)
    places: dict[Operation, int] = field(default_factory=dict)
    asked: dict[int, tuple] = field(default_factory=dict)

    def one(self, layout: Layout) -> Layout:
        """The one object for a layout."""
        return self.layouts.setdefault(layout, layout)


@dataclass(frozen=True)
class Planner:
    """What a plan is made for. `ways` offer candidates; `width` is that of the search's beam."""

    machine: Machine
    rates: Rates
    room: int  # bytes that one kernel's activations may take
    weights: Weights = Weights()
    formats: Formats = field(default_factory=lambda: STORAGE)
    width: int = 2
    copies: bool = False  # constants that are brought may be kept in several copies
    ways: tuple[Way, ...] = (owner_computes,)
    known: Known = field(default_factory=Known, compare=False)

    def plan(self, block: Block) -> Plan:
        """Choose for all kernels; movement is left to the kernels that want its result."""
        chosen = self._chosen(block)
        plan = Plan(self.machine.grid, self.weights)
        for op in block.ops:
            if isinstance(op, ReturnOp):
                plan.reads[op] = [self._returned(plan, value) for value in op.operands]
            elif is_kernel(op):
                assert isinstance(op, NNOp)
                self._kernel(plan, op, chosen[op])
        return plan

    def _chosen(self, block: Block) -> dict[Operation, Placed]:
        """The search's candidate for each kernel."""
        kernels = [op for op in block.ops if is_kernel(op)]
        fmt = self.formats[f32]
        if fmt not in self.known.nodes:
            self.known.nodes[fmt] = graph_nodes(block, self.work_of, self.reading)
        self.known.places.update((op, number) for number, op in enumerate(kernels))
        line = search(self.known.nodes[fmt], self._costs(), self.width)
        return dict(zip(kernels, line, strict=True))

    def _costs(self) -> Costs:
        return Costs(
            self._offers,
            self._constant,
            self.exchange,
            self._least,
            self.weights,
            self.room,
            self.known.steps,
        )

    def _kernel(self, plan: Plan, op: NNOp, placed: Placed) -> None:
        work = self.work_of(op)
        sources = tuple(self._source(plan, value) for value in op.operands)
        plan.kernels[op] = placed
        plan.reads[op] = [
            self._read(plan, value, source, access, layout)
            for value, source, access, layout in zip(
                op.operands, sources, work.operands, placed.operands, strict=True
            )
        ]
        plan.homes.update(zip(op.results, placed.results, strict=True))

    def work_of(self, op: NNOp) -> Work:
        key = op, self.formats[f32]
        if key not in self.known.works:
            work = make_work(op, self.formats)
            self.known.works[key] = self.known.equal.setdefault(work, work)
        return self.known.works[key]

    def _cycles(self, work: Work, blocks: np.ndarray) -> np.ndarray:
        return kernel_cycles(work, blocks, self.rates)

    def offered(self, work: Work) -> list[Placed]:
        """All candidates that depend on the kernel alone."""
        key = id(work), self.machine, self.ways
        if key not in self.known.offered:
            found = [each for way in self.ways for each in way(work, self.machine, self._cycles)]
            self.known.offered[key] = self._once(found)
        return self.known.offered[key]

    def _offers(self, node: Node, layouts: tuple[Layout | None, ...]) -> list[tuple[float, Placed]]:
        """Candidates of a node with those that read what is there as it lies, cheapest first."""
        key = id(node.work), self.machine, self.ways, self.weights, tuple(map(id, layouts))
        if key not in self.known.ranked:
            found = list(self.offered(node.work))
            for number, (operand, layout) in enumerate(zip(node.operands, layouts, strict=True)):
                if operand.kind == "value" and layout is not None:
                    found += aligned(node.work, number, layout, self.machine, self._cycles)
            costs = self._costs()
            rows = [(least_cost(node, layouts, each, costs), each) for each in self._once(found)]
            self.known.ranked[key] = sorted(rows, key=lambda row: row[0])
        self.known.asked[id(node)] = key
        return self.known.ranked[key]

    def offers_for(self, op: Operation) -> list[Placed]:
        """The candidates that the last search had for a kernel, by what they cost at least."""
        nodes = self.known.nodes[self.formats[f32]]
        node = nodes[self.known.places[op]]
        key = self.known.asked[id(node)]
        return [placed for _, placed in self.known.ranked[key]]

    def _once(self, found: Sequence[Placed]) -> list[Placed]:
        """Each candidate once, its layouts the objects that stand for them."""
        one = self.known.one
        unique = {
            (each.operands, each.results, each.way): replace(
                each,
                operands=tuple(map(one, each.operands)),
                results=tuple(map(one, each.results)),
            )
            for each in found
        }
        return list(unique.values())

    def exchange(self, src: Layout | None, dst: Layout, reading: Reading | None) -> float:
        src, dst = None if src is None else self.known.one(src), self.known.one(dst)
        key = id(src), id(dst), id(reading)
        if key not in self.known.moved:
            self.known.moved[key] = exchange_cost(src, dst, self.rates, reading).cycles
        return self.known.moved[key]

    def _least(self, src: Layout | None, dst: Layout) -> float:
        return least_exchange(src, dst, self.rates)

    def _constant(self, node: Node, number: int, wanted: Layout) -> tuple[float, bool]:
        """Cost of a constant in a layout: kept so, or spread over the nodes and brought."""
        access = node.work.operands[number]
        key = access, id(wanted), self.weights
        if key not in self.known.constants:
            source = Source("constant", spread=self.near_spread(access.shape, access.fmt))
            cost = operand_cost(access, source, wanted, self.exchange, self.weights)
            brought = is_brought(source, wanted, self.exchange, self.weights)
            self.known.constants[key] = cost, brought
        return self.known.constants[key]

    def _source(self, plan: Plan, value: SSAValue) -> Source:
        if is_constant(value):
            return Source("constant", spread=self.kept_near(plan, value))
        if value in plan.homes:
            return Source("held", plan.homes[value])
        if is_movement(value.owner):
            known = [base for base in movement_sources(value) if base in plan.homes]
            largest = max(known, key=lambda base: plan.homes[base].bytes, default=None)
            if largest is None:
                return Source("moved")
            return Source("moved", plan.homes[largest], reading=self.reading(value, largest))
        return Source("free")

    def reading(self, value: SSAValue, base: SSAValue) -> Reading | None:
        key = value, base
        if key not in self.known.readings:
            found = reading_from(value, base)
            if found is not None:  # equal ones are one object, as layouts are
                found = self.known.alike.setdefault(found.key(), found)
            self.known.readings[key] = found
        return self.known.readings[key]

    def _read(
        self, plan: Plan, value: SSAValue, source: Source, access: Access, wanted: Layout
    ) -> Copy | None:
        """How a kernel reads an operand; an input without a layout takes the one wanted here."""
        zero_dims = (-1,)
        if access.depth_dim is not None and access.depth_dim != len(access.shape) - 1:
            zero_dims = (access.depth_dim, -1)
        if is_constant(value):
            brought = is_brought(source, wanted, self.exchange, self.weights)
            if brought:
                plan.homes.setdefault(value, self.kept_near(plan, value)(wanted))
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
                plan.homes[base] = self._spread_for(base, copy)
        return copy

    def _returned(self, plan: Plan, value: SSAValue) -> Copy | None:
        """Results are given back as made; movement and constants are spread over the nodes."""
        if value in plan.homes:
            return None
        if is_constant(value) or is_movement(value.owner):
            return self._copy(plan, Copy(value, self._spread(value), image=is_constant(value)))
        plan.homes[value] = self._spread(value)
        return None

    def kept_near(self, plan: Plan, value: SSAValue) -> Callable[[Layout], Layout]:
        """How a constant is kept spread over the nodes, by the layout in which it is wanted."""
        if value in plan.homes:
            home = plan.homes[value]
            return lambda wanted: home
        return self.near_spread(*self._shape_of(value))

    def near_spread(self, shape: tuple[int, ...], fmt: str) -> Callable[[Layout], Layout]:
        """The same for a tensor of which no part is placed yet."""
        work = self._spread_work(shape, fmt)
        known = self.known.spreads.setdefault((work, self.weights if self.copies else None), {})

        def price(each: Layout, wanted: Layout) -> float:
            return self.exchange(each, wanted, None) + each.bytes * self.weights.resident

        def near(wanted: Layout) -> Layout:
            if wanted not in known:
                spreads = [each.results[0] for each in self.offered(work)]
                found = near_spread(spreads, wanted)
                if self.copies:
                    offered = [found, *along_lines(work, wanted)]
                    found = min(offered, key=lambda each: price(each, wanted))
                known[wanted] = found
            return known[wanted]

        return near

    def _spread(self, value: SSAValue) -> Layout:
        """A layout that shares a tensor out evenly, where no kernel makes it or reads it first."""
        work = self._spread_work(*self._shape_of(value))
        offered = tuple(self.offered(work))
        return choose(work, offered, (), self.exchange, Weights(), self.room).results[0]

    def _spread_for(self, base: SSAValue, copy: Copy) -> Layout:
        """Of layouts that share an input out almost evenly, the cheapest to bring a part from."""
        reading = None if copy.value is base else self.reading(copy.value, base)
        if reading is None:
            return self._spread(base)
        work = self._spread_work(*self._shape_of(base))
        spreads = [each.results[0] for each in self.offered(work)]
        spreads += shared_out_further(work, copy.layout)
        room = HOST_SPARE * min(layout.bytes for layout in spreads)

        def price(layout: Layout) -> tuple[float, int]:
            return self.exchange(layout, copy.layout, reading), layout.bytes

        return min((each for each in spreads if each.bytes <= room), key=price)

    def _shape_of(self, value: SSAValue) -> tuple[tuple[int, ...], str]:
        kind = value.type
        assert isinstance(kind, TensorType)
        return tuple(kind.get_shape()), self.formats[kind.element_type]

    def _spread_work(self, shape: tuple[int, ...], fmt: str) -> Work:
        work = spread_work(shape, fmt)
        return self.known.equal.setdefault(work, work)


def graph_nodes(
    block: Block,
    work_of: Callable[[NNOp], Work],
    reading: Callable[[SSAValue, SSAValue], Reading | None],
) -> list[Node]:
    """The kernels of a block as the search sees them; values are numbered as they are met."""
    number: dict[SSAValue, int] = {}

    def place(value: SSAValue) -> int:
        return number.setdefault(value, len(number))

    def operand(value: SSAValue) -> Operand:
        if is_constant(value):
            return Operand("constant", key=place(value))
        if not is_movement(value.owner):
            host = isinstance(value.owner, Block)
            return Operand("value", place(value), place(value), host=host)
        bases = [base for base in movement_sources(value) if not is_constant(base)]
        largest = max(bases, key=lambda base: prod(base.type.get_shape()), default=None)  # pyright: ignore
        if largest is None:
            return Operand("moved", None, place(value))
        return Operand("moved", place(largest), place(value), reading(value, largest))

    rows = []
    for op in block.ops:
        if isinstance(op, ReturnOp):
            continue
        if not isinstance(op, NNOp):
            raise UnsupportedError(
                f"{op.name} cannot be sharded",
                where=describe(op),
                help="run the nn passes up to fuse first",
            )
        if is_kernel(op):
            operands = tuple(map(operand, op.operands))
            rows.append((work_of(op), operands, tuple(map(place, op.results))))
    last: dict[int, int] = {}
    for step, (_, operands, results) in enumerate(rows):
        read = {each.key for each in operands} | {each.value for each in operands}
        last |= dict.fromkeys(sorted({*read, *results} - {None}), step)
    ends: list[set[int]] = [set() for _ in rows]
    for value, step in last.items():
        ends[step].add(value)
    return [
        Node(work, operands, results, frozenset(end))
        for (work, operands, results), end in zip(rows, ends, strict=True)
    ]
