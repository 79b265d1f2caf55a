"""Gathers and one-hot rows."""

from __future__ import annotations

from math import prod

import numpy as np
from xdsl.dialects.builtin import i32
from xdsl.ir import SSAValue

from dojocc.frontends.build import BuildError, element_of, normal_axis, shape_of
from dojocc.frontends.composites.indexing import from_front
from dojocc.frontends.composites.indexing import gather_elements as elements_at
from dojocc.frontends.composites.indexing import one_hot as hot_rows
from dojocc.frontends.onnx.node import Node, Refusal, handles


def wrapped(node: Node, index: int, sizes: int | SSAValue) -> SSAValue:
    """Operand `index` as indices that count from the front; negative ones count from the end."""
    known = node.known(index)
    if known is not None and isinstance(sizes, int):
        outside = known[(known < -sizes) | (known >= sizes)]
        if outside.size:
            raise BuildError(f"index {outside.flat[0]} is outside a dim of {sizes}")
        return node.materialise(np.where(known < 0, known + sizes, known), node.proto.input[index])
    return from_front(node.b, node.x(index), sizes)


@handles("Gather")
def gather(node: Node) -> SSAValue:
    axis = normal_axis(node.attr("axis", 0), node.rank())
    return node.b.take(node.x(), wrapped(node, 1, node.shape()[axis]), axis)


@handles("GatherElements")
def gather_elements(node: Node) -> SSAValue:
    axis = normal_axis(node.attr("axis", 0), node.rank())
    rows = wrapped(node, 1, node.shape()[axis])
    return elements_at(node.b, node.x(), rows, axis, node.proto.output[0])


@handles("GatherND")
def gather_nd(node: Node) -> SSAValue:
    """Each last-dim tuple of indices picks a slice: a take from the flattened leading dims."""
    b, shape, wanted = node.b, node.shape(), node.shape(1)
    batch, depth = node.attr("batch_dims", 0), wanted[-1]
    sizes = b.constant(np.array(shape[batch : batch + depth], np.int32))
    indices = wrapped(node, 1, sizes)
    part = shape[batch : batch + depth]
    strides = np.array([prod(part[i + 1 :]) for i in range(depth)], np.int32)
    flat = b.binary("multiply", indices, b.constant(strides))
    flat = b.reduce("sum", flat, [len(wanted) - 1], keep=False)
    if batch:
        groups = np.arange(prod(shape[:batch]), dtype=np.int32) * prod(part)
        ones = [1] * (len(wanted) - 1 - batch)
        flat = b.binary("add", flat, b.constant(groups.reshape(*shape[:batch], *ones)))
    rows = b.reshape(node.x(), (prod(shape[: batch + depth]), *shape[batch + depth :]))
    return b.take(rows, flat, 0)


@handles("OneHot")
def one_hot(node: Node) -> SSAValue:
    """on_value where the new dim's position equals the index; outside [-depth, depth) nowhere."""
    b, depth = node.b, node.integers(1, "depth")[0]
    indices = b.convert(node.x(0), i32)
    rank = len(shape_of(indices)) + 1
    axis = normal_axis(node.attr("axis", -1), rank)
    negative = b.compare("LT", indices, b.like(indices, 0))
    indices = b.select(negative, b.plus(indices, depth), indices)
    hit = hot_rows(b, indices, depth, axis)
    values = node.x(2)
    off = b.reshape(b.slice(values, [0], [1]), ())
    on = b.reshape(b.slice(values, [1], [2]), ())
    return b.select(hit, on, off)


@handles("EyeLike")
def eye_like(node: Node) -> SSAValue:
    rows, columns = node.shape()
    values = np.eye(rows, columns, node.attr("k", 0), dtype=np.float32)
    kind = node.attr("dtype")
    wanted = element_of(node.x()) if kind is None else node.element_type(kind)
    return node.b.convert(node.b.constant(values, node.proto.output[0]), wanted)


@handles("Hardmax")
def hardmax(node: Node) -> SSAValue:
    """1 at the first largest element of each row, else 0."""
    b, shape = node.b, node.shape()
    axis = normal_axis(node.attr("axis", -1 if node.opset >= 13 else 1), len(shape))
    if node.opset < 13 and axis != len(shape) - 1:
        raise Refusal("before opset 13 only the last axis is supported")
    place = b.emit("arg_reduce", node.x(), kind="max", axis=axis)
    column = b.reshape(place, (*shape[:axis], 1, *shape[axis + 1 :]))
    steps = np.arange(shape[axis], dtype=np.int32).reshape([-1] + [1] * (len(shape) - 1 - axis))
    hit = b.compare("EQ", column, b.constant(steps, f"{node.proto.output[0]}.steps"))
    return b.convert(hit, element_of(node.x()))
