"""Contraction on the SIMD unit: 16 lanes of the result, one fused multiply-add (of integers a
product and a sum) for each reduction step.

Serves FP32, integers, depthwise and grouped convolutions, and BF16 operands that do not lie as the
matrix unit wants (their products are exact in FP32, so the sums are the same).
"""

from __future__ import annotations

import numpy as np
from xdsl.ir import SSAValue

from dojocc.dialects.op import NNOp
from dojocc.dialects.types import FLOATS
from dojocc.passes.kernels.builder import KernelBuilder, KernelCall
from dojocc.passes.kernels.contraction_plan import Contraction
from dojocc.passes.kernels.expressions import element, in_range
from dojocc.passes.kernels.frame import Frame, clear_tail, lane_blocks, tail_bound
from dojocc.passes.kernels.region import Evaluator, Leaf
from dojocc.passes.kernels.space import Bound, Loop, View, loop, view_of
from dojocc.runtime.layout import LANES


def on_lanes(plan: Contraction) -> list[KernelCall]:
    """Loops over the result's dims, 16 lanes of the last one at a time, around the reduction."""
    request, space, lane = plan.request, plan.space, plan.lane
    frame = Frame(request, plan.dims, space)
    blocks, partial, clear = lanes_of(plan)
    reach = blocks * LANES
    store, limit = add_result(plan, frame, partial)
    left = plan.add_operand(frame, 0, lane, reach)
    right = plan.add_operand(frame, 1, lane, reach)
    (value,) = plan.region.values
    for leaf in plan.region.leaves(value, plan.given):
        frame.leaf(leaf, lane, reach)
    taps = frame.merged([loop(space, d) for d in plan.reduction])
    loops = [loop(space, d) for d in plan.parallel if d != lane]
    if lane is not None:
        loops.append(Loop(blocks, ((lane, LANES),)))

    kind = element(region_root(plan).operands[0])
    floats = kind in FLOATS

    def body(b: KernelBuilder) -> None:
        total: SSAValue = b.cell(0.0 if floats else 0)
        with b.nest(taps):
            pair = b.load(left, lane), b.load(right, lane)
            if floats:
                b.fma(total, *pair)
            else:
                b.accumulate("viacc", total, b.vector("vimul", pair))
        if not floats:
            total = in_range(b, total, kind)

        def load(leaf: Leaf) -> SSAValue:
            return b.load(frame.leaf(leaf), lane)

        evaluator = Evaluator(plan.region, b, load, total, plan.given)
        result = evaluator.lanes(value, plan.given)
        mask = None if limit is None else b.in_bounds(store, limit)
        b.store(result, store, lane, mask=mask)

    return [*clear, *frame.calls(loops, len(taps), body)]


def region_root(plan: Contraction) -> NNOp:
    """The product or convolution itself."""
    assert plan.region.root is not None
    return plan.region.root


def lanes_of(plan: Contraction) -> tuple[int, bool, list[KernelCall]]:
    """Blocks of 16 lanes along the lane dim; whether the last one is partial; calls that clear
    tails.

    A last dim that is the lane dim alone is covered to its physical end. In groups, lanes run along
    one group's outputs, and a partial block has to leave its neighbours alone.
    """
    if plan.lane is None:
        return 1, False, []
    layout = plan.request.results[0]
    last = plan.result[-1]
    if len(last.terms) < 2:
        return lane_blocks(plan.request, layout), False, []
    outputs = plan.dims[plan.lane].size
    partial = outputs % LANES != 0
    clear = clear_tail(plan.request, 0, 0) if partial else []
    return -(-outputs // LANES), partial, clear


def add_result(plan: Contraction, frame: Frame, partial: bool) -> tuple[int, int | None]:
    """The result's buffer, and the mask of the lanes to store where blocks are partial."""
    layout = plan.request.results[0]
    view: View = view_of(layout, plan.result, plan.space)
    if plan.lane is None:
        return frame.add(plan.target, view), None
    if not partial:
        tail = tail_bound(layout, plan.result[-1], plan.space)
        return frame.add(plan.target, view if tail is None else view.bounded(tail)), None
    steps = tuple(int(d == plan.lane) for d in range(len(plan.dims)))
    zeros = np.zeros(plan.space.nodes, np.int64)
    limit = Bound(steps, zeros, zeros + plan.dims[plan.lane].size)
    number = frame.add(plan.target, view)
    return number, frame.mask(limit)
