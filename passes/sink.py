"""Rules that move a transpose (or a reshape that places dims of size 1) towards the results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from xdsl.ir import SSAValue

from dojocc.dialects.op import NNOp, OpList
from dojocc.dialects.properties import to_python
from dojocc.passes.constants import is_known
from dojocc.passes.rewriting import Rule, inverse, made_by, permuted, shape
from dojocc.passes.spreads import wide


def through_elementwise(op: NNOp, b: OpList) -> SSAValue | None:
    """f(T(x), T(y), c) is T(f(x, y, T^-1(c))), where more operands carry T than need T^-1."""
    result = shape(op.results[0])
    full = [value for value in op.operands if shape(value) == result]
    if any(shape(value) not in ((), result) for value in op.operands):
        return None
    permutation = worth_moving(full)
    if permutation is None:
        return None
    back = inverse(permutation)
    operands = [
        undo(b, value, permutation, back) if shape(value) == result and result else value
        for value in op.operands
    ]
    return b("transpose", b(type(op), *operands, **properties_of(op)), permutation=permutation)


def worth_moving(values: Sequence[SSAValue]) -> tuple[int, ...] | None:
    """The permutation most operands carry, if fewer would need its inverse at a cost."""
    carried: Counter[tuple[int, ...]] = Counter()
    dear = 0
    for value in values:
        transpose = made_by(value, "transpose")
        if is_known(value) or made_by(value, "broadcast_in_dim"):
            continue  # transposed for nothing: folded, or the small operand is
        if transpose is None:
            dear += 1
        else:
            carried[tuple(transpose.p.permutation)] += 1
    if not carried:
        return None
    permutation, count = carried.most_common(1)[0]
    others = dear + carried.total() - count
    return permutation if count > others else None


def undo(
    b: OpList, value: SSAValue, permutation: tuple[int, ...], back: tuple[int, ...]
) -> SSAValue:
    """T^-1 of a value: the operand of T where it is one."""
    transpose = made_by(value, "transpose")
    if transpose is not None and tuple(transpose.p.permutation) == permutation:
        return transpose.operands[0]
    return b("transpose", value, permutation=back)


def properties_of(op: NNOp) -> dict[str, object]:
    """The op's properties as Python values."""
    return vars(to_python(op.get_irdl_definition(), op.properties))


def reshape_through_elementwise(op: NNOp, b: OpList) -> SSAValue | None:
    """f(R(x), R(y), c) is R(f(x, y, R^-1(c))) for a reshape R that only places dims of size 1."""
    result = shape(op.results[0])
    if any(shape(value) not in ((), result) for value in op.operands) or not result:
        return None
    full = [value for value in op.operands if shape(value) == result]
    sources: Counter[tuple[int, ...]] = Counter()
    dear = 0
    for value in full:
        reshape = made_by(value, "reshape")
        if is_known(value) or made_by(value, "broadcast_in_dim"):
            continue
        if reshape is None or not only_ones(reshape):
            dear += 1
        else:
            sources[shape(reshape.operands[0])] += 1
    if not sources:
        return None
    size, count = sources.most_common(1)[0]
    if count <= dear + sources.total() - count:
        return None
    operands = [unshaped(b, value, size) if value in full else value for value in op.operands]
    return b("reshape", b(type(op), *operands, **properties_of(op)), shape=result)


def only_ones(reshape: NNOp) -> bool:
    """The reshape only adds, drops or moves dims of size 1."""
    before, after = shape(reshape.operands[0]), shape(reshape.results[0])
    same = [size for size in before if size != 1] == [size for size in after if size != 1]
    return same and bool(wide(reshape.operands[0]))


def unshaped(b: OpList, value: SSAValue, size: tuple[int, ...]) -> SSAValue:
    """The value under its shape before the reshape."""
    reshape = made_by(value, "reshape")
    if reshape is not None and shape(reshape.operands[0]) == size:
        return reshape.operands[0]
    return b("reshape", value, shape=size)


def through_concatenate(op: NNOp, b: OpList) -> SSAValue | None:
    """Parts that carry one permutation are joined before it."""
    permutation = worth_moving(op.operands)
    if permutation is None:
        return None
    back = inverse(permutation)
    parts = [undo(b, value, permutation, back) for value in op.operands]
    joined = b("concatenate", *parts, dim=permutation[op.p.dim])
    return b("transpose", joined, permutation=permutation)


def per_dim(*names: str) -> Rule:
    """A rule for an op of one tensor operand whose named properties have an entry for each dim."""

    def rule(op: NNOp, b: OpList) -> SSAValue | None:
        transpose = carried(op)
        if transpose is None:
            return None
        permutation = tuple(transpose.p.permutation)
        back = inverse(permutation)
        properties = properties_of(op)
        for name in names:
            properties[name] = permuted(getattr(op.p, name), back)
        value = b(type(op), transpose.operands[0], *op.operands[1:], **properties)
        return b("transpose", value, permutation=permutation)

    return rule


def carried(op: NNOp) -> NNOp | None:
    """The transpose that makes the first operand, unless fold will remove it."""
    transpose = made_by(op.operands[0], "transpose")
    return None if transpose is None or is_known(op.operands[0]) else transpose


def through_reverse(op: NNOp, b: OpList) -> SSAValue | None:
    """The reversed dims under their numbers before the transpose."""
    transpose = carried(op)
    if transpose is None:
        return None
    permutation = tuple(transpose.p.permutation)
    dims = sorted(permutation[axis] for axis in op.p.dims)
    value = b("reverse", transpose.operands[0], dims=dims)
    return b("transpose", value, permutation=permutation)


def through_window(op: NNOp, b: OpList) -> SSAValue | None:
    """Window, strides, dilation and edges under their dims' numbers before the transpose.

    Not where the window would then lie along the last dim: kernels read that one whole.
    """
    transpose = carried(op)
    if transpose is None:
        return None
    permutation = tuple(transpose.p.permutation)
    back = inverse(permutation)
    if permuted(op.p.window, back)[-1] > 1 and op.p.window[-1] == 1:
        return None
    properties = properties_of(op)
    for name in ("window", "strides", "dilation"):
        properties[name] = permuted(getattr(op.p, name), back)
    edges = op.p.padding
    properties["padding"] = [edge for axis in back for edge in edges[2 * axis : 2 * axis + 2]]
    value = b("reduce_window", transpose.operands[0], **properties)
    return b("transpose", value, permutation=permutation)


def through_reduce(op: NNOp, b: OpList) -> SSAValue | None:
    """Dims are reduced under their old numbers; what is left is transposed if its order differs."""
    transpose = carried(op)
    if transpose is None:
        return None
    permutation = tuple(transpose.p.permutation)
    dims = sorted(permutation[axis] for axis in op.p.dims)
    value = b("reduce", transpose.operands[0], kind=op.p.kind, dims=dims)
    wanted = [source for axis, source in enumerate(permutation) if axis not in op.p.dims]
    order = [sorted(wanted).index(source) for source in wanted]
    if order == sorted(order):
        return value
    return b("transpose", value, permutation=order)


Sink = dict[str, tuple[Callable[[NNOp, OpList], SSAValue | None], ...]]
SINK_RULES: Sink = {
    "*elementwise": (through_elementwise, reshape_through_elementwise),
    "concatenate": (through_concatenate,),
    "pad": (per_dim("low", "high", "interior"),),
    "slice": (per_dim("start", "limit", "strides"),),
    "reverse": (through_reverse,),
    "reduce_window": (through_window,),
    "reduce": (through_reduce,),
}
