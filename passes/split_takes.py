"""split-takes: tables too tall for a node are cut in blocks, each looked into by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from xdsl.dialects.builtin import ModuleOp, i32
from xdsl.ir import SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.nn import ConstantOp, TakeOp
from dojocc.dialects.op import OpList
from dojocc.passes.base import SAME, Pass
from dojocc.passes.constants import make_constant, resource_name
from dojocc.passes.rewriting import bodies, element, made_by, nn_ops, replace, shape
from dojocc.passes.solve.grid import logical_grid
from dojocc.runtime.errors import UsageError
from dojocc.runtime.layout import LANES

LEAST_ITEM = 2  # bytes of an element in the narrowest precision that tables are kept in


@dataclass(frozen=True)
class SplitTakes(Pass):
    """Look rows up block by block where no node can hold a table's rows, even in narrow columns.

    Takes: nn-core, folded; without a target in the context nothing is done.
    Leaves: the same form.
    How: 1. a constant table of V rows becomes P blocks of B rows, P the rows of the grid on a die,
      padded with zeros (where there are several dies, blocks have copies: all blocks are looked
      into for every index, so more blocks would be more work); 2. every block gives the row
      `index % B`; 3. the sum over the blocks, each counted only where `index / B` is its number, is
      the row wanted: one term is the row, all others are 0, so the sum is exact in any order (-0
      becomes 0). The blocks are a dimension that the shard pass may share out, which the rows of a
      table are not.
    Fails: UsageError for a share below 1.
    """

    name: ClassVar[str] = "split-takes"
    takes: ClassVar[str] = "nn-core"
    leaves: ClassVar[str] = SAME

    share: int = 4  # a node gives a table at most its SRAM divided by this

    def __post_init__(self) -> None:
        if self.share < 1:
            raise UsageError("split-takes: share is at least 1", numbers=f"share = {self.share}")

    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:
        if ctx.target is None:
            return
        grid = logical_grid(ctx.target).shape
        count = max(1, int(grid[0]) // (ctx.target.rows // ctx.target.die.rows))
        for block in bodies(op):
            for take in nn_ops(block):
                if isinstance(take, TakeOp) and is_tall(
                    take, ctx.target.node.sram_bytes // self.share, grid
                ):
                    b = OpList.like(take)
                    replace(take, b, in_blocks(b, take, count, ctx.resources))


def is_tall(take: TakeOp, limit: int, grid: tuple[int, ...]) -> bool:
    """A constant table of rows whose narrowest share, with all rows, takes over `limit` bytes."""
    table = take.operands[0]
    sizes = shape(table)
    if take.p.axis != 0 or len(sizes) != 2 or not isinstance(made_by(table), ConstantOp):
        return False
    columns = -(-sizes[1] // grid[1])
    width = -(-columns // LANES) * LANES
    return sizes[0] * width * LEAST_ITEM > limit


def in_blocks(b: OpList, take: TakeOp, count: int, resources: dict[str, np.ndarray]) -> SSAValue:
    """The same rows, as a sum over `count` blocks of the table."""
    table, indices = take.operands
    rows, width = shape(table)
    height = -(-rows // count)
    picked = shape(indices)
    numbers = b("clamp", b.scalar(0, i32), indices, b.scalar(rows - 1, i32))
    size = b.splat(height, indices)
    blocks = b(
        "take", blocked(b, table, count, height, resources), b("remainder", numbers, size), axis=1
    )
    whole = (count, *picked, width)
    dims = tuple(range(1, len(picked) + 1))
    wanted = b.broadcast(b("divide", numbers, size), whole, dims)
    names = make_constant(b, np.arange(count, dtype=np.int32), i32, "block_numbers", resources)
    mine = b("compare", wanted, b.broadcast(names, whole, (0,)), direction="EQ")
    return b("reduce", b("select", mine, blocks, b.splat(0, blocks)), kind="sum", dims=(0,))


def blocked(
    b: OpList, table: SSAValue, count: int, height: int, resources: dict[str, np.ndarray]
) -> SSAValue:
    """The table as [count, height, width], with rows of zeros at its end."""
    constant: Any = made_by(table)
    rows, width = shape(table)
    values = constant.array(resources)
    padded = np.zeros((count * height, width), values.dtype)
    padded[:rows] = values
    whole = padded.reshape(count, height, width)
    return make_constant(b, whole, element(table), resource_name(table), resources)
