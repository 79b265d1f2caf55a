"""Sampling at computed places: GridSample, RoiAlign, DeformConv."""

from __future__ import annotations

from functools import reduce
from itertools import product
from math import prod

import numpy as np
from xdsl.dialects.builtin import i32
from xdsl.ir import SSAValue

from dojocc.frontends.build import Builder, shape_of
from dojocc.frontends.composites import sampling
from dojocc.frontends.composites.convolution import add_channel_bias
from dojocc.frontends.composites.sampling import limited, sample, taps_of
from dojocc.frontends.onnx.node import Node, Refusal, handles


@handles("GridSample")
def grid_sample(node: Node) -> SSAValue:
    mode = node.attr("mode", "linear")
    mode = str({"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode))
    aligned, padding = bool(node.attr("align_corners", 0)), node.attr("padding_mode", "zeros")
    return sampling.grid_sample(node.b, node.x(), node.x(1), mode, padding, aligned)


@handles("RoiAlign")
def region_align(node: Node) -> SSAValue:
    """Each bin of each region is the mean (or largest) of a fixed grid of linear samples."""
    b, (_, channels, height, width) = node.b, node.shape()
    ratio, scale = node.attr("sampling_ratio", 0), node.attr("spatial_scale", 1.0)
    if ratio <= 0:
        raise Refusal("sampling_ratio=0: the number of samples would depend on the regions")
    form = node.attr("coordinate_transformation_mode", "half_pixel")
    half = node.opset >= 16 and form == "half_pixel"
    rows, columns = node.attr("output_height", 1), node.attr("output_width", 1)
    rois = b.plus(b.scaled(node.x(1), scale), -0.5 if half else 0)
    count = shape_of(rois)[0]
    first = b.scaled(b.convert(node.x(2), i32), height * width)
    ends = [b.slice(rois, [0, i], [count, i + 1]) for i in range(4)]
    across = bins(b, ends[0], ends[2], columns, ratio, half)
    down = bins(b, ends[1], ends[3], rows, ratio, half)
    wide = (count, shape_of(down)[1], shape_of(across)[1])
    y = b.broadcast(b.reshape(down, (count, wide[1], 1)), wide)
    x = b.broadcast(b.reshape(across, (count, 1, wide[2])), wide)
    return aligned_samples(node, (y, x), first, (channels, rows, columns, ratio))


def bins(b: Builder, low: SSAValue, high: SSAValue, count: int, ratio: int, half: bool) -> SSAValue:
    """[regions, count x ratio] sample places of one dim."""
    span = b.emit("subtract", high, low)
    span = span if half else b.emit("maximum", span, b.like(span, 1))
    share = ((np.arange(count * ratio) + 0.5) / (count * ratio)).astype(np.float32).reshape(1, -1)
    return b.binary("add", low, b.binary("multiply", span, b.constant(share)))


def aligned_samples(
    node: Node,
    places: tuple[SSAValue, SSAValue],
    first: SSAValue,
    result: tuple[int, int, int, int],
) -> SSAValue:
    b, (batch, channels, height, width) = node.b, node.shape()
    _, rows, columns, ratio = result
    data = b.transpose(node.x(), (0, 2, 3, 1))
    data = b.reshape(data, (batch * height * width, channels))
    taps, inside = [], None
    for place, size in zip(places, (height, width), strict=True):
        low = b.compare("GE", place, b.like(place, -1))
        there = b.emit("and", low, b.compare("LE", place, b.like(place, size)))
        inside = there if inside is None else b.emit("and", inside, there)
        taps.append(taps_of(b, limited(b, place, 0, size - 1), "linear"))
    assert inside is not None
    base = b.reshape(first, (shape_of(first)[0], 1, 1))
    parts = []
    for corner in product(*taps):
        (y, _), (x, _) = corner
        whole = [limited(b, y, 0, height - 1), limited(b, x, 0, width - 1)]
        parts.append(sample(b, data, base, [height, width], whole, [w for _, w in corner]))
    if node.attr("mode", "avg") == "max":
        raise Refusal("mode='max' is not supported")
    total = reduce(lambda left, right: b.emit("add", left, right), parts)
    total = b.select(b.reshape(inside, (*shape_of(inside), 1)), total, b.like(total, 0))
    count = shape_of(inside)[0]
    grid = b.reshape(total, (count, rows, ratio, columns, ratio, channels))
    mean = b.reduce("mean", grid, [2, 4], keep=False)
    return b.transpose(mean, (0, 3, 1, 2))


@handles("DeformConv")
def deformed_convolution(node: Node) -> SSAValue:
    """Every tap of the kernel is sampled at its shifted place (and masked); then one product."""
    node.need_float()
    b, (batch, channels, height, width) = node.b, node.shape()
    weight = node.weight(1)
    outputs, inner, *kernel = shape_of(weight)
    groups, parts = node.attr("group", 1), node.attr("offset_group", 1)
    rows, columns = node.shape(2)[2:]
    taps, places = prod(kernel), rows * columns
    offset = b.reshape(node.x(2), (batch, parts, taps, 2, places))
    share = channels // parts
    data = b.reshape(node.x(), (batch, parts, share, height * width))
    data = b.transpose(data, (0, 1, 3, 2))
    data = b.reshape(data, (batch * parts * height * width, share))
    base = np.arange(batch * parts, dtype=np.int32).reshape(-1, 1) * (height * width)
    wanted = (batch * parts, taps * places)
    corners = []
    for dim, table in enumerate(kernel_places(node, kernel, (rows, columns))):
        shift = b.slice(offset, [0, 0, 0, dim, 0], [batch, parts, taps, dim + 1, places])
        where = b.binary("add", b.reshape(shift, (*wanted,)), b.constant(table))
        corners.append(taps_of(b, where, "linear"))
    found = []
    for corner in product(*corners):
        whole, weights = [place for place, _ in corner], [w for _, w in corner]
        found.append(sample(b, data, b.constant(base), [height, width], whole, weights))
    total = reduce(lambda left, right: b.emit("add", left, right), found)
    if node.has(4):
        total = b.binary("multiply", total, b.reshape(node.x(4), (*wanted, 1)))
    total = b.reshape(total, (batch, parts, taps, places, share))
    columns_ = b.transpose(total, (0, 1, 4, 2, 3))  # channels, taps, places
    split = (batch, groups, inner * taps, places)
    filters = b.reshape(weight, (groups, outputs // groups, inner * taps))
    result = b.dot_general(filters, b.reshape(columns_, split), ([2], [2]), ([0], [1]))
    result = b.transpose(result, (2, 0, 1, 3))
    result = b.reshape(result, (batch, outputs, rows, columns))
    return add_channel_bias(node.b, result, node.weight(3) if node.has(3) else None)


def kernel_places(node: Node, kernel: list[int], result: tuple[int, int]) -> list[np.ndarray]:
    """[1, taps x places] of each dim: where a tap reads for a place of the result, undeformed."""
    ones = [1] * len(kernel)
    strides, dilations = node.attr("strides") or ones, node.attr("dilations") or ones
    pads = node.attr("pads") or [0] * 2 * len(kernel)
    taps, places = np.indices(kernel), np.indices(result)
    tables = []
    for dim in range(len(kernel)):
        tap = taps[dim].reshape(-1, 1) * dilations[dim] - pads[dim]
        table = tap + places[dim].reshape(1, -1) * strides[dim]
        tables.append(table.reshape(1, -1).astype(np.float32))
    return tables
