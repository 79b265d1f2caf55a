"""What one transfer list does to a class's memory: rows of the target, made once for all nodes that
receive the same.

Entries that go to the same peers are a bundle; nodes that receive the same bundles, from sources
of the same rows, hold the same bytes afterwards. That is decided from the entries alone, and the
bytes are then moved once for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from numpy.lib.stride_tricks import as_strided

from dojocc.runtime.engines.covered import Covered
from dojocc.runtime.engines.grouping import Grouping, Groupings, label
from dojocc.runtime.engines.memory import LINE, Memory, Part, frame
from dojocc.runtime.engines.workers import in_pieces
from dojocc.runtime.layout import evenly

FIELDS = ("src", "dst", "bytes", "count0", "src_stride0", "dst_stride0")
MANY, SPARSE = 3, 4  # spans from which on all are one, if that is so many times longer at most
FIELDS += ("count1", "src_stride1", "dst_stride1")


@dataclass(frozen=True, eq=False)
class Block:
    """Copies of one shape: `counts` runs of `item` bytes, `reads` and `writes` bytes apart.

    `read`, `written`: the byte of the source's and of the target's buffer at which each begins, in
    the order of the target's rows; `cut`: a copy with which a row begins, near the middle.
    """

    source: int
    item: int
    counts: tuple[int, ...]
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    read: np.ndarray
    written: np.ndarray
    cut: int


@dataclass(frozen=True, eq=False)
class Recipe:
    """How bytes [start, stop) of the target are made.

    `grouping`: its rows afterwards; those of nodes that are not written over entirely begin with
    what these held: `begin` says which nodes in which spans. `in_place`: the rows are the ones
    there are. `signature`: equal for nodes that are sent the same.
    """

    start: int
    stop: int
    origin: int
    grouping: Grouping
    begin: tuple[tuple[np.ndarray, tuple[tuple[int, int], ...]], ...]
    in_place: bool
    blocks: tuple[Block, ...]
    signature: np.ndarray


@dataclass(frozen=True, eq=False)
class Moves:
    """Entries (int64 by field of FIELDS) that write one span of the target; `node`: whose bytes
    each reads; it writes on nodes `peer` + i x `stride`, i < `peers`; `source`: the span it reads.
    """

    fields: dict[str, np.ndarray]
    node: np.ndarray
    peer: np.ndarray
    peers: np.ndarray
    stride: np.ndarray
    source: np.ndarray
    start: int
    stop: int

    @cached_property
    def bundles(self) -> tuple[np.ndarray, ...]:
        """(bundle of every entry, an entry of every bundle) of entries that go to the same peers,
        and for all of these peers the node and the bundle.
        """
        bundle, first = label([self.peer, self.peers, self.stride])
        every, number = spread(np.zeros_like(first), self.peers[first])
        node = self.peer[first][every] + number * self.stride[first][every]
        return bundle, first, node, every


def hulls(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """As `spans`, but one for all where many lie near each other: each takes time of its own."""
    span, found = spans(low, high)
    whole = found[0][0], found[-1][1]
    near = whole[1] - whole[0] <= SPARSE * sum(b - a for a, b in found)
    return (span * 0, [whole]) if near and len(found) >= MANY else (span, found)


def spans(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """(span of every interval, spans): intervals that overlap or touch are one span."""
    order = np.argsort(low, kind="stable")
    ends = np.maximum.accumulate(high[order])
    opens = np.append(True, low[order][1:] > ends[:-1])
    number = np.empty(len(low), np.int64)
    number[order] = np.cumsum(opens) - 1
    starts = np.flatnonzero(opens)
    stops = np.append(starts[1:], len(low)) - 1
    return number, list(zip(low[order][starts].tolist(), ends[stops].tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class Sets:
    """Sets of numbers: owner i's are `member[begin[i] : begin[i] + count[i]]`, ascending.

    `number[i]`: equal for equal sets, rising with their first owners; `first[n]`: the first owner
    of set number n.
    """

    member: np.ndarray
    begin: np.ndarray
    count: np.ndarray
    number: np.ndarray
    first: np.ndarray

    def of(self, owners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(place in `owners`, member) for all members of these owners' sets."""
        every, index = spread(self.begin[owners], self.count[owners])
        return every, self.member[index]


