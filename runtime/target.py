"""Target: the machine a program is for, as frozen data that refuses to be wrong.

Every number is a field of a group (node, mesh, sync, die, system, dips) and carries its origin:
published, derived or assumed. `runtime/targets.py` reads targets from files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

from dojocc.runtime.errors import TargetError

ORIGINS = ("published", "derived", "assumed")
EDGES = ("west", "east", "north", "south", "west+east", "north+south")
Position = tuple[int, int]
Link = tuple[Position, Position]


LARGEST_GRID = 1 << 22  # node positions


def _number(unit: str, low: float = 1, high: float = 2**53) -> Any:
    """A field that must lie in [low, high]."""
    return field(metadata={"unit": unit, "low": low, "high": high})


def _other(unit: str) -> Any:
    """A field that is no number: positions, flag or edge."""
    return field(metadata={"unit": unit})


@dataclass(frozen=True)
class Group:
    """A group of numbers; each field's metadata say its unit and range."""

    def __post_init__(self) -> None:
        for item in fields(self):
            check_value(type(self), item.name, getattr(self, item.name))


def check_value(group: type[Group], name: str, value: Any) -> None:
    """Raise TargetError unless `value` is of the field's kind and in its range."""
    item = group.__dataclass_fields__[name]
    key = f"{group.__name__.lower()}.{name}"
    unit, low, high = (item.metadata.get(part) for part in ("unit", "low", "high"))
    if unit == "positions":
        _check_positions(key, value)
    elif unit == "flag":
        if not isinstance(value, bool):
            raise TargetError(f"{key} must be true or false", numbers=f"have {value!r}")
    elif unit == "edge":
        if value not in EDGES:
            raise TargetError(
                f"{key} must name an edge", numbers=f"have {value!r}", help=f"one of {EDGES}"
            )
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise TargetError(f"{key} must be a number", numbers=f"have {value!r}")
    elif item.type == "int" and not isinstance(value, int):
        raise TargetError(f"{key} must be a whole number", numbers=f"have {value!r}")
    elif not low <= value <= high:
        raise TargetError(
            f"{key} is out of range", numbers=f"have {value}, allowed {low} to {high} {unit}"
        )


def _check_positions(key: str, value: Any) -> None:
    well_formed = isinstance(value, tuple) and all(
        isinstance(pair, tuple)
        and len(pair) == 2
        and all(isinstance(part, int) and not isinstance(part, bool) and part >= 0 for part in pair)
        for pair in value
    )
    if not well_formed:
        raise TargetError(f"{key} must be a list of [row, col] pairs", numbers=f"have {value!r}")
    if len(set(value)) != len(value):
        raise TargetError(f"{key} names a position twice", numbers=f"have {value!r}")


@dataclass(frozen=True)
class Node(Group):
    """One core: SRAM, threads, units and ports."""

    sram_bytes: int = _number("B", 1024, 2**31)
    clock_hz: float = _number("Hz", 1e3, 1e12)
    threads: int = _number("threads", 2, 4)
    semaphores: int = _number("semaphores", 1, 64)
    format_descriptors: int = _number("descriptors", 1, 16)
    decode_width: int = _number("instructions/clk", 1, 64)
    decode_threads: int = _number("threads/clk", 1, 4)
    scalar_units: int = _number("units", 1, 16)
    address_units: int = _number("units", 1, 16)
    load_ports: int = _number("ports", 1, 16)
    store_ports: int = _number("ports", 1, 16)
    mesh_read_ports: int = _number("ports", 1, 16)
    mesh_write_ports: int = _number("ports", 1, 16)
    port_bytes: int = _number("B/clk", 64, 64)
    vector_units: int = _number("units", 1, 16)
    vector_lanes: int = _number("lanes", 16, 16)
    matrix_units: int = _number("units", 1, 16)
    matrix_rows: int = _number("rows", 8, 8)
    matrix_cols: int = _number("columns", 8, 8)
    matrix_depth: int = _number("depth", 4, 4)


