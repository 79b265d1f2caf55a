"""Pass `route`: exchanges become transfer lists with addresses, and get their semaphores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.location import describe
from dojocc.dialects.tile import AllocOp, CollectiveOp, ExchangeOp
from dojocc.passes.base import Pass
from dojocc.passes.collective_steps import SENT, Steps, lists_numbered, steps_of
from dojocc.passes.liveness import Schedule, schedule, the_program
from dojocc.passes.parameters import counts, table_of
from dojocc.passes.relay_steps import RelaySteps, relay_of
from dojocc.passes.route_dram import load_entries
from dojocc.passes.route_rows import CLASS, bounds, pairs, pushes
from dojocc.passes.route_semaphores import number_semaphores
from dojocc.passes.solve.collective_routes import collective_routes
from dojocc.passes.solve.folding import folded
from dojocc.passes.solve.grid import logical_grid
from dojocc.passes.solve.peers import merged
from dojocc.passes.solve.routing import hard_ends
from dojocc.passes.solve.routing_choice import Transfers, most_flows, route_lists
from dojocc.passes.target_of import target_of
from dojocc.runtime.errors import InputError
from dojocc.runtime.lists import ENTRY_DTYPE, LIST_DTYPE, PUSH
from dojocc.runtime.mesh.ends import list_ends
from dojocc.runtime.mesh.tables import RouteTable
from dojocc.runtime.segments import STRIDED, reach, spelt
from dojocc.runtime.target import Target
from dojocc.runtime.whole_rows import joined, picked

LISTS = "lists"
"""Resource key of the program's transfer lists."""
ROUTES, LIST_SETS = "routes.legs", "routes.lists"
"""Resource keys of the two arrays of the program's route table."""
SIDES = {"src": "source", "dst": "destination"}
SHAPE = tuple(name for name, _ in STRIDED)
"""Fields that a list entry takes from its segment as they are."""


@dataclass(frozen=True)
class Route(Pass):
    """Turn exchanges into transfer lists.

    Takes: form tile with addresses; the context has a target.

    Leaves: form tile, every tile.exchange with its semaphore, the lists as resource 'lists', and
    the route table as 'routes.legs' and 'routes.lists'.

    How:
    1. Exchanges under way at the same time get different semaphores. One may be used again as soon
    as
       its exchange has been waited for: nobody starts the next exchange on it before this node has
       come to that one's barrier, which lies behind the wait.
    2. A segment becomes a push entry of its source node: buffer addresses are added, and the
       exchange's semaphore rises at both ends when the entry is done. One of a load becomes a DRAM
       load entry of its node, from the nearest DIP (passes/route_dram.py).
    3. Entries of one node that differ only in their peer become one, where the peers are in
       arithmetic progression. Semaphores rise as if they stood alone, so waits do not change.
    4. Entries of all nodes are folded into rows, of which there are about as many on any number of
       nodes (solve/folding.py), those of exchanges with equal tables once. Nodes start their
       entries in the order that runtime/lists.py gives.
    5. Every entry stays inside its buffers, and every pair of nodes that talks has a route on the
       mesh: x, then y, or else by rows of the route table: round what is dead (solve/routing.py),
       or round crowded links where that is modelled faster (solve/routing_choice.py), or, for
       collectives, with the load beside what is dead spread out (solve/collective_routes.py).

    Fails: DoesNotFit when more exchanges are under way than there are semaphores; InputError on a
    segment outside its buffers, or between nodes that no route joins.
    """

    name = "route"
    takes: ClassVar[str] = "tile"
    leaves: ClassVar[str] = "tile"

    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:
        target = target_of(ctx, self.name)
        plan = schedule(the_program(op))
        number_semaphores(plan, target, ctx.resources)
        nodes = grid_nodes(plan, target)
        made = self.lists(ctx, plan, target, nodes)
        table = made.routes(target, nodes)
        rows = made.rows(plan.program.shape[1])
        ctx.resources |= {LISTS: rows, ROUTES: table.legs, LIST_SETS: table.lists}

    def lists(self, ctx: DojoContext, plan: Schedule, target: Target, nodes: np.ndarray) -> Lists:
        """What all that moves puts in lists."""
        made = Lists()
        for each in plan.moving:
            if isinstance(each, CollectiveOp):
                steps = steps_of(ctx.resources, each, len(nodes))
                made.spelt += collective_lists(each, steps)
                made.steps.update(lists_numbered(each))
                continue
            relay = relay_of(ctx.resources, each, len(nodes))
            if relay is not None:
                made.relay(each, relay, nodes, plan.program.shape[1])
                continue
            table = table_of(ctx.resources, each)
            if not len(table):
                continue
            sizes = source_sizes(each, ctx.resources)
            if not bounds(table).within(len(nodes), sizes, buffer_bytes(each.destination)):
                check_segments(each, spelt(table, len(nodes)), len(nodes), sizes)
            if each.resource is not None:
                segments = spelt(table, len(nodes))
                address = buffer_address(each.destination)
                made.spelt.append(load_entries(each, segments, target, nodes, address))
                continue
            sources = [buffer_address(value) for value in each.sources]
            offsets = tuple(address - min(sources) for address in sources)
            rows = pushes(table, plan.program.shape[1], offsets)
            made.pushed.append(placed(each, rows, min(sources)))
            made.shared.setdefault(id(table), (table, []))[1].append(each.number.value.data)
        return made


