"""Rules for ops that only move elements. Each takes an op and gives a simpler value, or None."""

from __future__ import annotations

from xdsl.ir import SSAValue

from dojocc.dialects.op import NNOp, OpList
from dojocc.passes.rewriting import Rule, made_by, permuted, shape


def moves_nothing(op: NNOp, b: OpList) -> SSAValue | None:
    """A movement op that gives back its operand as it is."""
    p, source = op.p, op.operands[0]
    rank, size = len(shape(source)), shape(source)
    match op.short_name:
        case "reshape":
            same = size == tuple(p.shape)
        case "transpose":
            same = tuple(p.permutation) == tuple(range(rank))
        case "slice":
            same = size == shape(op.results[0])
        case "concatenate":
            same = len(op.operands) == 1
        case "pad":
            same = not any((*p.low, *p.high, *p.interior))
        case "reverse":
            same = all(size[axis] == 1 for axis in p.dims)
        case "broadcast_in_dim":
            same = size == tuple(p.shape)
        case _:
            same = False
    return source if same else None


def reshape_of_reshape(op: NNOp, b: OpList) -> SSAValue | None:
    """Only the last shape matters."""
    inner = made_by(op.operands[0], "reshape")
    return b("reshape", inner.operands[0], shape=op.p.shape) if inner else None


def transpose_of_transpose(op: NNOp, b: OpList) -> SSAValue | None:
    """Two permutations are one."""
    inner = made_by(op.operands[0], "transpose")
    if inner is None:
        return None
    both = permuted(inner.p.permutation, op.p.permutation)
    return b("transpose", inner.operands[0], permutation=both)


def transpose_of_ones(op: NNOp, b: OpList) -> SSAValue | None:
    """A transpose that moves only dims of size 1 keeps the order of elements: a reshape."""
    size = shape(op.operands[0])
    wide = [axis for axis in op.p.permutation if size[axis] != 1]
    if wide != sorted(wide):
        return None
    return b("reshape", op.operands[0], shape=shape(op.results[0]))


def slice_of_slice(op: NNOp, b: OpList) -> SSAValue | None:
    """Start and stride of the outer one are counted in strides of the inner one."""
    inner = made_by(op.operands[0], "slice")
    if inner is None:
        return None
    p, q = op.p, inner.p
    start = [first + at * step for first, at, step in zip(q.start, p.start, q.strides, strict=True)]
    strides = [a * c for a, c in zip(p.strides, q.strides, strict=True)]
    sizes = shape(op.results[0])
    limit = [
        at + (size - 1) * step + 1 if size else at
        for at, size, step in zip(start, sizes, strides, strict=True)
    ]
    return b("slice", inner.operands[0], start=start, limit=limit, strides=strides)


def concatenate_of_concatenate(op: NNOp, b: OpList) -> SSAValue | None:
    """Parts that are joined along the same dim are joined at once; parts of size 0 are left out."""
    axis, parts = op.p.dim, []
    for part in op.operands:
        inner = made_by(part, "concatenate")
        parts += inner.operands if inner and inner.p.dim == axis else [part]
    full = [part for part in parts if shape(part)[axis]] or parts[:1]
    if len(full) == len(op.operands):
        return None
    return b("concatenate", *full, dim=axis)


def reverse_of_reverse(op: NNOp, b: OpList) -> SSAValue | None:
    """What is reversed twice is not."""
    inner = made_by(op.operands[0], "reverse")
    if inner is None:
        return None
    return b("reverse", inner.operands[0], dims=sorted(set(op.p.dims) ^ set(inner.p.dims)))


def broadcast_of_broadcast(op: NNOp, b: OpList) -> SSAValue | None:
    """Dims of the inner one, numbered by the outer one."""
    inner = made_by(op.operands[0], "broadcast_in_dim")
    if inner is None:
        return None
    dims = [op.p.dims[axis] for axis in inner.p.dims]
    return b("broadcast_in_dim", inner.operands[0], dims=dims, shape=op.p.shape)


