"""Padding of windows: ONNX's pads, auto_pad and ceil_mode as (low, high) amounts."""

from __future__ import annotations

from collections.abc import Sequence

from dojocc.frontends.onnx.node import Node, Refusal


def same_padding(size: int, reach: int, stride: int, upper: bool) -> tuple[int, int]:
    """Padding for ceil(size / stride) windows; the odd one goes to the end if `upper`."""
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    small, large = total // 2, total - total // 2
    return (small, large) if upper else (large, small)


def pairs(
    node: Node,
    sizes: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
) -> list[tuple[int, int]]:
    """(low, high) of each spatial dim."""
    rank = len(sizes)
    automatic = node.attr("auto_pad", "NOTSET")
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        reaches = [(size - 1) * step + 1 for size, step in zip(kernel, dilations, strict=True)]
        return [
            same_padding(size, reach, stride, automatic == "SAME_UPPER")
            for size, reach, stride in zip(sizes, reaches, strides, strict=True)
        ]
    if automatic not in ("NOTSET", "VALID"):
        raise Refusal(f"auto_pad={automatic!r} is not known")
    pads = list(node.attr("pads") or [0] * 2 * rank) if automatic == "NOTSET" else [0] * 2 * rank
    if len(pads) != 2 * rank:
        raise Refusal(f"pads {pads} do not have two numbers for each of {rank} dims")
    return [(pads[i], pads[i + rank]) for i in range(rank)]
