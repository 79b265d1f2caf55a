"""Normalisations: over the last dims, over groups of channels, by running statistics."""

from __future__ import annotations

from xdsl.ir import SSAValue

from dojocc.frontends.build import NotSupported, shape_of
from dojocc.frontends.composites.normalisation import (
    centred,
    group_norm,
    grouped,
    instance_norm,
    rms_norm,
)
from dojocc.frontends.torch.node import Node, handles

SMALLEST_STEP = 1.1920928955078125e-07  # FP32's epsilon, which rms_norm takes where none is given


@handles("layer_norm")
def layer_norm(node: Node) -> SSAValue:
    """One nn op, with scale 1 and bias 0 where there are none."""
    b, x = node.b, node.x("input")
    row = tuple(node.number("normalized_shape"))
    axis = len(shape_of(x)) - len(row)
    scale = node.x("weight") if node.has("weight") else b.full(1, row)
    bias = node.x("bias") if node.has("bias") else b.full(0, row)
    epsilon = float(node.number("eps", 1e-5))
    return b.emit("layer_norm", x, scale, bias, axis=axis, epsilon=epsilon)


@handles("native_layer_norm")
def layer_norm_with_statistics(node: Node) -> tuple[SSAValue, SSAValue, SSAValue]:
    """What is not used is removed later."""
    x, count = node.x("input"), len(node.number("normalized_shape"))
    rank = len(shape_of(x))
    axes = range(rank - count, rank)
    _, mean, root = centred(node.b, x, axes, float(node.number("eps")))
    return layer_norm(node), mean, root


@handles("rms_norm", "_fused_rms_norm")
def root_mean_square_norm(node: Node) -> SSAValue | tuple[SSAValue, SSAValue | None]:
    x, row = node.x("input"), node.number("normalized_shape")
    rank = len(shape_of(x))
    epsilon = float(node.number("eps", SMALLEST_STEP))
    axes = range(rank - len(row), rank)
    result = rms_norm(node.b, x, axes, node.maybe("weight"), epsilon)
    return result if node.op == "rms_norm" else (result, None)


@handles("group_norm")
def norm_of_groups(node: Node) -> SSAValue:
    x, groups = node.x("input"), node.number("num_groups")
    epsilon = float(node.number("eps", 1e-5))
    return group_norm(node.b, x, groups, node.maybe("weight"), node.maybe("bias"), epsilon)


@handles("native_group_norm")
def norm_of_groups_with_statistics(node: Node) -> tuple[SSAValue, SSAValue, SSAValue]:
    b, x, groups = node.b, node.x("input"), node.number("group")
    epsilon = float(node.number("eps"))
    result = group_norm(b, x, groups, node.maybe("weight"), node.maybe("bias"), epsilon)
    _, mean, root = grouped(b, x, groups, epsilon)
    shape = (shape_of(x)[0], groups)
    return result, b.reshape(mean, shape), b.reshape(root, shape)


@handles("instance_norm")
def norm_of_instances(node: Node) -> SSAValue:
    x, epsilon = node.x("input"), float(node.number("eps", 1e-5))
    if not node.raw("use_input_stats", True):
        return by_statistics(node)
    return instance_norm(node.b, x, node.maybe("weight"), node.maybe("bias"), epsilon)


def by_statistics(node: Node) -> SSAValue:
    """Batch normalisation by the running mean and variance."""
    b, x = node.b, node.x("input")
    if not node.has("running_mean"):
        raise NotSupported("statistics of the batch itself: only running ones are supported")
    mean, variance = node.x("running_mean"), node.x("running_var")
    scale = node.x("weight") if node.has("weight") else b.like(mean, 1)
    bias = node.x("bias") if node.has("bias") else b.like(mean, 0)
    epsilon = float(node.number("eps", 1e-5))
    rows = (scale, bias, mean, variance)
    return b.emit("batch_norm_inference", x, *rows, epsilon=epsilon, feature=1)


@handles("_native_batch_norm_legit_no_training", "_batch_norm_no_update")
def batch_norm(node: Node) -> tuple[SSAValue | None, ...]:
    """The statistics that it returns besides are not made."""
    return by_statistics(node), None, None
