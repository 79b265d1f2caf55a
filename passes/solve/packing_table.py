"""Buffers as text: MiniMalloc's comma-separated columns id, lower, upper, size, and offset."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from dojocc.passes.solve.packing import Buffer
from dojocc.runtime.errors import InputError

COLUMNS = ("id", "lower", "upper", "size")


def read_csv(text: str) -> list[Buffer]:
    """Buffers from the columns id, lower, upper, size (any order)."""
    rows = csv.DictReader(io.StringIO(text))
    missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise InputError(
            f"the buffer table lacks the column {missing[0]!r}",
            where="line 1",
            help=f"columns: {','.join(COLUMNS)}",
        )
    buffers = []
    for number, row in enumerate(rows, 2):
        try:
            numbers = [int(row[name]) for name in COLUMNS[1:]]
            buffers.append(Buffer(row["id"], *numbers))
        except (TypeError, ValueError) as error:
            raise InputError(
                "a row of the buffer table is wrong", where=f"line {number}", numbers=str(error)
            ) from error
    return buffers


def write_csv(buffers: Sequence[Buffer], offsets: Sequence[int]) -> str:
    """The same columns, and the offset."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*COLUMNS, "offset"))
    for b, offset in zip(buffers, offsets, strict=True):
        writer.writerow((b.name, b.lower, b.upper, b.size, offset))
    return text.getvalue()
