"""Declared reductions that are not matrix products: sums, maxima, running products over carried
loops.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from dojocc.runtime.engines.evaluate import arguments
from dojocc.runtime.engines.tree import Op

if TYPE_CHECKING:
    from dojocc.runtime.engines.lift import Nest

STEPPED = 64  # iterations up to which `fast` also goes one by one, which needs no big temporary
WHOLE = {"add": np.add, "max": np.maximum, "min": np.minimum, "mul": np.multiply}


def fold(
    nest: Nest, op: Op, counts: tuple[int, ...], carried: int, start: np.ndarray
) -> np.ndarray:
    """`start` combined with every iteration of the `carried` innermost loops: [nodes, free
    loops, lanes...].
    """
    others = operands(nest, op)
    inner = counts[len(counts) - carried :]
    masked_off = int(op.fields[op.row.mask.name]) if op.row.mask is not None else 0
    keep = nest.predicate(masked_off) if masked_off else None
    if nest.engine.exact or masked_off or op.row.product or prod(inner) <= STEPPED:
        return one_by_one(op, others, keep, inner, len(counts) - carried, start)
    axes = tuple(range(1 + len(counts) - carried, 1 + len(counts)))
    value = others[0]
    kind = op.row.reduces
    assert kind is not None, f"`{op.name}` is no reduction"
    total = WHOLE[kind].reduce(value, axis=axes, dtype=value.dtype)
    idle = prod(n for n, axis in zip(inner, axes, strict=True) if value.shape[axis] == 1)
    return op.row.body(start, repeated(total, kind, idle))


def repeated(total: np.ndarray, kind: str, times: int) -> np.ndarray:
    """`total` folded with itself, `times` in all; integers stay what they are modulo 2^32."""
    if times == 1 or kind in ("max", "min"):
        return total
    if total.dtype == np.float32:
        return total * np.float32(times) if kind == "add" else total ** np.float32(times)
    wide = total.astype(np.int64)
    return (wide * times if kind == "add" else wide**times).astype(total.dtype)


def operands(nest: Nest, op: Op) -> list[np.ndarray]:
    """The instruction's operands but its destination."""
    names = [operand.name for operand in op.row.inputs]
    return [v for n, v in zip(names, arguments(op, nest, nest.thread), strict=True) if n != "d"]


def one_by_one(
    op: Op,
    others: list[np.ndarray],
    keep: np.ndarray | None,
    inner: tuple[int, ...],
    free: int,
    start: np.ndarray,
) -> np.ndarray:
    """The machine's own order: iteration after iteration, all nodes and free loops at once."""
    total = start
    for index in np.ndindex(*inner):
        parts = [_iteration(value, index, free) for value in others]
        step = op.row.body(total, *parts)
        total = step if keep is None else np.where(_iteration(keep, index, free), step, total)
    return total


def _iteration(value: np.ndarray, index: tuple[int, ...], free: int) -> np.ndarray:
    """`value` in one iteration of the carried loops (axes 1 + free onward)."""
    place = tuple(i if value.shape[1 + free + axis] > 1 else 0 for axis, i in enumerate(index))
    return value[(slice(None),) * (1 + free) + place]
