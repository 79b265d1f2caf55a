"""Reverse mode over one block: the gradient of a scalar for values the block computes it from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from xdsl.ir import Block, SSAValue

from dojocc.dialects.location import describe, get_location
from dojocc.dialects.op import BY_DECOMPOSITION, ZERO_GRADIENT, NNOp, OpList
from dojocc.dialects.types import FLOATS
from dojocc.passes.rewriting import element, nn_ops, replace
from dojocc.runtime.errors import UnsupportedError


def gradients(
    block: Block, total: SSAValue, wanted: Sequence[SSAValue]
) -> dict[SSAValue, SSAValue]:
    """d total / d value for each of `wanted` that `total` depends on; ops are added at the end.

    Ops are visited from the last to the first, so that what an op is sent from above is complete
    when its turn comes. A value that several ops read is sent the sum, in the order of the visits.
    """
    active = take_apart(block, total, wanted)
    carried = depends_on_any(active, wanted)
    found: dict[SSAValue, SSAValue] = {}
    stuck: dict[str, None] = {}
    b = OpList("gradient of the loss")
    found[total] = b.splat(1.0, total)
    append(block, b)
    for op in reversed(active):
        (result,) = op.results
        if result not in found:
            continue
        b = OpList(f"gradient of {get_location(op) or op.name}")
        parts = op.gradient(b, found[result])
        if parts is None:
            stuck[f"{op.name} at {describe(op)}"] = None
            continue
        for operand, part in zip(op.operands, parts, strict=True):
            if part is None or operand not in carried:
                continue
            found[operand] = b("add", found[operand], part) if operand in found else part
        append(block, b)
    if stuck:
        raise UnsupportedError(
            "the loss depends on ops that have no gradient",
            where="; ".join(stuck),
            numbers=f"{len(stuck)} ops",
        )
    return {value: found[value] for value in wanted if value in found}


def take_apart(block: Block, total: SSAValue, wanted: Iterable[SSAValue]) -> list[NNOp]:
    """The ops between `wanted` and `total`, in order, each with a gradient rule of its own."""
    while True:
        active = between(block, total, wanted)
        composite = [op for op in active if op.GRADIENT == BY_DECOMPOSITION]
        if not composite:
            return active
        for op in composite:
            b = OpList.like(op)
            value = op.decompose(b)
            assert value is not None, op.name
            replace(op, b, value)


def between(block: Block, total: SSAValue, wanted: Iterable[SSAValue]) -> list[NNOp]:
    """Ops that pass a gradient on: they depend on `wanted`, and `total` depends on them."""
    carried = depends_on_any(nn_ops(block), wanted)
    needed: set[SSAValue] = {total}
    found: list[NNOp] = []
    for op in reversed(list(nn_ops(block))):
        if any(result in needed and result in carried for result in op.results):
            found.append(op)
            needed.update(op.operands)
    return found[::-1]


def depends_on_any(ops: Iterable[NNOp], wanted: Iterable[SSAValue]) -> set[SSAValue]:
    """`wanted`, and what is computed from it by ops that pass a gradient on; floats only."""
    carried = set(wanted)
    for op in ops:
        if op.GRADIENT != ZERO_GRADIENT and not carried.isdisjoint(op.operands):
            carried.update(result for result in op.results if element(result) in FLOATS)
    return carried


def append(block: Block, b: OpList) -> None:
    """The list's ops, before the block's terminator."""
    last = block.last_op
    assert last is not None
    block.insert_ops_before(b.ops, last)
    b.ops = []
