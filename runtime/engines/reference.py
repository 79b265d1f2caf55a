"""The reference engine: the judge. One iteration after another, one byte index after another, no
cleverness.

Nodes of a group still run side by side, which changes no result: they meet only through transfers.
"""

from __future__ import annotations

import numpy as np

from dojocc.runtime.engines.core import Core
from dojocc.runtime.engines.evaluate import lanes_as, pad_code
from dojocc.runtime.engines.thread import NO_LIMIT, Generator, Thread
from dojocc.runtime.engines.tree import Op
from dojocc.runtime.errors import MachineStop
from dojocc.runtime.formats import FORMATS, decode, encode


def per_node(value, count: int) -> np.ndarray:
    """A scalar of the group as [nodes]."""
    return np.broadcast_to(np.asarray(value, np.int64), (count,))


def generator_address(generator: Generator, thread: Thread) -> np.ndarray:
    """base + sum of stride x counter, [nodes]."""
    count = len(thread.nodes)
    address = per_node(generator.base, count).copy()
    for stride, counter in zip(generator.strides, thread.counters, strict=True):
        address += per_node(stride, count) * counter
    return address


def granule_addresses(op: Op, thread: Thread) -> np.ndarray:
    """[nodes, granules]: where each granule of the access starts."""
    generator = thread.a[int(op.fields["a"])]
    numbers = int(op.fields["f"]) + np.arange(op.access.granules)
    return generator_address(generator, thread)[:, None] + numbers * generator.pitch


def lanes_in_bounds(op: Op, thread: Thread, granules: int, elements: int) -> np.ndarray:
    """[nodes, granules, elements]: the coordinate rule of isa/address.py."""
    generator, count = thread.a[int(op.fields["a"])], len(thread.nodes)
    numbers = int(op.fields["f"]) + np.arange(granules)
    result = np.ones((count, granules, elements), bool)
    if generator.y_limit is not None:
        y = per_node(generator.y0, count) + np.dot(generator.y_strides, thread.counters)
        limit = per_node(generator.y_limit, count)
        result &= (((y >= 0) & (y < limit)) | (limit == NO_LIMIT))[:, None, None]
    if generator.x_limit is not None:
        x = per_node(generator.x0, count) + np.dot(generator.x_strides, thread.counters)
        limit = per_node(generator.x_limit, count)[:, None, None]
        x = x[:, None, None] + (numbers * generator.granule_step)[:, None]
        raw = op.row.access is not None and op.access.raw
        x = x + np.arange(elements) * (0 if raw else generator.lane_step)
        result &= ((x >= 0) & (x < limit)) | (limit == NO_LIMIT)
    return result


