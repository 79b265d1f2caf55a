"""What every kernel family shares: the request, views of leaves, guarded nests and repeated calls.

A nest deeper than the machine's six levels keeps its inner loops; its outer ones become repeated
calls of the same kernel from shifted addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from dojocc.dialects.domain import Affine, Dim, Map, dim, parallel_dims
from dojocc.dialects.location import describe
from dojocc.dialects.op import NNOp
from dojocc.dialects.tile import LEVELS
from dojocc.passes.kernels.builder import KernelBuilder, KernelCall
from dojocc.passes.kernels.region import Leaf
from dojocc.passes.kernels.space import (
    Bound,
    Loop,
    Space,
    View,
    axis_bound,
    firsts,
    loop,
    merge,
    simplified,
    space_of,
    turns,
    view_of,
)
from dojocc.passes.solve.blocking import ACCUMULATORS
from dojocc.runtime.errors import UnsupportedError
from dojocc.runtime.layout import LANES, Layout

MOST_CALLS = 4096
"""Repeated calls of one kernel that a stream may hold."""


@dataclass(frozen=True)
class Request:
    """One op to be made a kernel: operand and result layouts, and which operands are constants.

    `in_place`: the result takes the buffer of an operand, whose tail is zero already.
    `accumulators`: how many blocks of a product a kernel may sum side by side.
    """

    op: NNOp
    operands: tuple[Layout, ...]
    results: tuple[Layout, ...]
    constant: tuple[bool, ...] = ()
    label: str = "kernel"
    in_place: bool = False
    accumulators: int = ACCUMULATORS

    @property
    def layouts(self) -> tuple[Layout, ...]:
        return self.operands + self.results

    def is_constant(self, number: int) -> bool:
        return number < len(self.constant) and self.constant[number]

    def refused(self, what: str, help: str | None = None) -> UnsupportedError:
        return UnsupportedError(f"{self.op.name}: {what}", where=describe(self.op), help=help)


@dataclass
class Frame:
    """The views of one kernel over one space; leaves get a view the first time they are asked
    for."""

    request: Request
    dims: tuple[Dim, ...]
    space: Space
    views: list[View] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)
    known: dict[Leaf, int] = field(default_factory=dict)
    masks: list[View] = field(default_factory=list)

    def add(self, source: int, view: View) -> int:
        """One more buffer of the kernel; its number."""
        self.views.append(view)
        self.sources.append(source)
        return len(self.views) - 1

    def leaf(self, leaf: Leaf, lane: int | None = None, reach: int = 0) -> int:
        """The buffer number of an operand read through a map; `reach` elements along `lane` are
        touched."""
        if leaf not in self.known:
            source, amap = leaf
            layout = self.request.layouts[source]
            (plain,) = simplified(self.dims, [amap])
            view = view_of(layout, plain, self.space)
            self.known[leaf] = self.add(
                source, guarded_view(view, layout, plain, self.space, lane, reach)
            )
        return self.known[leaf]

    def mask(self, bound: Bound) -> int:
        """A limit on lanes that no buffer has; its number for `KernelBuilder.in_bounds`."""
        still = View(self.views[0].layout, (0,) * len(self.dims), self.views[0].base * 0, (bound,))
        self.masks.append(still)
        return len(self.masks) - 1

    def merged(self, loops: Sequence[Loop]) -> list[Loop]:
        """The loops, folded where all buffers and masks allow."""
        return merge(loops, [*self.views, *self.masks])

    def calls(
        self,
        loops: Sequence[Loop],
        inside: int,
        body: Callable[[KernelBuilder], None],
    ) -> list[KernelCall]:
        """The kernel calls that run `body` in the nest; the body opens `inside` levels more."""
        active = self.space.active
        if not active.any():
            return []
        nest = guarded(self.merged(loops), active)
        split = max(len(nest) + inside - LEVELS, 0)
        if split > len(nest) or turns(nest[:split]) > MOST_CALLS:
            raise self.request.refused(
                f"needs {len(nest) + inside} loop levels ({inside} of them reductions),"
                f" the machine has {LEVELS}; {turns(nest[:split])} repeated calls are more than"
                f" {MOST_CALLS}"
            )
        result = []
        for place in np.ndindex(*(each.most for each in nest[:split])):
            here = active.copy()
            moves: dict[int, int] = {}
            for each, turn in zip(nest[:split], place, strict=True):
                here &= np.asarray(each.count) > turn
                for axis, units in each.moves:
                    moves[axis] = moves.get(axis, 0) + units * turn
            if not here.any():
                continue
            views = [view.shifted(moves) for view in self.views]
            masks = [mask.shifted(moves).bounds[0] for mask in self.masks]
            b = KernelBuilder(self.request.label, views, self.sources, here, masks, split > 0)
            with b.nest(guarded(nest[split:], here)):
                body(b)
            result.append(b.finish())
        return result


def guarded(loops: Sequence[Loop], active: np.ndarray) -> list[Loop]:
    """The nest, run by the active nodes alone."""
    if active.all():
        return list(loops)
    result = [
        each
        if isinstance(each.count, int)
        else replace(each, count=np.where(active, each.count, 0))
        for each in loops
    ]
    if any(not isinstance(each.count, int) for each in result):
        return result
    if not result:
        return [Loop(np.where(active, 1, 0), ())]
    first = replace(result[0], count=np.where(active, result[0].count, 0))
    return [first, *result[1:]]


def guarded_view(
    view: View,
    layout: Layout,
    amap: Map,
    space: Space,
    lane: int | None,
    reach: int,
    held: bool = False,
) -> View:
    """Bounds where `reach` elements along a dim would run past the end of a tensor dimension;
    `held`: or past what some node holds of it, and there is a bound to spare.
    """
    if lane is None:
        return view
    for axis, each in enumerate(amap):
        step = abs(each.coefficient(lane))
        already = any(bound.steps[lane] for bound in view.bounds)
        if not step or already:
            continue
        top = starting(layout, each, axis, space) + step * (reach - 1)
        top += sum(abs(c) * (space.most(d) - 1) for d, c in each.terms if d != lane)
        end = layout.physical[axis]
        if held and not view.bounds:
            start, stop = layout.boxes()
            end = int((stop - start)[space.active, axis].min())
        if top >= end:
            view = view.bounded(axis_bound(layout, each, axis, space))
    return view


def starting(layout: Layout, each: Affine, axis: int, space: Space) -> int:
    """The furthest into its buffer, along one axis, that an active node's part of the loops
    starts: more than 0 where the space is a part of what the node has to do."""
    place = firsts(each, space) - layout.origin()[:, axis]
    return int(place[space.active].max(initial=0))


def tail_bound(layout: Layout, last: Affine, space: Space) -> Bound | None:
    """The limit that keeps the elements past the end of a buffer's last dim zero, where there are
    any.

    `last` is the map of that dim.
    """
    start, stop = layout.boxes()
    held = (stop - start)[:, -1]
    if (held[space.active] == layout.physical[-1]).all():
        return None
    steps = tuple(last.coefficient(axis) for axis in range(len(space.sizes)))
    return Bound(steps, firsts(last, space) - start[:, -1], held)


def lane_blocks(request: Request, layout: Layout) -> int:
    """Blocks of 16 lanes in the last dim of a buffer."""
    if layout.physical[-1] % LANES:
        raise request.refused(
            f"a result buffer reserves {layout.physical[-1]} elements along its last dim,"
            f" not a multiple of {LANES}"
        )
    return layout.physical[-1] // LANES


def result_space(request: Request, number: int = 0) -> tuple[tuple[Dim, ...], Map, Space]:
    """The loops over a result's own elements (one dim of size 1 where it has none)."""
    layout = request.results[number]
    shape = layout.shape or (1,)
    dims = parallel_dims(shape)
    amap = tuple(dim(axis) for axis in range(len(layout.shape)))
    space = space_of(dims, amap, layout)
    assert space is not None
    return dims, amap, space


def clear_tail(request: Request, number: int, first: int = 0) -> list[KernelCall]:
    """Zeros from the 16-lane block that holds element `first` of a result's last dim to its end.

    For kernels that store less than whole blocks of 16 lanes there. None where the result updates
    an operand: what is cleared would still be read.
    """
    layout = request.results[number]
    if request.in_place or not layout.shape or first >= layout.physical[-1]:
        return []
    dims, amap, space = result_space(request, number)
    lane, start = len(dims) - 1, first // LANES
    frame = Frame(replace(request, label="clear"), dims, space)
    (plain,) = simplified(dims, [amap], (lane,))
    view = view_of(layout, plain, space).shifted({lane: start * LANES})
    frame.add(len(request.operands) + number, view)
    blocks = lane_blocks(request, layout) - start
    loops = [loop(space, axis) for axis in range(lane)] + [Loop(blocks, ((lane, LANES),))]
    zero = 0.0 if layout.fmt in ("FP32", "BF16") else 0
    return frame.calls(loops, 0, lambda b: b.store(b.constant(zero), 0, lane))
