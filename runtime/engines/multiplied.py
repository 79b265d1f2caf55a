"""A product's operands, arranged and multiplied for some nodes at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dojocc.runtime.engines.contraction import PRODUCTS_A_BYTE, Operand, matrix_of, roles
from dojocc.runtime.engines.grids import Grid, Piece

if TYPE_CHECKING:
    from dojocc.runtime.engines.lazy import Product


def groups(product: Product) -> tuple[bytes, bytes]:
    """Every node's row of the two operands."""
    both = np.broadcast_arrays(product.a.group, product.b.group)
    first, second = (np.ascontiguousarray(each, np.int64).tobytes() for each in both)
    return first, second


class Factors:
    """The matrices of a product: those of one operand for all nodes of a grid, those of the other
    piece by piece.
    """

    def __init__(self, product: Product) -> None:
        self.product = product
        self.roles = roles(product.a, product.b, len(product.counts), product.reduced)
        self.left: np.ndarray | None = None
        self.right: np.ndarray | None = None

    def size(self, operand: Operand, own: tuple[int, ...]) -> int:
        """Rows of a matrix of one row of an operand."""
        counts = self.product.counts
        return int(np.prod([counts[loop] for loop in own])) * operand.values.shape[-2]

    def longer(self, grid: Grid) -> int:
        """Which axis of the grid has more rows in all."""
        first = len(grid.first) * self.size(self.product.a, self.roles.only_a)
        second = len(grid.second) * self.size(self.product.b, self.roles.only_b)
        return 0 if first >= second else 1

    def work(self, grid: Grid) -> int:
        """Products, in bytes copied in that time."""
        counts, part = self.product.counts, self.roles
        rows = self.size(self.product.a, part.only_a) * self.size(self.product.b, part.only_b)
        summed = [counts[loop] for loop in (*part.reduced, *part.both)]
        depth = int(np.prod(summed)) * self.product.a.values.shape[-1]
        return grid.members.size * rows * depth // PRODUCTS_A_BYTE

    def prepare(self, grid: Grid, piece: Piece) -> None:
        """Arrange the operands of which every piece takes all rows, as `piece` does; those whose
        rows several pieces take; and those that are the same in every run.
        """
        a, b, counts = self.product.a, self.product.b, self.product.counts
        first, second = grid.members[piece.i, piece.j].shape
        everything = slice(None)
        if grid.first.ndim == 2:
            self.left = self.matrix(a, everything, self.roles.only_a)
        elif first == len(grid.first):
            self.left = self.matrix(a, piece.first, self.roles.only_a)
        elif a.arranged is not None:
            matrix_of(a, self.roles, self.roles.only_a, counts)
        if grid.second.ndim == 2:
            self.right = self.matrix(b, everything, self.roles.only_b)
        elif second == len(grid.second):
            self.right = self.matrix(b, piece.second, self.roles.only_b)
        elif b.arranged is not None:
            matrix_of(b, self.roles, self.roles.only_b, counts)

    def matrix(
        self, operand: Operand, rows: slice | np.ndarray, own: tuple[int, ...]
    ) -> np.ndarray:
        """[rows, batch, own loops x outer, depth] of some of an operand's rows."""
        counts = self.product.counts
        if operand.arranged is not None:
            return matrix_of(operand, self.roles, own, counts)[rows]
        mask = operand.mask
        if mask is not None and len(mask) > 1:
            mask = mask[rows]
        operand = replace(operand, values=operand.values[rows], mask=mask)
        return matrix_of(operand, self.roles, own, counts)

    def of(self, piece: Piece) -> np.ndarray:
        """[nodes, nodes, free loops (1 where unmoved), a outer, b outer] of a piece."""
        left, right = self.left, self.right
        first, second = piece.first, piece.second
        if left is None:
            left = self.matrix(self.product.a, first, self.roles.only_a)
        if right is None:
            right = self.matrix(self.product.b, second, self.roles.only_b)
        if isinstance(first, np.ndarray) and first.ndim == 2:
            turned = multiply_each(right, left[first.T]).swapaxes(-1, -2)
            return self.restored(turned.swapaxes(0, 1))
        if isinstance(second, np.ndarray) and second.ndim == 2:
            return self.restored(multiply_each(left, right[second]))
        return self.restored(multiply(left, right))

    def restored(self, product: np.ndarray) -> np.ndarray:
        """[nodes, nodes, batch, m, n] with the loops and outer axes they are made of."""
        part, counts = self.roles, self.product.counts
        axes = [*part.both, *part.only_a, -1, *part.only_b, -2]
        size = {-1: self.product.a.values.shape[-2], -2: self.product.b.values.shape[-2]}
        shape = [size[i] if i < 0 else counts[i] for i in axes]
        product = product.reshape(*product.shape[:2], *shape)
        free = [i for i in range(len(counts)) if i not in part.reduced]
        present = [i for i in free if i in axes]
        product = product.transpose(0, 1, *(2 + axes.index(i) for i in [*present, -1, -2]))
        index = tuple(slice(None) if i in present else None for i in free)
        return product[(slice(None), slice(None), *index)]


def multiply(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """[rows of left, rows of right, batch, m, n]."""
    if left.shape[1] > 1:
        return np.matmul(left[:, None], right[None].swapaxes(-1, -2))
    rows, _, m, k = left.shape
    columns, _, n, _ = right.shape
    product = np.matmul(left.reshape(rows * m, k), right.reshape(columns * n, k).T)
    return product.reshape(rows, m, columns, n).transpose(0, 2, 1, 3)[:, :, None]


def multiply_each(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """[rows, others of each, batch, m, n] of matrices [rows, batch, m, depth] and for each of them
    some others [rows, others of each, batch, n, depth].
    """
    if one.shape[1] > 1:
        return np.matmul(one[:, None], others.swapaxes(-1, -2))
    rows, count, _, n, k = others.shape
    m = one.shape[-2]
    product = np.matmul(one[:, 0], others.reshape(rows, count * n, k).swapaxes(-1, -2))
    return product.reshape(rows, m, count, n).transpose(0, 2, 1, 3)[:, :, None]
