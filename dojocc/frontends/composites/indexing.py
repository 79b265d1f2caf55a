"""Gathers: rows and elements by computed places, one-hot rows."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from xdsl.dialects.builtin import i1, i32
from xdsl.ir import SSAValue

from dojocc.frontends.build import Builder, BuildError, element_of, shape_of, shape_text


def from_front(b: Builder, indices: SSAValue, sizes: int | SSAValue) -> SSAValue:
    """Indices that count from the front; negative ones count from the end."""
    far = b.constant(np.array(sizes, np.int32)) if isinstance(sizes, int) else sizes
    negative = b.compare("LT", indices, b.like(indices, 0))
    return b.select(negative, b.binary("add", indices, far), indices)


def gather_elements(
    b: Builder, x: SSAValue, rows: SSAValue, axis: int, name: str = "gather"
) -> SSAValue:
    """Flat index arithmetic: along `axis` by `rows` (not negative), along the others by position.

    `rows` may be smaller than x along the other dims.
    """
    shape, wanted = shape_of(x), shape_of(rows)
    if len(shape) != len(wanted):
        texts = f"{shape_text(wanted)} into {shape_text(shape)}"
        raise BuildError(f"as many dims of indices as of data are needed, not {texts}")
    strides = [prod(shape[i + 1 :]) for i in range(len(shape))]
    place = np.indices(wanted)
    base = sum((place[i] * strides[i] for i in range(len(shape)) if i != axis), np.zeros(wanted))
    offset = b.constant(base.astype(np.int32), f"{name}.offset")
    flat = b.emit("add", b.scaled(rows, strides[axis]), offset)
    return b.take(b.reshape(x, (prod(shape),)), flat, 0)


def flat_rows(b: Builder, parts: list[SSAValue], sizes: list[int]) -> SSAValue:
    """One row-major place from an index for each dim (equal shapes, not negative)."""
    flat = parts[0]
    for part, size in zip(parts[1:], sizes[1:], strict=True):
        flat = b.emit("add", b.scaled(flat, size), part)
    return flat


def one_hot(b: Builder, indices: SSAValue, depth: int, axis: int) -> SSAValue:
    """i1: true where the new dim's position equals the index."""
    indices = b.convert(indices, i32)
    shape = shape_of(indices)
    column = b.reshape(indices, (*shape[:axis], 1, *shape[axis:]))
    rest = [1] * (len(shape) - axis)
    steps = b.constant(np.arange(depth, dtype=np.int32).reshape(-1, *rest), "steps")
    return b.compare("EQ", column, steps)


def chosen(b: Builder, condition: SSAValue, yes: SSAValue, no: SSAValue) -> SSAValue:
    """select, for truth values too."""
    if element_of(yes) != i1:
        return b.select(condition, yes, no)
    condition, yes, no = b.together(condition, yes, no)
    kept = b.emit("and", condition, yes)
    return b.emit("or", kept, b.emit("and", b.emit("not", condition), no))


def padded_by_rows(
    b: Builder, x: SSAValue, low: Sequence[int], high: Sequence[int], mode: str
) -> SSAValue:
    """Padded with rows of the tensor itself, `mode` as numpy.pad has it; negative amounts crop."""
    for axis, size in enumerate(shape_of(x)):
        before, after = max(low[axis], 0), max(high[axis], 0)
        rows = np.pad(np.arange(size), (before, after), mode)  # pyright: ignore
        rows = rows[max(-low[axis], 0) : len(rows) - max(-high[axis], 0)]
        x = b.reorder(x, rows, axis)
    return x
