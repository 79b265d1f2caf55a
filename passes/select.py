"""Pass `select`: kernels become subroutines, the schedule becomes two streams, buffers memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, Region

from dojocc.dialects.context import DojoContext
from dojocc.dialects.disa import (
    ClassOp,
    DramOp,
    ImageOp,
    PortOp,
    ProgramOp,
    ThreadOp,
    instruction,
)
from dojocc.dialects.location import copy_location
from dojocc.dialects.mesh import LayoutAttr
from dojocc.dialects.tile import (
    AllocOp,
    CallOp,
    CollectiveOp,
    ExchangeOp,
    InputOp,
    KernelOp,
    OutputOp,
)
from dojocc.dialects.tile import ImageOp as TileImageOp
from dojocc.passes.base import Pass
from dojocc.passes.buffer_table import note_buffers, note_calls, note_exchanges
from dojocc.passes.collective_stream import run_collective
from dojocc.passes.liveness import Schedule, schedule, the_program
from dojocc.passes.parameters import NAME, Parameters, collect
from dojocc.passes.relay_steps import relay_of
from dojocc.passes.relay_stream import await_relay, side_by_side, start_relays
from dojocc.passes.route import LISTS, buffer_address, grid_nodes
from dojocc.passes.select_kernel import select_kernel
from dojocc.passes.select_stream import (
    CLEAR,
    Streams,
    await_exchange,
    call_kernel,
    clear_kernel,
    start_exchange,
)
from dojocc.passes.solve.grid import spare_nodes
from dojocc.passes.target_of import target_of
from dojocc.runtime.errors import InputError

GRID, SPARE = "grid", "spare"


@dataclass(frozen=True)
class Select(Pass):
    """Choose instructions.

    Takes: form tile with addresses and routes; the context has a target.

    Leaves: form disa: one disa.program with the class of the grid's nodes and, where the target has
    live nodes outside the grid, the class of those, which halt at once.

    How:
    1. Each kernel that is called becomes one subroutine (passes/select_kernel.py): its accesses get
       address generators, its values registers by lifetime.
    2. The schedule becomes thread 0's and thread 1's streams (passes/select_stream.py); a marker
    before
       each step names the op it is for.
    3. Images, inputs and outputs keep their layout and get their address; what differs between
    nodes
       goes into the parameter table, the image at address 0.
    4. Where every buffer lies, and from when to when, is noted for the build record.

    Fails: UnsupportedError when a kernel needs more registers or generators than a thread has.
    """

    name = "select"
    takes: ClassVar[str] = "tile"
    leaves: ClassVar[str] = "disa"

    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:
        target = target_of(ctx, self.name)
        plan = schedule(the_program(op))
        parameters = collect(ctx.resources, plan)
        streams = stream_of(plan, ctx.resources, parameters)
        body = grid_code(op, plan, streams)
        nodes = grid_nodes(plan, target).tolist()
        parts: list[Operation] = [ClassOp(GRID, plan.program.shape, nodes, Region(Block(body)))]
        spare = spare_nodes(target).tolist()
        if spare:
            halted: list[Operation] = [ThreadOp(0, [instruction("halt")])]
            parts.append(ClassOp(SPARE, (1, len(spare)), spare, Region(Block(halted))))
        parts += memory(ctx, plan, parameters)
        result = ProgramOp(
            plan.program.sym_name.data,
            Region(Block(parts)),
            streams.marks,
            LISTS if plan.moving else None,
            plan.program.sram_peak,
            plan.program.sram_bound,
        )
        copy_location(plan.program, result)
        for old in list(op.ops):
            op.body.block.erase_op(old)
        op.body.block.add_op(result)


def stream_of(plan: Schedule, resources: dict[str, np.ndarray], parameters: Parameters) -> Streams:
    """Both threads' streams for a program."""
    rows, cols = plan.program.shape
    streams = Streams(resources, parameters, rows * cols)
    due = plan.due()
    begins: list[int] = []
    started: dict[Operation, int] = {}  # where in thread 0's code
    for step, op in enumerate(plan.steps):
        for exchange in due.get(step, ()):
            finish_moving(streams, exchange)
        begins.append(started.get(op, len(streams.compute)))
        match op:
            case CallOp():
                call_kernel(streams, op)
            case ExchangeOp() if op not in started:
                started |= dict.fromkeys(start_moving(streams, plan, step, op), begins[-1])
            case CollectiveOp():
                run_collective(streams, op)
            case _:
                continue
    for exchange in due.get(len(plan.steps), ()):
        finish_moving(streams, exchange)
    note_buffers(resources, plan, begins)
    note_exchanges(resources, plan)
    note_calls(resources, streams.calls)
    streams.compute.append(instruction("halt"))
    if streams.communicate:
        streams.communicate.append(instruction("halt"))
    return streams


