"""The parameter table: what differs between nodes, as columns of int32 at the start of SRAM.

Columns are the per-node tables of kernel calls (trip counts, coordinates, offsets), the arrivals
each exchange waits for, and what the steps of collectives need. Tables that hold one number
everywhere need no column.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.ir import Operation

from dojocc.dialects.location import describe
from dojocc.dialects.tile import CallOp, CollectiveOp, ExchangeOp
from dojocc.passes.collective_steps import steps_of
from dojocc.passes.liveness import Schedule
from dojocc.passes.relay_steps import relay_of
from dojocc.runtime.errors import InputError
from dojocc.runtime.layout import LANES, DimShard, Layout
from dojocc.runtime.remember import by_table
from dojocc.runtime.segments import node_sums, spelt

NAME = "parameters"
WORD = 4
LINE = 64
INT32 = np.iinfo(np.int32)


@dataclass(frozen=True, eq=False)
class Parameters:
    """`columns` [nodes, words]; `place` gives for each table its word, or its number where
    uniform."""

    columns: np.ndarray
    place: dict[bytes, int]

    @property
    def words(self) -> int:
        return self.columns.shape[1]

    @property
    def bytes(self) -> int:
        """Bytes reserved at address 0, whole 64-byte lines."""
        return -(-self.words // LANES) * LANES * WORD

    def layout(self, grid: tuple[int, int]) -> Layout:
        """One row of the table on each node of the grid."""
        rows = DimShard(("row", "col"), 1, 0, 1, 1)
        words = DimShard((), 0, 0, self.words, -(-self.words // LANES) * LANES)
        return Layout((grid[0] * grid[1], self.words), (rows, words), "INT32", grid)

    def find(self, table: np.ndarray) -> tuple[str, int]:
        """("number", value) for a uniform table, else ("word", index into the node's row)."""
        if (table == table[0]).all():
            return "number", int(table[0])
        return "word", self.place[as_column(table).tobytes()]


def as_column(table: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(table, dtype=np.int32)


def node_table(resources: dict[str, np.ndarray], key: str, nodes: int, op: Operation) -> np.ndarray:
    """A per-node table by its key, checked."""
    table = resources.get(key)
    if table is None:
        raise InputError(f"there is no table '{key}'", where=describe(op))
    if table.shape != (nodes,) or table.dtype.kind not in "iu":
        raise InputError(
            f"table '{key}' must hold one whole number a node",
            where=describe(op),
            numbers=f"have {table.dtype} {table.shape}, need ({nodes},)",
        )
    if table.min(initial=0) < INT32.min or table.max(initial=0) > INT32.max:
        raise InputError(
            f"table '{key}' does not fit 32 bits",
            where=describe(op),
            numbers=f"{table.min()}..{table.max()}",
        )
    return table


def arrivals(op: ExchangeOp, table: np.ndarray, nodes: int) -> np.ndarray:
    """Transfers each node waits for in an exchange: those that come to it and those it sends.

    A list entry for several peers counts as one for each of them.

    Its own are counted because their sources may be overwritten only when they have left. A load
    has none: DRAM stays as it is.
    """
    incoming, sent = counts(table, nodes)
    return incoming if op.resource is not None else incoming + sent


@by_table
def counts(table: np.ndarray, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Segments that come to each node, and that each sends."""
    one = np.ones(len(table), np.int64)
    incoming, sent = (node_sums(table, side, one, nodes) for side in ("dst_node", "src_node"))
    return incoming, sent


def collect(resources: dict[str, np.ndarray], plan: Schedule) -> Parameters:
    """The table for a program: columns in the order of first use, equal ones once."""
    rows, cols = plan.program.shape
    nodes = rows * cols
    place: dict[bytes, int] = {}
    columns: list[np.ndarray] = []
    for op in plan.steps:
        for table in tables_of(resources, op, nodes):
            column = as_column(table)
            if (column == column[0]).all() or column.tobytes() in place:
                continue
            place[column.tobytes()] = len(columns)
            columns.append(column)
    stacked = np.stack(columns, 1) if columns else np.zeros((nodes, 0), np.int32)
    return Parameters(stacked, place)


def tables_of(resources: dict[str, np.ndarray], op: Operation, nodes: int) -> list[np.ndarray]:
    """The per-node tables an op of the program needs."""
    match op:
        case CallOp():
            values = (*op.offset_values, *op.scalar_values)
            keys = [value for value in values if isinstance(value, str)]
            return [node_table(resources, key, nodes, op) for key in keys]
        case ExchangeOp():
            cleared = [] if op.bare is None else [cleared_lines(resources, op, nodes)]
            relay = relay_of(resources, op, nodes)
            if relay is not None:
                return [*cleared, *relay.tables()]
            return [*cleared, arrivals(op, table_of(resources, op), nodes)]
        case CollectiveOp():
            return steps_of(resources, op, nodes).tables()
        case _:
            return []


def cleared_lines(resources: dict[str, np.ndarray], op: ExchangeOp, nodes: int) -> np.ndarray:
    """[nodes] lines of the destination that each node fills with zeros."""
    lines = max(-(-op.layout.bytes // LINE), 1)
    if op.bare is None:
        return np.full(nodes, lines, np.int32)
    return (lines * (node_table(resources, op.bare.data, nodes, op) > 0)).astype(np.int32)


def table_of(resources: dict[str, np.ndarray], op: ExchangeOp) -> np.ndarray:
    """The table (TABLE_DTYPE) of an exchange."""
    key = op.segments.data
    if key not in resources:
        raise InputError(f"there is no segment table '{key}'", where=describe(op))
    return resources[key]


def segments_of(resources: dict[str, np.ndarray], op: ExchangeOp, nodes: int) -> np.ndarray:
    """The segments of an exchange on so many nodes, spelt out."""
    return spelt(table_of(resources, op), nodes)
