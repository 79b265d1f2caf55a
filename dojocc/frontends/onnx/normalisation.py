"""Normalisations; those that are no op of the nn dialect are written out."""

from __future__ import annotations

from xdsl.ir import SSAValue

from dojocc.frontends.build import normal_axis, shape_of
from dojocc.frontends.composites.normalisation import (
    centred,
    group_norm,
    grouped,
    instance_norm,
    rms_norm,
)
from dojocc.frontends.onnx.node import Node, Refusal, handles


@handles("BatchNormalization")
def batch_normalization(node: Node) -> SSAValue:
    node.need_float()
    if node.attr("training_mode", 0):
        raise Refusal("training_mode is on; only inference is supported")
    if node.opset < 9 and not node.attr("spatial", 1):
        raise Refusal("spatial=0 is not supported")
    node.no_output(1, 2, 3, 4)
    rows = [node.weight(i) for i in range(1, 5)]
    epsilon = node.attr("epsilon", 1e-5)
    return node.b.emit("batch_norm_inference", node.x(), *rows, epsilon=epsilon, feature=1)


@handles("InstanceNormalization")
def instance_normalization(node: Node) -> SSAValue:
    node.need_float()
    epsilon = node.attr("epsilon", 1e-5)
    return instance_norm(node.b, node.x(), node.weight(1), node.weight(2), epsilon)


@handles("GroupNormalization")
def group_normalization(node: Node) -> SSAValue:
    """Scale and bias are per group before opset 21, per channel since."""
    node.need_float()
    b, shape, groups = node.b, node.shape(), node.attr("num_groups")
    epsilon, scale, bias = node.attr("epsilon", 1e-5), node.weight(1), node.weight(2)
    if shape_of(scale)[0] == shape[1] and not (node.opset < 21 and groups == shape[1]):
        return group_norm(b, node.x(), groups, scale, bias, epsilon)
    normal, _, _ = grouped(b, node.x(), groups, epsilon)
    scale, bias = (b.reshape(row, (groups, 1)) for row in (scale, bias))
    return b.reshape(b.binary("add", b.binary("multiply", normal, scale), bias), shape)


@handles("LayerNormalization")
def layer_normalization(node: Node) -> tuple[SSAValue | None, ...]:
    """One nn op where only the normalised tensor is asked for, else written out."""
    node.need_float()
    b, x = node.b, node.x()
    shape = shape_of(x)
    axis = normal_axis(node.attr("axis", -1), len(shape))
    epsilon = node.attr("epsilon", 1e-5)
    scale = b.broadcast(node.weight(1), shape[axis:])
    bias = b.broadcast(node.weight(2), shape[axis:]) if node.has(2) else b.like(scale, 0)
    if not node.uses(1) and not node.uses(2):
        return (b.emit("layer_norm", x, scale, bias, axis=axis, epsilon=epsilon),)
    normal, mean, root = centred(b, x, range(axis, len(shape)), epsilon)
    return b.binary("add", b.binary("multiply", normal, scale), bias), mean, root


@handles("RMSNormalization", "SimplifiedLayerNormalization")
def rms_normalization(node: Node) -> SSAValue:
    node.need_float()
    axis = normal_axis(node.attr("axis", -1), node.rank())
    axes = range(axis, node.rank())
    return rms_norm(node.b, node.x(), axes, node.weight(1), node.attr("epsilon", 1e-5))


@handles("LpNormalization")
def norm_normalization(node: Node) -> SSAValue:
    """x / (sum |x|^p)^(1/p) along one axis, p of 1 and 2; a row of zeros stays zero."""
    b, x, order = node.b, node.x(), node.attr("p", 2)
    if order not in (1, 2):
        raise Refusal(f"p={order}; 1 and 2 are supported")
    terms = b.emit("abs", x) if order == 1 else b.emit("multiply", x, x)
    total = b.reduce("sum", terms, [node.attr("axis", -1)])
    norm = total if order == 1 else b.emit("sqrt", total)
    safe = b.select(b.compare("EQ", norm, b.like(norm, 0)), b.like(norm, 1), norm)
    return b.binary("divide", x, safe)