def spread(begin: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(i, begin[i] + step) for all steps below count[i], for all i."""
    every = np.repeat(np.arange(len(count)), count)
    before = np.cumsum(count) - count
    return every, np.arange(len(every)) + (begin - before)[every]


def sets_of(owner: np.ndarray, member: np.ndarray, owners: int) -> Sets:
    """The set of members of each owner: found equal by a sum over their members, and compared."""
    width = int(member.max(initial=0)) + 1
    owner, member = np.divmod(np.unique(owner * width + member), width)
    count = np.bincount(owner, minlength=owners)
    begin = np.cumsum(count) - count
    mixed = (member.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    sums = np.append(np.uint64(0), np.cumsum((mixed ^ (mixed >> np.uint64(31))) * mixed))
    total = (sums[begin + count] - sums[begin]).view(np.int64)
    number, first = label([count, total])
    other = np.arange(len(member)) + (begin[first[number]] - begin)[owner]
    differs = np.zeros(owners, np.int64)
    differs[owner[member[other] != member]] = 1
    if differs.any():
        number, first = label([number, differs * np.arange(1, owners + 1)])
    order = np.argsort(first)
    return Sets(member, begin, count, np.argsort(order)[number], first[order])


def signatures(moves: Moves, kinds: np.ndarray, nodes: int) -> tuple[np.ndarray, ...]:
    """(signature of every node, and one row for each kind of entry that a signature receives: the
    signature, the kind).
    """
    bundle, first, node, every = moves.bundles
    content = sets_of(bundle, kinds, len(first))
    received = sets_of(node, content.number[every], nodes)
    signature, number = received.of(received.first)
    place, kind = content.of(content.first[number])
    width = int(kind.max(initial=0)) + 1
    owner, kind = np.divmod(np.unique(signature[place] * width + kind), width)
    return received.number, owner, kind


def canonical(fields: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same copies with runs as long as can be, and no strides of loops that turn once."""
    item, inner, outer = fields["bytes"], fields["count0"], fields["count1"]
    steps = {f"{end}{n}": fields[f"{end}_stride{n}"] for end in ("src", "dst") for n in "01"}
    for _ in range(2):
        joined = (steps["src0"] == item) & (steps["dst0"] == item) & (inner > 1) | (inner == 1)
        item = np.where(joined, item * inner, item)
        inner, outer = np.where(joined, outer, inner), np.where(joined, 1, outer)
        for end in ("src", "dst"):
            near = np.where(joined, steps[f"{end}1"], steps[f"{end}0"])
            steps[f"{end}0"] = np.where(inner == 1, 0, near)
            steps[f"{end}1"] = np.where(outer == 1, 0, steps[f"{end}1"])
    return {"item": item, "inner": inner, "outer": outer} | steps


def divisor(columns: list[np.ndarray]) -> np.ndarray:
    """Largest power of two up to LINE that divides each row of a table given by columns."""
    low = np.bitwise_or.reduce(np.stack(columns), axis=0)
    return np.where(low == 0, LINE, np.minimum(low & -low, LINE))


def covered_nodes(moves: Moves, nodes: int) -> Covered:
    """Which bytes of the span every node of the target has written."""
    kinds, first = label([moves.fields[name] for name in FIELDS])
    signature, owner, kind = signatures(moves, kinds, nodes)
    wanted = {name: column[first[kind]] for name, column in moves.fields.items()}
    unit, written = written_units(wanted, owner, int(signature.max()) + 1, moves)
    complete = np.asarray(written.all(1))
    return Covered(moves.start, unit, signature, written, complete[signature])


def recipe(
    moves: Moves, sources: list[Part], covered: Covered, old: list[Part], groupings: Groupings
) -> Recipe:
    """How the target's span is made from sources with these groupings over this old content, of
    which nothing is left on `covered` nodes.
    """
    row = np.zeros(len(moves.node), np.int64)
    for number, part in enumerate(sources):
        chosen = moves.source == number
        row[chosen] = part.grouping.of[moves.node[chosen]]
    columns = [moves.source, row, *(moves.fields[name] for name in FIELDS)]
    kinds, first = label(columns)
    fields = {name: moves.fields[name][first] for name in FIELDS}
    fields |= {"source": moves.source[first], "row": row[first]}
    signature, owner, kind = signatures(moves, kinds, groupings.nodes)
    wanted = {name: column[kind] for name, column in fields.items()}
    before = groupings.alike
    for part in old:
        before = groupings.join(before, part.grouping)
    was = np.where(covered.nodes, 0, before.of)
    of, _ = label([signature, was])
    grouping = groupings.get(of)
    origin, width = frame(moves.start, moves.stop)
    in_place = len(old) == 1 and old[0].owned and same(grouping, before)
    if in_place:
        grouping, origin, width = before, old[0].origin, old[0].buffer.shape[1]
    table = rows_of_signatures(wanted, owner, signature[grouping.first])
    blocks = all_blocks(table, sources, (origin, width))
    begin = covered.left(grouping.first)
    return Recipe(moves.start, moves.stop, origin, grouping, begin, in_place, blocks, signature)


def same(a: Grouping, b: Grouping) -> bool:
    """True when the two differ only in the order of their rows."""
    return a.count == b.count == len(label([a.of, b.of])[1])


def rows_of_signatures(
    wanted: dict[str, np.ndarray], owner: np.ndarray, given: np.ndarray
) -> dict[str, np.ndarray]:
    """The entries of the signature `given` to each row, one after another; `to`: their row."""
    counts = np.bincount(owner, minlength=int(given.max()) + 1)
    every, entry = spread((np.cumsum(counts) - counts)[given], counts[given])
    return {name: column[entry] for name, column in wanted.items()} | {"to": every}


def written_units(
    wanted: dict, owner: np.ndarray, count: int, moves: Moves
) -> tuple[int, np.ndarray]:
    """(bytes of a unit, bool [signatures, units]): which units of the span each writes."""
    names = ("dst", "bytes", "dst_stride0", "dst_stride1")
    bounds = [np.full(1, v) for v in (moves.start, moves.stop)]
    every = np.concatenate([*(wanted[n] for n in names), *bounds])
    unit = int(divisor([np.bitwise_or.reduce(every, keepdims=True)])[0])
    table = {name: wanted[name] for name in FIELDS} | {name: wanted[name] // unit for name in names}
    table |= {f"src_stride{n}": table[f"dst_stride{n}"] for n in "01"}
    width = (moves.stop - moves.start) // unit
    written = table["dst"] - moves.start // unit + owner * width
    taken = np.zeros(count * width, bool)
    for block in alike(table, np.zeros_like(written), written, written, width):
        windows(taken, block.item, block.counts, block.writes)[block.written] = b"\1" * block.item
    return unit, taken.reshape(count, width)


def all_blocks(
    table: dict[str, np.ndarray], sources: list[Part], target: tuple[int, int]
) -> tuple[Block, ...]:
    """The blocks of entries `table` for a target of (origin, width)."""
    origin, width = target
    widths = np.array([part.buffer.shape[1] for part in sources])[table["source"]]
    origins = np.array([part.origin for part in sources])[table["source"]]
    read = table["row"] * widths + table["src"] - origins
    written = table["to"] * width + table["dst"] - origin
    return tuple(alike(table, table["source"], read, written, width))


def alike(
    table: dict[str, np.ndarray],
    source: np.ndarray,
    read: np.ndarray,
    written: np.ndarray,
    width: int,
) -> list[Block]:
    """Entries of one source and shape, block by block; rows of the target have `width` bytes."""
    shape = canonical(table)
    which, first = label([source, *shape.values()])
    order = np.argsort(which, kind="stable")
    ends = np.cumsum(np.bincount(which, minlength=len(first))).tolist()
    found = []
    for sample, begin, end in zip(first.tolist(), [0, *ends], ends, strict=False):
        own = order[begin:end]
        one = {name: int(column[sample]) for name, column in shape.items()}
        loops = [n for n, count in (("1", one["outer"]), ("0", one["inner"])) if count > 1]
        counts = tuple(one["outer" if n == "1" else "inner"] for n in loops)
        reads, writes = (tuple(one[f"{end}{n}"] for n in loops) for end in ("src", "dst"))
        number, rows = int(source[sample]), written[own] // width
        cut = int(np.searchsorted(rows, rows[len(own) // 2]))
        found.append(
            Block(number, one["item"], counts, reads, writes, read[own], written[own], cut)
        )
    return found


def windows(
    flat: np.ndarray, item: int, counts: tuple[int, ...], steps: tuple[int, ...]
) -> np.ndarray:
    """View [byte, *counts] of a row of bytes: what a copy that begins at each byte touches (past
    the row's end too: only copies that end inside may be taken out of it).
    """
    return as_strided(flat[:item].view(f"V{item}"), (len(flat), *counts), (1, *steps))


def carry_out(recipe: Recipe, sources: list[Part], target: Memory) -> tuple[np.ndarray, list]:
    """(the target's buffer, writes still to be done): sources are read now, and what is written in
    place is written later, when every transfer of the list has been read.
    """
    start, stop = recipe.start, recipe.stop
    if recipe.in_place:
        there = target.read(start, stop).buffer
        return there, [
            (placed(there, block), block.written, content_of(block, sources, slice(None)))
            for block in recipe.blocks
        ]
    origin, width = frame(start, stop)
    buffer = np.empty((recipe.grouping.count, width), np.uint8)
    for nodes, kept in recipe.begin:
        rows = evenly(recipe.grouping.of[nodes])
        for low, high in kept:
            columns = slice(low - origin, high - origin)
            if isinstance(rows, slice):
                target.gather(nodes, low, high, buffer[rows, columns])
            else:
                content = np.empty((len(nodes), high - low), np.uint8)
                target.gather(nodes, low, high, content)
                buffer[rows, columns] = content
    for block in recipe.blocks:
        copy_block(block, sources, buffer)
    return buffer, []


def copy_block(block: Block, sources: list[Part], buffer: np.ndarray) -> None:
    """Carry out a block's copies; no two workers write to one row."""
    target = placed(buffer, block)

    def copy(own: slice) -> None:
        target[block.written[own]] = content_of(block, sources, own)

    size = len(block.read) * prod(block.counts) * block.item
    in_pieces(copy, len(block.read), size, block.cut)


def content_of(block: Block, sources: list[Part], own: slice) -> np.ndarray:
    """What some of a block's copies bring: [copies, *counts] items."""
    flat = sources[block.source].buffer.reshape(-1)
    return windows(flat, block.item, block.counts, block.reads)[block.read[own]]


def placed(buffer: np.ndarray, block: Block) -> np.ndarray:
    """Where a block's copies go: [byte, *counts] items of the buffer."""
    return windows(buffer.reshape(-1), block.item, block.counts, block.writes)
