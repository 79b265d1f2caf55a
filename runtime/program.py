"""Program: the streams, tables, images and ports that a machine runs, and the .dojo file of it.

All parts are frozen data that check themselves against the target; `save` and `load` go through
`runtime/container.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from dojocc.runtime.axes import UNSPLIT
from dojocc.runtime.container import pack, unpack
from dojocc.runtime.errors import DojoError, InputError, ProgramFileError
from dojocc.runtime.files import write_atomically
from dojocc.runtime.folds import ranges, values_of
from dojocc.runtime.formats import FORMATS, decode
from dojocc.runtime.layout import DimShard, Layout
from dojocc.runtime.lists import (
    DRAM_LOAD,
    DRAM_STORE,
    ENTRY_DTYPE,
    LIST_DTYPE,
    NO_SEMAPHORE,
    PULL,
    PUSH,
    entries_of_rows,
)
from dojocc.runtime.mesh.tables import LIST_SET_DTYPE, ROUTE_DTYPE, RouteTable, check_routes
from dojocc.runtime.program_checks import (
    check_class,
    check_classes,
    check_lists,
    check_placed,
    check_plain,
    check_tensors,
)
from dojocc.runtime.target import Target
from dojocc.runtime.targets import from_dict, to_dict

__all__ = [
    "DRAM_LOAD",
    "DRAM_STORE",
    "ENTRY_DTYPE",
    "LIST_DTYPE",
    "NO_SEMAPHORE",
    "PULL",
    "PUSH",
    "Program",
    "ProgramClass",
    "load",
    "save",
]


@dataclass(frozen=True, eq=False)
class ProgramClass:
    """Nodes that share streams: `code` holds kernels and streams, `entries` the streams' starts.

    `debug` gives each word an index into the program's marks, or -1; `kernels` are (name, start,
    end) in words.
    """

    name: str
    nodes: np.ndarray
    grid: tuple[int, int]
    code: np.ndarray
    entries: tuple[int, int, int, int]
    debug: np.ndarray
    kernels: tuple[tuple[str, int, int], ...] = ()

    def __post_init__(self) -> None:
        check_class(self)


@dataclass(frozen=True)
class Image:
    """SRAM content at the start: a tensor, distributed over a class by its layout."""

    name: str
    cls: str
    address: int
    layout: Layout
    tensor: str


@dataclass(frozen=True)
class Port:
    """An input or output of the model: its name and type, and where its elements live."""

    name: str
    cls: str
    address: int
    layout: Layout
    dtype: str
    shape: tuple[int, ...]
    source: str = ""


@dataclass(frozen=True)
class Mark:
    """What a `mark` instruction and the debug map refer to: an op and the model's node."""

    op: str
    source: str = ""


@dataclass(frozen=True)
class DramImage:
    """Content of a DIP's memory at the start."""

    name: str
    dip: int
    address: int
    tensor: str


@dataclass(frozen=True, eq=False)
class Program:
    """Everything a machine needs to run, and nothing of the compiler.

    `lists` are rows that stand for many entries each; `entries` are those of every node.
    `routes` says how transfers travel where they do not simply go x, then y; walk them with
    `mesh.tables.program_routes`.
    """

    target: Target
    classes: tuple[ProgramClass, ...]
    images: tuple[Image, ...] = ()
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    tensors: dict[str, np.ndarray] = field(default_factory=dict)
    lists: np.ndarray = field(default_factory=lambda: np.zeros(0, LIST_DTYPE))
    marks: tuple[Mark, ...] = ()
    build: dict[str, Any] = field(default_factory=dict)
    dram: tuple[DramImage, ...] = ()
    routes: RouteTable = field(default_factory=RouteTable)

    def __post_init__(self) -> None:
        check_classes(self.target, self.classes, len(self.marks))
        check_tensors(self.tensors)
        check_placed(self)
        if self.lists.dtype != LIST_DTYPE or self.lists.ndim != 1:
            raise InputError("a program's lists must be rows of LIST_DTYPE (runtime/lists.py)")
        check_lists(self.target, self.classes, self.lists)
        check_routes(self.target, self.routes)
        check_plain(self.build)

    @cached_property
    def entries(self) -> np.ndarray:
        """What the nodes carry out: ENTRY_DTYPE rows by list, class and node, a node's in the order
        in which it starts them (lists.entries_of_rows). Read-only."""
        sizes = [len(item.nodes) for item in self.classes]
        found = entries_of_rows(self.lists, sizes, self.target.dips.count)
        found.setflags(write=False)
        return found

    def cls(self, name: str) -> ProgramClass:
        """The class of that name."""
        return next(item for item in self.classes if item.name == name)

    def content(self, image: Image) -> np.ndarray:
        """Values (float32, int32) of an image's tensor, which may be kept as storage codes."""
        tensor, fmt = self.tensors[image.tensor], FORMATS[image.layout.fmt]
        return decode(tensor, fmt) if tensor.dtype == fmt.dtype else tensor

    def save(self, path: str | Path) -> None:
        save(self, path)


def save(program: Program, path: str | Path) -> None:
    """Write the program file, whole or not at all."""
    write_atomically(path, to_bytes(program))


