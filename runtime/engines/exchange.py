"""What one transfer list does to a class's memory: rows of the target, made once for all nodes that
receive the same.

Entries that go to the same peers are a bundle; nodes that receive the same bundles, from sources
of the same rows, hold the same bytes afterwards. That is decided from the entries alone, and the
bytes are then moved once for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dojocc.runtime.engines.grouping import Grouping, Groupings, label
from dojocc.runtime.engines.memory import LINE, Memory, Part, frame
from dojocc.runtime.layout import evenly

FIELDS = ("src", "dst", "bytes", "count0", "src_stride0", "dst_stride0")
FIELDS += ("count1", "src_stride1", "dst_stride1")


@dataclass(frozen=True, eq=False)
class Block:
    """Granules from one source to the rows of the target: `written` None means all, in order."""

    source: int
    granule: int
    read: np.ndarray
    written: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Recipe:
    """How bytes [start, stop) of the target are made.

    `grouping`: its rows afterwards; those of nodes `begin`, not written over entirely, begin
    with what these nodes held. `in_place`: the rows are the ones there are.
    """

    start: int
    stop: int
    origin: int
    grouping: Grouping
    begin: np.ndarray
    in_place: bool
    blocks: tuple[Block, ...]


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


def reach(fields: dict[str, np.ndarray], end: str) -> tuple[np.ndarray, np.ndarray]:
    """[low, high) of the bytes each entry touches at its `end` ("src" or "dst")."""
    low = fields[end]
    high = low + fields["bytes"]
    for number in "01":
        step = (fields[f"count{number}"] - 1) * fields[f"{end}_stride{number}"]
        low, high = low + np.minimum(step, 0), high + np.maximum(step, 0)
    return low, high


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


def members(owner: np.ndarray, member: np.ndarray, owners: int) -> list[bytes]:
    """For each owner the set of its members, as bytes that are equal for equal sets."""
    width = int(member.max(initial=0)) + 1
    pairs = np.unique(owner * width + member)
    owner, member = np.divmod(pairs, width)
    ends = np.searchsorted(owner, np.arange(owners + 1))
    raw = member.tobytes()
    return [raw[8 * a : 8 * b] for a, b in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)]


def numbered(keys: list[bytes]) -> tuple[np.ndarray, list[bytes]]:
    """(number of every key, the distinct keys)."""
    known: dict[bytes, int] = {}
    numbers = [known.setdefault(key, len(known)) for key in keys]
    return np.array(numbers, np.int64), list(known)


def signatures(moves: Moves, kinds: np.ndarray, nodes: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """(signature of every node, kinds of entry that each signature receives)."""
    bundle, first = label([moves.peer, moves.peers, moves.stride])
    of_bundle, bundles = numbered(members(bundle, kinds, len(first)))
    peers = moves.peers[first]
    number = np.arange(int(peers.sum())) - np.repeat(np.cumsum(peers) - peers, peers)
    every = np.repeat(np.arange(len(first)), peers)
    node = moves.peer[first][every] + number * moves.stride[first][every]
    signature, sets = numbered(members(node, of_bundle[every], nodes))
    content = [np.frombuffer(each, np.int64) for each in bundles]
    empty = np.zeros(0, np.int64)
    return signature, [
        np.unique(np.concatenate([content[b] for b in np.frombuffer(s, np.int64)] or [empty]))
        for s in sets
    ]


def granules(fields: dict[str, np.ndarray], granule: int) -> tuple[np.ndarray, ...]:
    """(entry, source byte, target byte) of every granule."""
    per_run = fields["bytes"] // granule
    total = per_run * fields["count0"] * fields["count1"]
    entry = np.repeat(np.arange(len(total)), total)
    step = np.arange(int(total.sum())) - np.repeat(np.cumsum(total) - total, total)
    run, inner = np.divmod(step, per_run[entry])
    outer, middle = np.divmod(run, fields["count0"][entry])

    def place(end: str) -> np.ndarray:
        value = fields[end][entry] + inner * granule
        value += fields[f"{end}_stride0"][entry] * middle
        return value + fields[f"{end}_stride1"][entry] * outer

    return entry, place("src"), place("dst")


def divisor(columns: list[np.ndarray]) -> np.ndarray:
    """Largest power of two up to LINE that divides each row of a table given by columns."""
    low = np.bitwise_or.reduce(np.stack(columns), axis=0)
    return np.where(low == 0, LINE, np.minimum(low & -low, LINE))


def covered_nodes(moves: Moves, nodes: int) -> np.ndarray:
    """Which nodes of the target have every byte of the span written."""
    kinds, first = label([moves.fields[name] for name in FIELDS])
    signature, sets = signatures(moves, kinds, nodes)
    owner = np.repeat(np.arange(len(sets)), [len(s) for s in sets])
    entry = first[np.concatenate(sets)]
    wanted = {name: column[entry] for name, column in moves.fields.items()}
    return is_covered(wanted, owner, len(sets), moves)[signature]


def recipe(
    moves: Moves, sources: list[Part], covered: np.ndarray, old: list[Part], groupings: Groupings
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
    signature, sets = signatures(moves, kinds, groupings.nodes)
    owner = np.repeat(np.arange(len(sets)), [len(s) for s in sets])
    wanted = {name: column[np.concatenate(sets)] for name, column in fields.items()}
    before = groupings.alike
    for part in old:
        before = groupings.join(before, part.grouping)
    was = np.where(covered, 0, before.of)
    of, _ = label([signature, was])
    grouping = groupings.get(of)
    origin, width = frame(moves.start, moves.stop)
    in_place = len(old) == 1 and old[0].owned and same(grouping, before)
    if in_place:
        grouping, origin, width = before, old[0].origin, old[0].buffer.shape[1]
    table = rows_of_signatures(wanted, owner, signature[grouping.first])
    complete = bool(covered.all()) and not in_place
    blocks = all_blocks(table, sources, (origin, width, grouping.count), complete)
    begin = grouping.first[~covered[grouping.first]]
    return Recipe(moves.start, moves.stop, origin, grouping, begin, in_place, blocks)


def same(a: Grouping, b: Grouping) -> bool:
    """True when the two differ only in the order of their rows."""
    return a.count == b.count == len(label([a.of, b.of])[1])


def rows_of_signatures(
    wanted: dict[str, np.ndarray], owner: np.ndarray, given: np.ndarray
) -> dict[str, np.ndarray]:
    """The entries of the signature `given` to each row, one after another; `to`: their row."""
    counts = np.bincount(owner, minlength=int(given.max()) + 1)
    begins = np.cumsum(counts) - counts
    every = np.repeat(np.arange(len(given)), counts[given])
    before = np.cumsum(counts[given]) - counts[given]
    entry = begins[given][every] + np.arange(len(every)) - before[every]
    return {name: column[entry] for name, column in wanted.items()} | {"to": every}


def is_covered(wanted: dict, owner: np.ndarray, count: int, moves: Moves) -> np.ndarray:
    """Which signatures write every byte of the span."""
    size = wanted["bytes"] * wanted["count0"] * wanted["count1"]
    enough = np.bincount(owner, size, count) >= moves.stop - moves.start
    names = ("dst", "bytes", "dst_stride0", "dst_stride1")
    bounds = [np.full(len(owner), v) for v in (moves.start, moves.stop)]
    width = int(divisor([*(wanted[n] for n in names), *bounds]).min(initial=LINE))
    for number in np.flatnonzero(enough):
        chosen = owner == number
        _, _, written = granules({n: c[chosen] for n, c in wanted.items()}, width)
        taken = np.zeros((moves.stop - moves.start) // width, bool)
        taken[(written - moves.start) // width] = True
        enough[number] = taken.all()
    return enough


def all_blocks(
    table: dict[str, np.ndarray],
    sources: list[Part],
    target: tuple[int, int, int],
    complete: bool,
) -> tuple[Block, ...]:
    """Granules by source and size; where there is one of each and the target is new and written
    over entirely, in the target's own order.
    """
    origin, width, rows = target
    names = ("src", "dst", "bytes", "src_stride0", "dst_stride0", "src_stride1", "dst_stride1")
    granule = divisor([table[name] for name in names])
    which, first = label([table["source"], granule])
    found = []
    for number, sample in enumerate(first):
        chosen = which == number
        part, size = sources[int(table["source"][sample])], int(granule[sample])
        fields = {name: column[chosen] for name, column in table.items()}
        entry, read, written = granules(fields, size)
        read = (fields["row"][entry] * part.buffer.shape[1] + read - part.origin) // size
        written = (fields["to"][entry] * width + written - origin) // size
        if complete and len(first) == 1:
            whole = np.zeros(rows * width // size, np.int64)
            whole[written] = read
            return (Block(int(table["source"][sample]), size, whole, None),)
        found.append(Block(int(table["source"][sample]), size, read, written))
    return tuple(found)


def flat(buffer: np.ndarray, granule: int) -> np.ndarray:
    """A buffer's bytes as one row of granules."""
    return buffer.reshape(-1).view(f"u{granule}" if granule <= 8 else f"V{granule}")


