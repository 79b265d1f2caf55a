"""Fourier transforms: products with known tables of cosines and sines."""

from __future__ import annotations

import numpy as np
from xdsl.ir import SSAValue

from dojocc.frontends.build import Builder, normal_axis, shape_of
from dojocc.frontends.onnx.node import Node, Refusal, handles


def tables(size: int, length: int, count: int, inverse: bool) -> tuple[np.ndarray, np.ndarray]:
    """cos and sin of [bins, places] for a transform of `length`; places past it are cut."""
    bins, places = np.arange(count)[:, None], np.arange(size)[None, :]
    angle = 2 * np.pi * ((bins * places) % length) / length
    share = np.where(places < length, 1 / length if inverse else 1.0, 0.0)
    return (np.cos(angle) * share).astype(np.float32), (np.sin(angle) * share).astype(np.float32)


def transformed(
    b: Builder, x: SSAValue, axis: int, length: int, count: int, inverse: bool
) -> SSAValue:
    """x [..., 1 or 2] (real, imaginary) along one dim; the result has 2 in the last dim."""
    shape = shape_of(x)
    cosine, sine = (b.constant(t, "table") for t in tables(shape[axis], length, count, inverse))
    last = len(shape) - 1
    back = [*range(axis), last, *range(axis, last)]

    def product(part: SSAValue, table: SSAValue) -> SSAValue:
        return b.transpose(b.dot_general(part, table, ([axis], [1])), back)

    sign = 1 if inverse else -1
    real = b.slice(x, [0] * last + [0], [*shape[:-1], 1])
    parts = [product(real, cosine), b.scaled(product(real, sine), sign)]
    if shape[-1] == 2:
        other = b.slice(x, [0] * last + [1], [*shape[:-1], 2])
        parts[0] = b.emit("add", parts[0], b.scaled(product(other, sine), -sign))
        parts[1] = b.emit("add", parts[1], product(other, cosine))
    return b.concatenate(parts, last)


@handles("DFT")
def fourier(node: Node) -> SSAValue:
    """Bins of the first half only if onesided; back from a half, its mirror image is put in."""
    b, shape = node.b, node.shape()
    axis = node.attr("axis", 1)
    if node.opset >= 20:
        axis = node.integers(2, "axis")[0] if node.has(2) else -2
    axis = normal_axis(axis, len(shape))
    inverse, half = bool(node.attr("inverse", 0)), bool(node.attr("onesided", 0))
    given = node.integers(1, "dft_length")[0] if node.has(1) else None
    if inverse and half:
        return real_from_half(node, axis, given or 2 * (shape[axis] - 1))
    length = given or shape[axis]
    count = length // 2 + 1 if half else length
    return transformed(b, node.x(), axis, length, count, inverse)


def real_from_half(node: Node, axis: int, length: int) -> SSAValue:
    """The other half holds the conjugates, in reverse; the result is real."""
    b, shape = node.b, node.shape()
    if shape[-1] != 2 or shape[axis] != length // 2 + 1:
        raise Refusal(f"onesided inverse of {list(shape)} with length {length}")
    x, last = node.x(), len(shape) - 1
    low, high = [0] * len(shape), list(shape)
    low[axis], high[axis] = 1, (length + 1) // 2
    whole = x
    if high[axis] > 1:
        mirror = b.emit("reverse", b.slice(x, low, high), dims=[axis])
        sign = b.constant(np.array([1, -1], np.float32))
        whole = b.concatenate([x, b.binary("multiply", mirror, sign)], axis)
    result = transformed(b, whole, axis, length, length, True)
    return b.slice(result, [0] * len(shape), [*shape_of(result)[:last], 1])


@handles("STFT")
def short_time(node: Node) -> SSAValue:
    """Frames that start every `frame_step` places, times the window, each transformed."""
    b, shape = node.b, node.shape()
    step = node.integers(1, "frame_step")[0]
    if node.has(3):
        length = node.integers(3, "frame_length")[0]
    elif node.has(2):
        length = node.shape(2)[0]
    else:
        raise Refusal("neither a window nor frame_length is given")
    frames = (shape[1] - length) // step + 1
    rows = np.arange(frames)[:, None] * step + np.arange(length)[None, :]
    x = node.x() if len(shape) == 3 else b.reshape(node.x(), (*shape, 1))
    cut = b.take(x, b.constant(rows.astype(np.int32), "frames"), 1)
    if node.has(2):
        window = b.reshape(node.x(2), (length, 1))
        cut = b.binary("multiply", cut, window)
    count = length // 2 + 1 if node.attr("onesided", 1) else length
    return transformed(b, cut, 2, length, count, False)


@handles("MelWeightMatrix")
def mel_weights(node: Node) -> SSAValue:
    """A table of known numbers: folding makes it once all operands are known."""
    names = ("num_mel_bins", "dft_length", "sample_rate", "lower_edge_hertz", "upper_edge_hertz")
    for index, name in enumerate(names):
        node.require(index, name)
    raise Refusal("these sizes make no table")