class Reference(Core):
    """Byte-exact, order-exact."""

    def bytes_at(
        self, thread: Thread, address: np.ndarray, used: np.ndarray, op: Op, write: bool = False
    ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """(bytes of the class's nodes, (row, column) in them) for addresses [nodes, ...]; those not
        used go to some byte.
        """
        memory = self.machine.memory[thread.cls]
        wrong = used & ((address < 0) | (address >= memory.size))
        if wrong.any():
            raise MachineStop(
                "trap: an access leaves SRAM",
                where=f"`{op.name}` at word {op.word}",
                numbers=f"byte {int(address[wrong][0])} of a memory of {memory.size} bytes",
                help="check the generator's base and strides, and the trip counts of open loops",
            )
        low = int(address.min(where=used, initial=memory.size - 1))
        high = int(address.max(where=used, initial=low)) + 1
        if write:
            held, rows = memory.exclusive(low, high), thread.nodes
        else:
            part = memory.read(low, high)
            held, rows = part.bytes(low, high), part.grouping.of[thread.nodes]
        rows = np.broadcast_to(rows.reshape(-1, *(1,) * (address.ndim - 1)), address.shape)
        return held, (rows, np.where(used, address - low, 0))

    def memory(self, op: Op, thread: Thread) -> None:
        if op.access.indexed:
            self.indexed(op, thread)
        elif op.access.kind == "load":
            self.load(op, thread)
        else:
            self.store(op, thread)

    def item(self, op: Op, thread: Thread) -> int:
        if op.access.raw:
            return 1
        return FORMATS[thread.formats[int(op.fields["fmt"])].fmt].bytes

    def elements(self, op: Op) -> int:
        shape = op.access
        return int(shape.granule_bytes or 0) if shape.raw else shape.lanes_per_granule

    def element_bytes(self, op: Op, thread: Thread) -> np.ndarray:
        """[nodes, granules, elements, item] byte addresses."""
        item, elements = self.item(op, thread), self.elements(op)
        start = granule_addresses(op, thread)[:, :, None, None]
        return start + (np.arange(elements) * item)[:, None] + np.arange(item)

    def load(self, op: Op, thread: Thread) -> None:
        shape = op.access
        address = self.element_bytes(op, thread)
        inside = np.ones(address.shape[:3], bool)
        if shape.padded:
            inside = lanes_in_bounds(op, thread, shape.granules, self.elements(op))
        held, index = self.bytes_at(
            thread, address, np.broadcast_to(inside[..., None], address.shape), op
        )
        raw = held[index]
        raw[~inside] = 0
        if shape.raw:
            value = np.ascontiguousarray(raw.reshape(len(thread.nodes), 64)).view(np.uint32)
        else:
            fmt = thread.formats[int(op.fields["fmt"])]
            row = FORMATS[fmt.fmt]
            stored = np.ascontiguousarray(raw).view(row.dtype).reshape(len(thread.nodes), -1)
            value = decode(stored, row, bias=fmt.bias)
            pad = pad_code(fmt, thread.a[int(op.fields["a"])].pad)
            value = np.where(inside.reshape(value.shape), value, pad)
            value = np.broadcast_to(value, (len(thread.nodes), 16))
        self.set_vector(op, thread, value)

    def set_vector(self, op: Op, thread: Thread, value: np.ndarray) -> None:
        number = int(op.fields["d"])
        mask = int(op.fields["p"]) if op.row.mask is not None else 0
        if mask:
            old = lanes_as(thread.vector(number), "raw")
            value = np.where(thread.predicate(mask), lanes_as(np.array(value), "raw"), old)
        thread.v[number] = np.array(value)

    def store(self, op: Op, thread: Thread) -> None:
        shape = op.access
        fmt = thread.formats[int(op.fields["fmt"])]
        row = FORMATS[fmt.fmt]
        value = lanes_as(thread.vector(int(op.fields["v"])), "i32" if row.kind == "int" else "f32")
        value = value.reshape(len(thread.nodes), shape.granules, -1)
        if shape.padded:
            inside = lanes_in_bounds(op, thread, shape.granules, value.shape[-1])
            value = np.where(inside, value, pad_code(fmt, thread.a[int(op.fields["a"])].pad))
        stored = np.ascontiguousarray(encode(value, row, bias=fmt.bias))[..., None].view(np.uint8)
        keep = np.broadcast_to(thread.predicate(int(op.fields["p"])), (len(thread.nodes), 16))
        keep = np.broadcast_to(keep.reshape(value.shape)[..., None], stored.shape)
        address = self.element_bytes(op, thread)
        held, (rows, bytes_) = self.bytes_at(thread, address, keep, op, write=True)
        held[rows[keep], bytes_[keep]] = stored[keep]

    def indexed(self, op: Op, thread: Thread) -> None:
        """vgat and vsca: lane address = generator + index x element size; lanes in order."""
        fmt = thread.formats[int(op.fields["fmt"])]
        row = FORMATS[fmt.fmt]
        index = lanes_as(thread.vector(int(op.fields["b"])), "i32").astype(np.int64)
        start = generator_address(thread.a[int(op.fields["a"])], thread)
        address = start[:, None, None] + index[..., None] * row.bytes + np.arange(row.bytes)
        if op.access.kind == "load":
            used = np.ones(address.shape, bool)
            held, index = self.bytes_at(thread, address, used, op)
            raw = held[index]
            stored = np.ascontiguousarray(raw).view(row.dtype)[..., 0]
            self.set_vector(op, thread, decode(stored, row, bias=fmt.bias))
            return
        value = lanes_as(thread.vector(int(op.fields["v"])), "i32" if row.kind == "int" else "f32")
        stored = np.ascontiguousarray(encode(value, row, bias=fmt.bias))[..., None].view(np.uint8)
        keep = np.broadcast_to(thread.predicate(int(op.fields["p"])), index.shape)
        used = np.broadcast_to(keep[..., None], address.shape)
        held, (rows, bytes_) = self.bytes_at(thread, address, used, op, write=True)
        for lane in range(16):
            part = used[:, lane]
            held[rows[:, lane][part], bytes_[:, lane][part]] = stored[:, lane][part]

    def scalar_load(self, op: Op, thread: Thread) -> np.ndarray:
        start = generator_address(thread.a[int(op.fields["a"])], thread) + 4 * int(op.fields["n"])
        address = start[:, None] + np.arange(4)
        held, index = self.bytes_at(thread, address, np.ones(address.shape, bool), op)
        return np.ascontiguousarray(held[index]).view(np.int32)[:, 0].astype(np.int64)

    def in_bounds(self, op: Op, thread: Thread) -> np.ndarray:
        return lanes_in_bounds(op, thread, 1, 16)[:, 0]
