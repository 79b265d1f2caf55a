"""KernelBuilder: writes one tile.kernel, op by op inside its loops, and the call that runs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from xdsl.ir import Operation, Region, SSAValue

from dojocc.dialects.tile import (
    AccReadOp,
    AccumulateOp,
    AccZeroOp,
    AssignOp,
    CellOp,
    FmaAccumulateOp,
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
from dojocc.passes.kernels.nest import EVERY, HERE, NestBuilder, Shift
from dojocc.passes.kernels.space import along, uniform
from dojocc.passes.select_kernel import FIRST_PARAMETER, LAST_PARAMETER

PARAMETERS = LAST_PARAMETER - FIRST_PARAMETER + 1
"""Buffers and scalars a kernel may take."""


@dataclass(frozen=True)
class KernelCall:
    """A kernel with what it runs on: per buffer the operand number and byte offset, and the
    scalars."""

    kernel: KernelOp
    sources: tuple[int, ...]
    offsets: tuple[int | np.ndarray, ...]
    scalars: tuple[int | np.ndarray, ...]


class KernelBuilder(NestBuilder):
    """The loads, stores and values of one kernel."""

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
        self, number: int, part: int, row: int | None, lane: int, shift: Shift = HERE
    ) -> SSAValue:
        """Rows 2*part and 2*part + 1 (along `row`) of 8 lanes each (along `lane`)."""
        view = self.views[number]
        rows = 0 if row is None else view.steps[row]
        if view.steps[lane] == 0 and rows == 0:
            access, operands = self.access(view, shift=shift)
            return self.add(LoadOp(self._counted(number, access), access, 0, **operands))
        if view.steps[lane] == view.item:
            first = 2 * part if rows else 0
            access, operands = self.access(view, rows, first, granule=row, lane=lane, shift=shift)
            return self.add(LoadOp(self._counted(number, access), access, 2, **operands))
        if view.steps[lane]:
            raise self.refused(f"reads operand {self.sources[number]} across its rows")
        both = []
        for first in (2 * part, 2 * part + 1):
            access, operands = self.access(view, rows, first, granule=row, shift=shift)
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
        shift: Shift = HERE,
    ) -> None:
        """Two rows of 8 lanes, as `load_rows` reads them."""
        view = self.views[number]
        rows = 0 if row is None else view.steps[row]
        access, operands = self.access(view, rows, 2 * part, granule=row, lane=lane, shift=shift)
        buffer = self._counted(number, access)
        self.add(StoreOp(value, buffer, access, 2, **operands, predicate=mask))

    def load_raw(
        self, number: int, granule: int | None, granule_bytes: int, shift: Shift = HERE
    ) -> SSAValue:
        """A matrix operand whose granules go along a domain dim."""
        view = self.views[number]
        pitch = 0 if granule is None else view.steps[granule]
        access, operands = self.access(view, pitch, granule=granule, shift=shift)
        return self.add(LoadRawOp(self._counted(number, access), access, granule_bytes, **operands))

    def gather(self, number: int, indices: SSAValue) -> SSAValue:
        """One element a lane, `indices` elements from where the view stands."""
        view = self.views[number]
        access, _ = self.access(replace(view, bounds=()))
        return self.add(GatherOp(self._counted(number, access), indices, access))

    def in_bounds(
        self,
        number: int,
        mask: int,
        first: int = 0,
        gstep: int = 0,
        lstep: int = 1,
        shift: Shift = HERE,
    ) -> SSAValue:
        """Lanes inside the limit of a mask, whose coordinate moves by `lstep` a lane.

        A shift is a multiple of `gstep`.
        """
        bound = self.masks[mask]
        first += along(bound.steps, shift) // (gstep or 1)
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
