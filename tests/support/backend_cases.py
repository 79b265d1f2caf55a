"""Small tile programs built by hand, taken through the whole back end and run on the engines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, Region, SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.location import set_location
from dojocc.dialects.mesh import LayoutAttr
from dojocc.dialects.op import NNOp
from dojocc.dialects.tile import (
    AllocOp,
    CallOp,
    ExchangeOp,
    ImageOp,
    InputOp,
    OutputOp,
    ProgramOp,
)
from dojocc.passes.allocate import Allocate
from dojocc.passes.emit import emit_program
from dojocc.passes.kernels import kernel_calls
from dojocc.passes.kernels.frame import Request
from dojocc.passes.kernels.nest import buffer_type
from dojocc.passes.route import Route
from dojocc.passes.select import Select
from dojocc.passes.solve.exchange import covers, exchange_table, identity
from dojocc.runtime.engines import run
from dojocc.runtime.layout import Layout
from dojocc.runtime.program import Program
from dojocc.runtime.targets import load_target

TARGETS = Path(__file__).parents[1] / "targets"
GRID = (2, 3)


@dataclass
class TileModule:
    """A tile module under construction."""

    target: str = "tiny.toml"
    grid: tuple[int, int] = GRID
    ops: list[Operation] = field(default_factory=list)
    kernels: list[Operation] = field(default_factory=list)
    resources: dict[str, np.ndarray] = field(default_factory=dict)
    layouts: dict[SSAValue, Layout] = field(default_factory=dict)
    exchanges: int = 0

    def add(self, op: Operation, location: str | None = None) -> None:
        set_location(op, location)
        self.ops.append(op)

    def buffer(self, label: str, held: Layout) -> SSAValue:
        op = AllocOp(label, LayoutAttr(held), buffer_type(held))
        self.add(op)
        self.layouts[op.result] = held
        return op.result

    def input(self, label: str, held: Layout) -> SSAValue:
        value = self.buffer(label, held)
        self.add(InputOp(value, label, "float32", held.shape))
        return value

    def output(self, label: str, value: SSAValue) -> None:
        self.add(OutputOp(value, label, "float32", self.layouts[value].shape))

    def image(self, label: str, held: Layout, array: np.ndarray) -> SSAValue:
        value = self.buffer(label, held)
        self.resources[label] = array
        self.add(ImageOp(value, label))
        return value

    def exchange(
        self,
        destination: SSAValue,
        sources: Sequence[SSAValue],
        index: np.ndarray | None = None,
        location: str | None = None,
    ) -> ExchangeOp:
        """Move what the destination's layout asks for; `index` as in solve/exchange.py."""
        held = self.layouts[destination]
        index = identity(held) if index is None else index
        table = exchange_table(held, tuple(self.layouts[s] for s in sources), index)
        key = f"segments{self.exchanges}"
        self.resources[key] = table
        fill = not covers(held, table)
        op = ExchangeOp(destination, list(sources), self.exchanges, key, 0, 0, zero_fill=fill)
        self.exchanges += 1
        self.add(op, location)
        return op

    def compute(
        self,
        op: NNOp,
        operands: Sequence[SSAValue],
        results: Sequence[SSAValue],
        label: str,
        constant: Sequence[bool] = (),
    ) -> None:
        """The kernels of an nn op and the calls that run them."""
        values = [*operands, *results]
        held = [self.layouts[value] for value in values]
        split = len(operands)
        request = Request(op, tuple(held[:split]), tuple(held[split:]), tuple(constant), label)
        known: dict[str, str] = {}
        for call in kernel_calls(request):
            body = str(call.kernel)
            if body not in known:
                known[body] = f"{label}_{len(known)}"
                call.kernel.sym_name = type(call.kernel.sym_name)(known[body])
                self.kernels.append(call.kernel)
            self.add(
                CallOp(
                    known[body],
                    [values[source] for source in call.sources],
                    [self.value(number) for number in call.scalars],
                    [self.value(number) for number in call.offsets],
                ),
                f"node '{label}'",
            )

    def value(self, number: int | np.ndarray) -> int | str:
        if isinstance(number, int | np.integer):
            return int(number)
        key = f"table{len(self.resources)}"
        self.resources[key] = np.asarray(number, np.int32)
        return key

    def module(self) -> ModuleOp:
        program = ProgramOp("main", self.grid, Region(Block(self.ops)))
        module = ModuleOp([*self.kernels, program])
        module.verify()
        return module

    def context(self) -> DojoContext:
        target = load_target(str(TARGETS / self.target))
        return DojoContext(target=target, resources=dict(self.resources))


def lower(ctx: DojoContext, module: ModuleOp) -> Program:
    """Allocate, route, select, emit; the module verifies after each."""
    for each in (Allocate(), Route(), Select()):
        each.apply(ctx, module)
        module.verify()
    return emit_program(ctx, module)


def run_all(program: Program, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The reference engine's outputs; the exact vector engine must equal them bit for bit."""
    judged = run(program, inputs, "reference").outputs
    exact = run(program, inputs, "vector", "exact").outputs
    assert judged.keys() == exact.keys()
    for name, array in judged.items():
        np.testing.assert_array_equal(array, exact[name], err_msg=name)
    return judged
