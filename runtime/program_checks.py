"""What must hold for the parts of a program, checked when they are made: each problem InputError.

Nothing here allocates by a number in the program: only by the size of its arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from dojocc.runtime.errors import InputError
from dojocc.runtime.formats import FORMATS
from dojocc.runtime.layout import Layout
from dojocc.runtime.lists import DRAM_LOAD, DRAM_STORE, LARGEST_LISTS, LEVELS, NO_SEMAPHORE, PUSH
from dojocc.runtime.target import Target

if TYPE_CHECKING:
    from dojocc.runtime.program import Program, ProgramClass

THREADS = 4
LARGEST_RANK = 16
PORT_DTYPES = (
    "bool",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
)
TENSOR_KINDS = "biuf"


def check_class(item: ProgramClass) -> None:
    """Arrays have their types, and entries, kernels and the grid fit them."""
    where = f"program class {item.name!r}"
    if not isinstance(item.name, str) or not item.name:
        raise InputError("a program class needs a name")
    for label, array, dtype in (
        ("nodes", item.nodes, np.int64),
        ("code", item.code, np.uint32),
        ("debug", item.debug, np.int32),
    ):
        if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != 1:
            raise InputError(f"{label} must be one row of {np.dtype(dtype)}", where)
    words = len(item.code)
    if len(item.debug) != words:
        raise InputError("the debug map has another length than the code", where)
    if len(item.grid) != 2 or not _wholes(item.grid) or prod(item.grid) != len(item.nodes):
        raise InputError(
            "the grid does not hold the nodes", where, f"{item.grid} for {len(item.nodes)} nodes"
        )
    if len(item.entries) != THREADS or not _wholes(item.entries, -1, words - 1):
        raise InputError(
            "a stream starts outside the code", where, f"entries {item.entries} of {words} words"
        )
    for name, start, end in item.kernels:
        if not isinstance(name, str) or not _wholes((start, end), 0, words) or start > end:
            raise InputError(
                f"kernel {name!r} lies outside the code", where, f"{start}..{end} of {words} words"
            )


def check_classes(target: Target, classes: Sequence[ProgramClass], marks: int) -> None:
    """Class names are unique, their nodes alive and in one class only, debug entries are marks."""
    names = [item.name for item in classes]
    if not classes or len(set(names)) != len(names):
        raise InputError("a program needs classes with different names", numbers=f"have {names}")
    nodes = np.concatenate([item.nodes for item in classes])
    if len(nodes) and (nodes.min() < 0 or nodes.max() >= target.positions):
        raise InputError(
            "a program class names a node outside the target",
            numbers=f"nodes {nodes.min()}..{nodes.max()}, target has {target.positions} positions",
        )
    dead = nodes[~target.live().reshape(-1)[nodes]]
    if len(dead):
        raise InputError(
            "a program class names dead nodes",
            numbers=f"nodes {dead[:6].tolist()}",
            help="compile for the target with these defects",
        )
    if len(np.unique(nodes)) != len(nodes):
        raise InputError("a node stands twice in the program's classes")
    for item in classes:
        if len(item.debug) and (item.debug.min() < -1 or item.debug.max() >= marks):
            raise InputError(
                "the debug map names a mark that is not there", f"program class {item.name!r}"
            )


def check_tensors(tensors: dict[str, np.ndarray]) -> None:
    for name, array in tensors.items():
        if not isinstance(name, str) or not isinstance(array, np.ndarray):
            raise InputError(f"tensor {name!r} must be an array with a text name")
        if array.dtype.kind not in TENSOR_KINDS or array.dtype.byteorder == ">":
            raise InputError(f"tensor {name!r} has a type that no program holds: {array.dtype}")


def check_placed(program: Program) -> None:
    """Images and ports lie inside SRAM and agree with their tensors, DRAM images inside DRAM."""
    _check_names(program)
    for item in program.images:
        where = f"image {item.name!r}"
        _check_span(program, item.cls, item.address, item.layout, where)
        tensor = _tensor(program, item.tensor, where)
        fmt = FORMATS[item.layout.fmt]
        if tensor.shape != item.layout.shape or tensor.dtype not in (fmt.dtype, fmt.value_dtype):
            raise InputError(
                f"tensor {item.tensor!r} does not suit its image",
                where,
                f"have {tensor.dtype} {tensor.shape}, need {fmt.dtype} {item.layout.shape}",
            )
    for kind, ports in (("input", program.inputs), ("output", program.outputs)):
        for port in ports:
            where = f"{kind} {port.name!r}"
            _check_span(program, port.cls, port.address, port.layout, where)
            if port.shape != port.layout.shape or port.dtype not in PORT_DTYPES:
                raise InputError(
                    "a port does not agree with its layout",
                    where,
                    f"{port.dtype} {port.shape}, layout {port.layout.shape}",
                )
    dips = program.target.dips
    for image in program.dram:
        where = f"DRAM image {image.name!r}"
        tensor = _tensor(program, image.tensor, where)
        if not _wholes((image.dip,), 0, dips.count - 1) or not _wholes((image.address,)):
            raise InputError("no such DIP or address", where, f"target has {dips.count} DIPs")
        if image.address + tensor.nbytes > dips.hbm_bytes:
            raise InputError(
                "content lies outside the DRAM",
                where,
                f"{image.address} + {tensor.nbytes} B of {dips.hbm_bytes} B",
            )


def _check_names(program: Program) -> None:
    kinds = {
        "image": program.images,
        "input": program.inputs,
        "output": program.outputs,
        "DRAM image": program.dram,
    }
    for kind, items in kinds.items():
        wrong = [item.name for item in items if not isinstance(item.name, str)]
        if wrong:
            raise InputError(f"{kind} {wrong[0]!r} must have a text as its name")
    for kind, ports in (("input", program.inputs), ("output", program.outputs)):
        if len({port.name for port in ports}) != len(ports):
            raise InputError(f"two {kind}s have the same name")
    texts = [port.source for port in (*program.inputs, *program.outputs)]
    texts += [text for mark in program.marks for text in (mark.op, mark.source)]
    if not all(isinstance(text, str) for text in texts):
        raise InputError("what a port or a mark comes from must be a text")


def _tensor(program: Program, name: str, where: str) -> np.ndarray:
    if name not in program.tensors:
        raise InputError(f"there is no tensor {name!r}", where)
    return program.tensors[name]


def _check_span(program: Program, cls: str, address: int, layout: Layout, where: str) -> None:
    found = [item for item in program.classes if item.name == cls]
    if not found:
        raise InputError(f"there is no program class {cls!r}", where)
    if layout.fmt not in FORMATS or not _wholes(layout.shape, 0, 2**48):
        raise InputError("the layout is not valid", where, f"{layout.fmt!r} {layout.shape}")
    if layout.grid != found[0].grid or len(layout.shape) > LARGEST_RANK:
        raise InputError(
            "the layout is for another grid", where, f"{layout.grid}, class has {found[0].grid}"
        )
    sram = program.target.node.sram_bytes
    if not _wholes((address,)) or address + layout.bytes > sram:
        raise InputError(
            "a buffer lies outside the SRAM", where, f"{address} + {layout.bytes} B of {sram} B"
        )
    if prod(layout.shape) > prod(layout.physical) * layout.nodes:
        raise InputError(
            "the layout cannot hold the tensor",
            where,
            f"{layout.shape} on {layout.nodes} nodes of {layout.physical}",
        )


def check_lists(target: Target, classes: Sequence[ProgramClass], lists: np.ndarray) -> None:
    """Rows are sorted and stand for few enough entries; all of these name nodes and semaphores that
    exist, and stay inside the memories.

    An entry's place is linear in the numbers of its repetitions, so the ends of their ranges say it
    for all of them.
    """
    if not len(lists):
        return
    descends = np.zeros(len(lists) - 1, bool)
    for name in ("cls", "list"):
        before, after = lists[name][:-1], lists[name][1:]
        descends = (before > after) | ((before == after) & descends)
    if descends.any():
        raise InputError("transfer lists are not sorted by list and class")
    repeats = np.stack([lists[f"repeat{level}"] for level in range(LEVELS)]).astype(np.float64)
    _require(lists, repeats.min(0) >= 1, "a repetition of nothing")
    if repeats.prod(0).sum() > LARGEST_LISTS:
        raise InputError(
            "the transfer lists stand for more entries than a program may have",
            numbers=f"{repeats.prod(0).sum():.0f} entries, at most {LARGEST_LISTS}",
        )
    sizes = np.array([len(item.nodes) for item in classes], np.int64)
    dram = lists["kind"] >= DRAM_LOAD
    _require(lists, lists["kind"] <= DRAM_STORE, "an unknown kind of transfer")
    _require(lists, lists["cls"] < len(classes), "a class that is not there")
    low, high = _range(lists, "node")
    _require(lists, (low >= 0) & (high < sizes[lists["cls"]]), "a node outside its class")
    peer_cls = np.where(dram, 0, lists["peer_cls"])
    _require(lists, peer_cls < len(classes), "a peer class that is not there")
    known = np.where(dram, target.dips.count, sizes[peer_cls])
    _require(lists, lists["peers"] >= 1, "no peer")
    single = (lists["kind"] == PUSH) | (lists["peers"] == 1)
    _require(lists, single, "several peers, which only a push has")
    low, high = _range(lists, "peer")
    # In floats, which 2**32 peers at strides of 2**32 cannot overflow.
    high = high + (lists["peers"] - 1.0) * lists["peer_stride"]
    _require(lists, (low >= 0) & (high < known), "a peer that is not there")
    for name in ("far_sem", "home_sem"):
        known = (lists[name] < target.node.semaphores) | (lists[name] == NO_SEMAPHORE)
        _require(lists, known, "a semaphore that is not there")
    sram, hbm = target.node.sram_bytes, target.dips.hbm_bytes
    for side, in_dram in (("src", DRAM_LOAD), ("dst", DRAM_STORE)):
        low, high = _extent(lists, side)
        inside = (low >= 0) & (high <= np.where(lists["kind"] == in_dram, hbm, sram))
        _require(lists, inside, f"bytes outside the memory at its {side} end")


def _range(lists: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Least and largest value of a field in all entries of each row, as floats: exact wherever they
    could be allowed."""
    low = high = lists[name].astype(np.float64)
    for level in range(LEVELS):
        times = lists[f"repeat{level}"].astype(np.float64) - 1
        travel = lists[f"{name}_step{level}"].astype(np.float64) * times
        low, high = low + np.minimum(travel, 0), high + np.maximum(travel, 0)
    return low, high