@dataclass(frozen=True)
class Mesh(Group):
    """The network between the nodes of a die."""

    link_bytes: int = _number("B/clk", 1, 4096)
    packet_bytes: int = _number("B", 1, 4096)
    hop_cycles: int = _number("clk", 1, 1000)
    virtual_channels: int = _number("layers a link", 2, 16)
    usable_share: float = _number("of a link", 0.01, 1)
    negotiated_share: float = _number("of a link", 0.01, 1)
    pace: float = _number("x the busiest link's load", 0, 100)
    message_cycles: int = _number("clk", 0, 100000)
    entry_cycles: int = _number("clk", 1, 100000)


@dataclass(frozen=True)
class Sync(Group):
    """Latency of semaphores and barriers."""

    semaphore_cycles: int = _number("clk", 1, 100000)
    node_barrier_cycles: int = _number("clk", 1, 100000)
    region_barrier_cycles: int = _number("clk", 1, 1000000)


@dataclass(frozen=True)
class Die(Group):
    """The node grid of one die, its dead positions, and the crossing to the next die."""

    rows: int = _number("rows", 1, 4096)
    cols: int = _number("columns", 1, 4096)
    dead: tuple[Position, ...] = _other("positions")
    edge_bytes_per_s: float = _number("B/s", 1)
    edge_ns: float = _number("ns", 0, 1e6)
    uniform_border: bool = _other("flag")


@dataclass(frozen=True)
class System(Group):
    """How many dies: a grid of dies in a training tile, of training tiles in a tray, and trays."""

    die_rows: int = _number("dies", 1, 64)
    die_cols: int = _number("dies", 1, 64)
    training_tile_rows: int = _number("training tiles", 1, 64)
    training_tile_cols: int = _number("training tiles", 1, 64)
    training_tile_edge_bytes_per_s: float = _number("B/s", 1)
    trays: int = _number("trays", 1, 1024)


@dataclass(frozen=True)
class Dips(Group):
    """Interface processors with HBM, attached in equal bands of nodes along one edge or two."""

    count: int = _number("DIPs", 0, 4096)
    edge: str = _other("edge")
    hbm_bytes: int = _number("B", 1)
    hbm_bytes_per_s: float = _number("B/s", 1)
    mesh_bytes_per_s: float = _number("B/s", 1)
    hbm_ns: float = _number("ns", 0, 1e6)
    ethernet_bytes_per_s: float = _number("B/s", 1)
    pcie_bytes_per_s: float = _number("B/s", 1)


GROUPS: dict[str, type[Group]] = {
    "node": Node,
    "mesh": Mesh,
    "sync": Sync,
    "die": Die,
    "system": System,
    "dips": Dips,
}


@dataclass(frozen=True)
class Fact:
    """Where a number is from."""

    key: str
    origin: str
    note: str

    def __post_init__(self) -> None:
        if self.origin not in ORIGINS:
            raise TargetError(
                f"{self.key} has no valid origin",
                numbers=f"have {self.origin!r}",
                help=f"one of {', '.join(ORIGINS)}",
            )


