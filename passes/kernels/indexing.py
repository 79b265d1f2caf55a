"""take kernels: elements picked by number, through indexed loads.

Lane l of the result reads data at index * stride + its own place; indices are clamped to the axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.ir import SSAValue

from dojocc.dialects.domain import Affine
from dojocc.dialects.nn.indexing import TakeOp
from dojocc.passes.kernels.builder import KernelBuilder, KernelCall
from dojocc.passes.kernels.frame import Frame, Request, lane_blocks, tail_bound
from dojocc.passes.kernels.region import Evaluator, Leaf, Region
from dojocc.passes.kernels.space import Bound, Loop, loop, simplified, space_of, view_of
from dojocc.runtime.layout import LANES


def indexing(request: Request, region: Region) -> list[KernelCall]:
    """Loops over the result's dims, 16 lanes of its last one at a time."""
    root = region.root
    if not isinstance(root, TakeOp) or len(region.values) != 1:
        raise request.refused("an indexing kernel takes from one operand and gives one result")
    numbers = [region.argument(value) for value in root.operands]
    if numbers[0] is None or numbers[1] is None:
        raise request.refused("nn.take reads operands of the kernel")
    domain = root.iteration_domain()
    layout, given = request.results[0], domain.results[0]
    space = space_of(domain.dims, given, layout)
    assert space is not None
    lane = len(layout.shape) - 1 if layout.shape else None
    frame = Frame(request, domain.dims, space)
    blocks = 1 if lane is None else lane_blocks(request, layout)
    reach = blocks * LANES
    store = add_result(request, frame, given, lane)
    picks = frame.leaf((numbers[1], domain.operands[1]), lane, reach)
    data, place = add_data(request, frame, root, numbers[0], lane)
    if place.lane_stride > 1 and lane is not None:
        frame.mask(held_lanes(frame, lane))
    (value,) = region.values
    for leaf in region.leaves(value, given):
        frame.leaf(leaf, lane, reach)
    loops = [loop(space, d) for d in range(len(layout.shape)) if d != lane]
    if lane is not None:
        loops.append(Loop(blocks, ((lane, LANES),)))

    def body(b: KernelBuilder) -> None:
        index = b.vector("vimax", [b.load(picks, lane), b.constant(0)])
        index = b.vector("vimin", [index, b.constant(place.last)])
        where = b.vector("vimul", [index, b.constant(place.stride)])
        if place.lane_stride:
            own = b.vector("vimul", [b.lanes(), b.constant(place.lane_stride)])
            where = b.vector("viadd", [where, own])
        if frame.masks:
            where = b.vector("vsel", [where, b.constant(0)], predicate=b.in_bounds(store, 0))
        picked = b.gather(data, where)

        def load(leaf: Leaf) -> SSAValue:
            return b.load(frame.leaf(leaf), lane)

        evaluator = Evaluator(region, b, load, picked, given)
        b.store(evaluator.lanes(value, given), store, lane)

    return frame.calls(loops, 0, body)


@dataclass(frozen=True)
class Place:
    """Where an index leads, in elements: its stride, the last valid one, and the step from lane to
    lane."""

    stride: int
    last: int
    lane_stride: int


def add_result(request: Request, frame: Frame, given: tuple[Affine, ...], lane: int | None) -> int:
    """The result's buffer, its tail bounded."""
    layout = request.results[0]
    (plain,) = simplified(frame.dims, [given], (lane,))
    view = view_of(layout, plain, frame.space)
    tail = None if lane is None else tail_bound(layout, plain[-1], frame.space)
    return frame.add(len(request.operands), view if tail is None else view.bounded(tail))


def add_data(
    request: Request, frame: Frame, root: TakeOp, number: int, lane: int | None
) -> tuple[int, Place]:
    """The data's buffer at index 0 of the axis, and how indices lead from there."""
    layout, axis = request.operands[number], root.p.axis
    start, stop = layout.boxes()
    size = layout.shape[axis]
    if ((stop - start)[frame.space.active, axis] != size).any():
        raise request.refused(
            "the axis taken from is shared out between nodes",
            "hold the axis whole on every node",
        )
    domain = root.iteration_domain()
    (amap,) = simplified(frame.dims, [domain.operands[0]], (lane,))
    shift = np.array([each == axis for each in range(len(layout.shape))])
    fixed = tuple(Affine() if there else each for there, each in zip(shift, amap, strict=True))
    view = view_of(layout, fixed, frame.space)
    step = 0 if lane is None else view.steps[lane] // layout.item
    stride = layout.strides[axis] // layout.item
    return frame.add(number, view), Place(stride, size - 1, step)


def held_lanes(frame: Frame, lane: int) -> Bound:
    """The lanes that a node holds: the others would lead past the data."""
    steps = tuple(int(d == lane) for d in range(len(frame.dims)))
    held = frame.space.counts[:, lane]
    return Bound(steps, np.zeros_like(held), held)
