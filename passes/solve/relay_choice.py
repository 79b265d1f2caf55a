"""Whether an exchange is relayed, and how: modelled cycles of its pushes and of every plan.

Takes an exchange's segments and where the grid's nodes are on the machine; gives the table of moves
of the cheapest plan where that is clearly cheaper than pushing everything from its holders.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from dojocc.passes.solve.collective_costs import POST, Costs
from dojocc.passes.solve.leg_loads import busiest_way
from dojocc.passes.solve.relay import ALONG_COLUMN, ALONG_ROW, Phase, Plan, lines_of, relay
from dojocc.passes.solve.relay_estimate import parts_of
from dojocc.passes.solve.relay_groups import Groups, Pieces, find_groups, fold, share_out
from dojocc.passes.solve.segments import moved_bytes
from dojocc.runtime.target import Target

EACH_LIST = 4
"""Cycles that a relay is charged for each of its lists: the program grows by it."""
ALIKE = 1.1
"""How many times the cycles of the quickest way one with fewer list entries may take."""
MANY = 1 << 15
ALIKE_OF_MANY = 1.5
"""The same where members take so many pieces, all of which every step passes on."""
LARGEST_IN_PLACE = 1 << 22
"""Runs of bytes up to which they are put in the order of the destination: each becomes a row."""
ORDERS = ((ALONG_ROW, ALONG_COLUMN), (ALONG_COLUMN, ALONG_ROW))


@dataclass(frozen=True, eq=False)
class Machine:
    """The target, what its transfers cost, and the physical ids of the grid's nodes [nodes]."""

    target: Target
    costs: Costs
    nodes: np.ndarray


@dataclass(frozen=True, eq=False)
class Relay:
    """A table of moves (MOVE_DTYPE), its modelled cycles, and those of pushes in its place."""

    moves: np.ndarray
    cycles: float
    direct: float


def chosen_relay(
    segments: np.ndarray, grid: tuple[int, int], machine: Machine, worth: float
) -> Relay | None:
    """The relay of an exchange, or None where it takes more than `worth` times the cycles of pushes
    from the holders."""
    away = segments[segments["src_node"] != segments["dst_node"]]
    if not len(away):
        return None
    direct = list_cycles(segments, machine)
    groups = find_groups(segments, grid)
    if not len(groups.first):
        return None
    member = np.isin(segments["dst_node"], groups.node)
    orders = (True, False) if runs_read(segments, groups) <= LARGEST_IN_PLACE else (False,)
    ways = [
        best_plan(share_out(segments, groups, by_place), segments[~member], groups, machine)
        for by_place in orders
    ]
    cycles, pieces, plan = min(ways, key=lambda way: way[0])
    if ways[0][0] <= (ALIKE if len(pieces.rows) < MANY else ALIKE_OF_MANY) * cycles:
        cycles, pieces, plan = ways[0]
    if cycles > worth * direct:
        return None
    return Relay(relay(segments, groups, pieces, plan), cycles, direct)


def runs_read(segments: np.ndarray, groups: Groups) -> int:
    """Runs of bytes that one reader of each group takes."""
    rows = segments[np.isin(segments["dst_node"], groups.reader)]
    return int((rows["count0"].astype(np.int64) * rows["count1"]).sum())


def best_plan(
    pieces: Pieces, others: np.ndarray, groups: Groups, machine: Machine
) -> tuple[float, Pieces, Plan]:
    """The cheapest plan for pieces that are shared out so, and its cycles, with what no group
    reads."""
    costs = machine.costs
    begin = costs.semaphore + POST
    if not pieces.local or len(others):
        begin += list_cycles(np.concatenate([pieces.rows, others]), machine)
    _, block = fold(pieces.rows, pieces.member, False)
    number = np.bincount(block, minlength=len(groups.node))
    plans = all_plans(groups)
    each = [plan_cycles(groups, pieces, number, plan, costs) for plan in plans]
    best = int(np.argmin(each))
    return begin + each[best], pieces, plans[best]


def all_plans(groups: Groups) -> list[Plan]:
    """Ways to go along the axes: one chain or two, in one order or in both; long axes whole or in
    parts."""
    axes = [bool((size > 1).any()) for size in (groups.cols, groups.rows)]
    if all(axes):
        chains = [(order,) * count for order in ORDERS for count in (1, 2)]
        chains.append(ORDERS)
    else:
        chains = [(ORDERS[0 if axes[ALONG_ROW] else 1],) * count for count in (1, 2)]
    across, down = ((True, False) if used else (True,) for used in axes)
    found = [Plan(orders, rings) for orders in chains for rings in product(across, down)]
    cuts = [parts_worth(size) for size in (groups.cols, groups.rows)]
    for parts in product(cuts[0], cuts[1]):
        if parts != (1, 1):
            far = [(True, False) if each > 1 else (True,) for each in parts]
            found += [
                Plan(orders, (True, True), parts, rings)
                for orders in chains
                for rings in product(far[0], far[1])
            ]
    return found


