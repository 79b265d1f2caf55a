"""Resize and Upsample: along each dim, rows picked by number or a product with known weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.ir import SSAValue

from dojocc.frontends.build import normal_axes, shape_of
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
            x = picked(node, x, number, nearest_rows(node, axis))
        else:
            x = weighted(node, x, number, weights(node, axis, MODES[mode]))
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


def picked(node: Node, x: SSAValue, number: int, rows: np.ndarray) -> SSAValue:
    size, out = shape_of(x)[number], len(rows)
    if out % size == 0 and np.array_equal(rows, np.repeat(np.arange(size), out // size)):
        return repeated(node, x, number, out // size)
    return node.b.reorder(x, rows, number)


def repeated(node: Node, x: SSAValue, axis: int, times: int) -> SSAValue:
    """Every row of one dim `times` times in a row."""
    if times == 1:
        return x
    shape = list(shape_of(x))
    wide = [*shape[: axis + 1], times, *shape[axis + 1 :]]
    dims = [i for i in range(len(wide)) if i != axis + 1]
    spread = node.b.emit("broadcast_in_dim", x, dims=dims, shape=wide)
    return node.b.reshape(spread, [*shape[:axis], shape[axis] * times, *shape[axis + 1 :]])


def weights(node: Node, axis: Axis, mode: str) -> tuple[np.ndarray, np.ndarray]:
    """(out, size) weights of the source rows in each row of the result, and which rows lie outside.

    Rows past an end are the end's own, unless exclude_outside leaves them out.
    """
    where = places(node, axis, axis.scale * axis.size)  # ONNX keeps its fraction here
    spread = min(axis.scale, 1.0) if node.attr("antialias", 0) else 1.0
    reach = {"nearest": 1, "linear": 1, "cubic": 2}[mode] / spread
    table = np.zeros((axis.out, axis.size))
    if mode == "nearest":
        table[np.arange(axis.out), nearest_rows(node, axis)] = 1
    else:
        shape = kernel(mode, node.attr("cubic_coeff_a", -0.75))
        for row, place in enumerate(where):
            first, last = int(np.floor(place - reach)), int(np.ceil(place + reach))
            steps = np.arange(first, last + 1)
            parts = shape((steps - place) * spread)
            if node.attr("exclude_outside", 0):
                parts = parts * ((steps >= 0) & (steps < axis.size))
            parts = parts / parts.sum()
            np.add.at(table[row], np.clip(steps, 0, axis.size - 1), parts)
    outside = (where < 0) | (where > axis.size - 1) if is_cropped(node) else where != where
    return table.astype(np.float32), outside


def kernel(mode: str, a: float) -> Callable[[np.ndarray], np.ndarray]:
    """A neighbour's weight by its distance: a tent, or the cubic of Keys with coefficient `a`."""

    def tent(distance: np.ndarray) -> np.ndarray:
        return np.clip(1 - np.abs(distance), 0, None)

    def cubic(distance: np.ndarray) -> np.ndarray:
        x = np.abs(distance)
        near = (a + 2) * x**3 - (a + 3) * x**2 + 1
        far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
        return np.where(x <= 1, near, np.where(x < 2, far, 0.0))

    return tent if mode == "linear" else cubic


def weighted(
    node: Node, x: SSAValue, number: int, given: tuple[np.ndarray, np.ndarray]
) -> SSAValue:
    """The product of one dim with its weights; rows outside hold extrapolation_value."""
    table, outside = given
    b, rank = node.b, len(shape_of(x))
    name = f"{node.proto.output[0]}.weights{number}"
    result = b.dot_general(x, b.constant(table, name), ([number], [1]))
    result = b.transpose(result, back(number, rank))
    if not outside.any():
        return result
    mask = b.constant(outside.reshape([-1] + [1] * (rank - 1 - number)), f"{name}.outside")
    return b.select(mask, b.like(result, node.attr("extrapolation_value", 0.0)), result)


def back(axis: int, rank: int) -> Sequence[int]:
    """The permutation that puts the last dim, which a product leaves there, back to `axis`."""
    return [*range(axis), rank - 1, *range(axis, rank - 1)]
