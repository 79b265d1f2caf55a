"""The buffers of a program for its build record: where, how large, and from which word of thread 0
to which; what its exchanges are for; and what its kernels are called with.

`dojocc verify` holds the program to these tables. Between `select`, which knows the buffers, and
emission, which knows the words, they are kept as resources.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from xdsl.ir import SSAValue

from dojocc.dialects.disa import ClassOp, InstructionOp
from dojocc.dialects.mesh import LayoutAttr
from dojocc.dialects.tile import ImageOp, InputOp
from dojocc.passes.allocate import reserved_bytes
from dojocc.passes.collective_steps import lists_numbered
from dojocc.passes.liveness import Schedule, lifetimes
from dojocc.passes.route import buffer_address
from dojocc.passes.select_kernel import FIRST_PARAMETER
from dojocc.runtime.layout import row_major
from dojocc.runtime.program import layout_tree

BUFFERS = "buffers"
"""Key of the resource and of the record: rows [name, address, bytes, first, end, layout] as JSON
bytes; `first` and `end` are instructions of thread 0, -1 for the start and the end of the run."""
EXCHANGES = "exchanges"
"""Key of the resource and of the record: rows [first list, destination, sources, steps, number of
lists] as JSON bytes; buffers are numbers of rows of the table of buffers, steps those of
mesh.exchange. The source of a load is [name, address in DRAM, layout]."""
CALLS = "calls"
"""Key of the resource and of the record: rows [instruction of thread 0, arguments] as JSON bytes;
arguments stand in the parameter registers, null for those that differ between nodes."""
WHOLE = -1


def note_buffers(resources: dict[str, np.ndarray], plan: Schedule, begins: Sequence[int]) -> None:
    """Keep the table of a schedule whose step i begins at instruction begins[i] of thread 0, behind
    the waits in front of it."""
    given = {op.buffer for op in plan.steps if isinstance(op, ImageOp | InputOp)}
    rows: list[list[Any]] = []
    for alloc, life in lifetimes(plan).items():
        first = WHOLE if alloc.result in given else begins[life.start]
        end = begins[life.end] if life.end < len(begins) else WHOLE
        assert isinstance(alloc.layout, LayoutAttr)
        place = [buffer_address(alloc.result), reserved_bytes(alloc), first, end]
        rows.append([alloc.label.data, *place, layout_tree(alloc.layout.data)])
    resources[BUFFERS] = as_bytes(rows)


def note_exchanges(resources: dict[str, np.ndarray], plan: Schedule) -> None:
    """Keep what the exchanges of a schedule are for."""
    number: dict[SSAValue, int] = {alloc.result: row for row, alloc in enumerate(lifetimes(plan))}
    rows: list[list[Any]] = []
    for op in plan.exchanges:
        if op.movement is not None:
            sources: list[Any] = [number[source] for source in op.sources]
            if op.resource is not None and op.dram is not None:
                shape = resources[op.resource.data].shape
                layout = layout_tree(row_major(shape, op.layout))
                sources = [[op.resource.data, op.dram.value.data, layout]]
            steps = json.loads(op.movement.data)
            lists = len(lists_numbered(op))
            rows.append([op.number.value.data, number[op.destination], sources, steps, lists])
    resources[EXCHANGES] = as_bytes(sorted(rows, key=lambda row: row[0]))


def note_calls(
    resources: dict[str, np.ndarray], calls: Sequence[tuple[int, list[int | None]]]
) -> None:
    """Keep what kernels are called with."""
    resources[CALLS] = as_bytes([[place, arguments] for place, arguments in calls])


def as_bytes(rows: list[list[Any]]) -> np.ndarray:
    return np.frombuffer(json.dumps(rows).encode(), np.uint8)


def record_rows(resources: dict[str, np.ndarray], cls: ClassOp, entry: int) -> dict[str, list[Any]]:
    """The tables of the build record. `entry` is the word at which the class's thread 0 starts.

    - buffers: [class, name, address, bytes, first word, end word, layout];
    - exchanges: [first list, destination, sources, steps, number of lists];
    - calls: [class, word, first parameter register, arguments].
    """
    thread = next(each for each in cls.threads if each.number.value.data == 0)
    words = [entry]
    for op in thread.body.block.ops:
        assert isinstance(op, InstructionOp)
        words.append(words[-1] + op.ROW.words)
    tables = {key: json.loads(resources[key].tobytes()) for key in (BUFFERS, EXCHANGES, CALLS)}
    own = cls.sym_name.data
    buffers: list[Any] = []
    for name, address, size, first, end, layout in tables[BUFFERS]:
        place = [WHOLE if at == WHOLE else words[at] for at in (first, end)]
        buffers.append([own, name, address, size, *place, layout])
    calls = [[own, words[at], FIRST_PARAMETER, arguments] for at, arguments in tables[CALLS]]
    return {BUFFERS: buffers, EXCHANGES: tables[EXCHANGES], CALLS: calls}