def load(path: str | Path) -> Program:
    """Read a program file; a file that is not a sound program raises ProgramFileError."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot read {path}", where=error.strerror or str(error), help="check the path"
        ) from error
    return from_bytes(data, str(path))


def to_bytes(program: Program) -> bytes:
    """The program file's bytes: the same for the same program."""
    tensors = {f"tensor/{name}": array for name, array in program.tensors.items()}
    for number, item in enumerate(program.classes):
        tensors[f"class/{number}/nodes"] = ranges(item.nodes)
        tensors[f"class/{number}/code"] = item.code
        tensors[f"class/{number}/debug"] = item.debug
    for name, rows in _row_arrays(program).items():
        raw = np.ascontiguousarray(rows).view(np.uint8)
        tensors[name] = raw.reshape(len(rows), rows.dtype.itemsize)
    manifest = {
        "target": to_dict(program.target),
        "classes": [
            [c.name, list(c.grid), list(c.entries), [list(kernel) for kernel in c.kernels]]
            for c in program.classes
        ],
        "images": [
            [i.name, i.cls, i.address, layout_tree(i.layout), i.tensor] for i in program.images
        ],
        "inputs": [_port_tree(port) for port in program.inputs],
        "outputs": [_port_tree(port) for port in program.outputs],
        "marks": [[mark.op, mark.source] for mark in program.marks],
        "dram": [[d.name, d.dip, d.address, d.tensor] for d in program.dram],
        "build": _ordered(program.build),
    }
    return pack(manifest, tensors)


def from_bytes(data: bytes, source: str = "program file") -> Program:
    """The program in a program file's bytes."""
    manifest, tensors = unpack(data, source)
    try:
        return _program(manifest, tensors)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, DojoError) as error:
        what = error.what if isinstance(error, DojoError) else repr(error)
        raise ProgramFileError(
            f"{source} does not describe a valid program",
            where=what,
            numbers=error.numbers if isinstance(error, DojoError) else None,
            help="compile or assemble the program again",
        ) from error


def _program(manifest: dict[str, Any], tensors: dict[str, np.ndarray]) -> Program:
    target = from_dict(manifest["target"])
    classes = tuple(
        ProgramClass(
            name=name,
            nodes=values_of(tensors[f"class/{number}/nodes"], target.positions),
            grid=tuple(grid),
            code=tensors[f"class/{number}/code"],
            entries=tuple(entries),
            debug=tensors[f"class/{number}/debug"],
            kernels=tuple((kernel, start, end) for kernel, start, end in kernels),
        )
        for number, (name, grid, entries, kernels) in enumerate(manifest["classes"])
    )
    return Program(
        target=target,
        classes=classes,
        images=tuple(
            Image(name, cls, address, layout_of_tree(tree), tensor)
            for name, cls, address, tree, tensor in manifest["images"]
        ),
        inputs=tuple(_port(row) for row in manifest["inputs"]),
        outputs=tuple(_port(row) for row in manifest["outputs"]),
        tensors={
            name.removeprefix("tensor/"): array
            for name, array in tensors.items()
            if name.startswith("tensor/")
        },
        lists=_rows(tensors, "lists", LIST_DTYPE),
        marks=tuple(Mark(op, source) for op, source in manifest["marks"]),
        build=manifest["build"],
        dram=tuple(DramImage(*row) for row in manifest["dram"]),
        routes=RouteTable(
            _rows(tensors, "routes/legs", ROUTE_DTYPE),
            _rows(tensors, "routes/lists", LIST_SET_DTYPE),
        ),
    )


def _row_arrays(program: Program) -> dict[str, np.ndarray]:
    """The arrays of rows, which the file keeps as bytes."""
    routes = program.routes
    return {"lists": program.lists, "routes/legs": routes.legs, "routes/lists": routes.lists}


def _rows(tensors: dict[str, np.ndarray], name: str, dtype: np.dtype) -> np.ndarray:
    raw = tensors[name]
    if raw.dtype != np.uint8 or raw.ndim != 2 or raw.shape[1] != dtype.itemsize:
        raise ValueError(f"{name} of shape {raw.shape}")
    return raw.reshape(-1).view(dtype)


def layout_tree(layout: Layout) -> list[Any]:
    """A layout as plain data."""
    dims = [[list(d.axes), d.step, d.offset, d.extent, d.physical] for d in layout.dims]
    split = [] if layout.split == UNSPLIT else list(layout.split)
    return [list(layout.shape), dims, layout.fmt, [*layout.grid, *split]]


def layout_of_tree(tree: list[Any]) -> Layout:
    """The layout of `layout_tree`; ValueError for what is none."""
    shape, dims, fmt, (rows, cols, *split) = tree
    if split and not (len(split) == 2 and all(type(n) is int for n in (rows, cols, *split))):
        raise ValueError(f"layout on a grid of {[rows, cols, *split]}")
    shards = []
    for axes, *numbers in dims:
        if not all(type(number) is int and abs(number) < 2**62 for number in numbers):
            raise ValueError(f"layout with dimension {numbers}")
        shards.append(DimShard(tuple(axes), *numbers))
    return Layout(tuple(shape), tuple(shards), fmt, (rows, cols), tuple(split) or UNSPLIT)


def _port_tree(port: Port) -> list[Any]:
    layout = layout_tree(port.layout)
    return [port.name, port.cls, port.address, layout, port.dtype, list(port.shape), port.source]


def _port(row: list[Any]) -> Port:
    name, cls, address, tree, dtype, shape, source = row
    return Port(name, cls, address, layout_of_tree(tree), dtype, tuple(shape), source)


def _ordered(value: Any) -> Any:
    """Plain data with every table in the order of its keys, so that bytes do not depend on it."""
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value)}
    return [_ordered(item) for item in value] if isinstance(value, list | tuple) else value