def _extent(lists: np.ndarray, side: str) -> tuple[np.ndarray, np.ndarray]:
    """First byte and end of all entries of each row; 0 to 0 for those that move nothing."""
    low, high = _range(lists, side)
    high = high + lists["bytes"]
    empty = lists["bytes"] == 0
    for level in "01":
        count = lists[f"count{level}"].astype(np.float64)
        empty |= count == 0
        travel = lists[f"{side}_stride{level}"].astype(np.float64) * np.maximum(count - 1, 0)
        low, high = low + np.minimum(travel, 0), high + np.maximum(travel, 0)
    return np.where(empty, 0, low), np.where(empty, 0, high)


def _require(lists: np.ndarray, good: np.ndarray, what: str) -> None:
    if good.all():
        return
    row = lists[int(np.argmin(good))]
    raise InputError(
        f"a transfer list names {what}",
        where=f"list {row['list']}, class {row['cls']}, node {row['node']}",
        numbers=str({name: int(row[name]) for name in lists.dtype.names or ()}),
    )


def check_plain(value: Any, depth: int = 0) -> None:
    """The build record holds only what every reader understands: text, numbers, lists, tables."""
    if depth > 16:
        raise InputError("the build record is nested too deeply")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise InputError(f"the build record has a key that is no text: {key!r}")
            check_plain(item, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            check_plain(item, depth + 1)
    elif value is not None and not isinstance(value, str | int | float | bool):
        raise InputError(f"the build record holds a {type(value).__name__}")


def _wholes(values: Sequence[Any], low: int = 0, high: int = 2**62) -> bool:
    return all(
        isinstance(value, int | np.integer) and not isinstance(value, bool) and low <= value <= high
        for value in values
    )
