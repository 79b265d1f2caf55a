"""Which ops make one kernel: groups with a single result, grown over element-wise ops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from xdsl.ir import Operation, SSAValue

from dojocc.dialects.nn import ConstantOp
from dojocc.dialects.op import NNOp
from dojocc.dialects.types import SMALL_CONSTANT
from dojocc.passes.constants import splat_value
from dojocc.passes.rewriting import is_elementwise, made_by, shape, users

ROWS = ("reduction", "row")
MATRIX = ("contraction", "window", "indexing")
COMPUTING = ("elementwise", "contraction", "window", "reduction", "row", "indexing")
Order = Mapping[Operation, int]
Resources = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Limits:
    """Largest group: operands of the region, and ops in it that compute."""

    operands: int
    ops: int


@dataclass
class Group:
    """Ops in the order of their block; the last one makes the only value used outside."""

    ops: list[NNOp]

    @property
    def last(self) -> NNOp:
        return self.ops[-1]


def computes(op: Operation) -> bool:
    """An op that does arithmetic (or picks by number), so that it needs a kernel."""
    return isinstance(op, NNOp) and op.FUSIBLE in COMPUTING


def has_rows(op: NNOp) -> bool:
    """A root that reads whole rows and may have element-wise ops before it."""
    return op.FUSIBLE in ROWS and op.short_name != "arg_reduce"


def inlined(value: SSAValue, resources: Resources) -> list[NNOp]:
    """Broadcasts and small constants that make a value and are copied inside, outermost last.

    A broadcast repeats elements for nothing there; its operand becomes the region's. A constant of
    one value is cheaper inside than as an operand; a vector is not, it would need a register each.
    """
    found: list[NNOp] = []
    current = value
    while (spread := made_by(current, "broadcast_in_dim")) is not None:
        found.append(spread)
        current = spread.operands[0]
    constant = made_by(current, "constant")
    if isinstance(constant, ConstantOp) and is_small_splat(current, resources):
        found.append(constant)
    return found[::-1]


def is_small_splat(value: SSAValue, resources: Resources) -> bool:
    """A constant in the text that holds one number."""
    size = int(np.prod(shape(value)))
    return size <= SMALL_CONSTANT and splat_value(value, resources) is not None


def operands_of(ops: list[NNOp], resources: Resources) -> list[SSAValue]:
    """What a region of these ops reads, each value once, in order.

    Contractions, windows and takes read buffers, so what they read is never made inside.
    """
    inside: set[SSAValue] = {result for op in ops for result in op.results}
    buffers = {value for op in ops if op.FUSIBLE in MATRIX for value in op.operands}
    found: dict[SSAValue, None] = {}
    for op in ops:
        for value in op.operands:
            if value in inside:
                continue
            copied = [] if value in buffers else inlined(value, resources)
            if not copied:
                found[value] = None
            elif copied[0].operands:
                found[copied[0].operands[0]] = None
    return list(found)


def fits(ops: list[NNOp], limits: Limits, resources: Resources) -> bool:
    return len(ops) <= limits.ops and len(operands_of(ops, resources)) <= limits.operands


def open_values(ops: list[NNOp]) -> list[SSAValue]:
    """Values of the ops that something outside reads."""
    inside = set(ops)
    return [
        result for op in ops for result in op.results if any(u not in inside for u in users(result))
    ]


def grown_forward(
    group: Group,
    order: Order,
    taken: Mapping[NNOp, Group],
    limits: Limits,
    resources: Resources,
) -> Group:
    """Add element-wise users of the group's shape, to the last point where one value is open.

    Between such points several values are open (both branches of x * f(x)); what does not come
    together again within the limits is left out.
    """
    size = shape(group.last.results[0])
    best, ops = group, list(group.ops)
    tried: set[Operation] = set(ops)
    while True:
        waiting = {user for op in ops for user in users(op.results[0]) if user not in tried}
        candidates = [user for user in waiting if joins(user, size, taken)]
        if not candidates:
            return best
        following = min(candidates, key=order.__getitem__)
        tried.add(following)
        assert isinstance(following, NNOp)
        ops = sorted([*ops, following], key=order.__getitem__)
        if len(ops) > limits.ops:
            return best
        if open_values(ops) == [ops[-1].results[0]] and fits(ops, limits, resources):
            best = Group(list(ops))


def joins(op: Operation, size: tuple[int, ...], taken: Mapping[NNOp, Group]) -> bool:
    """An element-wise op of this shape that no group has."""
    if not isinstance(op, NNOp) or op in taken or not is_elementwise(op):
        return False
    return shape(op.results[0]) == size


def grown_back(
    group: Group,
    order: Order,
    taken: Mapping[NNOp, Group],
    limits: Limits,
    resources: Resources,
) -> Group:
    """Add element-wise makers of what the group's first op reads, if only the group reads them."""
    ops = list(group.ops)
    size = shape(ops[0].operands[0]) if ops[0].operands else shape(ops[0].results[0])
    refused: set[NNOp] = set()
    while True:
        inside = set(ops)
        makers = {made_by(value) for op in ops for value in op.operands} - inside - refused - {None}
        candidates = [
            maker
            for maker in makers
            if maker is not None
            and joins(maker, size, taken)
            and all(user in inside for user in users(maker.results[0]))
        ]
        if not candidates:
            return Group(ops)
        preceding = max(candidates, key=order.__getitem__)
        wider = sorted([preceding, *ops], key=order.__getitem__)
        if fits(wider, limits, resources):
            ops = wider
        else:
            refused.add(preceding)
