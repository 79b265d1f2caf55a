"""Deferred values of a nest, computed for some nodes at a time and stored: products, loads and
lanewise rows of one piece stay in cache, and two cores take pieces in turn.

Arrays here have the axes (nodes along two axes: see grids.py; open loops; registers carried out as
one; lanes, split where granules end). What pieces there are does not depend on the workers.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from dojocc.runtime.engines.access import Access, inside, trap
from dojocc.runtime.engines.evaluate import pad_code
from dojocc.runtime.engines.grids import Grid, Piece, in_a_row, layers, pieces
from dojocc.runtime.engines.lazy import Lazy, Product, Ref, apply, expand, whole
from dojocc.runtime.engines.loads import target_of, widen
from dojocc.runtime.engines.multiplied import Factors, groups
from dojocc.runtime.engines.thread import Descriptor
from dojocc.runtime.engines.workers import in_pieces
from dojocc.runtime.formats import FORMATS, Format, encode

if TYPE_CHECKING:
    from dojocc.runtime.engines.lift import Nest

LANES = 16


@dataclass(frozen=True, eq=False)
class Apply:
    """A lanewise row on nodes."""

    lazy: Lazy
    args: list[Any]
    mask: Node | None
    old: Node | None


@dataclass(eq=False)
class Array:
    """Values that are computed as a whole: one for each register, with `own` open loops."""

    refs: list[Ref]
    own: int
    depth: int
    table: np.ndarray | None = None

    def boundaries(self) -> set[int]:
        return set()

    def prepare(self, nest: Nest, lanes: tuple[int, ...]) -> None:
        every = [expand(whole(nest, ref), self.own, self.depth, 1) for ref in self.refs]
        shape = np.broadcast_shapes(*(value.shape for value in every))
        if len(every) == 1:
            table = every[0][..., None, :]
        else:
            table = np.stack([np.broadcast_to(value, shape) for value in every], axis=-2)
        if len(table) == 1 and uniform(table):
            table = table[(slice(0, 1),) * table.ndim]
        split = lanes if table.shape[-1] == LANES else (1,) * len(lanes)
        self.table = table.reshape(*table.shape[:-1], *split)

    def of(self, piece: Piece) -> np.ndarray:
        assert self.table is not None
        return self.table[None] if len(self.table) == 1 else piece.members.of(self.table)


@dataclass(eq=False)
class FromMemory:
    """A load of one register or several."""

    access: Access
    fmt: Descriptor
    pad: float
    codes: np.ndarray | None = None
    grouping: bytes = b""
    mask: np.ndarray | None = None
    known: bool = False

    def boundaries(self) -> set[int]:
        return {self.access.elements} if self.access.elements > 1 else set()

    def prepare(self, nest: Nest, lanes: tuple[int, ...]) -> None:
        """Where the codes lie; [rows of the class's table, loops, registers, lanes]: a view."""
        access, memory = self.access, nest.memory
        low, (lowest, highest) = access.span()[0], access.where()
        if access.bounds is None and (lowest < 0 or highest > memory.size):
            raise trap(access, lowest, highest, memory.size)
        part = memory.read(lowest, highest)
        table = part.bytes(lowest, highest)
        first = table[:, -low : -low + access.item].view(f"u{access.item}")
        moving = zip(access.counts, access.strides, strict=True)
        loops = [(n, s) if s and n > 1 else (1, 0) for n, s in moving]
        across = [(n, s) if s else (1, 0) for n, s in lane_steps(access, lanes)]
        shape, steps = zip(*loops, *across, strict=True)
        self.codes = as_strided(first, (len(table), *shape), (table.strides[0], *steps))
        nodes = nest.nodes
        self.grouping = np.ascontiguousarray(part.grouping.of[nodes], np.int64).tobytes()
        if not self.known:
            mask = nest.once(inside, access)
            self.mask = None if mask is None else in_lanes(mask, access, lanes)
            self.known = True

    def of(self, piece: Piece) -> np.ndarray:
        assert self.codes is not None
        codes = piece.rows(self.grouping).of(self.codes)
        values = widen(codes, self.fmt)
        if self.mask is None:
            return values
        mask = self.mask[None] if len(self.mask) == 1 else piece.members.of(self.mask)
        return np.where(mask, values, pad_code(self.fmt, self.pad))


def uniform(values: np.ndarray) -> bool:
    """True when all of a few values are the same, bit by bit."""
    if values.size > LANES or values.dtype.itemsize != 4:
        return False
    bits = values.view(np.uint32)
    return bool((bits == bits.flat[0]).all())


def lane_steps(access: Access, lanes: tuple[int, ...]) -> list[tuple[int, int]]:
    """(count, bytes from one to the next) of each axis that lanes are split in."""
    if access.granules * access.elements == 1:
        return [(1, 0)] * len(lanes)
    found, unit = [], 1
    for count in reversed(lanes):
        whole, rest = divmod(unit, access.elements)
        step = whole * access.pitch if unit >= access.elements else rest * access.item
        found.append((count, step if count > 1 else 0))
        unit *= count
    return found[::-1]


def in_lanes(mask: np.ndarray, access: Access, lanes: tuple[int, ...]) -> np.ndarray:
    """A mask of granules and elements by lanes."""
    if access.granules * access.elements == 1:
        return mask.reshape(*mask.shape[:-2], *(1,) * len(lanes))
    whole = np.broadcast_to(mask, (*mask.shape[:-2], access.granules, access.elements))
    return whole.reshape(*mask.shape[:-2], *lanes)


@dataclass(eq=False)
class Multiplied:
    """A product: `count` parts of an accumulator from number `part` on, or a register's lanes."""

    product: Product
    part: int | None
    count: int
    depth: int
    factors: Factors | None = None
    lanes: tuple[int, ...] = ()

    def boundaries(self) -> set[int]:
        return set() if self.part is None else {8}

    def prepare(self, nest: Nest, lanes: tuple[int, ...]) -> None:
        self.lanes = lanes

    def of(self, product: np.ndarray) -> np.ndarray:
        own = self.product.depth
        if self.part is None:
            value = self.product.in_lanes(product)
            value = expand(value, own + 1, self.depth + 1, 1)[..., None, :]
            split = self.lanes if value.shape[-1] == LANES else (1,) * len(self.lanes)
            return value.reshape(*value.shape[:-1], *split)
        rows = product[..., 2 * self.part : 2 * (self.part + self.count), :]
        rows = expand(rows, own + 1, self.depth + 1, 2)
        return rows.reshape(*rows.shape[:-2], self.count, *self.lanes)


Node = Apply | Array | FromMemory | Multiplied
NODES = (Apply, Array, FromMemory, Multiplied)


def split_lanes(leaves: Sequence[Array | FromMemory | Multiplied], elements: int) -> tuple:
    """How lanes are split so that every granule is whole axes."""
    ends = {1, LANES, elements}.union(*(leaf.boundaries() for leaf in leaves))
    order = sorted(ends, reverse=True)
    return tuple(a // b for a, b in zip(order, order[1:], strict=False)) or (1,)


@dataclass(eq=False)
class Store:
    """A store of deferred values: what is computed, of which leaves, and where it goes."""

    access: Access
    value: Node
    keep: Node | None
    fmt: Descriptor
    pad: float
    leaves: Sequence[Array | FromMemory | Multiplied]
    target: Target | None = None

    def carry_out(self, nest: Nest) -> None:
        """Compute the values for all nodes of the nest and store them."""
        lanes = split_lanes(self.leaves, self.access.elements)
        for leaf in self.leaves:
            leaf.prepare(nest, lanes)
        product = next((e.product for e in self.leaves if isinstance(e, Multiplied)), None)
        size = prod(self.access.counts) * LANES
        if self.target is None:
            self.target = Target(nest, self.access, self.fmt, self.pad, lanes)
        self.target.open(nest)
        for grid, factors in layouts(nest, product):
            every = pieces(grid, size, 0 if factors is None else factors.longer(grid))
            if factors is not None:
                factors.prepare(grid, every[0])
            work = size * grid.members.size * 4
            work += 0 if factors is None else factors.work(grid)
            in_pieces(partial(self.some, every, factors), len(every), work)

    def some(self, every: tuple[Piece, ...], factors: Factors | None, own: slice) -> None:
        """Some of the pieces."""
        assert self.target is not None
        for piece in every[own]:
            product = None if factors is None else factors.of(piece)
            known: dict[int, np.ndarray] = {}
            value = evaluate(self.value, piece, product, known)
            keep = None if self.keep is None else evaluate(self.keep, piece, product, known)
            self.target.put(piece, value, keep)


def layouts(nest: Nest, product: Product | None) -> list[tuple[Grid, Factors | None]]:
    """The grids that make up the nest's nodes, and what is multiplied on each."""
    count = len(nest.nodes)
    if product is None:
        return [(in_a_row(count), None)]
    return [(grid, Factors(product)) for grid in layers(*groups(product))]


def evaluate(
    node: Node, piece: Piece, product: np.ndarray | None, known: dict[int, np.ndarray]
) -> np.ndarray:
    """A node's values for the nodes of a piece."""
    found = known.get(id(node))
    if found is not None:
        return found
    if isinstance(node, Apply):
        args = [
            evaluate(each, piece, product, known) if isinstance(each, NODES) else each
            for each in node.args
        ]
        mask = None if node.mask is None else evaluate(node.mask, piece, product, known)
        old = None if node.old is None else evaluate(node.old, piece, product, known)
        found = apply(node.lazy, args, mask, old)
    elif isinstance(node, Multiplied):
        assert product is not None
        found = node.of(product)
    else:
        found = node.of(piece)
    known[id(node)] = found
    return found


class Target:
    """Where the values of a store go."""

    def __init__(
        self, nest: Nest, access: Access, fmt: Descriptor, pad: float, lanes: tuple[int, ...]
    ) -> None:
        self.place = nest.once(target_of, nest, access)
        self.row, self.bias = FORMATS[fmt.fmt], fmt.bias
        self.dtype = np.dtype(f"u{access.item}")
        loops = [(n, s if n > 1 else 0) for n, s in zip(access.counts, access.strides, strict=True)]
        self.shape, self.steps = zip(*loops, *lane_steps(access, lanes), strict=True)
        self.table = np.zeros(0, self.dtype)
        self.nodes = np.ascontiguousarray(nest.nodes, np.int64).tobytes()
        mask = nest.once(inside, access)
        self.mask = None if mask is None else in_lanes(mask, access, lanes)
        self.pad = pad_code(fmt, pad)

    def open(self, nest: Nest) -> None:
        """Find the bytes in memory."""
        buffer, column = nest.memory.writable(self.place.low, self.place.high)
        shape, steps = (len(buffer), *self.shape), (buffer.strides[0], *self.steps)
        first = column + self.place.first
        self.table = np.ndarray(shape, self.dtype, buffer.data, first, steps)

    def put(self, piece: Piece, value: np.ndarray, keep: np.ndarray | None) -> None:
        """Store a piece's values, where `keep` holds."""
        wanted = np.dtype(np.int32 if self.row.kind == "int" else np.float32)
        value = value if value.dtype == wanted else value.view(wanted)
        if self.mask is not None:
            mask = self.mask[None] if len(self.mask) == 1 else piece.members.of(self.mask)
            value = np.where(mask, value, self.pad)
        codes = narrow(value, self.row, self.bias).view(self.table.dtype)
        rows = piece.rows(self.nodes)
        shape = (*rows.index.shape, *self.table.shape[1:])
        where = None if keep is None else np.broadcast_to(keep, shape)
        if rows.even is not None:
            there = rows.of(self.table)
            if where is None:
                there[...] = codes
            else:
                np.copyto(there, codes, where=where)
            return
        if where is None:
            self.table[rows.index] = np.broadcast_to(codes, shape)
        else:
            codes = np.broadcast_to(codes, shape)
            for place, row in np.ndenumerate(
                rows.index
            ):  # lanes that are not kept may lie anywhere
                np.copyto(self.table[row], codes[place], where=where[place])


def narrow(value: np.ndarray, row: Format, bias: int | None) -> np.ndarray:
    """Storage codes of lanes; the array has the order in memory that `value` has."""
    if row.name != "BF16" or np.isnan(value.max(initial=0)):
        return encode(value, row, bias=bias)
    bits = value.view(np.uint32)
    code = bits >> np.uint32(16)
    code &= np.uint32(1)
    code += np.uint32(0x7FFF)
    code += bits
    if code.strides[-1] == code.itemsize and sys.byteorder == "little":
        return code.view(np.uint16)[..., 1::2]
    code >>= np.uint32(16)
    return code.astype(np.uint16)