@dataclass(eq=False)
class Lists:
    """`pushed`: rows of exchanges; `shared`: tables, by their ids, and the numbers of the lists
    with each. `spelt`: entries of all else. `steps`: numbers of the lists that are collectives'
    steps; their flows are routed as one set. `passed`: by the number of a relay's first list,
    which nodes talk in it [2, pairs]; its links carry about what ports carry.
    """

    pushed: list[np.ndarray] = field(default_factory=list)
    shared: dict[int, tuple[np.ndarray, list[int]]] = field(default_factory=dict)
    spelt: list[np.ndarray] = field(default_factory=list)
    steps: set[int] = field(default_factory=set)
    passed: dict[int, np.ndarray] = field(default_factory=dict)

    def relay(self, op: ExchangeOp, relay: RelaySteps, nodes: np.ndarray, columns: int) -> None:
        """Rows of a relayed exchange, folded by themselves: its entries are millions on a tile."""
        self.pushed.append(folded(joined(ENTRY_DTYPE, relay_lists(op, relay)), columns))
        pairs = np.unique(
            np.concatenate(
                [
                    step.moves["src_node"].astype(np.int64) * len(nodes) + step.moves["dst_node"]
                    for step in relay.steps
                ]
            )
        )
        self.passed[op.number.value.data] = nodes[np.stack(np.divmod(pairs, len(nodes)))]

    def rows(self, columns: int) -> np.ndarray:
        """All rows, by list."""
        entries = joined(ENTRY_DTYPE, self.spelt)
        rows = joined(LIST_DTYPE, [*self.pushed, folded(entries, columns)])
        return picked(rows, np.argsort(rows["list"], kind="stable"))

    def routes(self, target: Target, nodes: np.ndarray) -> RouteTable:
        """The routes of every pair of nodes that talks, where they are not simply x, then y."""
        entries = joined(ENTRY_DTYPE, self.spelt)
        entry, src, dst = list_ends(target, [nodes], entries)
        size = entries["bytes"].astype(np.int64) * entries["count0"] * entries["count1"]
        packets = -(-size // target.mesh.packet_bytes)[entry]
        number = entries["list"][entry].astype(np.int64)
        own = np.isin(number, sorted(self.steps))
        parts = [Transfers(number, src, dst, packets)]
        plain = set(self.passed)
        for table, numbers in self.shared.values():
            flows, small = table_flows(target, nodes, table)
            parts.append(Transfers(np.full(len(flows[0]), numbers[0]), *flows))
            if not small:
                plain.add(numbers[0])
        parts += [
            Transfers(np.full(len(giver), number), giver, reader, np.zeros(len(giver), np.int64))
            for number, (giver, reader) in self.passed.items()
        ]
        number, source, end, amount = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("number", "src", "dst", "packets")
        )
        shared = {numbers[0]: numbers for _, numbers in self.shared.values()}
        routes = route_lists(target, Transfers(number, source, end, amount, shared), plain)
        return collective_routes(target, routes, src[own], dst[own], packets[own])


def table_flows(
    target: Target, nodes: np.ndarray, table: np.ndarray
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], bool]:
    """((source, destination, packets) of the flows of a table, whether they are all): all of few,
    as these may be negotiated about; of many those that may need a row."""
    few = all(
        int(np.count_nonzero(each)) <= most_flows(target) for each in counts(table, len(nodes))
    )
    hard = hard_ends(target)
    marked = (np.ones(len(nodes), bool),) * 2 if few else (hard[0][nodes], hard[1][nodes])
    giver, reader, packets = pairs(table, target.mesh.packet_bytes, *marked)
    return (nodes[giver], nodes[reader], packets), few


def grid_nodes(plan: Schedule, target: Target) -> np.ndarray:
    """Physical node ids of the program's grid, in class order."""
    grid = logical_grid(target)
    if grid.shape != plan.program.shape:
        raise InputError(
            "the program is for another grid than the target has",
            where=f"target {target.name}",
            numbers=f"program {plan.program.shape}, target {grid.shape}",
            help="compile the model again for this target",
        )
    return grid.reshape(-1)


def buffer_address(value: SSAValue) -> int:
    """The address of a buffer of the program."""
    alloc = value.owner
    if not isinstance(alloc, AllocOp) or alloc.address is None:
        name = alloc.label.data if isinstance(alloc, AllocOp) else str(value)
        raise InputError(f"buffer '{name}' has no address", help="run the allocate pass first")
    return alloc.address.value.data


def buffer_bytes(value: SSAValue) -> int:
    alloc = value.owner
    assert isinstance(alloc, AllocOp)
    return alloc.layout.data.bytes  # pyright: ignore[reportAttributeAccessIssue]


