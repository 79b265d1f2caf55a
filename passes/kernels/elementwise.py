"""Kernels of element-wise chains: lanes along the last dim, every other dim a loop (folded where it
can be)."""

from __future__ import annotations

from xdsl.ir import SSAValue

from dojocc.passes.kernels.builder import KernelBuilder, KernelCall
from dojocc.passes.kernels.frame import (
    Frame,
    Request,
    lane_blocks,
    result_space,
    tail_bound,
)
from dojocc.passes.kernels.region import Evaluator, Leaf, Region
from dojocc.passes.kernels.space import Loop, loop, simplified, view_of
from dojocc.runtime.layout import LANES


def elementwise(request: Request, region: Region) -> list[KernelCall]:
    """One kernel for all results that lie alike, else one for each."""
    first = request.results[0]
    if all(
        first.same_place(layout) and first.physical[-1:] == layout.physical[-1:]
        for layout in request.results[1:]
    ):
        return _together(request, region, tuple(range(len(request.results))))
    calls = []
    for number in range(len(request.results)):
        calls += _together(request, region, (number,))
    return calls


def _together(request: Request, region: Region, numbers: tuple[int, ...]) -> list[KernelCall]:
    dims, amap, space = result_space(request, numbers[0])
    frame = Frame(request, dims, space)
    lane = len(dims) - 1
    scalar = not amap
    blocks = 1 if scalar else max(lane_blocks(request, request.results[n]) for n in numbers)
    stores = {}
    for number in numbers:
        layout = request.results[number]
        view = view_of(layout, simplified(dims, [amap], (lane,))[0], space)
        tail = None if scalar else tail_bound(layout, amap[-1], space)
        view = view if tail is None else view.bounded(tail)
        stores[number] = frame.add(len(request.operands) + number, view)
        for leaf in region.leaves(region.values[number], amap):
            frame.leaf(leaf, lane, blocks * LANES)
    loops = [loop(space, axis) for axis in range(lane)] + [Loop(blocks, ((lane, LANES),))]

    def body(b: KernelBuilder) -> None:
        def load(leaf: Leaf) -> SSAValue:
            return b.load(frame.leaf(leaf), lane)

        evaluator = Evaluator(region, b, load)
        for number, buffer in stores.items():
            value = evaluator.lanes(region.values[number], amap)
            b.store(value, buffer, None if scalar else lane)

    return frame.calls(loops, 0, body)
