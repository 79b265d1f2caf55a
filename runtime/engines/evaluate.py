"""What one instruction computes, given a way to read registers: shared by both engines.

The meaning itself is the row's body; this file only fetches operands in the shape the body wants
and applies the trailing predicate. `Registers` is what an engine offers: plain registers of a
thread, or the values of a lifted loop nest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np

from dojocc.runtime.engines.thread import Descriptor, Generator, Scalar, Thread
from dojocc.runtime.engines.tree import Op
from dojocc.runtime.errors import MachineStop
from dojocc.runtime.formats import FORMATS, decode
from dojocc.runtime.isa.instr import LANE_VIEWS

A_BLOCK, B_BLOCK = (8, 4), (4, 8)


class Registers(Protocol):
    """Reads values with leading axes (nodes, open loops...)."""

    def vector(self, number: int) -> np.ndarray: ...
    def predicate(self, number: int) -> np.ndarray: ...
    def accumulator(self, number: int) -> np.ndarray: ...
    def scalar(self, number: int) -> np.ndarray: ...


def lanes_as(value: np.ndarray, view: str) -> np.ndarray:
    """The same lanes seen as float32, int32 or raw uint32."""
    wanted = np.dtype(LANE_VIEWS[view])
    if value.dtype == wanted:
        return value
    if value.strides[-1] != value.itemsize:
        value = np.ascontiguousarray(value)
    return value.view(wanted)


def block(raw: np.ndarray, descriptor: Descriptor, shape: tuple[int, int]) -> np.ndarray:
    """A matrix operand register [..., 16] of 4-byte items as a decoded float32 block [...,
    *shape].
    """
    row = FORMATS[descriptor.fmt]
    if row.bytes > 2 or row.kind == "int":
        raise MachineStop(
            f"the matrix unit cannot read {descriptor.fmt}", help="choose BF16 or a CFloat format"
        )
    items = np.ascontiguousarray(raw).view(row.dtype)[..., :32]
    return decode(items, row, bias=descriptor.bias).reshape(*raw.shape[:-1], *shape)


def descriptor_format(descriptor: Descriptor):
    """What a body's `fmt` operand gets: the format's name (its row with the bias where one is
    set).
    """
    row = FORMATS[descriptor.fmt]
    return descriptor.fmt if descriptor.bias is None else replace(row, bias=descriptor.bias)


def arguments(op: Op, registers: Registers, thread: Thread) -> list:
    """Operands for the row's body, in order, implicit machine state last."""
    row, values = op.row, []
    for operand in row.inputs:
        number = op.fields[operand.name]
        match operand.kind:
            case "v" if row.product and row.unit == "matrix":
                descriptor = thread.matrix_formats[operand.name != "a"]
                shape = B_BLOCK if operand.name == "b" and row.mnemonic == "mmac" else A_BLOCK
                values.append(block(registers.vector(int(number)), descriptor, shape))
            case "v":
                values.append(lanes_as(registers.vector(int(number)), row.lanes))
            case "p":
                values.append(registers.predicate(int(number)))
            case "m":
                values.append(registers.accumulator(int(number)))
            case "x":
                values.append(registers.scalar(int(number)))
            case "d":
                values.append(descriptor_format(thread.formats[int(number)]))
            case _:
                values.append(number)
    for name in row.implicit:
        if name != "seed":
            raise MachineStop(f"`{op.name}` needs {name}, which this engine does not give here")
        values.append(np.asarray(thread.key))
    return values


def masked(op: Op, result: np.ndarray, registers: Registers) -> np.ndarray:
    """`result` where the trailing predicate holds, the old destination elsewhere."""
    mask = op.row.mask
    number = int(op.fields[mask.name]) if mask is not None else 0
    if number == 0:
        return result
    target = op.row.outputs[0]
    old = int(op.fields[target.name])
    if target.kind == "p":
        return np.where(registers.predicate(number), result, registers.predicate(old))
    old_lanes = lanes_as(registers.vector(old), "raw")
    return np.where(registers.predicate(number), lanes_as(np.asarray(result), "raw"), old_lanes)


def set_generator(op: Op, generator: Generator, x: Callable[[int | float], Scalar]) -> None:
    """Carry out an address row on one generator; `x(n)` reads scalar register n."""
    fields = op.fields
    match op.name:
        case "aclr":
            generator.__init__()
        case "abase":
            generator.base = x(fields["a"])
        case "abasei":
            generator.base = int(fields["n"])
        case "aadd":
            generator.base = generator.base + x(fields["a"])
        case "aaddi":
            generator.base = generator.base + int(fields["n"])
        case "astr":
            generator.strides[int(fields["L"])] = int(fields["n"])
        case "astrx":
            generator.strides[int(fields["L"])] = x(fields["a"])
        case "apitch":
            generator.pitch = int(fields["n"])
        case "apad":
            generator.pad = float(fields["n"])
        case "ay":
            generator.y0, generator.y_limit = x(fields["a"]), x(fields["b"])
        case "ax":
            generator.x0, generator.x_limit = x(fields["a"]), x(fields["b"])
        case "aystr":
            generator.y_strides[int(fields["L"])] = int(fields["n"])
        case "axstr":
            generator.x_strides[int(fields["L"])] = int(fields["n"])
        case "astep":
            generator.granule_step = int(fields["granule"])
            generator.lane_step = int(fields["lane"])
        case _:
            raise MachineStop(f"no engine carries out address row `{op.name}`")


def uniform(value) -> Scalar:
    """A Python int where all nodes agree, else the array."""
    array = np.asarray(value, np.int64)
    if array.ndim == 0:
        return int(array)
    return int(array[0]) if (array == array[0]).all() else array


def pad_code(fmt: Descriptor, pad: float):
    """The pad value as a widened lane: FP32, or the nearest integer for INT formats."""
    return np.int32(np.rint(pad)) if FORMATS[fmt.fmt].kind == "int" else np.float32(pad)
