"""Estimated cycles of an exchange whose readers pass on what they read, from two layouts alone.

Nodes that differ only along axes which shard the source, but not the destination, read the same:
they are a group, a line along each such axis. Their bytes are parted evenly, each takes its part,
and parts go round one axis and then the other, as in relay_choice.py, which models the same from
segments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

from dojocc.passes.solve.traffic_loads import Traffic
from dojocc.runtime.axes import SIDE
from dojocc.runtime.layout import Layout

LONG = 24
"""Members from which lines are also gone along in parts."""
CUTS = 2
"""Numbers of parts that are tried."""


@dataclass(frozen=True)
class Relaying:
    """What the estimate needs of a target: bytes a cycle of a link, cycles from the start of a list
    to the start of the next besides hops and bytes, cycles a hop, how many times longer a link is
    held beside a dead node, how many times the cycles of pushes a relay may take; rows and columns
    of a die, and what a hop to the next takes more."""

    link_bytes: int
    latency: int
    hop: int
    detour: float
    worth: float
    die: tuple[int, int] = (1 << 30, 1 << 30)
    crossing: int = 0


@dataclass(frozen=True)
class Line:
    """Members along one axis of a group: how many, how many nodes from one to the next, and
    whether it goes from row to row (0) or from column to column (1)."""

    size: int
    gap: int
    side: int


def lines_of(src: Layout | None, dst: Layout) -> list[Line]:
    """The lines along which nodes read the same bytes from the same holders.

    Along an axis that shards nothing of the source either, each node takes from copies in its own
    row or column: such readers have no holder in common.
    """
    found = []
    for side in (0, 1):
        size = dst.grid[side]
        read = digits_of(dst, side)
        held = {"outer", "inner"} if src is None else digits_of(src, side)
        split = dst.split[side]
        if src is not None and not read and len(held) == 1:
            split = src.split[side]
        free = held - read
        if free == {"outer", "inner"}:
            found.append(Line(size, 1, side))
        elif free == {"inner"}:
            found.append(Line(size // split, 1, side))
        elif free == {"outer"}:
            found.append(Line(split, size // split, side))
    return [line for line in found if line.size > 1]


def digits_of(layout: Layout, side: int) -> set[str]:
    """Which digits of its rows (side 0) or columns a layout shards over."""
    found: set[str] = set()
    for dim in layout.dims:
        for axis in dim.axes if dim.step else ():
            if SIDE[axis] == side:
                digit = axis.partition("_")[0]
                found |= {digit} if digit in ("outer", "inner") else {"outer", "inner"}
    return found


def gathers(src: Layout, dst: Layout, lines: Sequence[Line]) -> bool:
    """True where the members of a group hold what the group reads, in even parts."""
    if src.split != dst.split and dst.split != (1, 1):
        return False
    size = 1
    for held, read in zip(src.dims, dst.dims, strict=True):
        if read.axes and (read.axes != held.axes[: len(read.axes)] or not held.axes):
            return False
        if read.step and held.axes == read.axes and held.step != read.step:
            return False
        size *= max(1, -(-read.extent // held.step)) if held.step and held.axes != read.axes else 1
    members = 1
    for line in lines:
        members *= line.size
    return size * 2 > members


def relayed_cycles(
    src: Layout | None, dst: Layout, plain: bool, found: Traffic, relaying: Relaying
) -> float | None:
    """Cycles behind the barrier, or None where no nodes read the same. `plain`: elements keep their
    index; `found`: what pushes would load."""
    lines = lines_of(src, dst)
    if not lines or not found.bytes:
        return None
    members = 1
    for line in lines:
        members *= line.size
    each = dst.bytes / members / relaying.link_bytes
    ways = [round_trip(order, each, relaying) for order in permutations(lines)]
    if len(lines) > 1:
        ways.append(both_ways(lines, each, relaying))
    passed = min(ways)
    if plain and src is not None and gathers(src, dst, lines):
        return passed
    taken = max(found.port, found.link * relaying.detour) / members / relaying.link_bytes
    return taken + relaying.latency + sum(found.hops) * relaying.hop + passed


def round_trip(lines: Sequence[Line], block: float, relaying: Relaying) -> float:
    """Cycles of going along all lines, one after another, with blocks that grow."""
    total = 0.0
    for line in lines:
        total += along(line, block, relaying)
        block *= line.size
    return total


def both_ways(lines: Sequence[Line], block: float, relaying: Relaying) -> float:
    """Cycles where half of the bytes go along the lines in one order and half in the other, so that
    every link carries half of what goes along its line. All lines are rings."""
    first, second = lines
    rounds = max(first.size, second.size) - 1
    total = 0.0
    for second_phase in (False, True):
        # In the second phase each half has come together along the other line.
        blocks = [block / 2 * (each.size if second_phase else 1) for each in (second, first)]
        alone = [
            max(half * (line.gap + relaying.detour - 1), half + step_of(line, relaying))
            for line, half in zip(lines, blocks, strict=True)
        ]
        total += rounds * max(*alone, sum(blocks))
    return total


def step_of(line: Line, relaying: Relaying) -> float:
    """Cycles from one step of a ring to the next besides its bytes."""
    border = 2 * line.gap / relaying.die[line.side] * relaying.crossing
    return relaying.latency + 2 * line.gap * relaying.hop + border


def along(line: Line, block: float, relaying: Relaying) -> float:
    """Cycles of going along a line: whole, or from part to part and then inside the parts."""
    ways = [once(line, block, relaying)]
    for parts in parts_of(line.size):
        inner = line.size // parts
        far = Line(parts, line.gap * inner, line.side)
        near = Line(inner, line.gap, line.side)
        ways.append(once(far, block, relaying) + once(near, block * parts, relaying))
    return min(ways)


def parts_of(size: int) -> list[int]:
    """Parts that a long line may be cut into, those with the fewest steps first."""
    if size < LONG:
        return []
    able = [parts for parts in range(2, size) if size % parts == 0]
    return sorted(able, key=lambda parts: (parts + size // parts, parts))[:CUTS]


def once(line: Line, block: float, relaying: Relaying) -> float:
    """Cycles of going round a line as a ring, or of pushing everything along it at once."""
    step = step_of(line, relaying)
    spare = relaying.detour - 1
    ring = (line.size - 1) * max(block * (line.gap + spare), block + step)
    middle = line.size // 2 * (line.size - line.size // 2) * line.gap
    pushed = max(line.size - 1, middle + spare * (line.size // 2) * (line.size - 1))
    return min(ring, block * pushed + step)