def broadcast_of_ones(op: NNOp, b: OpList) -> SSAValue | None:
    """Dims of size 1 say nothing: they are dropped from the operand by a reshape."""
    source, size = op.operands[0], shape(op.operands[0])
    kept = [axis for axis, length in enumerate(size) if length != 1]
    if len(kept) == len(size):
        return None
    narrow = b("reshape", source, shape=[size[axis] for axis in kept])
    dims = [op.p.dims[axis] for axis in kept]
    return b("broadcast_in_dim", narrow, dims=dims, shape=op.p.shape)


def reshape_of_broadcast(op: NNOp, b: OpList) -> SSAValue | None:
    """A reshape that only adds or drops dims of size 1 renumbers the broadcast's dims."""
    inner = made_by(op.operands[0], "broadcast_in_dim")
    if inner is None:
        return None
    before, after = tuple(inner.p.shape), tuple(op.p.shape)
    if not inner.p.dims:
        return b("broadcast_in_dim", inner.operands[0], dims=(), shape=after)
    wide = [axis for axis, size in enumerate(before) if size != 1]
    places = [axis for axis, size in enumerate(after) if size != 1]
    if [before[axis] for axis in wide] != [after[axis] for axis in places]:
        return None
    where = dict(zip(wide, places, strict=True))
    source = inner.operands[0]
    if any(axis not in where for axis in inner.p.dims):
        return None  # broadcast_of_ones drops these first
    return b("broadcast_in_dim", source, dims=[where[axis] for axis in inner.p.dims], shape=after)


def transpose_of_broadcast(op: NNOp, b: OpList) -> SSAValue | None:
    """Move the small operand's dims instead of the large result's."""
    inner = made_by(op.operands[0], "broadcast_in_dim")
    if inner is None:
        return None
    places = [op.p.permutation.index(axis) for axis in inner.p.dims]
    order = sorted(range(len(places)), key=places.__getitem__)
    source = inner.operands[0]
    if order != list(range(len(order))):
        source = b("transpose", source, permutation=order)
    shape_after = shape(op.results[0])
    return b("broadcast_in_dim", source, dims=sorted(places), shape=shape_after)


def broadcast_as_reshape(op: NNOp, b: OpList) -> SSAValue | None:
    """A broadcast that repeats nothing is a reshape."""
    result = shape(op.results[0])
    source = shape(op.operands[0])
    if [s for s in source if s != 1] != [s for s in result if s != 1]:
        return None
    return b("reshape", op.operands[0], shape=result)


def reduce_of_ones(op: NNOp, b: OpList) -> SSAValue | None:
    """Reducing over nothing, or over dims of size 1, drops those dims."""
    source = op.operands[0]
    if any(shape(source)[axis] != 1 for axis in op.p.dims):
        return None
    if not op.p.dims:
        return source
    return b("reshape", source, shape=shape(op.results[0]))


def window_of_one(op: NNOp, b: OpList) -> SSAValue | None:
    """A window of one element with step 1 gives each element back."""
    p = op.p
    if any(size != 1 for size in (*p.window, *p.strides)) or any(p.padding):
        return None
    return op.operands[0]


MOVEMENT_RULES: dict[str, tuple[Rule, ...]] = {
    "*movement": (moves_nothing,),
    "reshape": (reshape_of_reshape, reshape_of_broadcast),
    "transpose": (transpose_of_transpose, transpose_of_ones, transpose_of_broadcast),
    "slice": (slice_of_slice,),
    "concatenate": (concatenate_of_concatenate,),
    "reverse": (reverse_of_reverse,),
    "broadcast_in_dim": (broadcast_of_broadcast, broadcast_as_reshape, broadcast_of_ones),
    "reduce": (reduce_of_ones,),
    "reduce_window": (window_of_one,),
}
