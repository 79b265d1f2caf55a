"""Products of several operand blocks with several others, side by side in one loop body, as one.

Register-blocked kernels load r blocks and c blocks a turn and add r x c products to as many
accumulators. Blocks at even distances are one operand with one more axis, so the run of products
becomes one contraction instead of r x c small ones.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dojocc.runtime.engines.access import Access, Bounds
from dojocc.runtime.engines.contraction import contract
from dojocc.runtime.engines.loads import Load
from dojocc.runtime.engines.products import matrix_operand
from dojocc.runtime.engines.tree import Op

if TYPE_CHECKING:
    from dojocc.runtime.engines.lift import Nest


def block_product(nest: Nest, op: Op, counts: tuple[int, ...], carried: int) -> np.ndarray | None:
    """The result of one product of such a run, all of which the first one finds; None elsewhere."""
    if not op.row.product or op.row.unit != "matrix":
        return None
    if op.word not in nest.products:
        nest.products = product_block(nest, op, counts, carried) or {}
    return nest.products.pop(op.word, None)


def product_block(
    nest: Nest, op: Op, counts: tuple[int, ...], carried: int
) -> dict[int, np.ndarray] | None:
    """The results of the products that follow one another from `op` on, by word; None where they
    are no grid of evenly spaced blocks."""
    run = products_from(nest, op)
    left = list(dict.fromkeys(int(each.fields["a"]) for each in run))
    right = list(dict.fromkeys(int(each.fields["b"]) for each in run))
    pairs = {(int(each.fields["a"]), int(each.fields["b"])): each for each in run}
    if len(run) < 2 or len(pairs) != len(run) or len(run) != len(left) * len(right):
        return None
    loads = [evenly_spaced(nest, registers) for registers in (left, right)]
    if loads[0] is None or loads[1] is None:
        return None
    a = matrix_operand(nest, op, "a", with_axes(loads[0], len(left), 0))
    b = matrix_operand(nest, op, "b", with_axes(loads[1], len(right), 1))
    grid = [[pairs[i, j] for j in right] for i in left]
    reduced = tuple(range(len(counts) - carried, len(counts)))
    first = starts(nest, grid, carried)
    turns = (*counts, len(left), len(right))
    result = contract(a, b, turns, reduced, first, nest.engine.exact)
    return {
        each.word: result[..., i if result.shape[-4] > 1 else 0, j, :, :]
        for i, row in enumerate(grid)
        for j, each in enumerate(row)
    }


def products_from(nest: Nest, op: Op) -> list[Op]:
    """`op` and the like products right behind it, each into an accumulator of its own."""
    items = nest.path[-1].body.items
    at = next((number for number, item in enumerate(items) if item is op), len(items))
    run: list[Op] = []
    for item in items[at:]:
        if not isinstance(item, Op) or item.name != op.name or item.row.unit != "matrix":
            break
        run.append(item)
    return run if len({int(each.fields["d"]) for each in run}) == len(run) else []


def evenly_spaced(nest: Nest, registers: list[int]) -> tuple[Load, int, int, int] | None:
    """The load of the first register, and how far base and coordinates move from one to the
    next."""
    loads = [nest.load_of(number) for number in registers]
    first = loads[0]
    if first is None:
        return None
    steps = []
    for before, after in zip(loads, loads[1:], strict=False):
        step = None if before is None or after is None else distance(before.access, after.access)
        steps.append(step)
    if any(step is None or step != steps[0] for step in steps):
        return None
    base, y, x = steps[0] if steps and steps[0] is not None else (0, 0, 0)
    return first, base, y, x


def distance(a: Access, b: Access) -> tuple[int, int, int] | None:
    """Bytes and coordinates from one access to another that is the same elsewhere; None if not."""
    shape = ("counts", "strides", "granules", "pitch", "elements", "item")
    if any(getattr(a, name) != getattr(b, name) for name in shape):
        return None
    moved = [constant(b.base, a.base), 0, 0]
    if a.bounds is not None and b.bounds is not None:
        if not alike(a.bounds, b.bounds):
            return None
        moved[1] = constant(b.bounds.y0, a.bounds.y0)
        moved[2] = constant(origin(b.bounds), origin(a.bounds))
    elif a.bounds is not b.bounds:
        return None
    base, y, x = moved
    return None if base is None or y is None or x is None else (base, y, x)


def constant(a: int | np.ndarray, b: int | np.ndarray) -> int | None:
    """a - b, where it is the same on all nodes."""
    gap = np.asarray(a) - np.asarray(b)
    return int(gap.flat[0]) if (gap == gap.flat[0]).all() else None


def origin(bounds: Bounds) -> int | np.ndarray:
    """x of granule 0, the first granule's number taken in."""
    return bounds.x0 + bounds.first * bounds.granule_step


def alike(a: Bounds, b: Bounds) -> bool:
    """The two differ in their origin at most."""
    names = ("y_strides", "x_strides", "granule_step", "lane_step")
    if any(getattr(a, name) != getattr(b, name) for name in names):
        return False
    limits = ((a.y_limit, b.y_limit), (a.x_limit, b.x_limit))
    return all(
        np.array_equal(-1 if one is None else one, -1 if other is None else other)
        for one, other in limits
    )


def with_axes(load: tuple[Load, int, int, int], count: int, place: int) -> Load:
    """The load with two more loops, of which it moves along number `place`."""
    first, base, y, x = load
    access = first.access

    def two(step: int) -> tuple[int, int]:
        return (step, 0) if place == 0 else (0, step)

    counts = (count, 1) if place == 0 else (1, count)
    bounds = access.bounds
    if bounds is not None:
        bounds = replace(
            bounds,
            x0=origin(bounds),
            first=0,
            y_strides=(*bounds.y_strides, *two(y)),
            x_strides=(*bounds.x_strides, *two(x)),
        )
    strides = (*access.strides, *two(base))
    access = replace(access, counts=(*access.counts, *counts), strides=strides, bounds=bounds)
    return Load(first.op, access)


def starts(nest: Nest, grid: list[list[Op]], carried: int) -> np.ndarray:
    """What the accumulators hold before the loops: [nodes, free loops, r, c, 8, 8]."""
    every = [
        nest.start("m", int(each.fields["d"]), carried, each.row.lanes)
        for row in grid
        for each in row
    ]
    if not any(np.any(value) for value in every):
        return np.zeros((1,) * (every[0].ndim + 2), np.float32)
    stacked = np.stack(np.broadcast_arrays(*every), axis=-3)
    return stacked.reshape(*stacked.shape[:-3], len(grid), len(grid[0]), *stacked.shape[-2:])
