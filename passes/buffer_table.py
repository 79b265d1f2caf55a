"""The buffers of a program for its build record: where, how large, and from which word of thread 0
to which.

`dojocc verify` holds the program to this table. Between `select`, which knows the buffers, and
emission, which knows the words, it is kept as a resource.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from dojocc.dialects.disa import ClassOp, InstructionOp
from dojocc.dialects.mesh import LayoutAttr
from dojocc.dialects.tile import ImageOp, InputOp
from dojocc.passes.allocate import reserved_bytes
from dojocc.passes.liveness import Schedule, lifetimes
from dojocc.passes.route import buffer_address
from dojocc.runtime.program import layout_tree

BUFFERS = "buffers"
"""Key of the resource and of the record: rows [name, address, bytes, first, end, layout] as JSON
bytes; `first` and `end` are instructions of thread 0, -1 for the start and the end of the run."""
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
    resources[BUFFERS] = np.frombuffer(json.dumps(rows).encode(), np.uint8)


def buffer_rows(resources: dict[str, np.ndarray], cls: ClassOp, entry: int) -> list[list[Any]]:
    """[class, name, address, bytes, first word, end word, layout] of every buffer. `entry` is the
    word at which the class's thread 0 starts."""
    thread = next(each for each in cls.threads if each.number.value.data == 0)
    words = [entry]
    for op in thread.body.block.ops:
        assert isinstance(op, InstructionOp)
        words.append(words[-1] + op.ROW.words)
    result: list[list[Any]] = []
    for name, address, size, first, end, layout in json.loads(resources[BUFFERS].tobytes()):
        place = [WHOLE if at == WHOLE else words[at] for at in (first, end)]
        result.append([cls.sym_name.data, name, address, size, *place, layout])
    return result
