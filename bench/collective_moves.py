"""Broadcast, reduce, all-to-all and transpose as mesh modules, with their bounds.

They are no ops of their own: an all-to-all and a transpose are exchanges; a broadcast is an
exchange from one node to shards, then an all-gather; a reduce is a reduce-scatter, then an exchange
of the shards to one node. So the last two move the vector through a port twice where the bound
counts it once.
"""

from __future__ import annotations

import numpy as np

from dojocc.runtime.target import Target
from dojocc.runtime.timing import TimingResult

MOVES = ("broadcast", "reduce", "all_to_all", "transpose")
ROUTELESS = ("port", "cut", "latency")
"""Terms of an exchange's bound that hold for all routes."""
LINE_ELEMENTS = 16
Pair = tuple[int, int]
Types = tuple[str, str]


def moves_text(kind: str, grid: Pair, elements: int) -> str:
    """A mesh module of one of MOVES over all nodes of a grid, FP32, `elements` a node (at least).

    The one node that has the vector is the first.
    """
    match kind:
        case "broadcast" | "reduce":
            return one_node(kind, grid, elements)
        case "all_to_all":
            return all_to_all(grid, elements)
        case "transpose":
            return transpose(grid, elements)
    raise ValueError(f"no collective is called {kind}")


def tensor(grid: Pair, *dims: str) -> str:
    shape = "x".join(dim.split()[0] for dim in dims)
    layout = f"#mesh.layout<FP32, grid {grid[0]} x {grid[1]}, [{', '.join(dims)}]>"
    return f"tensor<{shape}xf32, {layout}>"


def exchange(given: str, types: Types, plain: Types, body: str = "", result: str = "%a") -> str:
    """One exchange between types; `plain` are those of its region, whose result is `result`."""
    return (
        f'mesh.exchange {given} {{kind = "reshard", bytes = 0, cycles = 0, zero_dims = [],'
        f' loc = "it"}} : ({types[0]}) -> {types[1]} {{\n  ^bb0(%a: {plain[0]}):\n{body}'
        f"    nn.yield {result} : {plain[1]}\n  }}\n"
    )


def one_node(kind: str, grid: Pair, elements: int) -> str:
    nodes = grid[0] * grid[1]
    size = rounded_up(elements, nodes * LINE_ELEMENTS)
    plain = f"tensor<{size}xf32>"
    one = tensor(grid, f"{size} by row col step {size}")
    shard = tensor(grid, f"{size} by row col step {size // nodes}")
    full, terms = tensor(grid, str(size)), tensor(grid, f"{nodes} by row col step 1", str(size))
    if kind == "broadcast":
        first = exchange("%x", (one, shard), (plain, plain))
        then = f'mesh.all_gather %s {{loc = "it"}} : ({shard}) -> {full}\n'
        return module(one, full, first, then)
    first = f'mesh.reduce_scatter %x {{kind = "sum", loc = "it"}} : ({terms}) -> {shard}\n'
    return module(terms, one, first, exchange("%s", (shard, one), (plain, plain)))


def all_to_all(grid: Pair, elements: int) -> str:
    """Rows of a matrix to columns: every node has something for every other."""
    nodes = grid[0] * grid[1]
    each = max(rounded_up(elements // nodes, LINE_ELEMENTS), LINE_ELEMENTS)
    plain = f"tensor<{nodes}x{nodes * each}xf32>"
    before = tensor(grid, f"{nodes} by row col step 1", str(nodes * each))
    after = tensor(grid, str(nodes), f"{nodes * each} by row col step {each}")
    return module(before, after, exchange("%x", (before, after), (plain, plain)))


def transpose(grid: Pair, elements: int) -> str:
    """A matrix in square blocks, one a node."""
    (rows, cols), side = grid, max(int(elements**0.5) // LINE_ELEMENTS, 1) * LINE_ELEMENTS
    high, wide = rows * side, cols * side
    steps = [
        rounded_up(-(-size // parts), LINE_ELEMENTS) for size, parts in ((wide, rows), (high, cols))
    ]
    before = tensor(grid, f"{high} by row step {side}", f"{wide} by col step {side}")
    after = tensor(grid, f"{wide} by row step {steps[0]}", f"{high} by col step {steps[1]}")
    plain = f"tensor<{high}x{wide}xf32>", f"tensor<{wide}x{high}xf32>"
    body = f"    %t = nn.transpose %a {{permutation = [1, 0]}} : ({plain[0]}) -> {plain[1]}\n"
    return module(before, after, exchange("%x", (before, after), plain, body, "%t"))


def module(before: str, after: str, first: str, then: str = "") -> str:
    names = ("%s", "%y") if then else ("%y", "")
    second = f"  {names[1]} = {then}" if then else ""
    return (
        f"builtin.module {{ func.func @main(%x: {before}) -> {after} {{\n"
        f"  {names[0]} = {first}{second}  func.return %y : {after}\n}} }}\n"
    )


def rounded_up(value: int, unit: int) -> int:
    return -(-value // unit) * unit


def given_and_wanted(kind: str, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers for a collective's input of a shape, and what must come out."""
    given = np.random.default_rng(0).integers(-99, 99, shape).astype(np.float32)
    if kind in ("all_reduce", "reduce_scatter", "reduce"):
        return given, given.sum(0)
    return given, given.T if kind == "transpose" else given


def moves_bound(kind: str, target: Target, size: int, across: float, timed: TimingResult) -> int:
    """Cycles that no schedule beats: a port and the way across the mesh, or for an exchange the
    ports, straight cuts and ways that what it moves needs whatever its routes."""
    if kind in ("broadcast", "reduce"):
        packet = target.mesh.packet_bytes
        return round(size / packet / target.node.mesh_write_ports + across)
    terms = [item.bounds[name] for item in timed.record.exchanges for name in ROUTELESS]
    return round(max(terms))
