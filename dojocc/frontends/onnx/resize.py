"""Resize and Upsample: along each dim, rows picked by number or a product with known weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.ir import SSAValue

from dojocc.frontends.build import normal_axes, shape_of
from dojocc.frontends.composites.resize import interpolation, picked, weighted
from dojocc.frontends.onnx.node import Node, Refusal, handles

MODES = {"nearest": "nearest", "linear": "linear", "cubic": "cubic", "bilinear": "linear"}


@dataclass(frozen=True)
class Axis:
    """One dim: its size, the result's, their scale, and the part of it that is looked at."""

    size: int
    out: int
    scale: float
    region: tuple[float, float] = (0.0, 1.0)


@handles("Upsample", "Resize")
def resize(node: Node) -> SSAValue:
    """A dim that keeps its size and scale is left alone."""
    mode = node.attr("mode", "nearest")
    if mode not in MODES:
        raise Refusal(f"mode={mode!r} is none of {', '.join(MODES)}")
    x = node.x()
    for number, axis in enumerate(axes_of(node)):
        if axis.out == axis.size and axis.scale == 1 and axis.region == (0.0, 1.0):
            continue
        if MODES[mode] == "nearest" and not is_cropped(node):
            x = picked(node.b, x, number, nearest_rows(node, axis))
        else:
            x = extrapolated(node, x, number, weights(node, axis, MODES[mode]))
    return x


def axes_of(node: Node) -> list[Axis]:
    """Every dim, from whichever of scales, sizes and axes the opset's form gives."""
    shape = node.shape()
    chosen = node.attr("axes")
    chosen = list(range(len(shape))) if chosen is None else [a % len(shape) for a in chosen]
    normal_axes(chosen, len(shape))
    rows = [Axis(size, size, 1.0) for size in shape]
    scales, sizes = written(node)
    roi = regions(node, len(chosen))
    if sizes is not None:
        given = stretched(node, [shape[axis] for axis in chosen], sizes)
    else:
        assert scales is not None
        given = [(int(np.floor(shape[a] * s)), s) for a, s in zip(chosen, scales, strict=True)]
    for axis, (out, scale), region in zip(chosen, given, roi, strict=True):
        rows[axis] = Axis(shape[axis], out, float(scale), region)
    return rows


def written(node: Node) -> tuple[list[float] | None, list[int] | None]:
    if node.op == "Upsample":
        place = None if node.opset < 9 else 1
    else:
        place = 1 if node.opset < 11 else 2
    if place is None:
        return [float(number) for number in node.attr("scales")], None
    if node.has(place) and np.prod(node.shape(place)):
        return [float(number) for number in node.require(place, "scales")], None
    return None, node.integers(3, "sizes")


def stretched(node: Node, shape: list[int], sizes: list[int]) -> list[tuple[int, float]]:
    """(size, scale) of each dim; a policy keeps the ratio of the dims."""
    policy = node.attr("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch":
        return [(out, out / size) for out, size in zip(sizes, shape, strict=True)]
    ratios = [out / size for out, size in zip(sizes, shape, strict=True)]
    scale = min(ratios) if policy == "not_larger" else max(ratios)
    return [(int(np.floor(size * scale + 0.5)), scale) for size in shape]


def is_cropped(node: Node) -> bool:
    return node.attr("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize"


def regions(node: Node, count: int) -> list[tuple[float, float]]:
    """Start and end of what is looked at in each dim, as shares of it."""
    if not is_cropped(node):
        return [(0.0, 1.0)] * count
    numbers = [float(number) for number in node.require(1, "roi")]
    return [(numbers[i], numbers[i + count]) for i in range(count)]


def places(node: Node, axis: Axis, width: float, dtype: type = np.float64) -> np.ndarray:
    """Where each row of the result, `width` wide, lies in the source, in source rows."""
    at, size, out = np.arange(axis.out, dtype=dtype), axis.size, axis.out
    old = node.op == "Upsample" or node.opset < 11
    match "asymmetric" if old else node.attr("coordinate_transformation_mode", "half_pixel"):
        case "asymmetric":
            return at / axis.scale
        case "half_pixel":
            return (at + 0.5) / axis.scale - 0.5
        case "pytorch_half_pixel":
            return (at + 0.5) / axis.scale - 0.5 if width != 1 else at * 0 - 0.5
        case "half_pixel_symmetric":
            return size / 2 * (1 - out / width) + (at + 0.5) / axis.scale - 0.5
        case "align_corners":
            return at * (size - 1) / (width - 1) if width != 1 else at * 0
        case "tf_crop_and_resize":
            low, high = axis.region
            first = low * (size - 1)
            if width == 1:
                return at * 0 + first + (high - low) * (size - 1) / 2
            return first + at * (high - low) * (size - 1) / (width - 1)
        case other:
            raise Refusal(f"coordinate_transformation_mode={other!r} is not supported")


def nearest_rows(node: Node, axis: Axis) -> np.ndarray:
    """Which source row each row of the result copies."""
    place = places(node, axis, axis.out, np.float32)  # as ONNX Runtime computes them
    old = node.op == "Upsample" or node.opset < 11
    match "floor" if old else node.attr("nearest_mode", "round_prefer_floor"):
        case "floor":
            rows = np.floor(place)
        case "ceil":
            rows = np.ceil(place)
        case "round_prefer_floor":
            rows = np.ceil(place - 0.5)
        case "round_prefer_ceil":
            rows = np.floor(place + 0.5)
        case other:
            raise Refusal(f"nearest_mode={other!r} is not known")
    return np.clip(rows, 0, axis.size - 1).astype(np.int64)


def weights(node: Node, axis: Axis, mode: str) -> tuple[np.ndarray, np.ndarray]:
    """(out, size) weights of the source rows in each row of the result, and which rows lie outside.

    Rows past an end are the end's own, unless exclude_outside leaves them out.
    """
    where = places(node, axis, axis.scale * axis.size)  # ONNX keeps its fraction here
    spread = min(axis.scale, 1.0) if node.attr("antialias", 0) else 1.0
    if mode == "nearest":
        table = np.zeros((axis.out, axis.size))
        table[np.arange(axis.out), nearest_rows(node, axis)] = 1
    else:
        cubic, inside = node.attr("cubic_coeff_a", -0.75), bool(node.attr("exclude_outside", 0))
        table = interpolation(where, axis.size, mode, cubic, spread, inside)
    outside = (where < 0) | (where > axis.size - 1) if is_cropped(node) else where != where
    return table.astype(np.float32), outside


def extrapolated(
    node: Node, x: SSAValue, number: int, given: tuple[np.ndarray, np.ndarray]
) -> SSAValue:
    """The product of one dim with its weights; rows outside hold extrapolation_value."""
    table, outside = given
    b, name = node.b, f"{node.proto.output[0]}.weights{number}"
    result = weighted(b, x, number, table, name)
    if not outside.any():
        return result
    ones = [1] * (len(shape_of(x)) - 1 - number)
    mask = b.constant(outside.reshape(-1, *ones), f"{name}.outside")
    return b.select(mask, b.like(result, node.attr("extrapolation_value", 0.0)), result)
