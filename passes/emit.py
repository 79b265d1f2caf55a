"""From a module of form disa to the Program: words, tables, images, ports. The last step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from xdsl.dialects.builtin import ModuleOp

from dojocc.dialects.context import DojoContext
from dojocc.dialects.disa import (
    ClassOp,
    InstructionOp,
    PortOp,
    ProgramOp,
    ThreadOp,
    to_words,
    word_count,
)
from dojocc.dialects.disa import ImageOp as DisaImageOp
from dojocc.dialects.location import get_location
from dojocc.dialects.mesh import LayoutAttr
from dojocc.passes.buffer_table import BUFFERS, record_rows
from dojocc.passes.route import LIST_SETS, ROUTES
from dojocc.passes.target_of import target_of
from dojocc.runtime.errors import InputError
from dojocc.runtime.formats import FORMATS, encode
from dojocc.runtime.layout import Layout
from dojocc.runtime.lists import entries_of_rows
from dojocc.runtime.mesh.tables import RouteTable
from dojocc.runtime.program import (
    DRAM_LOAD,
    LIST_DTYPE,
    DramImage,
    Image,
    Mark,
    Port,
    Program,
    ProgramClass,
)

THREADS = 4
NO_MARK = -1


@dataclass(frozen=True, eq=False)
class Placed:
    """A class's words, the word each piece starts at, and the mark of every word."""

    code: np.ndarray
    debug: np.ndarray
    entries: tuple[int, int, int, int]
    kernels: tuple[tuple[str, int, int], ...]


def emit_program(
    ctx: DojoContext, module: ModuleOp, build: Mapping[str, Any] | None = None
) -> Program:
    """The program of a module of form disa. `build` is what the build record says besides.

    Kernels are placed first, each once, then the threads' streams. A weight is stored once, as
    codes of its storage format. The same module and resources always give the same program.
    """
    program = the_disa_program(module)
    target = target_of(ctx, "emit")
    resources = ctx.resources
    tensors: dict[str, np.ndarray] = {}
    images = [image(op, resources, tensors) for op in program.images]
    marks = [Mark(mark.op.data, mark.source.data) for mark in program.marks]
    kernels = [kernel for each in program.classes for kernel in each.kernels]
    places = {kernel.sym_name.data: len(marks) + n for n, kernel in enumerate(kernels)}
    marks += [Mark(f"kernel {k.sym_name.data}", get_location(k) or "") for k in kernels]
    lists, routes = np.zeros(0, LIST_DTYPE), RouteTable()
    if program.lists is not None:
        lists = resource(resources, program.lists.data, "transfer lists")
        if ROUTES in resources:
            routes = RouteTable(resources[ROUTES], resources[LIST_SETS])
    dram = dram_images(program, resources, tensors, lists, target.dips.count)
    classes = tuple(program_class(each, places) for each in program.classes)
    record = build_record(program, build or {})
    if BUFFERS in resources:
        record |= record_rows(resources, program.classes[0], classes[0].entries[0])
    return Program(
        target=target,
        classes=classes,
        images=tuple(images),
        inputs=tuple(port(op) for op in program.ports if op.kind.data == "input"),
        outputs=tuple(port(op) for op in program.ports if op.kind.data == "output"),
        tensors=tensors,
        lists=lists,
        marks=tuple(marks),
        build=record,
        dram=dram,
        routes=routes,
    )


def the_disa_program(module: ModuleOp) -> ProgramOp:
    found = [op for op in module.ops if isinstance(op, ProgramOp)]
    if len(found) != 1:
        raise InputError(
            "a module of form 'disa' holds exactly one disa.program", numbers=f"have {len(found)}"
        )
    return found[0]


def program_class(op: ClassOp, kernel_marks: Mapping[str, int]) -> ProgramClass:
    """One class with its code placed."""
    placed = place(op, kernel_marks)
    return ProgramClass(
        name=op.sym_name.data,
        nodes=np.array(op.nodes.get_values(), np.int64),
        grid=op.shape,
        code=placed.code,
        entries=placed.entries,
        debug=placed.debug,
        kernels=placed.kernels,
    )


