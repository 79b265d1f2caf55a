"""A contraction as a chain of products over parts of its contracted dim: what `chunk` and
`cut-depth` share.

Each product but the first adds the sums so far, in FP32; the last runs what followed the root. So
additions go: within a part ascending from zero, then part by part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from xdsl.dialects.builtin import TensorType, f32
from xdsl.ir import Block, BlockArgument, Operation, Region, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from dojocc.dialects.location import copy_location, get_location
from dojocc.dialects.mesh import layout_of, with_layout
from dojocc.dialects.nn import AddOp, DotGeneralOp, FusedOp, SliceOp
from dojocc.dialects.nn.fused import YieldOp
from dojocc.dialects.op import NNOp, build
from dojocc.dialects.types import tensor

Span = tuple[int, int]
"""[start, end) of the contracted dim."""


@dataclass(frozen=True)
class Side:
    """One operand of the product: its number in the fused op, and its contracted axis."""

    number: int
    axis: int


@dataclass(frozen=True)
class Candidate:
    """A fused op whose root can be cut."""

    op: FusedOp
    root: DotGeneralOp
    sides: tuple[Side, Side]
    depth: int

    def outer(self, side: Side) -> SSAValue:
        return self.op.operands[side.number]


PartOf = Callable[[Side, Span], SSAValue | None]
"""Makes the operand's elements of a span, ahead of the op; None: it is held, and read in part."""


def candidate_of(op: Operation) -> Candidate | None:
    """The parts of a product of two different operands with one contracted dim, or None."""
    if not isinstance(op, FusedOp) or len(op.results) != 1:
        return None
    root = op.root()
    if not isinstance(root, DotGeneralOp) or len(root.p.lhs_contract) != 1:
        return None
    lhs, rhs = root.operands
    if lhs == rhs or not isinstance(lhs, BlockArgument) or not isinstance(rhs, BlockArgument):
        return None
    if not (lhs.has_one_use() and rhs.has_one_use()):
        return None
    sides = (Side(lhs.index, root.p.lhs_contract[0]), Side(rhs.index, root.p.rhs_contract[0]))
    assert isinstance(lhs.type, TensorType)
    return Candidate(op, root, sides, lhs.type.get_shape()[sides[0].axis])


def rewrite(candidate: Candidate, spans: Sequence[Span], part_of: PartOf) -> None:
    """The chain of products in place of one, a product a span."""
    op = candidate.op
    partial: SSAValue | None = None
    for number, span in enumerate(spans):
        last = number == len(spans) - 1
        made = step(candidate, part_of, span, partial, last)
        Rewriter.insert_op(made, InsertPoint.before(op))
        partial = made.results[0]
    assert partial is not None
    partial.name_hint = op.results[0].name_hint
    op.results[0].replace_all_uses_with(partial)
    op.detach()
    op.erase()


def spans_of(sizes: Iterable[int]) -> list[Span]:
    """Spans of these sizes, one behind the other."""
    ends = list(accumulate(sizes))
    return list(zip([0, *ends], ends, strict=False))


def slice_of(value: SSAValue, axis: int, span: Span, location: str | None) -> NNOp:
    """[start, end) of a value along one axis."""
    assert isinstance(value.type, TensorType)
    shape = list(value.type.get_shape())
    start, limit = [0] * len(shape), list(shape)
    start[axis], limit[axis] = span
    strides = [1] * len(shape)
    return build(SliceOp, [value], location=location, start=start, limit=limit, strides=strides)


def step(
    candidate: Candidate,
    part_of: PartOf,
    span: Span,
    partial: SSAValue | None,
    last: bool,
) -> FusedOp:
    """One product of the chain; the last runs what followed the root."""
    op, root = candidate.op, candidate.root
    parts = {side: part_of(side, span) for side in candidate.sides}
    outer = {side.number: part or candidate.outer(side) for side, part in parts.items()}
    if last:
        outer |= {n: value for n, value in enumerate(op.operands) if n not in outer}
    order = sorted(outer)
    values = [outer[number] for number in order]
    if partial is not None:
        values.append(partial)
    block = Block(arg_types=[FusedOp.inner_type(value.type) for value in values])  # pyright: ignore
    inside: dict[SSAValue, SSAValue] = {
        op.block.args[number]: block.args[place] for place, number in enumerate(order)
    }
    for side, part in parts.items():
        if part is None:
            cut = slice_of(inside[op.block.args[side.number]], side.axis, span, get_location(root))
            block.add_op(cut)
            inside[op.block.args[side.number]] = cut.results[0]
    total = product(root, inside, block, None if partial is None else block.args[-1])
    inside[root.results[0]] = total
    if last:
        clone_rest(op, root, inside, block)
        kind = op.results[0].type
    else:
        end = YieldOp.create(operands=[total])
        copy_location(root, end)
        block.add_op(end)
        kind = partial_type(op)
    made = FusedOp.make(values, [kind], Region(block), get_location(op))
    copy_location(op, made)
    return made


def product(
    root: DotGeneralOp, inside: dict[SSAValue, SSAValue], block: Block, partial: SSAValue | None
) -> SSAValue:
    """The root on a chunk, added to the sums so far."""
    operands = [inside[value] for value in root.operands]
    dot = build(DotGeneralOp, operands, location=get_location(root), **vars(root.p))
    block.add_op(dot)
    if partial is None:
        return dot.results[0]
    total = build(AddOp, [partial, dot.results[0]], location=get_location(root))
    block.add_op(total)
    return total.results[0]


def clone_rest(op: FusedOp, root: NNOp, inside: dict[SSAValue, SSAValue], block: Block) -> None:
    """The ops of the region but the root, and its end."""
    for each in op.block.ops:
        if each is root:
            continue
        clone = each.clone(value_mapper=inside)
        copy_location(each, clone)
        block.add_op(clone)


def partial_type(op: FusedOp) -> TensorType:
    """FP32 sums in the layout of the result, where it has one."""
    kind = op.results[0].type
    assert isinstance(kind, TensorType)
    layout, sums = layout_of(kind), tensor(kind.get_shape(), f32)
    return sums if layout is None else with_layout(sums, replace(layout, fmt="FP32"))
