"""Relays: an exchange whose readers pass on what they have read, as a table of moves.

Takes groups of nodes that read the same bytes, and the pieces that each member takes first
(relay_groups.py); gives moves (runtime/segments.py) in chains of steps. Buffer 0 is the exchange's
destination, buffer i + 1 its source i.

In step 0 every member takes its piece from whoever holds it. Then the pieces go round along one
axis of the group, and what has come together on each line goes round along the other, always out of
the destination buffer of a member that has it already:

- ring: a line is gone through at every other member and back at those left out. In turn t the
  member at place i of the ring hands the piece of place i - t to place i + 1. Every link carries
  one flow each way, and a port takes every piece once;
- direct: every member pushes to all others of its line at once, which is one step.

A long axis may be gone through in two phases: first between outer parts of it, from each member to
those at its place in the other parts, then inside the parts. A ring of 95 members takes 94 steps;
five parts of 19 take 4 long ones and 18 short ones.

Chains share the bytes evenly; they may go along the axes in different orders. What no group reads
is pushed by its holder: a chain of one step, the last.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dojocc.passes.solve.relay_groups import Groups, Pieces, cut, fold
from dojocc.runtime.folds import spread
from dojocc.runtime.segments import MOVE_DTYPE, STRIDED
from dojocc.runtime.whole_rows import picked

ALONG_ROW, ALONG_COLUMN = 0, 1


@dataclass(frozen=True)
class Phase:
    """One way along lines of members: the axis; into how many outer parts its lines are cut, and
    whether this goes from part to part (`outer`) or inside them; whether as a ring."""

    axis: int
    parts: int
    outer: bool
    ring: bool


@dataclass(frozen=True)
class Plan:
    """The order of axes for each chain; by axis whether it is gone through as a ring, the outer
    parts that its lines are cut into, and whether as a ring from part to part."""

    orders: tuple[tuple[int, int], ...]
    rings: tuple[bool, bool]
    parts: tuple[int, int] = (1, 1)
    far_rings: tuple[bool, bool] = (True, True)

    def phases(self, chain: int) -> list[Phase]:
        """What a chain does, one after another."""
        found = []
        for axis in self.orders[chain]:
            parts = self.parts[axis]
            if parts > 1:
                found.append(Phase(axis, parts, True, self.far_rings[axis]))
            found.append(Phase(axis, parts, False, self.rings[axis]))
        return found


@dataclass(frozen=True, eq=False)
class Blocks:
    """Segments that go together: those of block b are rows[begin[b] : begin[b] + count[b]]."""

    rows: np.ndarray
    begin: np.ndarray
    count: np.ndarray


@dataclass(frozen=True, eq=False)
class Lines:
    """Members along one axis of their groups: `size` and `at` of every member, and how far one
    place along the axis is in the list of members."""

    size: np.ndarray
    at: np.ndarray
    stride: np.ndarray

    def place(self) -> np.ndarray:
        """Where on the ring members stand."""
        return np.where(self.at % 2 == 0, self.at // 2, self.size - (self.at + 1) // 2)

    def on_ring(self, place: np.ndarray, some: np.ndarray) -> np.ndarray:
        """How far members `some` are from the member at a place of their ring, in members."""
        size = self.size[some]
        place = place % size
        at = np.where(2 * place < size, 2 * place, 2 * (size - place) - 1)
        return (at - self.at[some]) * self.stride[some]

    def beside(self, distance: int, some: np.ndarray) -> np.ndarray:
        """How far members `some` are from the member `distance` on along the line, and round."""
        at = (self.at[some] + distance) % self.size[some]
        return (at - self.at[some]) * self.stride[some]


def lines_of(groups: Groups, phase: Phase) -> Lines:
    """The lines of members that a phase goes along. Lines that its parts do not divide are one
    part."""
    of = groups.of
    place = np.arange(len(of)) - groups.first[of]
    row, col = np.divmod(place, groups.cols[of])
    along = phase.axis == ALONG_ROW
    size, at = (groups.cols[of], col) if along else (groups.rows[of], row)
    stride = np.ones(len(of), np.int64) if along else groups.cols[of]
    inner = np.where(size % phase.parts == 0, size // phase.parts, size)
    if phase.outer:
        return Lines(size // inner, at // inner, stride * inner)
    return Lines(inner, at % inner, stride)


def relay(segments: np.ndarray, groups: Groups, pieces: Pieces, plan: Plan) -> np.ndarray:
    """MOVE_DTYPE rows of a whole exchange; `segments` are its own (SEGMENT_DTYPE)."""
    found = []
    chains = len(plan.orders)
    for number, part in enumerate(parts_of(pieces, len(groups.node), chains)):
        found += chain_moves(groups, part, plan, number)
    member = np.isin(segments["dst_node"], groups.node)
    found.append(moves_of(segments[~member], chains, 0, segments["operand"][~member] + 1))
    return np.concatenate(found)


def parts_of(pieces: Pieces, members: int, chains: int) -> list[Pieces]:
    """The pieces of every member shared out evenly among chains."""
    if chains == 1:
        return [pieces]
    each = np.full(members, chains, np.int64)
    rows, part = cut(pieces.rows, pieces.member, each, np.arange(members) * chains)
    member, chain = np.divmod(part, chains)
    return [
        Pieces(rows[chain == number], member[chain == number], pieces.local)
        for number in range(chains)
    ]


def chain_moves(groups: Groups, pieces: Pieces, plan: Plan, chain: int) -> list[np.ndarray]:
    """The moves of one chain."""
    members = len(groups.node)
    found = [moves_of(pieces.rows, chain, 0, pieces.rows["operand"] + 1)]
    # Pieces that members hold themselves can be sent in the step that copies them.
    step = 0 if pieces.local else 1
    # What a member has by now, named by a member whose piece is in it.
    name = np.arange(members)
    own = blocks_of(pieces.rows, pieces.member, members)
    fresh = True
    for phase in plan.phases(chain):
        lines = lines_of(groups, phase)
        if int(lines.size.max(initial=1)) == 1:
            continue
        blocks = own if fresh else blocks_of(pieces.rows, name[pieces.member], members)
        sources = blocks
        if fresh and pieces.local:
            sources = blocks_of(pieces.rows, pieces.member, members, True)
        step = passed(groups, lines, phase.ring, blocks, sources, name, step, chain, found)
        name = name[np.arange(members) - lines.at * lines.stride]
        fresh = False
    return found


def passed(
    groups: Groups,
    lines: Lines,
    ring: bool,
    blocks: Blocks,
    first: Blocks,
    name: np.ndarray,
    step: int,
    chain: int,
    found: list[np.ndarray],
) -> int:
    """Moves by which the block of every member goes along its line; the step that follows.

    `name`: the block that each member has at first; `first`: the same blocks as they are sent then.
    """
    place = lines.place()
    longest = int(lines.size.max(initial=1))
    for turn in range(longest - 1):
        some = np.flatnonzero(lines.size > turn + 1)
        if ring:
            block = name[some + lines.on_ring((place - turn)[some], some)]
            to = some + lines.on_ring((place + 1)[some], some)
        else:
            block, to = name[some], some + lines.beside(turn + 1, some)
        used = first if turn == 0 or not ring else blocks
        owner, number = spread(used.count[block])
        rows = picked(used.rows, used.begin[block[owner]] + number)
        rows["src_node"], rows["dst_node"] = groups.node[some][owner], groups.node[to][owner]
        buffer = 0 if used is blocks else rows["operand"] + 1
        if used is blocks:
            rows["src"] = rows["dst"]
            for level in "01":
                rows[f"src_stride{level}"] = rows[f"dst_stride{level}"]
        found.append(moves_of(rows, chain, step, buffer))
        step += ring
    return step + (longest > 1 and not ring)


def moves_of(rows: np.ndarray, chain: int, step: int, source: np.ndarray | int) -> np.ndarray:
    """Segments as moves of a step into the destination."""
    moves = np.zeros(len(rows), MOVE_DTYPE)
    moves["chain"], moves["step"], moves["source"] = chain, step, source
    for name in ("dst_node", "src_node", "src", "dst", *(field for field, _ in STRIDED)):
        moves[name] = rows[name]
    return moves


def blocks_of(rows: np.ndarray, block: np.ndarray, count: int, sent: bool = False) -> Blocks:
    """The segments of each block, folded; `sent`: they keep where they are in their sources."""
    folded, block = fold(rows, block, sent)
    order = np.argsort(block, kind="stable")
    number = np.bincount(block, minlength=count)
    return Blocks(picked(folded, order), np.cumsum(number) - number, number)
