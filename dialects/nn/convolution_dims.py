"""Where the dims of a convolution's input, result and weights stand."""

from __future__ import annotations

from typing import NamedTuple


class Dims(NamedTuple):
    """Where the dims of input (and result) and weights stand for a layout and spatial rank."""

    batch: int
    channel: int
    spatial: tuple[int, ...]
    out_channel: int
    in_channel: int
    kernel: tuple[int, ...]


def dims_of(layout: str, spatial: int) -> Dims:
    """nchw goes with OIHW weights, nhwc with HWIO."""
    if layout == "nchw":
        behind = tuple(range(2, 2 + spatial))
        return Dims(0, 1, behind, 0, 1, behind)
    middle = tuple(range(1, 1 + spatial))
    return Dims(0, 1 + spatial, middle, spatial + 1, spatial, tuple(range(spatial)))
