"""Scatters, top-k and running sums: by comparing every place with every index.

The work is (places x indices), all of it dense; nothing depends on data but the values.
"""

from __future__ import annotations

from math import prod

import numpy as np
from xdsl.dialects.builtin import f32, i1, i32
from xdsl.ir import SSAValue

from dojocc.frontends.build import Builder, NotSupported, common_shape, element_of, shape_of
from dojocc.frontends.composites.indexing import chosen

REDUCTIONS = {"add": ("sum", "add"), "mul": ("prod", "multiply"), "max": ("max", "maximum")}
REDUCTIONS["min"] = ("min", "minimum")


def counted(b: Builder, size: int, shape: list[int]) -> SSAValue:
    """0, 1, ... as a tensor of this shape."""
    return b.constant(np.arange(size, dtype=np.int32).reshape(shape), "places")


def last_hit(b: Builder, hit: SSAValue, axis: int) -> SSAValue:
    """The last index along an axis at which `hit` holds, -1 for none."""
    shape = shape_of(hit)
    steps = counted(b, shape[axis], [-1 if i == axis else 1 for i in range(len(shape))])
    return b.reduce("max", b.select(hit, steps, b.full(-1, (), i32)), [axis], keep=False)


def neutral(b: Builder, reduction: str, like: SSAValue) -> SSAValue:
    limits = np.iinfo(np.int32)
    ends = {f32: (-np.inf, np.inf), i32: (limits.min, limits.max)}[element_of(like)]
    return b.like(like, {"add": 0, "mul": 1, "max": ends[0], "min": ends[1]}[reduction])


def merged(
    b: Builder, data: SSAValue, hit: SSAValue, updates: SSAValue, axis: int, reduction: str
) -> SSAValue:
    """`data` reduced with those updates along `axis` that hit."""
    if reduction not in REDUCTIONS:
        raise NotSupported(f"reduction={reduction!r} is not known")
    kind, combine = REDUCTIONS[reduction]
    wide = b.broadcast(updates, common_shape(shape_of(hit), shape_of(updates)))
    hit = b.broadcast(hit, shape_of(wide))
    if element_of(data) == i1:
        raise NotSupported("reductions of truth values are not supported")
    chosen = b.emit("select", hit, wide, neutral(b, reduction, wide))
    return b.emit(combine, data, b.reduce(kind, chosen, [axis], keep=False))


def scatter_elements(
    b: Builder,
    whole: SSAValue,
    index: SSAValue,
    updates: SSAValue,
    axis: int,
    reduction: str = "none",
) -> SSAValue:
    """With the axis last: [..., place, index] says which update goes where; the last one wins.

    `index` (not negative) may be smaller than the tensor along every dim.
    """
    shape, wanted, rank = shape_of(whole), shape_of(index), len(shape_of(whole))
    order = [i for i in range(rank) if i != axis] + [axis]
    back = [order.index(i) for i in range(rank)]
    region = [shape[i] if i == axis else wanted[i] for i in range(rank)]
    data = b.transpose(b.slice(whole, [0] * rank, region), order)
    index, updates = b.transpose(index, order), b.transpose(updates, order)
    column = b.reshape(index, (*shape_of(index)[:-1], 1, wanted[axis]))
    hit = b.compare("EQ", column, counted(b, shape[axis], [-1, 1]))
    if reduction == "none":
        result = choose_update(b, last_hit(b, hit, rank), updates, data)
    else:
        row = b.reshape(updates, (*shape_of(updates)[:-1], 1, wanted[axis]))
        result = merged(b, data, hit, row, rank, reduction)
    result = b.transpose(result, back)
    return result if region == list(shape) else overlaid(b, result, whole)


def overlaid(b: Builder, part: SSAValue, whole: SSAValue) -> SSAValue:
    """`whole` with its first elements along every dim replaced by `part`."""
    shape, region = shape_of(whole), shape_of(part)
    grown = [size - held for size, held in zip(shape, region, strict=True)]
    inside = np.zeros(shape, np.bool_)
    inside[tuple(slice(0, held) for held in region)] = True
    wide = b.pad(part, [0] * len(shape), grown, b.full(0, (), element_of(part)))
    return chosen(b, b.constant(inside, "inside"), wide, whole)


