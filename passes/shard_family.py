"""Which family of mappings a model of many images (or sentences) is planned in, on several dies.

Families are ordered by the kernels' cycles alone; for the first few the search goes through the
whole graph, as it does without a family, and the plan that takes the fewest cycles decides. SRAM is
dear in all of them, so that most constants are brought; the best is then planned at the prices that
make it fit.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Block

from dojocc.dialects.op import NNOp
from dojocc.passes.movement import is_kernel
from dojocc.passes.shard_copy import Plan
from dojocc.passes.shard_plan import Planner
from dojocc.passes.shard_stream import WAITED, moved_cycles
from dojocc.passes.solve.families import Family, families

SEARCHED = 3
"""Families for which the search goes through the graph."""

SCARCE = 9
"""How many times dearer SRAM is than where it is ample."""


def batch_of(block: Block) -> int:
    """The first dim of all inputs, 0 where they do not agree."""
    sizes = {
        value.type.get_shape()[:1] for value in block.args if isinstance(value.type, TensorType)
    }
    (size,) = sizes if len(sizes) == 1 else ((),)
    return size[0] if size else 0


def with_family(planner: Planner, block: Block) -> Planner:
    """The planner, with candidates of the best family only where one is better than none."""
    batch = batch_of(block)
    dies = prod(planner.machine.die)
    if dies == 1 or batch < dies:
        return planner
    found = families(batch, planner.machine)
    rows = sorted(found, key=lambda family: kernels_alone(planner, family, block))
    offered = [planner]
    offered += [replace(planner, ways=(family,), copies=True) for family in rows[:SEARCHED]]
    scarce = replace(planner.weights, resident=SCARCE * planner.weights.resident)

    def cycles(each: Planner) -> float:
        each = replace(each, weights=scarce)
        return cycles_of(each, each.plan(block))

    return min(offered, key=cycles)


def kernels_alone(planner: Planner, family: Family, block: Block) -> float:
    """The fewest cycles that a family's kernels can take."""
    within = replace(planner, ways=(family,))
    total = 0.0
    for op in block.ops:
        if is_kernel(op):
            assert isinstance(op, NNOp)
            total += min(each.cycles for each in within.offered(within.work_of(op)))
    return total


def cycles_of(planner: Planner, plan: Plan) -> float:
    """Estimated cycles of a plan, as far as kernels do not hide its exchanges."""
    kernels = sum(placed.cycles for placed in plan.kernels.values())
    moved = [moved_cycles(planner, plan, constants) for constants in (False, True)]
    return kernels + moved[0] + WAITED * moved[1]