@dataclass(frozen=True)
class Target:
    """A machine. Node ids are row * cols + col in the grid of all dies of a tray, row-major."""

    name: str
    description: str
    node: Node
    mesh: Mesh
    sync: Sync
    die: Die
    system: System
    dips: Dips
    facts: tuple[Fact, ...]
    defect_nodes: tuple[Position, ...] = ()
    defect_links: tuple[Link, ...] = ()

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        """Found once: what is remembered of a target is looked up very often."""
        return hash(tuple(getattr(self, each.name) for each in fields(self)))

    def __post_init__(self) -> None:
        keys = [f"{group}.{item.name}" for group, kind in GROUPS.items() for item in fields(kind)]
        missing = set(keys) ^ {fact.key for fact in self.facts}
        if missing:
            raise TargetError(f"target {self.name}: origins and fields differ: {sorted(missing)}")
        if self.positions > LARGEST_GRID:
            raise TargetError(
                f"target {self.name} has too many nodes",
                numbers=f"{self.rows} x {self.cols} positions, at most {LARGEST_GRID}",
            )
        for row, col in self.die.dead:
            if row >= self.die.rows or col >= self.die.cols:
                raise TargetError(
                    f"die.dead names position [{row}, {col}] outside the die",
                    numbers=f"the die has {self.die.rows} x {self.die.cols} positions",
                )
        for row, col in [*self.defect_nodes, *(end for link in self.defect_links for end in link)]:
            if not (0 <= row < self.rows and 0 <= col < self.cols):
                raise TargetError(
                    f"defects name position [{row}, {col}] outside the node grid",
                    numbers=f"the grid has {self.rows} x {self.cols} positions",
                )
        for (row, col), (other_row, other_col) in self.defect_links:
            if abs(row - other_row) + abs(col - other_col) != 1:
                raise TargetError(
                    f"defect link [{row}, {col}] - [{other_row}, {other_col}] is no mesh link",
                    help="the two ends of a link are neighbours",
                )
        if len(self.dead) >= self.positions:
            raise TargetError(f"target {self.name} has no live node")

    @property
    def rows(self) -> int:
        """Rows of the whole node grid."""
        return self.die.rows * self.system.die_rows * self.system.training_tile_rows

    @property
    def cols(self) -> int:
        """Columns of the whole node grid."""
        return self.die.cols * self.system.die_cols * self.system.training_tile_cols

    @property
    def positions(self) -> int:
        return self.rows * self.cols

    @property
    def dead(self) -> tuple[int, ...]:
        """Ids of all dead nodes, ascending: the map of every die, and the defects."""
        rows = range(0, self.rows, self.die.rows)
        cols = range(0, self.cols, self.die.cols)
        places = {(a + r, b + c) for a in rows for b in cols for r, c in self.die.dead}
        return tuple(sorted(r * self.cols + c for r, c in places | set(self.defect_nodes)))

    def live(self) -> np.ndarray:
        """Boolean [rows, cols]: which nodes work."""
        mask = np.ones(self.positions, bool)
        mask[list(self.dead)] = False
        return mask.reshape(self.rows, self.cols)

    def live_nodes(self) -> np.ndarray:
        """Ids of the nodes that work, ascending."""
        return np.flatnonzero(self.live()).astype(np.int64)

    def node_id(self, row: int, col: int) -> int:
        return row * self.cols + col

    def position(self, node: int) -> Position:
        """(row, col) of a node id."""
        return divmod(int(node), self.cols)

    def dip_nodes(self, dip: int) -> np.ndarray:
        """Ids of the live nodes along the DIP edge through which DIP number `dip` is reached.

        With two edges the first half of the DIPs is on the first, each numbered along its edge.
        """
        if not 0 <= dip < self.dips.count:
            raise TargetError(
                f"target {self.name} has no DIP {dip}", numbers=f"it has {self.dips.count}"
            )
        ids = np.arange(self.positions).reshape(self.rows, self.cols)
        sides = {"west": ids[:, 0], "east": ids[:, -1], "north": ids[0], "south": ids[-1]}
        edges = self.dips.edge.split("+")
        halves = np.array_split(np.arange(self.dips.count), len(edges))
        edge = next(number for number, half in enumerate(halves) if dip in half)
        side, count, place = sides[edges[edge]], len(halves[edge]), dip - int(halves[edge][0])
        first, last = len(side) * place // count, len(side) * (place + 1) // count
        band = side[first : max(last, first + 1)]
        usable = band[self.live().reshape(-1)[band]]
        if not len(usable):
            raise TargetError(
                f"every node at the edge of DIP {dip} of target {self.name} is dead",
                numbers=f"nodes {band.tolist()} along the {edges[edge]} edge",
            )
        return usable

    def fact(self, key: str) -> Fact:
        """Origin and note of a field, as "node.sram_bytes"."""
        for fact in self.facts:
            if fact.key == key:
                return fact
        raise TargetError(f"target {self.name} has no field {key!r}")

    def origin(self, key: str) -> str:
        return self.fact(key).origin

    def with_dead(self, nodes: Iterable[int | Position] = (), links: Iterable[Link] = ()) -> Target:
        """This machine with more dead nodes (ids or (row, col)) and links ((row, col) pairs)."""
        places = {
            (int(item[0]), int(item[1])) if isinstance(item, tuple | list) else self.position(item)
            for item in nodes
        }
        pairs = {tuple(sorted((int(end[0]), int(end[1])) for end in link)) for link in links} | set(
            self.defect_links
        )
        places |= set(self.defect_nodes)
        return replace(self, defect_nodes=tuple(sorted(places)), defect_links=tuple(sorted(pairs)))