def parts_worth(size: np.ndarray) -> tuple[int, ...]:
    """Parts that lines of so many members may be cut into: none, or those that take few steps."""
    longest = int(size.max(initial=1))
    if (size[size > 1] != longest).any():
        return (1,)
    return (1, *sorted(parts_of(longest)))


def plan_cycles(
    groups: Groups, pieces: Pieces, number: np.ndarray, plan: Plan, costs: Costs
) -> float:
    """Modelled cycles of all steps behind the one in which members take their pieces. `number`:
    list entries that pass on what each member takes."""
    load = moved_bytes(pieces.rows)
    load = np.bincount(pieces.member, load, len(groups.node)) / costs.link_bytes / len(plan.orders)
    chains = [chain_phases(groups, load, number, plan.phases(c)) for c in range(len(plan.orders))]
    return sum(phase_cycles(groups, list(side), costs) for side in zip(*chains, strict=True))


@dataclass(frozen=True, eq=False)
class Passing:
    """A phase of a chain: members and nodes from one to the next by group; the largest block of
    each that is passed on, in packets, and its list entries."""

    phase: Phase
    length: np.ndarray
    gap: np.ndarray
    block: np.ndarray
    entries: np.ndarray


def chain_phases(
    groups: Groups, load: np.ndarray, number: np.ndarray, phases: list[Phase]
) -> list[Passing]:
    """The phases of a chain with what they pass on."""
    count, found = len(groups.first), []
    for phase in phases:
        lines = lines_of(groups, phase)
        length, block, entries = np.ones(count), np.zeros(count), np.zeros(count)
        for most, each in ((length, lines.size), (block, load), (entries, number)):
            np.maximum.at(most, groups.of, each)
        apart = 1
        if phase.outer:
            across = groups.cols if phase.axis == ALONG_ROW else groups.rows
            apart = np.maximum(across // np.maximum(length, 1), 1)
        found.append(Passing(phase, length, groups.gaps[:, phase.axis] * apart, block, entries))
        first = np.arange(len(load)) - lines.at * lines.stride
        load, number = (
            np.bincount(first, each, minlength=len(load))[first] for each in (load, number)
        )
    return found


def phase_cycles(groups: Groups, passing: list[Passing], costs: Costs) -> float:
    """Cycles of one phase of all chains side by side, of the slowest group.

    On an axis whose members are `gap` nodes apart, as many groups, or lines of one, lie one between
    the other and share their links.
    """
    count = len(groups.first)
    port, alone, turns = np.zeros((3, count))
    links = np.zeros((2, count))
    for each in passing:
        axis, length, gap = each.phase.axis, each.length, each.gap
        hops = 2 * gap * (costs.hop + costs.crossing / costs.die[1 - axis])
        latency = costs.message + hops + costs.semaphore + POST
        moving = np.maximum(each.block, each.entries * costs.entry)
        spare = costs.detours[1 if axis == ALONG_ROW else 0] - 1
        if each.phase.ring:
            through = np.where(length > 1, moving, 0)
            rounds, crossing = np.maximum(length - 1, 0), through * gap
        else:
            through, rounds = (length - 1) * moving, np.minimum(length - 1, 1)
            crossing = length // 2 * (length - length // 2) * gap * moving
            spare *= length // 2
        port += through
        # Round a dead node the next line's links carry one flow more.
        links[axis] += (crossing + spare * through) / costs.share
        alone = np.maximum(alone, np.where(length > 1, through + latency, 0))
        turns = np.maximum(turns, rounds)
    alone = alone + EACH_LIST * len(passing)
    return float((turns * np.maximum(np.maximum(alone, port), links.max(0))).max(initial=0))


def list_cycles(segments: np.ndarray, machine: Machine) -> float:
    """Modelled cycles of pushing segments at once: the busiest port or link on the routes that they
    would take, or the node with the most entries."""
    target, costs, nodes = machine.target, machine.costs, machine.nodes
    packets = -(-moved_bytes(segments) // costs.link_bytes)
    sides = (segments["src_node"], segments["dst_node"])
    ports = [np.bincount(side, packets, len(nodes)).max(initial=0) for side in sides]
    entries = np.bincount(sides[0], minlength=len(nodes)).max(initial=0) * costs.entry
    src, dst = (nodes[side] for side in sides)
    pairs, member = np.unique(src * target.positions + dst, return_inverse=True)
    load = np.bincount(member.reshape(-1), packets, len(pairs))
    src, dst = np.divmod(pairs, target.positions)
    load, src, dst = load[src != dst], src[src != dst], dst[src != dst]
    busiest, latency = busiest_way(target, src, dst, load)
    moving = max(*ports, busiest / costs.share, entries)
    return float(moving + costs.message + latency)
