"""cut-depth: products whose panels no node can hold are cut along the contracted dim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.location import get_location
from dojocc.dialects.mesh import STORAGE
from dojocc.passes.base import SAME, Pass
from dojocc.passes.chain import Candidate, Side, Span, candidate_of, rewrite, slice_of, spans_of
from dojocc.passes.rewriting import bodies, element, shape
from dojocc.passes.solve.chunking import Panels, depth_that_fits, slices_of
from dojocc.passes.solve.grid import logical_grid
from dojocc.runtime.errors import UsageError
from dojocc.runtime.formats import FORMATS


@dataclass(frozen=True)
class CutDepth(Pass):
    """Cut products of which a node's rows of one operand and columns of the other do not fit.

    Takes: form nn-fused; without a target in the context nothing is done.
    Leaves: the same form; a product that is cut is a chain of products of slices, its partial sums
      in FP32.
    How: 1. with the result shared out over the grid, a node reads its rows and its columns whole:
      where these and the result do not fit beside the operands, spread evenly, they are cut to the
      depth that does fit twice, so that one slice comes while another is multiplied; the first
      slices may be thinner, as nothing hides the first one's way (solve/chunking.py); 2. slices
      are data movement: the shard pass brings each to its reader.
      The order of additions is that of passes/chain.py.
      A product of which not even a thin slice fits stays, for the shard pass to report.
    Fails: UsageError for a share of SRAM that is none.
    """

    name: ClassVar[str] = "cut-depth"
    takes: ClassVar[str] = "nn-fused"
    leaves: ClassVar[str] = SAME

    sram: int | None = None  # bytes of a node that the product may take; None: all

    def __post_init__(self) -> None:
        if self.sram is not None and self.sram < 1:
            raise UsageError("cut-depth: a node has some bytes", numbers=f"sram = {self.sram}")

    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:
        if ctx.target is None:
            return
        rows, columns = logical_grid(ctx.target).shape
        for block in bodies(op):
            for each in list(block.ops):
                candidate = candidate_of(each)
                if candidate is None or candidate.root.p.lhs_batch:
                    continue
                panels = panels_of(candidate, (int(rows), int(columns)))
                size = depth_that_fits(panels, self.sram or ctx.target.node.sram_bytes)
                if size < candidate.depth:
                    cut(candidate, slices_of(panels, size))


def panels_of(candidate: Candidate, grid: tuple[int, int]) -> Panels:
    """The product's sizes, as a grid shares it out."""
    sizes = []
    for side in candidate.sides:
        dims = shape(candidate.outer(side))
        sizes.append(prod(dims) // dims[side.axis])
    items = [item_bytes(candidate.outer(side)) for side in candidate.sides]
    result = item_bytes(candidate.op.results[0])
    return Panels((sizes[0], sizes[1]), candidate.depth, max(items), result, grid)


def item_bytes(value: SSAValue) -> int:
    """Bytes of an element as a node keeps it."""
    return FORMATS[STORAGE[element(value)]].bytes


def cut(candidate: Candidate, sizes: Sequence[int]) -> None:
    """The chain, of slices of both operands."""
    block = candidate.op.parent
    assert block is not None

    def part_of(side: Side, span: Span) -> SSAValue:
        made = slice_of(candidate.outer(side), side.axis, span, get_location(candidate.op))
        block.insert_op_before(made, candidate.op)
        return made.results[0]

    rewrite(candidate, spans_of(sizes), part_of)
