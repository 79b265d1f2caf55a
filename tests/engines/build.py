"""Small programs written instruction by instruction, for engine tests."""

from __future__ import annotations

import numpy as np

from dojocc.runtime.isa.codec import encode
from dojocc.runtime.isa.instr import Instr
from dojocc.runtime.layout import DimShard, Layout
from dojocc.runtime.lists import LIST_DTYPE
from dojocc.runtime.program import Image, Mark, Port, Program, ProgramClass
from dojocc.runtime.targets import load_target

TINY = "tests/targets/tiny.toml"
NODES = 6
GRID = (2, 3)


def parse(line: str) -> Instr:
    """`vadd 3 1 2` -> Instr: plain numbers in the row's order."""
    name, *operands = line.split()
    return Instr(name, tuple(float(o) if "." in o or "inf" in o else int(o) for o in operands))


def words(lines: list[str]) -> list[int]:
    return [word for line in lines for word in encode(parse(line))]


def spread(columns: int, fmt: str) -> Layout:
    """Row i of a [6, columns] tensor on node i."""
    across = DimShard(("row", "col"), 1, 0, 1, 1)
    return Layout((NODES, columns), (across, DimShard((), 0, 0, columns, columns)), fmt, GRID)


def list_rows(lists: list[dict]) -> np.ndarray:
    """List entries by the fields that matter; the others as a plain copy has them."""
    rows = np.zeros(len(lists), LIST_DTYPE)
    rows["far_sem"] = rows["home_sem"] = 255
    for name in ("count0", "count1", "peers", "peer_stride", "repeat0", "repeat1", "repeat2"):
        rows[name] = 1
    for row, fields in zip(rows, lists, strict=True):
        for name, value in fields.items():
            row[name] = value
    return rows


def program(
    threads: list[list[str]],
    inputs: dict[str, tuple[int, int, str]] | None = None,
    outputs: dict[str, tuple[int, int, str]] | None = None,
    images: dict[str, tuple[int, np.ndarray, str]] | None = None,
    lists: list[dict] | None = None,
    kernels: list[str] | None = None,
) -> Program:
    """Ports: name -> (address, columns, format); images: name -> (address, values [6, n],
    format).
    """
    code, entries = words(kernels or []), []
    for lines in threads:
        entries.append(len(code))
        code += words([*lines, "halt"])
    entries += [-1] * (4 - len(entries))
    target = load_target(TINY)
    cls = ProgramClass(
        "grid",
        np.arange(NODES),
        GRID,
        np.array(code, np.uint32),
        tuple(entries),
        np.full(len(code), -1, np.int32),
    )

    def ports(table):
        return tuple(
            Port(
                name,
                "grid",
                address,
                spread(n, fmt),
                "int32" if fmt == "INT32" else "float32",
                (NODES, n),
            )
            for name, (address, n, fmt) in (table or {}).items()
        )

    tensors = {name: values for name, (_, values, _) in (images or {}).items()}
    placed = tuple(
        Image(name, "grid", address, spread(values.shape[1], fmt), name)
        for name, (address, values, fmt) in (images or {}).items()
    )
    return Program(
        target,
        (cls,),
        placed,
        ports(inputs),
        ports(outputs),
        tensors,
        list_rows(lists or []),
        (Mark("op", "node"),),
        {},
    )
