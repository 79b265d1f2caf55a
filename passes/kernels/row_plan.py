"""What row kernels share: passes over a row, with lanes along it or across rows.

Where the last dim is part of the row, lanes run along it and are folded at the end; the lanes past
its end are masked. Else each lane is a row of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from xdsl.ir import SSAValue

from dojocc.dialects.domain import Dim, Map
from dojocc.dialects.op import NNOp
from dojocc.passes.kernels.builder import KernelBuilder, KernelCall
from dojocc.passes.kernels.expressions import is_float
from dojocc.passes.kernels.fold import across, fold_into, start_of
from dojocc.passes.kernels.frame import Frame, Request, clear_tail, lane_blocks, tail_bound
from dojocc.passes.kernels.region import Evaluator, Leaf, Region
from dojocc.passes.kernels.space import (
    Bound,
    Loop,
    Space,
    loop,
    simplified,
    space_of,
    view_of,
)
from dojocc.runtime.layout import LANES

Values = Callable[[int], SSAValue]


@dataclass
class RowPlan:
    """One row kernel: its loops, and how operands of the root are evaluated inside them."""

    request: Request
    region: Region
    root: NNOp
    dims: tuple[Dim, ...]
    maps: tuple[Map, ...]
    result: Map
    space: Space
    frame: Frame
    along: bool
    scalar: bool
    store: int = 0

    @classmethod
    def of(cls, request: Request, region: Region) -> RowPlan:
        root = region.root
        assert root is not None
        domain = root.iteration_domain()
        if domain is None or len(region.values) != 1:
            raise request.refused("a row kernel gives one result")
        space = space_of(domain.dims, domain.results[0], request.results[0])
        assert space is not None
        for d in domain.reduction:
            if (space.counts[space.active, d] != domain.dims[d].size).any():
                raise request.refused(
                    f"its row dim {domain.dims[d].name} is shared out between nodes"
                )
        along = domain.dims[-1].kind == "reduction"
        scalar = along and len(domain.results[0]) < len(domain.dims)
        frame = Frame(request, domain.dims, space)
        plan = cls(
            request,
            region,
            root,
            domain.dims,
            domain.operands,
            domain.results[0],
            space,
            frame,
            along,
            scalar,
        )
        plan.add_buffers()
        return plan

    @property
    def lane(self) -> int:
        return len(self.dims) - 1

    @property
    def blocks(self) -> int:
        """Blocks of 16 lanes along the last dim of the operand."""
        size = -(-self.dims[-1].size // LANES)
        return size if self.along else lane_blocks(self.request, self.request.results[0])

    def add_buffers(self) -> None:
        """The result's buffer, then those of every leaf."""
        layout = self.request.results[0]
        (plain,) = simplified(self.dims, [self.result], () if self.scalar else (self.lane,))
        view = view_of(layout, plain, self.space)
        if not self.scalar:
            tail = tail_bound(layout, plain[-1], self.space)
            view = view if tail is None else view.bounded(tail)
        self.store = self.frame.add(len(self.request.operands), view)
        if self.along and self.dims[-1].size % LANES:
            steps = tuple(int(d == self.lane) for d in range(len(self.dims)))
            zeros = np.zeros(self.space.nodes, np.int64)
            self.frame.mask(Bound(steps, zeros, zeros + self.dims[-1].size))
        reach = self.blocks * LANES
        for value, amap in zip(self.root.operands, self.maps, strict=True):
            for leaf in self.region.leaves(value, amap):
                self.frame.leaf(leaf, self.lane, reach)
        (value,) = self.region.values
        for leaf in self.region.leaves(value, self.result):
            self.frame.leaf(leaf, None if self.scalar else self.lane, reach)

    @property
    def inner(self) -> list[Loop]:
        """The loops of one pass over a row."""
        loops = [
            loop(self.space, d)
            for d, row in enumerate(self.dims)
            if row.kind == "reduction" and d != self.lane
        ]
        if self.along:
            loops.append(Loop(self.blocks, ((self.lane, LANES),)))
        return self.frame.merged(loops)

    @property
    def outer(self) -> list[Loop]:
        """The loops over rows (or blocks of 16 of them)."""
        loops = [
            loop(self.space, d)
            for d, row in enumerate(self.dims)
            if row.kind == "parallel" and d != self.lane
        ]
        if not self.along:
            loops.append(Loop(self.blocks, ((self.lane, LANES),)))
        return loops

    @property
    def floats(self) -> bool:
        return is_float(self.root.operands[0])

    @property
    def fmt(self) -> str:
        """What lanes of the operand are."""
        return "FP32" if self.floats else "INT32"

    def operand(self, b: KernelBuilder) -> Values:
        """Evaluates the root's operands where the nest stands."""

        def load(leaf: Leaf) -> SSAValue:
            return b.load(self.frame.leaf(leaf), self.lane)

        evaluator = Evaluator(self.region, b, load)
        return lambda n: evaluator.lanes(self.root.operands[n], self.maps[n])

    def masked(self, b: KernelBuilder, value: SSAValue, kind: str) -> SSAValue:
        """Lanes past the row's end as what changes nothing."""
        if not self.frame.masks:
            return value
        inside = b.in_bounds(self.store, 0)
        return b.vector("vsel", [value, b.constant(start_of(kind, self.fmt))], predicate=inside)

    def fold(self, b: KernelBuilder, kind: str, value: Callable[[Values], SSAValue]) -> SSAValue:
        """One pass over the row: `value` folded, the result in every lane that belongs to the
        row."""
        total = b.cell(start_of(kind, self.fmt))
        with b.nest(self.inner):
            folded = self.masked(b, value(self.operand(b)), kind)
            fold_into(b, kind, total, folded, self.fmt)
        return across(b, kind, total, self.fmt) if self.along else total

    def finish(self, b: KernelBuilder, root: SSAValue) -> None:
        """What follows the root, then the store; where the nest stands."""
        lane = None if self.scalar else self.lane

        def load(leaf: Leaf) -> SSAValue:
            return b.load(self.frame.leaf(leaf), lane)

        evaluator = Evaluator(self.region, b, load, root, self.result)
        b.store(evaluator.lanes(self.region.values[0], self.result), self.store, lane)

    def calls(self, body: Callable[[KernelBuilder], None]) -> list[KernelCall]:
        """The kernels; single elements are stored into a cleared last dim."""
        clear = []
        layout = self.request.results[0]
        if self.scalar and layout.shape:
            start, stop = layout.boxes()
            held = (stop - start)[self.space.active, -1]
            clear = clear_tail(self.request, 0, int(held.min(initial=layout.physical[-1])))
        return [*clear, *self.frame.calls(self.outer, len(self.inner), body)]
