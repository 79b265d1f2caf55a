"""Reductions, arg-reductions and running sums."""

from __future__ import annotations

from xdsl.dialects.builtin import i1, i32
from xdsl.ir import SSAValue

from dojocc.frontends.build import element_of, normal_axis, shape_of
from dojocc.frontends.onnx.node import Node, handles

KINDS = {
    "ReduceSum": "sum",
    "ReduceMean": "mean",
    "ReduceMax": "max",
    "ReduceMin": "min",
    "ReduceProd": "prod",
}
AXES_INPUT_SINCE = {"ReduceSum": 13}


def reduced_axes(node: Node) -> list[int]:
    """Axes are an attribute before opset 18 (13 for ReduceSum), an input since; none means all."""
    if node.opset < AXES_INPUT_SINCE.get(node.op, 18):
        axes = node.attr("axes")
    else:
        axes = node.integers(1, "axes") if node.has(1) else None
    if not axes:
        return [] if node.attr("noop_with_empty_axes", 0) else list(range(node.rank()))
    return list(axes)


def keep(node: Node) -> bool:
    return bool(node.attr("keepdims", 1))


@handles(*KINDS)
def reduce(node: Node) -> SSAValue:
    axes, x = reduced_axes(node), node.x()
    if node.op == "ReduceMean":
        node.need_float()
    if element_of(x) == i1:
        wide = node.b.reduce(KINDS[node.op], node.b.convert(x, i32), axes, keep(node))
        return node.b.convert(wide, i1)
    return node.b.reduce(KINDS[node.op], x, axes, keep(node))


@handles("ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum")
def reduce_transformed(node: Node) -> SSAValue:
    b, axes, x = node.b, reduced_axes(node), node.x()
    if node.op in ("ReduceL2", "ReduceLogSum"):
        node.need_float()
    match node.op:
        case "ReduceL1":
            return b.reduce("sum", b.emit("abs", x), axes, keep(node))
        case "ReduceLogSum":
            return b.emit("log", b.reduce("sum", x, axes, keep(node)))
        case _:
            total = b.reduce("sum", b.emit("multiply", x, x), axes, keep(node))
            return b.emit("sqrt", total) if node.op == "ReduceL2" else total


@handles("ReduceLogSumExp")
def reduce_log_sum_exp(node: Node) -> SSAValue:
    """max + log(sum(exp(x - max)))."""
    node.need_float()
    b, axes, x = node.b, reduced_axes(node), node.x()
    if not axes:
        return x
    top = b.reduce("max", x, axes)
    total = b.reduce("sum", b.emit("exponential", b.binary("subtract", x, top)), axes)
    result = b.emit("add", b.emit("log", total), top)
    if keep(node):
        return result
    dropped = {normal_axis(axis, node.rank()) for axis in axes}
    return b.reshape(result, [n for i, n in enumerate(shape_of(x)) if i not in dropped])


@handles("ArgMax", "ArgMin")
def arg_reduce(node: Node) -> SSAValue:
    """The first place of the extreme; with select_last_index the last, from the reversed tensor."""
    b, x = node.b, node.x()
    shape = shape_of(x)
    axis = normal_axis(node.attr("axis", 0), len(shape))
    last = bool(node.attr("select_last_index", 0))
    source = b.emit("reverse", x, dims=[axis]) if last else x
    result = b.emit("arg_reduce", source, kind=node.op[3:].lower(), axis=axis)
    if last:
        result = b.emit("subtract", b.like(result, shape[axis] - 1), result)
    if not keep(node):
        return result
    return b.reshape(result, (*shape[:axis], 1, *shape[axis + 1 :]))
