"""Row kernels: softmax, log_softmax, layer_norm, reduce and arg_reduce.

Each makes as many passes over its row as its formula has steps, and evaluates what comes before the
root anew in each. The formulas and the order of additions are those of the references.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np
from xdsl.ir import SSAValue

from dojocc.dialects.nn.normalisation import LayerNormOp, LogSoftmaxOp, SoftmaxOp
from dojocc.dialects.nn.reduction import ArgReduceOp, ReduceOp
from dojocc.passes.kernels.builder import KernelBuilder, KernelCall
from dojocc.passes.kernels.expressions import element, exponential, in_range, logarithm
from dojocc.passes.kernels.fold import across, shuffled, start_of
from dojocc.passes.kernels.frame import Request
from dojocc.passes.kernels.region import Region
from dojocc.passes.kernels.row_plan import RowPlan
from dojocc.runtime.layout import LANES

LAST = int(np.iinfo(np.int32).max)


def row(request: Request, region: Region) -> list[KernelCall]:
    """The kernel of a row op."""
    plan = RowPlan.of(request, region)
    body: Callable[[RowPlan, KernelBuilder], None]
    match plan.root:
        case SoftmaxOp():
            body = softmax
        case LogSoftmaxOp():
            body = log_softmax
        case LayerNormOp():
            body = layer_norm
        case ReduceOp():
            body = reduce
        case ArgReduceOp():
            body = arg_reduce
        case _:
            raise request.refused(f"{plan.root.name} has no row kernel", "decompose it first")
    return plan.calls(lambda b: body(plan, b))


def reciprocal_of(count: int) -> float:
    """1 / count in FP32."""
    return float(np.float32(1) / np.float32(max(count, 1)))


def row_elements(plan: RowPlan) -> int:
    return prod(each.size for each in plan.dims if each.kind == "reduction")


def softmax(plan: RowPlan, b: KernelBuilder) -> None:
    """exp(x - max) * (1 / sum)."""
    top = plan.fold(b, "max", lambda x: x(0))
    total = plan.fold(b, "sum", lambda x: exponential(b, b.vector("vsub", [x(0), top])))
    share = b.vector("vrecip", [total])
    with b.nest(plan.inner):
        power = exponential(b, b.vector("vsub", [plan.operand(b)(0), top]))
        plan.finish(b, b.vector("vmul", [power, share]))


def log_softmax(plan: RowPlan, b: KernelBuilder) -> None:
    """x - max - log(sum of exp(x - max))."""
    top = plan.fold(b, "max", lambda x: x(0))
    total = plan.fold(b, "sum", lambda x: exponential(b, b.vector("vsub", [x(0), top])))
    size = logarithm(b, total)
    with b.nest(plan.inner):
        below = b.vector("vsub", [plan.operand(b)(0), top])
        plan.finish(b, b.vector("vsub", [below, size]))


def layer_norm(plan: RowPlan, b: KernelBuilder) -> None:
    """(x - mean) * rsqrt(variance + epsilon) * scale + bias."""
    assert isinstance(plan.root, LayerNormOp)
    share = b.constant(reciprocal_of(row_elements(plan)))
    mean = b.vector("vmul", [plan.fold(b, "sum", lambda x: x(0)), share])

    def square(x: Callable[[int], SSAValue]) -> SSAValue:
        centred = b.vector("vsub", [x(0), mean])
        return b.vector("vmul", [centred, centred])

    variance = b.vector("vmul", [plan.fold(b, "sum", square), share])
    epsilon = b.constant(float(np.float32(plan.root.p.epsilon)))
    spread = b.vector("vrsqrt", [b.vector("vadd", [variance, epsilon])])
    with b.nest(plan.inner):
        x = plan.operand(b)
        normal = b.vector("vmul", [b.vector("vsub", [x(0), mean]), spread])
        plan.finish(b, b.vector("vadd", [b.vector("vmul", [normal, x(1)]), x(2)]))


def reduce(plan: RowPlan, b: KernelBuilder) -> None:
    """Sum, mean, max, min or product."""
    kind = plan.root.p.kind
    total = plan.fold(b, kind, lambda x: x(0))
    if kind == "mean":
        total = b.vector("vmul", [total, b.constant(reciprocal_of(row_elements(plan)))])
    plan.finish(b, in_range(b, total, element(plan.root.operands[0])))


def arg_reduce(plan: RowPlan, b: KernelBuilder) -> None:
    """Index of the first greatest (or least) element.

    Every lane keeps its best value and where it was; a later equal one does not count. Lanes are
    then compared, and of the best ones the lowest index taken. As in NumPy, the first NaN is the
    best of all.
    """
    kind = plan.root.p.kind
    best = b.cell(start_of(kind, plan.fmt))
    here, found = b.cell(0), b.cell(0)
    first = b.lanes() if plan.along else b.constant(0)
    b.assign(here, first)
    b.assign(found, first)
    with b.nest(plan.inner):
        value = plan.masked(b, plan.operand(b)(0), kind)
        better = is_better(plan, b, kind, value, best)
        b.assign(best, value, better)
        b.assign(found, here, better)
        b.assign(here, b.vector("viadd", [here, b.constant(LANES if plan.along else 1)]))
    result = found
    if plan.along:
        top = across(b, kind, best, plan.fmt)
        chosen = b.vector("vcmpeq" if plan.floats else "vicmpeq", [best, top])
        if plan.floats:  # a NaN is not equal to itself
            chosen = b.vector("por", [chosen, is_nan(b, best)])
        result = b.vector("vsel", [found, b.constant(LAST)], predicate=chosen)
        result = shuffled(b, result, "vimin")
    plan.finish(b, result)


def is_better(
    plan: RowPlan, b: KernelBuilder, kind: str, value: SSAValue, best: SSAValue
) -> SSAValue:
    """Where a value takes the best one's place: no comparison with a NaN holds."""
    if not plan.floats:
        return b.vector("vicmplt", [best, value] if kind == "max" else [value, best])
    worse = b.vector("vcmple", [value, best] if kind == "max" else [best, value])
    return b.vector("pand", [b.vector("pnot", [worse]), b.vector("vcmpeq", [best, best])])


def is_nan(b: KernelBuilder, value: SSAValue) -> SSAValue:
    return b.vector("pnot", [b.vector("vcmpeq", [value, value])])
