"""Pass `chunk`: contractions whose operands are brought run in chunks of the contracted dim.

The next chunk arrives while one is multiplied.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import BlockArgument, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import main_function
from dojocc.dialects.location import get_location
from dojocc.dialects.mesh import ExchangeOp, need_layout, with_layout
from dojocc.dialects.nn import ConstantOp, SliceOp
from dojocc.dialects.nn.fused import YieldOp
from dojocc.dialects.properties import to_python
from dojocc.dialects.types import tensor
from dojocc.passes.base import Pass
from dojocc.passes.chain import Candidate, Side, Span, candidate_of, rewrite, slice_of, spans_of
from dojocc.passes.cost import Rates
from dojocc.passes.solve.chunking import GRANULE, Product, chunks_of, even_slices
from dojocc.passes.solve.physical import round_up
from dojocc.passes.target_of import target_of
from dojocc.runtime.errors import UsageError
from dojocc.runtime.layout import LANES, DimShard, Layout


@dataclass(frozen=True)
class Chunk(Pass):
    """Cut contractions into chunks of the contracted dim where that hides their exchanges.

    Takes: form mesh; the context has a target.

    Leaves: form mesh; a contraction that is cut is a chain of products, each with its own slice of
      the operands, the partial sums in FP32 in the layout of the result.

    How:
    1. A product of two operands of which one or both come from an exchange of their own is a
       candidate. It is cut to chunks of `size`, or, with `auto`, to the cheapest by
       solve/chunking.py: transfers of one chunk beside the products of another, against partial
       sums in and out. What is there from the start arrives beside the kernel before, so only
       exchanges of computed values count. Without either, nothing is cut.
    2. An exchange becomes one a chunk, its movement ended by a slice; an operand that is held is
       read in part. So of what is brought, two chunks are held at a time instead of all.
    3. Each product but the first adds the sums so far; the last runs what followed the root. The
       order of additions is: within a chunk ascending from zero, then chunk by chunk. It is a
       property of the mesh form, so all levels below agree bit for bit.

    Fails: UsageError without a target, or for chunks that are not whole granules.
    """

    name: ClassVar[str] = "chunk"
    takes: ClassVar[str] = "mesh"
    leaves: ClassVar[str] = "mesh"

    size: int | None = None  # elements a chunk
    auto: bool = False  # as many as is cheapest by the estimate

    def __post_init__(self) -> None:
        if self.size is not None and (self.size < GRANULE or self.size % GRANULE):
            raise UsageError(
                f"chunk: a chunk is a multiple of {GRANULE} elements", numbers=f"size = {self.size}"
            )

    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:
        rates = Rates.of(target_of(ctx, self.name))
        if self.size is None and not self.auto:
            return
        cut = 0
        for each in list(main_function(op).body.block.ops):
            candidate = candidate_of(each)
            exchanges = {} if candidate is None else brought(candidate)
            if candidate is None or not exchanges or not whole(candidate):
                continue
            product = product_of(candidate, exchanges)
            size = self.size or chunks_of(product, rates.exchange_cycles)
            if size < candidate.depth:
                in_chunks(candidate, exchanges, size)
                cut += 1
        ctx.remarks.append(f"chunk: {cut} contractions run in chunks")


def brought(candidate: Candidate) -> dict[Side, ExchangeOp]:
    """The operands that an exchange of their own makes."""
    found = {}
    for side in candidate.sides:
        value = candidate.outer(side)
        owner = value.owner
        if isinstance(owner, ExchangeOp) and value.has_one_use() and not cut_already(owner):
            found[side] = owner
    return found


def cut_already(op: ExchangeOp) -> bool:
    """The exchange brings a slice: part of a chain by cut-depth, which overlaps as it is."""
    last = op.body.block.last_op
    assert isinstance(last, YieldOp)
    return isinstance(last.operands[0].owner, SliceOp)


def whole(candidate: Candidate) -> bool:
    """Every node holds the contracted dim of both operands whole."""
    layouts = [(need_layout(candidate.outer(side), candidate.op), side) for side in candidate.sides]
    return not any(layout.dims[side.axis].axes for layout, side in layouts)


def product_of(candidate: Candidate, exchanges: dict[Side, ExchangeOp]) -> Product:
    """The product as numbers: a node's share, and the cycles of what is brought."""
    layout = need_layout(candidate.op.results[0], candidate.op)
    extents = [1, 1, *(dim.extent for dim in layout.dims)]
    exposed = [each for each in exchanges.values() if not there_from_start(each)]
    cycles = tuple(each.cycles.value.data for each in exposed)
    return Product(prod(extents[:-2]), extents[-2], extents[-1], candidate.depth, cycles)


def there_from_start(op: ExchangeOp) -> bool:
    """Nothing it brings is computed: `prefetch` lets it run beside the kernel before."""
    return all(
        isinstance(value, BlockArgument) or isinstance(value.owner, ConstantOp)
        for value in op.operands
    )


def in_chunks(candidate: Candidate, exchanges: dict[Side, ExchangeOp], size: int) -> None:
    """The chain, with an exchange a chunk in place of those that brought all."""

    def part_of(side: Side, span: Span) -> SSAValue | None:
        if side not in exchanges:
            return None
        made = sliced_exchange(exchanges[side], side.axis, span, candidate.depth)
        Rewriter.insert_op(made, InsertPoint.before(candidate.op))
        return made.result

    rewrite(candidate, spans_of(even_slices(candidate.depth, size)), part_of)
    for old in exchanges.values():
        old.detach()
        old.erase()


def sliced_exchange(op: ExchangeOp, axis: int, span: Span, depth: int) -> ExchangeOp:
    """The exchange, of [start, end) along one axis of its result only."""
    region = op.body.clone()
    last = region.block.last_op
    assert isinstance(last, YieldOp)
    cut = slice_of(last.operands[0], axis, span, get_location(op))
    region.block.insert_op_before(cut, last)
    last.operands[0] = cut.results[0]
    layout = chunk_layout(need_layout(op.result, op), axis, span[1] - span[0])
    kind = tensor(layout.shape, op.result.type.element_type)  # pyright: ignore
    share = (span[1] - span[0]) / depth
    p = to_python(op.get_irdl_definition(), op.properties)
    return ExchangeOp.make(
        list(op.operands),
        with_layout(kind, layout),
        region,
        get_location(op),
        kind="move",
        bytes=round(p.bytes * share),
        cycles=round(p.cycles * share),
        zero_dims=p.zero_dims,
    )


def chunk_layout(layout: Layout, axis: int, size: int) -> Layout:
    """The layout with `size` elements along the contracted axis, which every node holds whole."""
    physical = round_up(size, LANES if axis == len(layout.shape) - 1 else 4)
    dims, shape = list(layout.dims), list(layout.shape)
    dims[axis] = DimShard((), 0, 0, size, physical)
    shape[axis] = size
    return replace(layout, shape=tuple(shape), dims=tuple(dims))
