"""NestBuilder: one tile.kernel under construction: its loops, scalars and accesses.

Takes the views of its buffers; turns what differs between nodes (trip counts, coordinates, limits)
into scalars and leaves what is the same everywhere in the accesses, so that equal kernels come out
equal. What stands in the loops is builder.py's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from xdsl.dialects.builtin import BFloat16Type, Float32Type, IndexType, IntegerType, MemRefType
from xdsl.ir import Attribute, Block, Operation, SSAValue

from dojocc.dialects.tile import LEVELS, Access, ForOp
from dojocc.passes.kernels.space import Bound, Loop, View, along, uniform
from dojocc.runtime.errors import UnsupportedError
from dojocc.runtime.layout import Layout

EVERY = -1
"""In place of a dim: coordinates move with lanes whatever the dim."""

Shift = Mapping[int, int]
"""How far along domain dims an access lies from where its view stands."""
HERE: Shift = {}

ELEMENTS: dict[str, Attribute] = {
    "BF16": BFloat16Type(),
    "FP32": Float32Type(),
    "INT8": IntegerType(8),
    "INT16": IntegerType(16),
    "INT32": IntegerType(32),
}


def buffer_type(layout: Layout) -> MemRefType:
    """The memref of one node's buffer."""
    return MemRefType(ELEMENTS[layout.fmt], layout.physical)