def place(op: ClassOp, kernel_marks: Mapping[str, int]) -> Placed:
    """Kernels one after another, then threads; calls resolved to where the kernels start."""
    starts: dict[str, int] = {}
    kernels = []
    size = 0
    for kernel in op.kernels:
        name = kernel.sym_name.data
        starts[name] = size
        size += word_count(kernel.body.block.ops)
        kernels.append((name, starts[name], size))
    words: list[int] = []
    debug: list[int] = []
    for kernel in op.kernels:
        words += to_words(kernel.body.block.ops, starts)
        debug += [kernel_marks[kernel.sym_name.data]] * (len(words) - len(debug))
    entries = [-1] * THREADS
    for thread in op.threads:
        entries[thread.number.value.data] = len(words)
        words += to_words(thread.body.block.ops, starts)
        debug += thread_marks(thread)
    first, second, third, fourth = entries
    return Placed(
        code=np.array(words, np.uint32),
        debug=np.array(debug, np.int32),
        entries=(first, second, third, fourth),
        kernels=tuple(kernels),
    )


def thread_marks(thread: ThreadOp) -> list[int]:
    """The mark of every word of a stream: of the last `mark` instruction so far."""
    result: list[int] = []
    current = NO_MARK
    for op in thread.body.block.ops:
        assert isinstance(op, InstructionOp)
        if op.ROW.mnemonic == "mark":
            current = int(op.values()[0])
        result += [current] * op.ROW.words
    return result


def resource(resources: Mapping[str, np.ndarray], key: str, what: str) -> np.ndarray:
    if key not in resources:
        raise InputError(f"there is no resource '{key}'", where=what)
    return resources[key]


def layout_of(op: DisaImageOp | PortOp) -> Layout:
    if not isinstance(op.layout, LayoutAttr):
        raise InputError(f"'{op.label.data}' has no mesh.layout", numbers=str(op.layout))
    return op.layout.data


def image(
    op: DisaImageOp, resources: Mapping[str, np.ndarray], tensors: dict[str, np.ndarray]
) -> Image:
    """An image; its tensor joins `tensors` once per format, as codes."""
    layout = layout_of(op)
    name = op.resource.data
    values = resource(resources, name, f"image '{op.label.data}'")
    if values.shape != layout.shape:
        raise InputError(
            f"resource '{name}' has another shape than its buffer",
            where=f"image '{op.label.data}'",
            numbers=f"have {values.shape}, need {layout.shape}",
        )
    key = kept(name, values, layout.fmt, tensors)
    return Image(op.label.data, op.node_class.string_value(), op.address.value.data, layout, key)


def kept(name: str, values: np.ndarray, fmt: str, tensors: dict[str, np.ndarray]) -> str:
    """The key of a resource's codes among the program's tensors, where each stands once."""
    key = f"{name}:{fmt}"
    if key not in tensors:
        tensors[key] = encode(values, FORMATS[fmt])
    return key


def dram_images(
    program: ProgramOp,
    resources: Mapping[str, np.ndarray],
    tensors: dict[str, np.ndarray],
    lists: np.ndarray,
    dips: int,
) -> tuple[DramImage, ...]:
    """What lies in DRAM, for every DIP (of so many) that a list names; the tensors join
    `tensors`."""
    sizes = [len(each.nodes.get_values()) for each in program.classes]
    entries = entries_of_rows(lists[lists["kind"] >= DRAM_LOAD], sizes, dips)
    used = np.unique(entries["peer"]).tolist()
    found = []
    for op in program.dram:
        name = op.resource.data
        key = kept(name, resource(resources, name, "DRAM"), op.fmt.data, tensors)
        found += [DramImage(name, dip, op.address.value.data, key) for dip in used]
    return tuple(found)


def port(op: PortOp) -> Port:
    """A port, as the host sees it."""
    return Port(
        name=op.label.data,
        cls=op.node_class.string_value(),
        address=op.address.value.data,
        layout=layout_of(op),
        dtype=op.dtype.data,
        shape=tuple(size.value.data for size in op.shape),
        source=get_location(op) or "",
    )


def build_record(program: ProgramOp, given: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of how the program was made: no time, no place, nothing that varies by
    itself."""
    record = {key: given[key] for key in sorted(given)}
    if program.sram_peak is not None:
        record["sram_peak_bytes"] = program.sram_peak.value.data
    if program.sram_bound is not None:
        record["sram_lower_bound_bytes"] = program.sram_bound.value.data
    return record
