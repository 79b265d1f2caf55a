"""`python -m bench collectives`: collectives against their bound, by kind, size and machine.

Modelled cycles of whole programs, timing only, by size; values are checked at the smallest. Each
row is printed as it is measured, with the processor seconds that compiling and timing took. The
bound counts the N nodes of the logical grid that take part: n (N - 1) / (N w) for a gather or
scatter, twice that for an all-reduce, plus the hops across the grid.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from bench.collective_moves import MOVES, given_and_wanted, moves_bound, moves_text
from dojocc.compiler import Options, compile_model
from dojocc.passes.solve.grid import logical_grid
from dojocc.runtime.engines import run
from dojocc.runtime.errors import DojoError
from dojocc.runtime.mesh.routes import flow_set
from dojocc.runtime.program import Program
from dojocc.runtime.target import Target
from dojocc.runtime.targets import load_target
from dojocc.runtime.timing import time_program

SCHEMA = "dojocc.bench.collectives/2"
REDUCTIONS = ("all_reduce", "reduce_scatter", "all_gather")
KINDS = (*REDUCTIONS, *MOVES)
CHECKED_BYTES = 64 << 10
HOLES = 6
LINE_ELEMENTS = 16
BUSY = 0.75
"""Share of the time from which on a resource is said to be what bounds a collective."""
HEADER = """\
| machine | collective | N (of live) | KiB a node | cycles | bound | ratio | bound by | entries \
| compile s | timing s |
|---|---|---|---|---|---|---|---|---|---|---|"""
Pair = tuple[int, int]


@dataclass(frozen=True)
class Row:
    """One collective of `bytes` a node (the whole vector) on the machine called `machine`.

    busiest: share of the time that the busiest port, the busiest link and the vector units work;
    lists: steps of all its chains; compiling, timing: processor seconds of these.
    """

    machine: str
    kind: str
    nodes: int
    live: int
    bytes: int
    cycles: int
    bound: int
    entries: int
    lists: int
    busiest: dict[str, float]
    compiling: float
    timing: float

    @property
    def ratio(self) -> float:
        return self.cycles / self.bound

    @property
    def limit(self) -> str:
        """What bounds it: what is busy most of the time, or else how long steps take."""
        name, share = max(self.busiest.items(), key=lambda item: item[1])
        return (
            f"{name} {share:.0%}" if share >= BUSY else f"{self.lists} steps ({name} {share:.0%})"
        )

    def facts(self) -> dict[str, Any]:
        return asdict(self) | {"ratio": self.ratio, "limit": self.limit}


def module_text(kind: str, grid: Pair, elements: int, dies: Pair = (1, 1)) -> str:
    """A mesh module of one collective over all nodes of a grid, FP32.

    With several dies shards are numbered by the place inside a die first, then by die: so pieces
    are small by the time that they go from die to die.
    """
    nodes, (rows, cols) = grid[0] * grid[1], grid
    step = -(-elements // nodes // LINE_ELEMENTS) * LINE_ELEMENTS

    axes, split = "row col", ""
    if rows % dies[0] == cols % dies[1] == 0 and min(dies) > 1 and kind != "all_reduce":
        axes, split = "inner_row inner_col outer_row outer_col", f" split {dies[0]} x {dies[1]}"

    def tensor(*dims: str) -> str:
        shape = "x".join(dim.split()[0] for dim in dims)
        layout = f"#mesh.layout<FP32, grid {rows} x {cols}{split}, [{', '.join(dims)}]>"
        return f"tensor<{shape}xf32, {layout}>"

    terms = tensor(f"{nodes} by {axes} step 1", str(elements))
    whole, shard = tensor(str(elements)), tensor(f"{elements} by {axes} step {step}")
    before = shard if kind == "all_gather" else terms
    after = shard if kind == "reduce_scatter" else whole
    properties = 'loc = "it"' if kind == "all_gather" else 'kind = "sum", loc = "it"'
    return (
        f"builtin.module {{ func.func @main(%x: {before}) -> {after} {{\n"
        f"  %y = mesh.{kind} %x {{{properties}}} : ({before}) -> {after}\n"
        f"  func.return %y : {after}\n}} }}\n"
    )


def program_of(kind: str, target: Target, size: int) -> Program:
    rows, cols = logical_grid(target).shape
    dies = (target.rows // target.die.rows, target.cols // target.die.cols)
    grid = (int(rows), int(cols))
    if kind in MOVES:
        text = moves_text(kind, grid, size // 4)
    else:
        text = module_text(kind, grid, size // 4, dies)
    program = compile_model(text.encode(), Options(target=target)).program
    assert program is not None
    return program


def bound(kind: str, target: Target, size: int) -> int:
    """Cycles that no schedule beats: a node's port, and the way across the grid."""
    nodes, packet = logical_grid(target).size, target.mesh.packet_bytes
    port = size * (nodes - 1) / (nodes * packet * target.node.mesh_write_ports)
    return round(port * (2 if kind == "all_reduce" else 1) + across(target))


