"""Rules that bring dot_general operands into the order [batch, m, k] and [batch, k, n]."""

from __future__ import annotations

from math import prod

from xdsl.ir import SSAValue

from dojocc.dialects.nn import DotGeneralOp
from dojocc.dialects.op import NNOp, OpList
from dojocc.passes.constants import is_known
from dojocc.passes.rewriting import Rule, inverse, made_by, permuted, shape

Order = tuple[int, ...]


def without_copies(op: NNOp, b: OpList) -> SSAValue | None:
    """A right operand that is the same in every batch: the batch dims are rows of the left one."""
    assert isinstance(op, DotGeneralOp)
    p = op.p
    spread = made_by(op.rhs, "broadcast_in_dim")
    rows = (*p.lhs_batch, *op.lhs_free)
    if spread is None or not p.lhs_batch or rows != tuple(sorted(rows)):
        return None
    kept = [axis for axis in range(len(shape(op.rhs))) if axis not in p.rhs_batch]
    source = spread.operands[0]
    if list(spread.p.dims) != kept or shape(source) != tuple(shape(op.rhs)[a] for a in kept):
        return None
    contract = [kept.index(axis) for axis in p.rhs_contract]
    return product(b, op.lhs, source, 0, p.lhs_contract, contract)


def product(
    b: OpList, lhs: SSAValue, rhs: SSAValue, batch: int, left: Order, right: Order | list[int]
) -> SSAValue:
    """dot_general with leading batch dims."""
    every = range(batch)
    return b(
        "dot_general",
        lhs,
        rhs,
        lhs_batch=every,
        rhs_batch=every,
        lhs_contract=left,
        rhs_contract=right,
    )


def ordered(op: NNOp, b: OpList) -> SSAValue | None:
    """Transpose and flatten the operands; the result gets its shape back."""
    assert isinstance(op, DotGeneralOp)
    p, batch = op.p, len(op.p.lhs_batch)
    sizes = [shape(op.lhs)[axis] for axis in p.lhs_contract]
    left: Order = (*p.lhs_batch, *op.lhs_free, *p.lhs_contract)
    flat = len(sizes) == 1 and len(op.rhs_free) == 1
    right = right_order(op) if flat else (*p.rhs_batch, *p.rhs_contract, *op.rhs_free)
    straight = tuple(range(len(left))), tuple(range(len(right)))
    if (left, right) == straight and flat and op.lhs_free:
        return None
    lhs = b("transpose", op.lhs, permutation=left)
    rhs = b("transpose", op.rhs, permutation=right)
    rows = [shape(op.lhs)[axis] for axis in op.lhs_free] or [1]
    many = list(shape(op.lhs)[axis] for axis in p.lhs_batch)
    columns = prod(shape(op.rhs)[axis] for axis in op.rhs_free)
    depth = prod(sizes)
    lhs = reshaped(b, lhs, [*many, *rows, depth])
    last_is_depth = flat and right[-1] == p.rhs_contract[0]
    inner = [columns, depth] if last_is_depth else [depth, columns]
    rhs = reshaped(b, rhs, [*many, *inner])
    at = batch + 1 if last_is_depth else batch
    value = product(b, lhs, rhs, batch, (batch + len(rows),), (at,))
    return reshaped(b, value, shape(op.results[0]))


def reshaped(b: OpList, value: SSAValue, sizes: list[int] | tuple[int, ...]) -> SSAValue:
    """The value under a shape."""
    return value if shape(value) == tuple(sizes) else b("reshape", value, shape=sizes)


def right_order(op: DotGeneralOp) -> Order:
    """[batch, k, n], or [batch, n, k] where that spares a transpose of the right operand."""
    p = op.p
    depth_first: Order = (*p.rhs_batch, *p.rhs_contract, *op.rhs_free)
    depth_last: Order = (*p.rhs_batch, *op.rhs_free, *p.rhs_contract)
    if is_known(op.rhs):
        return depth_first
    transpose = made_by(op.rhs, "transpose")
    before: Order = transpose.p.permutation if transpose else tuple(range(len(depth_first)))
    return min((depth_first, depth_last), key=lambda order: effort(permuted(before, order)))


def effort(order: Order) -> int:
    """0: nothing moves; 1: rows stay whole; 2: single elements move."""
    if list(order) == sorted(order):
        return 0
    return 1 if order[-1] == len(order) - 1 else 2


def flattened(op: NNOp, b: OpList) -> SSAValue | None:
    """reshape(T(x)) times constant weights: the weights' rows are permuted instead of x."""
    assert isinstance(op, DotGeneralOp)
    p = op.p
    reshape = made_by(op.lhs, "reshape")
    transpose = made_by(reshape.operands[0], "transpose") if reshape else None
    if transpose is None or len(p.lhs_contract) != 1 or not is_known(op.rhs):
        return None
    flat, middle = shape(op.lhs), shape(transpose.results[0])
    ahead = len(flat) - 1
    permutation = tuple(transpose.p.permutation)
    joined = p.lhs_contract[0] == ahead and middle[:ahead] == flat[:ahead]
    if not joined or permutation[:ahead] != tuple(range(ahead)):
        return None
    behind = tuple(axis - ahead for axis in permutation[ahead:])
    weights, at = op.rhs, p.rhs_contract[0]
    sizes = shape(weights)
    split = b("reshape", weights, shape=(*sizes[:at], *middle[ahead:], *sizes[at + 1 :]))
    order = (
        *range(at),
        *(at + axis for axis in inverse(behind)),
        *range(at + len(behind), len(sizes) + len(behind) - 1),
    )
    laid = b("reshape", b("transpose", split, permutation=order), shape=sizes)
    lhs = b("reshape", transpose.operands[0], shape=flat)
    batch = {"lhs_batch": p.lhs_batch, "rhs_batch": p.rhs_batch}
    contract = {"lhs_contract": p.lhs_contract, "rhs_contract": p.rhs_contract}
    return b("dot_general", lhs, laid, **batch, **contract)


DOT_RULES: dict[str, tuple[Rule, ...]] = {"dot_general": (without_copies, flattened, ordered)}