def carry_out(recipe: Recipe, sources: list[Part], target: Memory) -> tuple[np.ndarray, list]:
    """(the target's buffer, writes still to be done): sources are read now, and what is written in
    place is written later, when every transfer of the list has been read.
    """
    start, stop = recipe.start, recipe.stop
    if recipe.in_place:
        later, there = [], target.read(start, stop).buffer
        for block in recipe.blocks:
            content = np.take(flat(sources[block.source].buffer, block.granule), block.read)
            later.append((flat(there, block.granule), block.written, content))
        return there, later
    origin, width = frame(start, stop)
    buffer = np.empty((recipe.grouping.count, width), np.uint8)
    if len(recipe.begin):
        rows = evenly(recipe.grouping.of[recipe.begin])
        columns = slice(start - origin, stop - origin)
        if isinstance(rows, slice):
            target.gather(recipe.begin, start, stop, buffer[rows, columns])
        else:
            content = np.empty((len(recipe.begin), stop - start), np.uint8)
            target.gather(recipe.begin, start, stop, content)
            buffer[rows, columns] = content
    for block in recipe.blocks:
        source = flat(sources[block.source].buffer, block.granule)
        if block.written is None:
            np.take(source, block.read, out=flat(buffer, block.granule), mode="clip")
        else:
            flat(buffer, block.granule)[block.written] = source[block.read]
    return buffer, []