class NestBuilder:
    """State of one kernel under construction."""

    def __init__(
        self,
        label: str,
        views: Sequence[View],
        sources: Sequence[int],
        active: np.ndarray,
        masks: Sequence[Bound] = (),
        shared_coordinates: bool = False,
    ) -> None:
        self.label = label
        self.views = tuple(views)
        self.sources = tuple(sources)
        self.active = active
        self.masks = tuple(masks)
        self.shared_coordinates = shared_coordinates
        self.entry = Block(arg_types=[buffer_type(view.layout) for view in views])
        self.block = self.entry
        self.open: list[tuple[int, Loop]] = []
        self.scalars: list[int | np.ndarray] = []
        self.constants: dict[tuple[type, str], SSAValue] = {}
        self.last_constant: Operation | None = None
        self.generators: set[tuple[int, Access]] = set()
        self.memory: dict[object, SSAValue] = {}

    def add(self, op: Operation) -> SSAValue:
        """Append an op where the nest stands; its result if it has one."""
        self.block.add_op(op)
        return op.results[0] if op.results else op.operands[0]

    def scalar(self, table: int | np.ndarray) -> SSAValue:
        """A scalar parameter; the same table gives the same parameter."""
        for number, known in enumerate(self.scalars):
            if np.array_equal(known, table):
                return self.entry.args[len(self.views) + number]
        self.scalars.append(table)
        return self.entry.insert_arg(IndexType(), len(self.entry.args))

    @contextmanager
    def loop(self, turn: Loop) -> Iterator[None]:
        """A loop; one turn on every node is no loop."""
        if isinstance(turn.count, int) and turn.count == 1:
            yield
            return
        level = self.open[-1][0] + 1 if self.open else 0
        if level >= LEVELS:
            raise self.refused(f"needs more than {LEVELS} loop levels")
        count = turn.count if isinstance(turn.count, int) else self.scalar(turn.count)
        op = ForOp(level, count)
        self.block.add_op(op)
        outer, self.block = self.block, op.body.block
        self.open.append((level, turn))
        yield
        self.open.pop()
        self.block = outer

    @contextmanager
    def nest(self, loops: Sequence[Loop]) -> Iterator[None]:
        """Loops inside each other, the first outermost."""
        if not loops:
            yield
            return
        with self.loop(loops[0]), self.nest(loops[1:]):
            yield

    @contextmanager
    def apart(self) -> Iterator[list[Operation]]:
        """Ops of the same loops that do not stand in the kernel yet: the list they end up in."""
        ops: list[Operation] = []
        outer, self.block = self.block, Block()
        yield ops
        for op in list(self.block.ops):
            op.detach()
            ops.append(op)
        self.block = outer

    def refused(self, what: str) -> UnsupportedError:
        return UnsupportedError(
            f"the kernel for {self.label} {what}", help="split the op into smaller ones"
        )

    # Accesses.

    def access(
        self,
        view: View,
        pitch: int = 0,
        first: int = 0,
        granule: int | None = None,
        lane: int | None = None,
        pad: float = 0.0,
        shift: Shift = HERE,
    ) -> tuple[Access, dict[str, SSAValue]]:
        """An access of a view: granules go along domain dim `granule`, lanes along `lane`.

        A shift along the granules' dim is a first granule, so that one generator serves all of
        them; along other dims it is an offset.
        """
        if granule is not None and pitch:
            first += shift.get(granule, 0)
            shift = {dim: units for dim, units in shift.items() if dim != granule}
        strides = self._by_level(view.steps)
        offset = along(view.steps, shift)
        access = Access(offset=offset, strides=strides, pitch=pitch, first=first)
        axes = self._axes(view.bounds, granule, lane, shift)
        operands: dict[str, SSAValue] = {}
        if axes["y"] is not None:
            bound = axes["y"]
            start, limit = self._coordinate(bound, "y", operands, shift)
            levels = self._by_level(bound.steps)
            access = replace(access, y_strides=levels, y_start=start, y_limit=limit, pad=pad)
        if axes["x"] is not None:
            bound = axes["x"]
            start, limit = self._coordinate(bound, "x", operands, shift)
            gstep = 0 if granule is None else bound.steps[granule]
            lstep = 0 if lane in (None, EVERY) else bound.steps[lane]
            levels = self._by_level(bound.steps)
            access = replace(
                access,
                x_strides=levels,
                x_start=start,
                x_limit=limit,
                gstep=gstep,
                lstep=lstep,
                pad=pad,
            )
        return access, operands

    def _by_level(self, steps: Sequence[int]) -> tuple[int, ...]:
        result = [0] * LEVELS
        for level, turn in self.open:
            result[level] = turn.step(steps)
        return tuple(result)

    def _axes(
        self, bounds: Sequence[Bound], granule: int | None, lane: int | None, shift: Shift
    ) -> dict[str, Bound | None]:
        """Which bound is x (the one that moves with granules or lanes) and which is y."""
        dims = [dim for dim in (granule, lane) if dim is not None]
        moving = [b for b in bounds if lane == EVERY or any(b.steps[dim] for dim in dims)]
        still = [bound for bound in bounds if bound not in moving]
        still = [bound for bound in still if not self._always_inside(bound, shift)]
        if len(moving) > 1 or len(moving) + len(still) > 2:
            raise self.refused(
                f"needs {len(moving) + len(still)} bounds on one access,"
                f" {len(moving)} of them across lanes;"
                " the machine has two, one across lanes"
            )
        if moving:
            return {"x": moving[0], "y": still[0] if still else None}
        return {"y": still[0] if still else None, "x": still[1] if len(still) > 1 else None}

    def _always_inside(self, bound: Bound, shift: Shift) -> bool:
        """A bound that no open loop can break."""
        moves = [(turn.step(bound.steps), turn.count) for _, turn in self.open]
        start = bound.start + along(bound.steps, shift)
        low = start + sum(np.minimum(step * (count - 1), 0) for step, count in moves)
        high = start + sum(np.maximum(step * (count - 1), 0) for step, count in moves)
        inside = (low >= 0) & (high < bound.limit)
        return bool(inside[self.active].all())

    def _coordinate(
        self, bound: Bound, axis: str, operands: dict[str, SSAValue], shift: Shift
    ) -> tuple[int, int]:
        start, limit = uniform(bound.start, self.active), uniform(bound.limit, self.active)
        if not isinstance(start, int) or self.shared_coordinates:
            operands[f"{axis}0"] = self.scalar(start)
            start = 0
        if not isinstance(limit, int) or self.shared_coordinates:
            operands[f"{axis}lim"] = self.scalar(limit)
            limit = 0
        return start + along(bound.steps, shift), limit

    def _counted(self, buffer: int, access: Access) -> SSAValue:
        self.generators.add((buffer, replace(access, first=0)))
        return self.entry.args[buffer]
