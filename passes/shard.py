"""shard: gives every tensor a place on the grid. Chooser: solve/sharding.py; cost: cost.py.

What readers of the mesh form may rely on:

- A kernel's operand layouts are exactly those its result layout asks for: with a loop shared out in
  blocks of b, a tensor dimension `c * loop + other terms + offset` has step b * c, offset `offset`
  (a convolution's is minus its low padding) and an extent that spans what b iterations read, for a
  convolution (b - 1) * stride + (k - 1) * dilation + 1. The extent may be larger where steps would
  leave elements to nobody (a stride past the window). Halos are clipped at the tensor's borders.
- Dimensions that are contracted, reduced, normalised over or taken from are whole on every node.
- A grid axis that shards nothing holds replicas. Nodes past the end of a dimension hold nothing.
- Blocks of the last dimension are multiples of 16 elements, or 8 where it is the columns of a bf16
  matrix contraction; blocks of a matrix result's second-to-last dimension are multiples of 8.
- Physical sizes: exactly those of solve/physical.py. A buffer may be physically larger than its
  reader asks for (a matrix result read by another kernel), never smaller: read `layout.strides`.
- Zero pads: the last dimension always (the writer's duty); the contraction rows of a matrix
  kernel's right operand, up to a multiple of 4, when it is a constant, an input or an exchange's
  result. A right operand that a kernel made and that needs such rows is brought by an exchange.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.ir import Block

from dojocc.dialects.context import DojoContext
from dojocc.dialects.mesh_verify import verify_layouts
from dojocc.passes.base import Pass
from dojocc.passes.cost import Rates
from dojocc.passes.shard_copy import Plan
from dojocc.passes.shard_family import with_family
from dojocc.passes.shard_memory import Memory, does_not_fit, memory
from dojocc.passes.shard_plan import Planner
from dojocc.passes.shard_realise import Realiser
from dojocc.passes.shard_report import record_of
from dojocc.passes.shard_stream import best_streamed, remarks_of
from dojocc.passes.solve.candidates import Machine
from dojocc.passes.solve.grid import logical_grid
from dojocc.passes.solve.sharding import Weights
from dojocc.runtime.errors import UsageError
from dojocc.runtime.target import Target

RESERVED = 64 << 10  # parameter tables, alignment and the packer's loss
STEP = 3.0  # how much dearer constants are made, try by try
STEPS = 6
HALVINGS = 3
ROOMS = (1.0, 0.3, 0.15)  # share of the budget that one kernel's activations may take


@dataclass(frozen=True)
class Shard(Pass):
    """Give every tensor a layout on the logical grid, and every change of layout an exchange.

    Takes: fused nn ops, movement ops and constants, with a target in the context.
    Leaves: mesh form: a kernel's operands and results have layouts; movement is in mesh.exchange.
    How: 1. for each kernel in order, take the cheapest assignment of grid axes to its parallel
      loops, by cycles of the busiest node, bytes received and SRAM used; 2. if the buffers exceed
      `sram_budget`, make SRAM dearer and choose all again; 3. make of each chain of movement ops
      one exchange, from the layouts of its sources to the layout its reader wants. Right because
      every layout is derived from the kernel's own affine maps, and checked against them at the
      end by code that shares nothing with the chooser.
      Where no price of SRAM makes the plan fit, and with `dram`, constants lie in DRAM and are
      loaded for each reader (passes/shard_stream.py): of the plans at all prices, the fastest.
    Fails: DoesNotFit when that does not fit either; UnsupportedError for other ops; UsageError
      without a target.
    """

    name: ClassVar[str] = "shard"
    takes: ClassVar[str] = "nn-fused"
    leaves: ClassVar[str] = "mesh"

    sram_budget: int | None = None
    dram: bool = True
    relay_worth: float = 0.0  # that of the relay pass, where it runs: exchanges then cost less
    accumulators: int = 1  # those of the tile pass

    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:
        if ctx.target is None:
            raise UsageError("the shard pass needs a target", help="give one with --target")
        rows, columns = logical_grid(ctx.target).shape
        rates = Rates.of(ctx.target, self.relay_worth, self.accumulators)
        budget = self.sram_budget or ctx.target.node.sram_bytes - RESERVED
        planner = Planner(machine_of(ctx.target, (int(rows), int(columns))), rates, budget)
        for function in op.ops:
            if isinstance(function, FuncOp) and function.body.blocks:
                block = function.body.block
                plan = self.fitting(ctx, planner, block, budget)
                choices = record_of(planner, plan)
                Realiser(plan, rates).apply(function)
                ctx.choices.update(choices)
        verify_layouts(op)

    def fitting(self, ctx: DojoContext, planner: Planner, block: Block, budget: int) -> Plan:
        """A plan that fits, with constants in DRAM where no other does; DoesNotFit."""
        planner = with_family(planner, block)
        tried: list[tuple[Plan, Memory]] = []
        plan, found = best_plan(planner, block, budget, tried)
        if found.peak <= budget:
            return plan
        streamed = best_streamed(planner, tried, block, budget) if self.dram else None
        if streamed is not None and streamed.memory.peak <= budget:
            ctx.remarks.extend(remarks_of(streamed))
            return streamed.plan
        rows, columns = planner.machine.grid
        least = None if streamed is None else streamed.memory.peak
        raise does_not_fit(found, budget, rows * columns, least)


def machine_of(target: Target, grid: tuple[int, int]) -> Machine:
    """The grid with the counts of dies along it, for the outer axes."""
    system = target.system
    tiles = system.training_tile_rows, system.training_tile_cols
    return Machine(grid, (system.die_rows * tiles[0], system.die_cols * tiles[1]))


def best_plan(
    planner: Planner, block: Block, budget: int, tried: list[tuple[Plan, Memory]]
) -> tuple[Plan, Memory]:
    """The plan with the cheapest SRAM that fits; the smallest one if none does.

    Constants are made dearer until a plan fits, and then cheaper again by halves of the last step.
    What is unlikely to fit is tried when nothing else does. What was looked at joins `tried`.
    """
    for every_room in (False, True):
        low = 1.0
        for step in range(STEPS):
            found = _at_price(planner, block, budget, STEP**step, every_room)
            if found[1].peak <= budget:
                return _cheaper(planner, block, budget, (low, STEP**step), found)
            tried.append(found)
            low = STEP**step
    return min(tried, key=lambda found: found[1].peak)


def _cheaper(
    planner: Planner,
    block: Block,
    budget: int,
    prices: tuple[float, float],
    fitting: tuple[Plan, Memory],
) -> tuple[Plan, Memory]:
    """A plan that fits at a price between one that is too low and one that will do."""
    low, high = prices
    for _ in range(HALVINGS if high > low else 0):
        price = (low * high) ** 0.5
        found = _at_price(planner, block, budget, price)
        if found[1].peak <= budget:
            fitting, high = found, price
        else:
            low = price
    return fitting


def _at_price(
    planner: Planner,
    block: Block,
    budget: int,
    price: float,
    every_room: bool = False,
) -> tuple[Plan, Memory]:
    """The first plan that fits, or the smallest, giving ever less room to a kernel's activations.

    What a choice saves on constants it may lose on operands that every node then holds whole. Where
    the constants alone are too large, less room for the rest is tried with `every_room` only.
    """
    weights = replace(planner.weights, resident=Weights().resident * price)
    tried: list[tuple[Plan, Memory]] = []
    for share in ROOMS:
        plan = replace(planner, weights=weights, room=int(budget * share)).plan(block)
        found = memory(plan, block)
        tried.append((plan, found))
        if found.peak <= budget or (found.resident > budget and not every_room):
            break
    return min(tried, key=lambda each: each[1].peak)