def source_sizes(exchange: ExchangeOp, resources: dict[str, np.ndarray]) -> np.ndarray:
    """Bytes of each buffer that the exchange reads; of a load, what lies in DRAM."""
    if exchange.resource is not None:
        return np.array([resources[exchange.resource.data].size * exchange.layout.item], np.int64)
    return np.array([buffer_bytes(value) for value in exchange.sources], np.int64)


def check_segments(
    exchange: ExchangeOp, segments: np.ndarray, nodes: int, sizes: np.ndarray
) -> None:
    """Nodes and operands exist, and every run lies inside its buffers; `sizes` of the sources."""
    where = describe(exchange)
    if not len(segments):
        return
    if segments["operand"].max() >= len(sizes):
        raise InputError(
            "a segment names a source that the exchange does not have",
            where=where,
            numbers=f"operand {segments['operand'].max()} of {len(sizes)}",
        )
    for side in ("src_node", "dst_node"):
        if segments[side].min() < 0 or segments[side].max() >= nodes:
            raise InputError(
                "a segment names a node outside the grid",
                where=where,
                numbers=f"{side} {segments[side].min()}..{segments[side].max()} of {nodes}",
            )
    limits = {
        "src": sizes[segments["operand"]],
        "dst": np.full(len(segments), buffer_bytes(exchange.destination)),
    }
    for side, limit in limits.items():
        low, high = reach(segments, side)
        wrong = (low < 0) | (high > limit)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise InputError(
                f"a segment reaches outside its {SIDES[side]} buffer",
                where=where,
                numbers=f"bytes {low[row]}..{high[row]} of {limit[row]}",
            )


def placed(exchange: ExchangeOp, shared: np.ndarray, lowest: int) -> np.ndarray:
    """The rows of an exchange's list: those of its table, at its buffers (of the sources, `lowest`
    is the lowest address) and with its semaphore."""
    assert exchange.semaphore is not None
    rows = shared.copy()
    rows["src"] += np.uint64(lowest)
    rows["dst"] += np.uint64(buffer_address(exchange.destination))
    rows["list"] = exchange.number.value.data
    rows["far_sem"] = rows["home_sem"] = exchange.semaphore.value.data
    return rows


def relay_lists(op: ExchangeOp, relay: RelaySteps) -> list[np.ndarray]:
    """The entries of a relayed exchange's lists, one list a step and chain.

    An entry raises the step's semaphore where it arrives and END at home.
    """
    assert op.semaphores is not None
    semaphores = [each.value.data for each in op.semaphores]
    return [
        move_entries(op, (op.destination, *op.sources), place, step.moves, semaphores[step.far])
        for place, step in enumerate(relay.steps)
    ]


def collective_lists(op: CollectiveOp, steps: Steps) -> list[np.ndarray]:
    """The entries of a collective's lists, one list a step and chain.

    An entry raises the step's semaphore where it arrives and the one that counts what was sent at
    home.
    """
    assert op.semaphores is not None
    semaphores = np.array([each.value.data for each in op.semaphores])
    return [
        move_entries(op, op.buffers, place, step.moves, semaphores[step.raised])
        for place, step in enumerate(steps.steps)
    ]


def move_entries(
    op: ExchangeOp | CollectiveOp,
    buffers: Sequence[SSAValue],
    place: int,
    moves: np.ndarray,
    far: int | np.ndarray,
) -> np.ndarray:
    """The entries of list `place` of an op, one a move, folded over peers; they raise `far` where
    they arrive (of all or of each), and at home the first of the op's semaphores."""
    assert op.semaphores is not None
    check_moves(op, buffers, moves)
    addresses = np.array([buffer_address(value) for value in buffers], np.int64)
    rows = np.zeros(len(moves), ENTRY_DTYPE)
    rows["list"] = op.number.value.data + place
    rows["cls"] = rows["peer_cls"] = CLASS
    rows["kind"] = PUSH
    rows["node"], rows["peer"] = moves["src_node"], moves["dst_node"]
    rows["peers"] = rows["peer_stride"] = 1
    rows["src"] = moves["src"] + addresses[moves["source"]]
    rows["dst"] = moves["dst"] + addresses[moves["destination"]]
    for name in SHAPE:
        rows[name] = moves[name]
    rows["far_sem"], rows["home_sem"] = far, op.semaphores.data[SENT].value.data
    return merged(rows)


def check_moves(
    op: ExchangeOp | CollectiveOp, buffers: Sequence[SSAValue], moves: np.ndarray
) -> None:
    """Every move stays inside its buffers."""
    sizes = np.array([buffer_bytes(value) for value in buffers], np.int64)
    for side, buffer in (("src", "source"), ("dst", "destination")):
        low, high = reach(moves, side)
        wrong = (moves[buffer] >= len(sizes)) | (low < 0)
        wrong |= high > sizes[np.minimum(moves[buffer], len(sizes) - 1)]
        if wrong.any():
            row = int(np.argmax(wrong))
            raise InputError(
                f"a move of {op.name} reaches outside its {SIDES[side]} buffer",
                where=describe(op),
                numbers=f"bytes {low[row]}..{high[row]} of buffer {moves[buffer][row]},"
                f" buffers of {sizes.tolist()} B",
            )