def across(target: Target) -> float:
    """Cycles from corner to corner of the logical grid, were nothing dead."""
    grid = logical_grid(target)
    ends = np.array([grid[0, 0], grid[0, -1]]), np.array([grid[-1, -1], grid[-1, 0]])
    return float(flow_set(without_holes(target), *ends, np.ones(2)).latency.max())


def rounded(size: int, nodes: int) -> int:
    """The next size of which every node's shard is whole lines: nothing is padding."""
    unit = nodes * LINE_ELEMENTS * 4
    return -(-size // unit) * unit


def measure(machine: str, target: Target, kind: str, size: int) -> Row:
    """Modelled cycles of one collective."""
    size = rounded(size, logical_grid(target).size)
    start = time.process_time()
    program = program_of(kind, target, size)
    compiled = time.process_time()
    timed = time_program(program)
    end = time.process_time()
    cycles = timed.cycles
    if kind in MOVES:
        least = moves_bound(kind, target, size, across(target), timed)
    else:
        least = bound(kind, target, size)
    port = max(timed.busiest["mesh_read"], timed.busiest["mesh_write"]) / cycles
    busiest = {"port": port, "link": timed.busiest["links"] / cycles}
    return Row(
        machine,
        kind,
        logical_grid(target).size,
        len(target.live_nodes()),
        size,
        cycles,
        least,
        len(program.entries),
        len(np.unique(program.entries["list"])),
        busiest | {"vector unit": timed.utilization["vector"]},
        compiled - start,
        end - compiled,
    )


def check(target: Target, kind: str, size: int = CHECKED_BYTES) -> None:
    """The collective gives the right numbers: ValueError where it does not."""
    program = program_of(kind, target, size)
    given, wanted = given_and_wanted(kind, program.inputs[0].layout.shape)
    found = run(program, {"arg0": given}).outputs["result0"]
    if not np.array_equal(found, wanted):
        raise ValueError(f"{kind} on {target.name} gives wrong numbers")


def without_holes(target: Target) -> Target:
    whole = replace(target.die, dead=())
    return replace(target, die=whole, defect_nodes=(), defect_links=())


def with_holes(target: Target, count: int, seed: int) -> Target:
    """The target with `count` random nodes dead in place of its own dead ones."""
    rng = np.random.default_rng(seed)
    places = rng.choice(target.positions, count, replace=False)
    return without_holes(target).with_dead(
        [target.position(int(place)) for place in sorted(places)]
    )


def machines() -> dict[str, tuple[Target, bool]]:
    """By name: a target, and whether values are checked on it."""
    die, tile = load_target("d1-die"), load_target("d1-training-tile")
    few = replace(tile, system=replace(tile.system, die_rows=2, die_cols=2))
    return {
        "full die": (without_holes(die), True),
        "d1-die": (die, True),
        "die, 6 random holes": (with_holes(die, HOLES, 1), True),
        "2 x 2 dies": (few, True),
        "d1-training-tile": (tile, False),
    }


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench collectives", description=__doc__)
    parser.add_argument("--kib", type=int, nargs="*", default=[64, 256, 512])
    parser.add_argument("--machine", choices=list(machines()), action="append")
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    rows: list[Row] = []
    failed = False
    table = sys.stderr if options.json else sys.stdout
    print(HEADER, file=table, flush=True)
    for name, (target, checked) in machines().items():
        if options.machine and name not in options.machine:
            continue
        for kind in options.kind or KINDS:
            try:
                if checked:
                    check(target, kind)
                nodes = logical_grid(target).size
                for size in sorted({rounded(kib << 10, nodes) for kib in options.kib}):
                    rows.append(measure(name, target, kind, size))
                    print(table_line(rows[-1]), file=table, flush=True)
            except (DojoError, ValueError) as error:
                failed = True
                print(f"bench: {kind} on {name}: {error}", file=sys.stderr)
    if options.json:
        print(as_json(rows))
    return 1 if failed else 0


def as_json(rows: list[Row]) -> str:
    return json.dumps({"schema": SCHEMA, "rows": [row.facts() for row in rows]}, indent=2)


def table_line(row: Row) -> str:
    return (
        f"| {row.machine} | {row.kind} | {row.nodes} ({row.live}) | {row.bytes >> 10} "
        f"| {row.cycles:,} | {row.bound:,} | {row.ratio:.2f} | {row.limit} "
        f"| {row.entries:,} | {row.compiling:.1f} | {row.timing:.1f} |"
    )