def start_moving(streams: Streams, plan: Schedule, step: int, op: ExchangeOp) -> list[ExchangeOp]:
    """An exchange starts: pushed, or passed on, perhaps beside the next. Which have started."""
    relay = relay_of(streams.resources, op, streams.nodes)
    if relay is None:
        start_exchange(streams, op)
        return [op]
    moving = [(op, relay)]
    after = next_together(plan, step, op)
    if after is not None:
        other = relay_of(streams.resources, after, streams.nodes)
        if other is not None and side_by_side(relay, other, plan.program.shape[1]):
            moving.append((after, other))
    start_relays(streams, moving)
    return [each for each, _ in moving]


def next_together(plan: Schedule, step: int, op: ExchangeOp) -> ExchangeOp | None:
    """An exchange that starts right behind one and is awaited with it, nothing but buffers between:
    so what it needs is there when that one starts."""
    due = plan.due()
    for place in range(step + 1, len(plan.steps)):
        after = plan.steps[place]
        if place in due or not isinstance(after, AllocOp | TileImageOp | InputOp | ExchangeOp):
            return None
        if isinstance(after, ExchangeOp):
            together = plan.waits[after] == plan.waits[op] and op.destination not in after.sources
            return after if together else None
    return None


def finish_moving(streams: Streams, op: ExchangeOp) -> None:
    """Thread 0 waits for the end of an exchange."""
    relay = relay_of(streams.resources, op, streams.nodes)
    if relay is None:
        await_exchange(streams, op)
    else:
        await_relay(streams, op, relay)


def grid_code(module: ModuleOp, plan: Schedule, streams: Streams) -> list[Operation]:
    """Threads, and each kernel that is called, once."""
    called = {op.callee.string_value() for op in plan.steps if isinstance(op, CallOp)}
    kernels = [op for op in module.ops if isinstance(op, KernelOp) and op.sym_name.data in called]
    for name in (CLEAR, *streams.built_in):
        if name in called:
            raise InputError(f"a kernel is called '{name}', the name of a built-in one")
    code: list[Operation] = [ThreadOp(0, streams.compute)]
    if streams.communicate:
        code.append(ThreadOp(1, streams.communicate))
    for thread, helper in sorted(streams.helpers.items()):
        code.append(ThreadOp(thread, [*helper.compute, instruction("halt")]))
    code += [select_kernel(kernel) for kernel in kernels]
    if streams.clears:
        code.append(clear_kernel())
    code += streams.built_in.values()
    return code


def memory(ctx: DojoContext, plan: Schedule, parameters: Parameters) -> list[Operation]:
    """Images and ports of the grid's SRAM, the parameter table first; what DRAM holds."""
    result: list[Operation] = []
    placed: set[int] = set()
    if parameters.words:
        ctx.resources[NAME] = parameters.columns
        layout = LayoutAttr(parameters.layout(plan.program.shape))
        result.append(ImageOp(NAME, GRID, 0, layout, NAME))
    for op in plan.steps:
        match op:
            case TileImageOp():
                made = image(op)
            case InputOp():
                made = port("input", op)
            case OutputOp():
                made = port("output", op)
            case ExchangeOp() if op.dram is not None and op.dram.value.data not in placed:
                placed.add(op.dram.value.data)
                assert op.resource is not None
                made = DramOp(op.dram.value.data, op.resource.data, op.layout.fmt)
            case _:
                continue
        copy_location(op, made)
        result.append(made)
    return result


def image(op: TileImageOp) -> Operation:
    alloc = op.buffer.owner
    assert isinstance(alloc, AllocOp)
    name = alloc.label.data
    return ImageOp(name, GRID, buffer_address(op.buffer), alloc.layout, op.resource.data)


def port(kind: str, op: InputOp | OutputOp) -> Operation:
    alloc = op.buffer.owner
    assert isinstance(alloc, AllocOp)
    shape = [size.value.data for size in op.shape]
    name, dtype = op.label.data, op.dtype.data
    return PortOp(kind, name, GRID, buffer_address(op.buffer), alloc.layout, dtype, shape)