def choose_update(b: Builder, winner: SSAValue, updates: SSAValue, data: SSAValue) -> SSAValue:
    """updates[..., winner[..., place]] where there is a winner, else data."""
    count = shape_of(updates)[-1]
    rows = prod(shape_of(updates)[:-1])
    base = np.arange(rows, dtype=np.int32).reshape(*shape_of(updates)[:-1], 1) * count
    place = b.binary("add", b.emit("maximum", winner, b.like(winner, 0)), b.constant(base))
    picked = b.take(b.reshape(updates, (rows * count,)), place, 0)
    return chosen(b, b.compare("GE", winner, b.like(winner, 0)), picked, data)


def scatter_rows(
    b: Builder, data: SSAValue, flat: SSAValue, updates: SSAValue, reduction: str = "none"
) -> SSAValue:
    """Rows `flat` [count] of data [rows, inner] replaced by (or reduced with) updates.

    The last update of a row wins.
    """
    (rows, _), (count, inner) = shape_of(data), shape_of(updates)
    hit = b.compare("EQ", b.reshape(flat, (1, count)), counted(b, rows, [-1, 1]))
    if reduction == "none":
        winner = last_hit(b, hit, 1)
        picked = b.take(updates, b.emit("maximum", winner, b.like(winner, 0)), 0)
        there = b.reshape(b.compare("GE", winner, b.like(winner, 0)), (rows, 1))
        return chosen(b, there, picked, data)
    hit = b.reshape(hit, (rows, count, 1))
    return merged(b, data, hit, b.reshape(updates, (1, count, inner)), 1, reduction)


def top_k(
    b: Builder, x: SSAValue, count: int, axis: int, largest: bool
) -> tuple[SSAValue, SSAValue]:
    """Each element's rank is how many go before it; result k holds the element of rank k.

    Of equal elements the first goes first. Compares all pairs of the axis.
    """
    shape = shape_of(x)
    order = [i for i in range(len(shape)) if i != axis] + [axis]
    x = b.transpose(x, order)
    rows, size = prod(shape_of(x)[:-1]), shape[axis]
    x = b.reshape(x, (rows, size))
    mine, other = b.reshape(x, (rows, size, 1)), b.reshape(x, (rows, 1, size))
    before = b.compare("GT" if largest else "LT", other, mine)
    earlier = b.constant(np.tri(size, k=-1, dtype=np.bool_), "earlier")
    tied = b.binary("and", b.compare("EQ", other, mine), earlier)
    rank = b.reduce("sum", b.convert(b.emit("or", before, tied), i32), [2], keep=False)
    hit = b.compare("EQ", b.reshape(rank, (rows, 1, size)), counted(b, count, [-1, 1]))
    place = last_hit(b, hit, 2)
    base = b.constant(np.arange(rows, dtype=np.int32).reshape(-1, 1) * size)
    values = b.take(b.reshape(x, (rows * size,)), b.binary("add", place, base), 0)
    back = [order.index(i) for i in range(len(shape))]
    wide = [*(shape[i] for i in order[:-1]), count]
    both = (b.transpose(b.reshape(each, wide), back) for each in (values, place))
    found = tuple(both)
    return found[0], found[1]


def running(
    b: Builder, x: SSAValue, axis: int, kind: str, exclusive: bool = False, reverse: bool = False
) -> SSAValue:
    """Each element reduced with those before it (behind it in reverse): a masked reduction."""
    rank, size = len(shape_of(x)), shape_of(x)[axis]
    reach = np.tri(size, k=-1 if exclusive else 0)
    reach = reach.T if reverse else reach
    back = [*range(axis), rank - 1, *range(axis, rank - 1)]
    if kind == "sum" and element_of(x) == f32:
        table = b.constant(reach.astype(np.float32), "reach")
        return b.transpose(b.dot_general(x, table, ([axis], [1])), back)
    order = [i for i in range(rank) if i != axis] + [axis]
    moved = b.transpose(x, order)
    row = b.reshape(moved, (*shape_of(moved)[:-1], 1, size))
    wide = b.broadcast(row, (*shape_of(moved)[:-1], size, size))
    mask = b.broadcast(b.constant(reach.astype(np.bool_), "reach"), shape_of(wide))
    empty = neutral(b, {"sum": "add", "prod": "mul"}.get(kind, kind), wide)
    kept = b.emit("select", mask, wide, empty)
    return b.transpose(b.reduce(kind, kept, [rank], keep=False), back)
