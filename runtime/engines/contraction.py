"""Declared product reductions over a loop nest as matrix products.

Takes two operands with axes (distinct node contents, open loops, rows or columns, depth) and the
loops the accumulator is carried over; gives the sum of products for every node and every other
loop. `exact` adds in the order the machine does; `fast` leaves the order of FP32 additions to the
BLAS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from dojocc.runtime.engines.loads import widen
from dojocc.runtime.engines.thread import Descriptor
from dojocc.runtime.engines.workers import in_pieces
from dojocc.runtime.layout import evenly

PRODUCTS_A_BYTE = 8
"""Multiplications that take a core about as long as to copy a byte (measured, float32)."""


@dataclass(eq=False)
class Operand:
    """`values` [distinct, loops..., outer, depth]: storage codes of `fmt`, or float32 without one;
    `group[node]` is the node's row of axis 0.

    `mask` (broadcastable to values, or None): False where implicit padding reads as zero.
    `arranged`: the matrices made of an operand that is the same in every run, by their axes.
    `again(nest)`: the operand in another run of the nest, where only bytes have changed.
    """

    values: np.ndarray
    group: np.ndarray
    mask: np.ndarray | None = None
    arranged: dict[tuple, np.ndarray] | None = None
    fmt: Descriptor | None = None
    again: Callable[[Any], Operand] | None = None

    def __post_init__(self) -> None:
        if self.mask is not None:
            loops = np.broadcast_shapes(self.values.shape[:-2], self.mask.shape[:-2])
            self.values = np.broadcast_to(self.values, (*loops, *self.values.shape[-2:]))

    def varies(self, loop: int) -> bool:
        return self.values.shape[1 + loop] > 1


@dataclass(frozen=True)
class Roles:
    """Open loops by role: reduced, and of the others those that only a, only b, or both move
    along.
    """

    reduced: tuple[int, ...]
    only_a: tuple[int, ...]
    only_b: tuple[int, ...]
    both: tuple[int, ...]


def roles(a: Operand, b: Operand, loops: int, reduced: tuple[int, ...]) -> Roles:
    """Classify the open loops; a loop that moves neither operand has no role."""
    free = [i for i in range(loops) if i not in reduced]
    return Roles(
        reduced,
        tuple(i for i in free if a.varies(i) and not b.varies(i)),
        tuple(i for i in free if b.varies(i) and not a.varies(i)),
        tuple(i for i in free if a.varies(i) and b.varies(i)),
    )


def matrix_of(operand: Operand, part: Roles, own: tuple[int, ...], counts) -> np.ndarray:
    """[distinct, batch, own x outer, reduced x depth], padding zeroed."""
    if operand.arranged is None:
        return _arranged(operand, part, own, counts)
    key = (part.both, own, tuple((loop, counts[loop]) for loop in part.reduced))
    if key not in operand.arranged:
        operand.arranged[key] = _arranged(operand, part, own, counts)
    return operand.arranged[key]


def _arranged(operand: Operand, part: Roles, own: tuple[int, ...], counts) -> np.ndarray:
    """Codes are brought in order first, in runs as they lie in memory, and then decoded.

    Where elements of the outer axis are neighbours in memory, the result is a transposed view.
    """
    values = operand.values
    outer, depth = values.ndim - 2, values.ndim - 1
    turned = abs(values.strides[outer]) < abs(values.strides[depth]) and values.shape[outer] > 1
    rows, summed = (0, *own_axes(own), outer), (*own_axes(part.reduced), depth)
    batched = own_axes(part.both)
    keep = (*batched, *summed, *rows) if turned else (*rows[:1], *batched, *rows[1:], *summed)
    dropped = [i for i in range(1, outer) if i not in keep]

    def arrange(array: np.ndarray) -> np.ndarray:
        array = array.transpose(*keep, *dropped)
        return array.reshape(array.shape[: len(keep)])

    values = arrange(values)
    shape = [
        n if i not in summed[:-1] else counts[i - 1]
        for i, n in zip(keep, values.shape, strict=True)
    ]
    values = np.broadcast_to(values, shape)
    hidden = None if operand.mask is None else np.broadcast_to(~arrange(operand.mask), shape)
    matrix = np.empty(shape, np.float32)
    split = next((axis for axis, n in enumerate(shape) if n > 1), 0)

    def bring(piece: slice) -> None:
        own = (slice(None),) * split + (piece,)
        codes = in_order(values[own])
        if hidden is not None:
            np.copyto(codes, codes.dtype.type(0), where=hidden[own])
        if operand.fmt is None:
            matrix[own] = codes
        else:
            widen(codes, operand.fmt, matrix[own])

    in_pieces(bring, shape[split], matrix.nbytes)
    size = dict(zip(keep, shape, strict=True))
    batch, k = (prod(size[i] for i in axes) for axes in (batched, summed))
    if turned:
        return matrix.reshape(batch, k, size[0], -1).transpose(2, 0, 3, 1)
    return matrix.reshape(size[0], batch, -1, k)


def own_axes(loops: tuple[int, ...]) -> tuple[int, ...]:
    """The axes of an operand's values that belong to these loops."""
    return tuple(1 + loop for loop in loops)


