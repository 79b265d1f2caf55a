"""Iteration spaces on the nodes: what part of an op's loops each node runs, and how buffers are
walked.

Plain NumPy: a `Space` gives every node's start and count along each domain dim, a `View` the byte
steps of one buffer along them, a `Loop` one loop of a nest, `merge` folds loops that are one walk.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

import numpy as np

from dojocc.dialects.domain import Affine, Dim, Map
from dojocc.runtime.layout import Layout


@dataclass(frozen=True)
class Space:
    """Start (global) and count along every domain dim, [nodes, dims]; nodes with nothing to do are
    not active."""

    sizes: tuple[int, ...]
    starts: np.ndarray
    counts: np.ndarray

    @property
    def nodes(self) -> int:
        return self.starts.shape[0]

    @cached_property
    def active(self) -> np.ndarray:
        return np.asarray((self.counts > 0).all(1))

    def count(self, dim: int) -> int | np.ndarray:
        """How many of `dim` each node runs: a number where all active nodes agree."""
        return uniform(self.counts[:, dim], self.active)

    def most(self, dim: int) -> int:
        """The most any active node runs of `dim`."""
        return int(self.counts[self.active, dim].max(initial=0))


def uniform(table: np.ndarray, active: np.ndarray) -> int | np.ndarray:
    """One number where all active nodes have the same, else the table (0 where not active)."""
    values = table[active]
    if not len(values) or (values == values[0]).all():
        return int(values[0]) if len(values) else 0
    return np.where(active, table, 0).astype(np.int64)


def simplified(
    dims: Sequence[Dim], maps: Sequence[Map], keep: Collection[int | None] = ()
) -> list[Map]:
    """The maps without the terms of dims of size 1, which are always at 0; but for those in
    `keep`."""
    return [
        tuple(
            Affine(
                tuple((d, c) for d, c in each.terms if dims[d].size > 1 or d in keep), each.offset
            )
            for each in one
        )
        for one in maps
    ]


def space_of(dims: Sequence[Dim], result: Map, layout: Layout) -> Space | None:
    """The part of a domain that each node runs to make its box of the result; None if that is no
    box.

    A result dim is one domain dim, or two (`outer * size + inner`) whose blocks the shards keep
    whole.
    """
    start, stop = layout.boxes()
    nodes = layout.nodes
    starts = np.zeros((nodes, len(dims)), np.int64, order="F")
    counts = np.empty((nodes, len(dims)), np.int64, order="F")
    counts[:] = [dim.size for dim in dims]
    for axis, affine in enumerate(result):
        first, held = start[:, axis], (stop - start)[:, axis]
        if affine.offset or len(affine.terms) > 2:
            return None
        if not affine.terms:
            counts[held == 0] = 0
            continue
        (outer, scale), *rest = affine.terms
        if not rest and scale != 1:
            return None
        if rest and (rest[0][1] != 1 or dims[rest[0][0]].size != scale):
            return None
        if (first % scale).any() or (held % scale).any():
            return None
        starts[:, outer], counts[:, outer] = first // scale, held // scale
    return Space(tuple(dim.size for dim in dims), starts, counts)


@dataclass(frozen=True, eq=False)
class Bound:
    """A coordinate that must stay within [0, limit): start per node, and its steps along the domain
    dims."""

    steps: tuple[int, ...]
    start: np.ndarray
    limit: np.ndarray


@dataclass(frozen=True, eq=False)
class View:
    """One buffer walked over a domain: byte steps, the first byte on every node, and its bounds."""

    layout: Layout
    steps: tuple[int, ...]
    base: np.ndarray
    bounds: tuple[Bound, ...] = ()

    @property
    def item(self) -> int:
        return self.layout.item

    def moves(self, dim: int) -> bool:
        """True where going along a domain dim changes what is touched."""
        return bool(self.steps[dim]) or any(bound.steps[dim] for bound in self.bounds)

    def shifted(self, moves: Mapping[int, int]) -> View:
        """The view from a point further on."""
        bounds = tuple(
            replace(bound, start=bound.start + along(bound.steps, moves)) for bound in self.bounds
        )
        return replace(self, base=self.base + along(self.steps, moves), bounds=bounds)

    def bounded(self, bound: Bound) -> View:
        """The view with one more bound."""
        return replace(self, bounds=(*self.bounds, bound))


def along(steps: Sequence[int], moves: Mapping[int, int]) -> int:
    """What `moves` of the domain dims add to a quantity with these steps."""
    return sum(steps[dim] * units for dim, units in moves.items())


def firsts(each: Affine, space: Space) -> np.ndarray | int:
    """Where every node starts along an axis of the tensor."""
    first: np.ndarray | int = each.offset
    for dim, coefficient in each.terms:
        first = first + coefficient * space.starts[:, dim]
    return first


def axis_bound(layout: Layout, each: Affine, axis: int, space: Space) -> Bound:
    """Stay within what the node holds along one axis of the tensor."""
    start, stop = layout.boxes()
    steps = tuple(each.coefficient(d) for d in range(len(space.sizes)))
    return Bound(steps, firsts(each, space) - start[:, axis], (stop - start)[:, axis])


def reaches_outside(each: Affine, size: int, space: Space) -> bool:
    """True where some point of the whole domain is outside the tensor: implicit padding."""
    spans = [(c * (space.sizes[d] - 1)) for d, c in each.terms]
    low = each.offset + sum(min(span, 0) for span in spans)
    high = each.offset + sum(max(span, 0) for span in spans)
    return low < 0 or high >= size


def view_of(layout: Layout, amap: Map, space: Space) -> View:
    """How a buffer is walked: strides by the affine map, bounds where the map reaches outside the
    tensor."""
    origin, strides = layout.origin(), layout.strides
    steps = [0] * len(space.sizes)
    base = np.zeros(space.nodes, np.int64)
    bounds = []
    for axis, each in enumerate(amap):
        for d, coefficient in each.terms:
            steps[d] += coefficient * strides[axis]
        base += (firsts(each, space) - origin[:, axis]) * strides[axis]
        if reaches_outside(each, layout.shape[axis], space):
            bounds.append(axis_bound(layout, each, axis, space))
    return View(layout, tuple(steps), base, tuple(bounds))


@dataclass(frozen=True)
class Loop:
    """One loop: how often (per node where a table), and how far a turn goes along the domain
    dims."""

    count: int | np.ndarray
    moves: tuple[tuple[int, int], ...]

    @property
    def most(self) -> int:
        return int(np.max(self.count))

    def step(self, steps: Sequence[int]) -> int:
        return sum(steps[dim] * units for dim, units in self.moves)


def loop(space: Space, dim: int, units: int = 1) -> Loop:
    """The loop over a domain dim, `units` at a time; the last turn may be partial."""
    count = space.count(dim)
    return Loop(-(-count // units), ((dim, units),))


def one_walk(outer: Loop, inner: Loop, views: Sequence[View]) -> bool:
    """True when the two loops visit every buffer at equal steps throughout."""
    if not isinstance(inner.count, int):
        return False
    rows = [view.steps for view in views]
    rows += [bound.steps for view in views for bound in view.bounds]
    return all(outer.step(row) == inner.step(row) * inner.count for row in rows)


def merge(loops: Sequence[Loop], views: Sequence[View]) -> list[Loop]:
    """The same walk with fewer loops: single turns dropped, neighbours that are one walk folded."""
    result: list[Loop] = []
    for each in loops:
        if isinstance(each.count, int) and each.count == 1:
            continue
        if result and one_walk(result[-1], each, views):
            each = Loop(result.pop().count * each.count, each.moves)
        result.append(each)
    return result


def turns(loops: Sequence[Loop]) -> int:
    """How many iterations a nest has at most."""
    return prod(each.most for each in loops)
