"""Resizing and sampling of planes."""

from __future__ import annotations

import numpy as np
from xdsl.ir import SSAValue

from dojocc.frontends.build import shape_of
from dojocc.frontends.composites import sampling
from dojocc.frontends.composites.resize import interpolation, picked, weighted
from dojocc.frontends.torch.node import Node, handles

RANKS = {"nearest": (1, 2, 3), "linear": (1,), "bilinear": (2,), "trilinear": (3,), "bicubic": (2,)}
KERNELS = {"linear": "linear", "bilinear": "linear", "trilinear": "linear", "bicubic": "cubic"}
SMOOTH = {f"upsample_{mode}{rank}d": mode for mode in KERNELS for rank in RANKS[mode]}
AGAINST_ALIASING = {"_upsample_bilinear2d_aa": "bilinear", "_upsample_bicubic2d_aa": "bicubic"}
NEAREST = [f"upsample_nearest{rank}d" for rank in RANKS["nearest"]]
EXACT = [f"_upsample_nearest_exact{rank}d" for rank in RANKS["nearest"]]


def scales(node: Node, count: int) -> list[float | None]:
    """Result rows per source row of each dim, where the call says them."""
    given = node.number("scale_factors")
    if given is not None:
        return list(given)
    names = {1: ("scales",), 2: ("scales_h", "scales_w"), 3: ("scales_d", "scales_h", "scales_w")}
    return [node.number(name) for name in names[count]]


def input_of(node: Node) -> SSAValue:
    return node.x("input") if node.has("input") else node.x()


@handles(*NEAREST, *EXACT)
def nearest(node: Node) -> SSAValue:
    """Row i copies row floor(i / scale), or floor((i + 1/2) / scale) in the exact form."""
    x = input_of(node)
    wanted = node.result.shape[2:]
    half = 0.5 if node.op.startswith("_") else 0.0
    for number, (out, scale) in enumerate(zip(wanted, scales(node, len(wanted)), strict=True)):
        size = shape_of(x)[number + 2]
        step = np.float32(1 / scale) if scale else np.float32(size) / np.float32(out)
        place = (np.arange(out, dtype=np.float32) + np.float32(half)) * step
        rows = np.minimum(np.floor(place).astype(np.int64), size - 1)
        x = picked(node.b, x, number + 2, rows)
    return x


@handles(*SMOOTH, *AGAINST_ALIASING)
def smooth(node: Node) -> SSAValue:
    """A product of each dim with known weights."""
    x, mode = input_of(node), KERNELS[(SMOOTH | AGAINST_ALIASING)[node.op]]
    wanted, aligned = node.result.shape[2:], bool(node.raw("align_corners", False))
    filtered = node.op in AGAINST_ALIASING
    for number, (out, scale) in enumerate(zip(wanted, scales(node, len(wanted)), strict=True)):
        size = shape_of(x)[number + 2]
        if size == out and (scale is None or scale == 1):
            continue
        table = weights(size, out, scale, mode, aligned, filtered)
        x = weighted(node.b, x, number + 2, table, f"{node.source.name}.weights{number}")
    return x


def weights(
    size: int, out: int, scale: float | None, mode: str, aligned: bool, filtered: bool
) -> np.ndarray:
    """(out, size) weights of the source rows; a filter widens with the reduction.

    A linear kernel does not look before the first row, a cubic one repeats it.
    """
    at = np.arange(out, dtype=np.float64)
    if aligned:
        places = at * ((size - 1) / (out - 1) if out > 1 else 0)
    else:
        step = 1 / scale if scale else size / out
        places = (at + 0.5) * step - 0.5
    if not filtered:
        places = np.maximum(places, 0) if mode == "linear" else places
        return interpolation(places, size, mode, -0.75)
    spread = min(out / size, 1.0)
    return interpolation(places, size, mode, -0.5, spread, inside=True)


MODES = ("linear", "nearest", "cubic")
PADDINGS = ("zeros", "border", "reflection")


@handles("grid_sampler", "grid_sampler_2d", "grid_sampler_3d")
def grid_sample(node: Node) -> SSAValue:
    mode = MODES[node.number("interpolation_mode", 0)]
    padding = PADDINGS[node.number("padding_mode", 0)]
    aligned = bool(node.raw("align_corners", False))
    x, grid = node.x("input"), node.x("grid")
    return sampling.grid_sample(node.b, x, grid, mode, padding, aligned)