def in_order(values: np.ndarray) -> np.ndarray:
    """A contiguous copy; neighbours along the last axis are moved as one item."""
    size = values.shape[-1] * values.itemsize
    if values.strides[-1] != values.itemsize or values.shape[-1] == 1:
        return np.array(values, order="C")
    wide = values.view(f"V{size}" if size != 8 else np.uint64)
    return np.array(wide, order="C").view(values.dtype)


def _sequential(
    a: np.ndarray, b: np.ndarray, start: np.ndarray | None, turned: bool = False
) -> np.ndarray:
    """start + a @ b^T with the products added one after another (a [..., m, k], b [..., n, k]).

    `turned`: b is the machine's first factor (which decides whose NaN a product of two keeps).
    """
    shape = np.broadcast_shapes(a.shape[:-2], b.shape[:-2]) + (a.shape[-2], b.shape[-2])
    total = np.zeros(shape, np.float32) if start is None else start.astype(np.float32)
    product = np.empty(shape, np.float32)
    for k in range(a.shape[-1]):
        factors = (a[..., :, None, k], b[..., None, :, k])
        np.multiply(*(reversed(factors) if turned else factors), out=product)
        np.add(total, product, out=total)
    return total


def _multiply(a: np.ndarray, b: np.ndarray, exact: bool, turned: bool = False) -> np.ndarray:
    """Distinct a x distinct b: [ua, ub, batch, m, n]."""
    if exact:
        return _sequential(a[:, None], b[None], None, turned)
    if a.shape[1] == 1:
        ua, _, m, k = a.shape
        ub, _, n, _ = b.shape
        product = _product(a.reshape(ua * m, k), b.reshape(ub * n, k).T)
        return product.reshape(ua, m, 1, ub, n).transpose(0, 3, 2, 1, 4)
    return _product(a[:, None], b[None].swapaxes(-1, -2))


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a [..., m, k] @ b [..., k, n]; a large one is cut in two along its longest other axis."""
    outer = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    shape = (*outer, a.shape[-2], b.shape[-1])
    result = np.empty(shape, np.float32)
    axis = max(range(len(shape)), key=lambda each: (shape[each], -each)) - len(shape)

    def multiply(piece: slice) -> None:
        part = (..., piece, *[slice(None)] * (-1 - axis))
        left = a[part] if axis != -1 and a.ndim >= -axis and a.shape[axis] > 1 else a
        right = b[part] if axis != -2 and b.ndim >= -axis and b.shape[axis] > 1 else b
        np.matmul(left, right, out=result[part])

    in_pieces(multiply, shape[axis], result.size * a.shape[-1] // PRODUCTS_A_BYTE)
    return result


def _pick(product: np.ndarray, group_a: np.ndarray, group_b: np.ndarray) -> np.ndarray:
    """product[group_a[node], group_b[node]] for every node, as a view when the nodes form the
    full grid in order.
    """
    ua, ub = product.shape[:2]
    count = np.arange(len(group_a))
    if len(group_a) == ua * ub:
        if np.array_equal(count, group_a * ub + group_b):
            return (
                product.reshape(ua * ub, *product.shape[2:])
                if ub == 1 or ua == 1
                else _flat(product)
            )
        if np.array_equal(count, group_b * ua + group_a):
            return _flat(product.swapaxes(0, 1))
    return product[group_a, group_b]


def _flat(product: np.ndarray) -> np.ndarray:
    return product.reshape(-1, *product.shape[2:])


def _per_node(
    a: np.ndarray,
    b: np.ndarray,
    of_a: bytes,
    of_b: bytes,
    exact: bool,
    turned: bool = False,
) -> np.ndarray:
    """Every node's product when the pairs are few among all combinations: one product per
    distinct b (or a). `of_a`, `of_b`: every node's row of a and of b, int64.
    """
    if b.shape[0] > a.shape[0]:
        return _per_node(b, a, of_b, of_a, exact, not turned).swapaxes(-1, -2)
    nodes = len(of_a) // np.dtype(np.int64).itemsize
    result = np.empty((nodes, a.shape[1], a.shape[2], b.shape[2]), np.float32)
    for number, members, used, where in _partners(of_a, of_b):
        product = _multiply(a[used], b[number : number + 1], exact, turned)[:, 0]
        result[members] = product if where is None else product[where]
    return result


Rows = np.ndarray | slice
Partners = tuple[tuple[int, Rows, Rows, np.ndarray | None], ...]


@lru_cache(maxsize=1024)
def _partners(of_a: bytes, of_b: bytes) -> Partners:
    """By row of b that is used: its number, the nodes that have it, their rows of a, and which of
    these each has (None where each has the next).
    """
    ga, gb = (np.frombuffer(each, np.int64) for each in (of_a, of_b))
    found = []
    for number in np.unique(gb).tolist():
        members = np.flatnonzero(gb == number)
        used, where = np.unique(ga[members], return_inverse=True)
        in_turn = np.array_equal(where.reshape(-1), np.arange(len(used)))
        each = None if in_turn else where.reshape(-1)
        found.append((number, evenly(members), evenly(used), each))
    return tuple(found)


@lru_cache(maxsize=1024)
def _pairs(of_a: bytes, of_b: bytes) -> int:
    """How many different (row of a, row of b) the nodes have."""
    ga, gb = (np.frombuffer(each, np.int64) for each in (of_a, of_b))
    return len(np.unique(ga * (int(gb.max()) + 1) + gb))


def contract(
    a: Operand, b: Operand, counts: tuple[int, ...], reduced: tuple[int, ...], start, exact: bool
) -> np.ndarray:
    """start + sum over `reduced` loops and depth of a x b: [nodes, free loops (1 where unmoved), a
    outer, b outer].

    `start` is [nodes or 1, free loops, a outer, b outer]; free loops keep their order.
    """
    part = roles(a, b, len(counts), reduced)
    left = matrix_of(a, part, part.only_a, counts)
    right = matrix_of(b, part, part.only_b, counts)
    group_a, group_b = np.broadcast_arrays(a.group, b.group)
    of_a, of_b = (np.asarray(each, np.int64).tobytes() for each in (group_a, group_b))
    if exact and np.any(start):
        first = _arrange_start(start, a, b, counts, part, len(group_a))
        product = _sequential(left[group_a], right[group_b], first)
        return _restore(product, a, b, counts, part)
    pairs = _pairs(of_a, of_b)
    if pairs * 4 >= left.shape[0] * right.shape[0] * 3:
        product = _pick(_multiply(left, right, exact), group_a, group_b)
    else:
        product = _per_node(left, right, of_a, of_b, exact)
    result = _restore(product, a, b, counts, part)
    return result + start if np.any(start) else result


def _axes(part: Roles) -> list[int]:
    """Loop of each axis of a product after splitting (-1, -2: the outer axes of a and b)."""
    return [*part.both, *part.only_a, -1, *part.only_b, -2]


def _restore(product: np.ndarray, a: Operand, b: Operand, counts, part: Roles) -> np.ndarray:
    """[nodes, batch, m, n] back to [nodes, free loops, a outer, b outer]."""
    axes = _axes(part)
    size = {-1: a.values.shape[-2], -2: b.values.shape[-2]}
    shape = [size[i] if i < 0 else counts[i] for i in axes]
    product = product.reshape(product.shape[0], *shape)
    free = [i for i in range(len(counts)) if i not in part.reduced]
    present = [i for i in free if i in axes]
    product = product.transpose(0, *(1 + axes.index(i) for i in [*present, -1, -2]))
    index = tuple(slice(None) if i in present else None for i in free)
    return product[(slice(None), *index)]


def _arrange_start(
    start: np.ndarray, a: Operand, b: Operand, counts, part: Roles, nodes: int
) -> np.ndarray:
    """`start` in the product's own order [nodes, batch, m, n]."""
    axes = _axes(part)
    free = [i for i in range(len(counts)) if i not in part.reduced]
    idle = [i for i in free if i not in axes]
    if any(start.shape[1 + free.index(i)] > 1 for i in idle):
        raise ValueError("an accumulator moves along a loop that moves neither operand")
    position = {loop: 1 + place for place, loop in enumerate(free)}
    position[-1], position[-2] = 1 + len(free), 2 + len(free)
    size = {-1: a.values.shape[-2], -2: b.values.shape[-2]}
    full = np.broadcast_to(
        start, (nodes, *(1 if i in idle else counts[i] for i in free), size[-1], size[-2])
    )
    full = full.transpose(0, *(position[i] for i in axes), *(position[i] for i in idle))
    rows = prod(counts[i] for i in part.only_a) * size[-1]
    columns = prod(counts[i] for i in part.only_b) * size[-2]
    return full.reshape(nodes, -1, rows, columns)
