"""Window kernels (max and sum pooling): lanes along the last dim, taps folded one after another.

Places outside the tensor are loaded as what the reduction starts from, so padding is a bound.
"""

from __future__ import annotations

from xdsl.ir import SSAValue

from dojocc.passes.kernels.builder import KernelBuilder, KernelCall
from dojocc.passes.kernels.fold import fold_into, start_of
from dojocc.passes.kernels.frame import Frame, Request, guarded_view, lane_blocks, tail_bound
from dojocc.passes.kernels.region import Evaluator, Leaf, Region
from dojocc.passes.kernels.space import Loop, loop, simplified, space_of, view_of
from dojocc.runtime.layout import LANES


def window(request: Request, region: Region) -> list[KernelCall]:
    """Loops over the result's dims around those over the window."""
    root = region.root
    assert root is not None
    domain = root.iteration_domain()
    number = region.argument(root.operands[0])
    layout = request.results[0]
    if domain is None or number is None or len(region.values) != 1 or not layout.shape:
        raise request.refused("a window op reads one operand of the kernel and gives one result")
    given = domain.results[0]
    space = space_of(domain.dims, given, layout)
    assert space is not None
    frame = Frame(request, domain.dims, space)
    lane = len(layout.shape) - 1
    blocks = lane_blocks(request, layout)
    (plain,) = simplified(domain.dims, [given], (lane,))
    (source,) = simplified(domain.dims, [domain.operands[0]], (lane,))
    tail = tail_bound(layout, plain[-1], space)
    view = view_of(layout, plain, space)
    store = frame.add(len(request.operands), view if tail is None else view.bounded(tail))
    held = request.operands[number]
    reach = blocks * LANES
    read = guarded_view(view_of(held, source, space), held, source, space, lane, reach)
    data = frame.add(number, read)
    (value,) = region.values
    for leaf in region.leaves(value, given):
        frame.leaf(leaf, lane, reach)
    taps = [d for d, row in enumerate(domain.dims) if row.kind == "reduction" and row.size > 1]
    inner = frame.merged([loop(space, d) for d in taps])
    loops = [loop(space, d) for d in range(lane)] + [Loop(blocks, ((lane, LANES),))]
    kind, start = root.p.kind, start_of(root.p.kind, held.fmt)

    def body(b: KernelBuilder) -> None:
        total = b.cell(start)
        with b.nest(inner):
            fold_into(b, kind, total, b.load(data, lane, pad=float(start)), held.fmt)

        def load(leaf: Leaf) -> SSAValue:
            return b.load(frame.leaf(leaf), lane)

        evaluator = Evaluator(region, b, load, total, given)
        b.store(evaluator.lanes(value, given), store, lane)

    return frame.calls(loops, len(inner), body)
