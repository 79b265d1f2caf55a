"""KernelBuilder: writes one tile.kernel, loop by loop, and the call that runs it.

Takes the views of its buffers; turns what differs between nodes (trip counts, coordinates, limits)
into scalars and leaves what is the same everywhere in the accesses, so that equal kernels come out
equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from xdsl.dialects.builtin import BFloat16Type, Float32Type, IndexType, IntegerType, MemRefType
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from dojocc.dialects.tile import (
    LEVELS,
    Access,
    AccReadOp,
    AccumulateOp,
    AccZeroOp,
    AssignOp,
    CellOp,
    FmaAccumulateOp,
    ForOp,
    GatherOp,
    InBoundsOp,
    KernelOp,
    LoadOp,
    LoadRawOp,
    MmaOp,
    SplatOp,
    StoreOp,
    VectorOp,
)
from dojocc.passes.kernel_generators import GENERATORS
from dojocc.passes.kernels.space import Bound, Loop, View, uniform
from dojocc.passes.select_kernel import FIRST_PARAMETER, LAST_PARAMETER
from dojocc.runtime.errors import UnsupportedError
from dojocc.runtime.layout import Layout

PARAMETERS = LAST_PARAMETER - FIRST_PARAMETER + 1
"""Buffers and scalars a kernel may take."""

EVERY = -1
"""In place of a dim: coordinates move with lanes whatever the dim."""

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


@dataclass(frozen=True)
class KernelCall:
    """A kernel with what it runs on: per buffer the operand number and byte offset, and the
    scalars."""

    kernel: KernelOp
    sources: tuple[int, ...]
    offsets: tuple[int | np.ndarray, ...]
    scalars: tuple[int | np.ndarray, ...]


class KernelBuilder:
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
    ) -> tuple[Access, dict[str, SSAValue]]:
        """An access of a view: granules go along domain dim `granule`, lanes along `lane`."""
        strides = self._by_level(view.steps)
        access = Access(strides=strides, pitch=pitch, first=first)
        axes = self._axes(view.bounds, granule, lane)
        operands: dict[str, SSAValue] = {}
        if axes["y"] is not None:
            bound = axes["y"]
            start, limit = self._coordinate(bound, "y", operands)
            levels = self._by_level(bound.steps)
            access = replace(access, y_strides=levels, y_start=start, y_limit=limit, pad=pad)
        if axes["x"] is not None:
            bound = axes["x"]
            start, limit = self._coordinate(bound, "x", operands)
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
        self, bounds: Sequence[Bound], granule: int | None, lane: int | None
    ) -> dict[str, Bound | None]:
        """Which bound is x (the one that moves with granules or lanes) and which is y."""
        dims = [dim for dim in (granule, lane) if dim is not None]
        moving = [b for b in bounds if lane == EVERY or any(b.steps[dim] for dim in dims)]
        still = [bound for bound in bounds if bound not in moving]
        still = [bound for bound in still if not self._always_inside(bound)]
        if len(moving) > 1 or len(moving) + len(still) > 2:
            raise self.refused(
                f"needs {len(moving) + len(still)} bounds on one access,"
                f" {len(moving)} of them across lanes;"
                " the machine has two, one across lanes"
            )
        if moving:
            return {"x": moving[0], "y": still[0] if still else None}
        return {"y": still[0] if still else None, "x": still[1] if len(still) > 1 else None}

    def _always_inside(self, bound: Bound) -> bool:
        """A bound that no open loop can break."""
        moves = [(turn.step(bound.steps), turn.count) for _, turn in self.open]
        low = bound.start + sum(np.minimum(step * (count - 1), 0) for step, count in moves)
        high = bound.start + sum(np.maximum(step * (count - 1), 0) for step, count in moves)
        inside = (low >= 0) & (high < bound.limit)
        return bool(inside[self.active].all())

    def _coordinate(
        self, bound: Bound, axis: str, operands: dict[str, SSAValue]
    ) -> tuple[int, int]:
        start, limit = uniform(bound.start, self.active), uniform(bound.limit, self.active)
        if not isinstance(start, int) or self.shared_coordinates:
            operands[f"{axis}0"] = self.scalar(start)
            start = 0
        if not isinstance(limit, int) or self.shared_coordinates:
            operands[f"{axis}lim"] = self.scalar(limit)
            limit = 0
        return start, limit

    def _counted(self, buffer: int, access: Access) -> SSAValue:
        self.generators.add((buffer, replace(access, first=0)))
        return self.entry.args[buffer]

    # Loads and stores.

    def load(self, number: int, lane: int | None, pad: float = 0.0) -> SSAValue:
        """16 lanes along a domain dim: consecutive elements, one element for all, or one a
        pitch."""
        view = self.views[number]
        step = 0 if lane is None else view.steps[lane]
        if step == 0:
            access, operands = self.access(view, pad=pad)
            granules = 0
        elif step == view.item:
            access, operands = self.access(view, lane=lane, pad=pad)
            granules = 1
        else:
            access, operands = self.access(view, pitch=step, granule=lane, pad=pad)
            granules = 16
        return self.add(LoadOp(self._counted(number, access), access, granules, **operands))

    def load_rows(
        self, number: int, part: int, row: int | None, lane: int, pad: float = 0.0
    ) -> SSAValue:
        """Rows 2*part and 2*part + 1 (along `row`) of 8 lanes each (along `lane`)."""
        view = self.views[number]
        rows = 0 if row is None else view.steps[row]
        if view.steps[lane] == 0 and rows == 0:
            access, operands = self.access(view, pad=pad)
            return self.add(LoadOp(self._counted(number, access), access, 0, **operands))
        if view.steps[lane] == view.item:
            access, operands = self.access(view, rows, 2 * part, granule=row, lane=lane, pad=pad)
            return self.add(LoadOp(self._counted(number, access), access, 2, **operands))
        if view.steps[lane]:
            raise self.refused(f"reads operand {self.sources[number]} across its rows")
        both = []
        for first in (2 * part, 2 * part + 1):
            access, operands = self.access(view, rows, first, granule=row, pad=pad)
            both.append(self.add(LoadOp(self._counted(number, access), access, 0, **operands)))
        return self.vector("vsel", both, predicate=self.low_lanes())

    def store(
        self, value: SSAValue, number: int, lane: int | None, mask: SSAValue | None = None
    ) -> None:
        """16 lanes along a domain dim; without one, a single element that all lanes hold."""
        view = self.views[number]
        if lane is None:
            (access, operands), granules = self.access(view), 16
        elif view.steps[lane] == view.item:
            (access, operands), granules = self.access(view, lane=lane), 1
        else:
            access, operands = self.access(view, pitch=view.steps[lane], granule=lane)
            granules = 16
        buffer = self._counted(number, access)
        self.add(StoreOp(value, buffer, access, granules, **operands, predicate=mask))

    def store_rows(
        self,
        value: SSAValue,
        number: int,
        part: int,
        row: int | None,
        lane: int,
        mask: SSAValue | None,
    ) -> None:
        """Two rows of 8 lanes, as `load_rows` reads them."""
        view = self.views[number]
        rows = 0 if row is None else view.steps[row]
        access, operands = self.access(view, rows, 2 * part, granule=row, lane=lane)
        buffer = self._counted(number, access)
        self.add(StoreOp(value, buffer, access, 2, **operands, predicate=mask))

    def load_raw(self, number: int, granule: int | None, granule_bytes: int) -> SSAValue:
        """A matrix operand whose granules go along a domain dim."""
        view = self.views[number]
        pitch = 0 if granule is None else view.steps[granule]
        access, operands = self.access(view, pitch, granule=granule)
        return self.add(LoadRawOp(self._counted(number, access), access, granule_bytes, **operands))

    def gather(self, number: int, indices: SSAValue) -> SSAValue:
        """One element a lane, `indices` elements from where the view stands."""
        view = self.views[number]
        access, _ = self.access(replace(view, bounds=()))
        return self.add(GatherOp(self._counted(number, access), indices, access))

    def in_bounds(
        self, number: int, mask: int, first: int = 0, gstep: int = 0, lstep: int = 1
    ) -> SSAValue:
        """Lanes inside the limit of a mask, whose coordinate moves by `lstep` a lane."""
        bound = self.masks[mask]
        only = replace(self.views[number], steps=(0,) * len(bound.steps), bounds=())
        access, operands = self.access(only.bounded(bound), lane=EVERY)
        access = replace(access, first=first, gstep=gstep, lstep=lstep)
        return self.add(InBoundsOp(self._counted(number, access), access, **operands))

    # Values.

    def constant(self, value: float | int) -> SSAValue:
        """A constant in all lanes, made once at the kernel's start."""
        key = (type(value), repr(value))
        if key not in self.constants:
            self.constants[key] = self.at_start(SplatOp(value))
        return self.constants[key]

    def at_start(self, op: Operation) -> SSAValue:
        """Put an op before every loop."""
        if self.last_constant is not None:
            self.entry.insert_op_after(op, self.last_constant)
        elif self.entry.first_op is not None:
            self.entry.insert_op_before(op, self.entry.first_op)
        else:
            self.entry.add_op(op)
        self.last_constant = op
        return op.results[0]

    def once(self, name: str, make: Sequence[SSAValue], mnemonic: str) -> SSAValue:
        """A vector value that does not change, made once at the kernel's start."""
        if name not in self.memory:
            self.memory[name] = self.at_start(VectorOp(mnemonic, make))
        return self.memory[name]

    def lanes(self) -> SSAValue:
        """Lane numbers 0 to 15."""
        return self.once("lanes", (), "viota")

    def low_lanes(self) -> SSAValue:
        """The first eight lanes."""
        numbers, eight = self.lanes(), self.constant(8)
        return self.once("low lanes", (numbers, eight), "vicmplt")

    def vector(
        self,
        mnemonic: str,
        inputs: Sequence[SSAValue],
        predicate: SSAValue | None = None,
        format: str | None = None,
    ) -> SSAValue:
        return self.add(VectorOp(mnemonic, inputs, predicate, format))

    def cell(self, init: float | int) -> SSAValue:
        return self.add(CellOp(init))

    def accumulate(self, kind: str, cell: SSAValue, value: SSAValue) -> None:
        self.add(AccumulateOp(kind, cell, value))

    def fma(self, cell: SSAValue, left: SSAValue, right: SSAValue) -> None:
        self.add(FmaAccumulateOp(cell, left, right))

    def assign(self, cell: SSAValue, value: SSAValue, predicate: SSAValue | None = None) -> None:
        self.add(AssignOp(cell, value, predicate))

    def accumulator(self) -> SSAValue:
        return self.add(AccZeroOp())

    def mma(self, acc: SSAValue, left: SSAValue, right: SSAValue, transposed: bool) -> None:
        self.add(MmaOp(acc, left, right, transposed))

    def read(self, acc: SSAValue, part: int) -> SSAValue:
        return self.add(AccReadOp(acc, part))

    def finish(self) -> KernelCall:
        """The kernel and its call."""
        most = len(GENERATORS)
        if len(self.generators) > most:
            raise self.refused(f"needs {len(self.generators)} address generators of {most}")
        parameters = len(self.views) + len(self.scalars)
        if parameters > PARAMETERS:
            raise self.refused(f"takes {parameters} buffers and scalars, at most {PARAMETERS} fit")
        kernel = KernelOp(self.label, Region(self.entry))
        offsets = tuple(uniform(view.base, self.active) for view in self.views)
        return KernelCall(kernel, self.sources, offsets, tuple(self.scalars))
