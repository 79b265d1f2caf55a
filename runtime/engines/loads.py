"""Loads and stores of a whole loop nest: from an instruction and a thread's state to lane values
and back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from dojocc.runtime.engines.access import Access, Bounds, codes, injective, inside, region, strided
from dojocc.runtime.engines.evaluate import pad_code
from dojocc.runtime.engines.thread import Descriptor, Thread
from dojocc.runtime.engines.tree import Op
from dojocc.runtime.engines.workers import in_pieces
from dojocc.runtime.errors import MachineStop
from dojocc.runtime.formats import FORMATS, decode, encode
from dojocc.runtime.layout import evenly

if TYPE_CHECKING:
    from dojocc.runtime.engines.lift import Nest

LANES = 16


@dataclass(frozen=True, eq=False)
class Load:
    """A load that has not been carried out: its instruction and where it reads."""

    op: Op
    access: Access


def affine(
    op: Op, thread: Thread, levels: tuple[int, ...], counts: tuple[int, ...]
) -> Access | None:
    """The access of a memory (or pinb) instruction under the open loops; None if strides differ
    by node.
    """
    generator = thread.a[int(op.fields["a"])]
    if any(isinstance(generator.strides[level], np.ndarray) for level in levels):
        return None
    shape = op.row.access
    first = int(op.fields.get("f", 0))
    outer = [level for level in range(len(thread.counters)) if level not in levels]
    base = generator.base + first * generator.pitch
    y0, x0 = generator.y0, generator.x0
    for level in outer:
        counter = thread.counters[level]
        base = base + generator.strides[level] * counter
        y0 = y0 + generator.y_strides[level] * counter
        x0 = x0 + generator.x_strides[level] * counter
    bounds = None
    if shape is None or shape.padded:
        bounds = Bounds(
            y0,
            x0,
            generator.y_limit,
            generator.x_limit,
            tuple(generator.y_strides[level] for level in levels),
            tuple(generator.x_strides[level] for level in levels),
            generator.granule_step,
            0 if shape is not None and shape.raw else generator.lane_step,
            first,
        )
    granules, elements, item = _granules(op, thread)
    strides = tuple(int(generator.strides[level]) for level in levels)
    return Access(base, counts, strides, granules, int(generator.pitch), elements, item, bounds)


def outside_loops(op: Op, thread: Thread) -> Access:
    """The access of one instruction as things stand."""
    found = affine(op, thread, (), ())
    assert found is not None, "only strides of open loops can differ"
    return found


def _granules(op: Op, thread: Thread) -> tuple[int, int, int]:
    """(granules, elements a granule, bytes an element)."""
    shape = op.row.access
    if shape is None:
        return 1, LANES, 1
    if shape.raw:
        return shape.granules, int(shape.granule_bytes or 0), 1
    return shape.granules, shape.lanes_per_granule, FORMATS[descriptor(op, thread).fmt].bytes


def descriptor(op: Op, thread: Thread) -> Descriptor:
    """The format descriptor that a converting memory instruction names."""
    return thread.formats[int(op.fields["fmt"])]


def widen(raw: np.ndarray, fmt: Descriptor, out: np.ndarray | None = None) -> np.ndarray:
    """Storage codes to lane values (float32 or int32), in `out` if there is one."""
    row = FORMATS[fmt.fmt]
    return decode(raw.view(row.dtype), row, bias=fmt.bias, out=out)


def load_values(nest: Nest, load: Load) -> np.ndarray:
    """Lanes [nodes, loops..., 16] of a load."""
    access, op = load.access, load.op
    raw = codes(nest.memory, nest.nodes, access)
    mask = nest.once(inside, access)
    if op.access.raw:
        values = raw if mask is None else np.where(mask, raw, np.uint8(0))
        return _raw_lanes(values)
    fmt = descriptor(op, nest.thread)
    if access.item == 2 and raw.size > 2 * _span_items(access) * raw.shape[0]:
        bytes_, offset = region(nest.memory, nest.nodes, access)
        values = decoded_view(bytes_, offset, access, fmt)
    else:
        values = widen(raw, fmt)
    if mask is not None:
        pad = pad_code(fmt, nest.thread.a[int(op.fields["a"])].pad)
        values = np.where(mask, values, pad)
    return _lanes(values)


def _span_items(access: Access) -> int:
    low, high = access.span()
    return (high - low) // access.item


def decoded_view(bytes_: np.ndarray, offset: int, access: Access, fmt: Descriptor) -> np.ndarray:
    """Decode every byte of the span once, then view it; falls back where elements are not
    aligned to the span.
    """
    steps = [s for n, s in zip(access.shape, access.steps, strict=True) if n > 1]
    row = FORMATS[fmt.fmt]
    if offset % access.item or any(s % access.item for s in steps):
        return widen(strided(bytes_, offset, access, np.dtype(f"u{access.item}")), fmt)
    length = bytes_.shape[1] // access.item * access.item
    values = np.ascontiguousarray(widen(bytes_[:, :length].view(row.dtype), fmt))
    size = values.itemsize
    scaled = replace(
        access,
        strides=tuple(
            s // access.item * size if c > 1 else 0
            for c, s in zip(access.counts, access.strides, strict=True)
        ),
        pitch=access.pitch // access.item * size,
        item=size,
    )
    return strided(values.view(np.uint8), offset // access.item * size, scaled, values.dtype)


def _lanes(values: np.ndarray) -> np.ndarray:
    """Merge granules and elements into 16 lanes (one element is broadcast to all)."""
    if values.shape[-1] * values.shape[-2] == 1:
        return np.broadcast_to(values[..., 0], (*values.shape[:-2], LANES))
    return values.reshape(*values.shape[:-2], LANES)


def _raw_lanes(values: np.ndarray) -> np.ndarray:
    """64 raw bytes as 16 four-byte items."""
    flat = np.ascontiguousarray(values.reshape(*values.shape[:-2], 4 * LANES))
    return flat.view(np.uint32)


def store_values(nest: Nest, op: Op, access: Access) -> None:
    """Write the lanes of register v over the whole nest."""
    fmt = descriptor(op, nest.thread)
    row = FORMATS[fmt.fmt]
    value = nest.vector(int(op.fields["v"]))
    value = value.view(np.int32) if row.kind == "int" and value.dtype != np.int32 else value
    value = value.view(np.float32) if row.kind != "int" and value.dtype != np.float32 else value
    value = value.reshape(*value.shape[:-1], access.granules, access.elements)
    mask = nest.once(inside, access)
    if mask is not None:
        value = np.where(mask, value, pad_code(fmt, nest.thread.a[int(op.fields["a"])].pad))
    value = encode(value, row, bias=fmt.bias).view(f"u{access.item}")
    keep = None
    if int(op.fields["p"]):
        lanes = nest.predicate(int(op.fields["p"]))
        keep = lanes.reshape(*lanes.shape[:-1], access.granules, access.elements)
    _write(nest, access, value, keep)


@dataclass(frozen=True, eq=False)
class Target:
    """Where a store goes: bytes [low, high), on rows of the class, at byte `first` of the span."""

    low: int
    high: int
    rows: slice | np.ndarray
    first: int
    shape: tuple[int, ...]
    steps: tuple[int, ...]

    def inside(self, buffer: np.ndarray, column: int, dtype: np.dtype) -> np.ndarray:
        """View [nodes, *shape] of a contiguous buffer [nodes, width] whose span begins at
        `column`; the rows are a slice.
        """
        width, rows = buffer.shape[1], self.rows
        assert isinstance(rows, slice)
        count = len(range(rows.start, rows.stop, rows.step or 1))
        first = rows.start * width + column + self.first
        steps = (width * (rows.step or 1), *self.steps)
        return np.ndarray((count, *self.shape), dtype, buffer.data, first, steps)


def target_of(nest: Nest, access: Access) -> Target:
    """The target of a store of the nest; raises MachineStop where it leaves SRAM."""
    low, high = access.where()
    if low < 0 or high > nest.memory.size:
        raise MachineStop(
            "trap: a store leaves SRAM",
            numbers=f"bytes [{low}, {high}) of a memory of {nest.memory.size} bytes",
        )
    steps = tuple(s if n > 1 else 0 for n, s in zip(access.shape, access.steps, strict=True))
    return Target(low, high, evenly(nest.nodes), -access.span()[0], access.shape, steps)


def _write(nest: Nest, access: Access, value: np.ndarray, keep: np.ndarray | None) -> None:
    place = nest.once(target_of, nest, access)
    if keep is None and len(value) == 1 and nest.once(fills, nest, access):
        nest.memory.put_alike(place.low, value_bytes(place, value))
        return
    if isinstance(access.base, np.ndarray):
        whole = nest.memory.exclusive(place.low, place.high)
        _write_scattered(nest, whole, access, value, keep)
        return
    if isinstance(place.rows, slice):
        target = place.inside(*nest.memory.writable(place.low, place.high), value.dtype)
        put_lanes(target, value, keep)
        return
    whole = nest.memory.exclusive(place.low, place.high)
    bytes_ = whole[place.rows]
    put_lanes(strided(bytes_, place.first, access, value.dtype), value, keep)
    whole[place.rows] = bytes_


def fills(nest: Nest, access: Access) -> bool:
    """True when a store writes every byte of its span on every node of the class."""
    low, high = access.span()
    full = len(nest.nodes) == nest.memory.nodes and isinstance(access.base, int)
    return full and prod(access.shape) * access.item == high - low and injective(access)


def value_bytes(place: Target, value: np.ndarray) -> np.ndarray:
    """The bytes that a store of one row of values leaves."""
    row = np.empty((1, place.high - place.low), np.uint8)
    alone = replace(place, rows=slice(0, 1))
    alone.inside(row, 0, value.dtype)[...] = value
    return row[0]


def put_lanes(target: np.ndarray, value: np.ndarray, keep: np.ndarray | None) -> None:
    """Write `value`, where `keep` holds."""
    shape = target.shape
    value = np.broadcast_to(value, shape)
    where = None if keep is None else np.broadcast_to(keep, shape)

    def put(own: slice) -> None:
        if where is None:
            target[own] = value[own]
        else:
            np.copyto(target[own], value[own], where=where[own])

    in_pieces(put, shape[0], 2 * prod(shape) * target.itemsize)


def _write_scattered(
    nest: Nest, whole: np.ndarray, access: Access, value: np.ndarray, keep: np.ndarray | None
) -> None:
    """Bases differ by node: write by byte index into `whole`, which begins at the lowest byte."""
    rows, lowest = nest.nodes, access.where()[0]
    shape = (len(rows), *access.shape)
    value, offset = np.broadcast_to(value, shape), np.zeros(access.shape, np.int64)
    for axis, (count, step) in enumerate(zip(access.shape, access.steps, strict=True)):
        offset = offset + (np.arange(count) * step).reshape(
            (-1,) + (1,) * (len(access.shape) - axis - 1)
        )
    address = np.asarray(access.base - lowest).reshape(-1, *(1,) * len(access.shape)) + offset
    chosen = np.ones(shape, bool) if keep is None else np.broadcast_to(keep, shape)
    row = np.broadcast_to(rows.reshape(-1, *(1,) * len(access.shape)), shape)[chosen]
    content = np.ascontiguousarray(value[chosen]).view(np.uint8).reshape(-1, access.item)
    for byte in range(access.item):
        whole[row, address[chosen] + byte] = content[:, byte]


def gather(nest: Nest, op: Op) -> np.ndarray:
    """vgat: lanes from generator address + index x element size, [nodes, loops..., 16]."""
    place = nest.place(op)
    counts = place.counts
    fmt = descriptor(op, nest.thread)
    item = FORMATS[fmt.fmt].bytes
    start = np.asarray(place.base, np.int64).reshape(-1, *(1,) * (len(counts) + 1))
    for axis, (count, stride) in enumerate(zip(place.counts, place.strides, strict=True)):
        if stride:
            steps = np.arange(count, dtype=np.int64) * stride
            start = start + steps.reshape(
                (1,) * (1 + axis) + (count,) + (1,) * (len(counts) - axis)
            )
    index = nest.vector(int(op.fields["b"])).view(np.int32).astype(np.int64)
    address = start + index * item
    low, high = int(address.min()), int(address.max()) + item
    if low < 0 or high > nest.memory.size:
        raise MachineStop(
            "trap: an indexed load leaves SRAM",
            numbers=f"bytes [{low}, {high}) of a memory of {nest.memory.size} bytes",
            help="an index is out of range, or the generator's base is wrong",
        )
    nest.check_gather(low, high)
    held = nest.memory.read(low, high)
    rows = held.grouping.of[nest.nodes].reshape(-1, *(1,) * (address.ndim - 1))
    address = address - held.origin
    if item > 1 and not (address % item).any():
        return widen(held.buffer.view(f"u{item}")[rows, address // item], fmt)
    parts = held.buffer[rows[..., None], address[..., None] + np.arange(item)]
    return widen(np.ascontiguousarray(parts).view(f"u{item}")[..., 0], fmt)
