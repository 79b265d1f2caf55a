"""Groups of nodes that read the same bytes in an exchange, and which member takes what first.

Takes an exchange's segments and the grid; gives groups whose members are whole rows times columns
of the grid, and for each group pieces: the bytes that all its members read, shared out so that each
member takes about as many from their holders. The members then pass on what they have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dojocc.passes.solve.segments import fold_runs, moved_bytes
from dojocc.runtime.folds import spread
from dojocc.runtime.segments import STRIDED
from dojocc.runtime.whole_rows import joined, picked

LINE = 64
"""Bytes of a packet: runs are cut at multiples of it."""
FINE = 8
"""A segment is cut where its loops turn if a turn is at most this part of a member's share."""
LARGEST_FOLD = 1 << 21
"""Runs up to which segments are folded into fewer."""
EVEN = 1.3
"""What members hold by themselves is taken for their shares where the largest is at most so many
times the average."""
WANTED = ("src_node", "operand", "src", "dst", *(name for name, _ in STRIDED))
"""What two readers' segments must have in common: everything but the reader."""


@dataclass(frozen=True, eq=False)
class Groups:
    """Members of all groups, one group after another, each by row, then column of the grid.

    Group g is node[first[g] : first[g] + rows[g] * cols[g]]. `gaps` [groups, 2]: nodes from one
    member to the next along a row and along a column, the most. `reader`: a member of each group
    whose segments stand for all.
    """

    node: np.ndarray
    first: np.ndarray
    rows: np.ndarray
    cols: np.ndarray
    gaps: np.ndarray

    @property
    def size(self) -> np.ndarray:
        return self.rows * self.cols

    @property
    def reader(self) -> np.ndarray:
        return self.node[self.first]

    @property
    def of(self) -> np.ndarray:
        """The group of every member."""
        return np.repeat(np.arange(len(self.first)), self.size)


@dataclass(frozen=True, eq=False)
class Pieces:
    """SEGMENT_DTYPE rows whose `dst_node` is the member that takes them first, by that member."""

    rows: np.ndarray
    member: np.ndarray
    local: bool
    """True where every member holds its pieces already."""


def mixed(columns: list[np.ndarray]) -> np.ndarray:
    """A 64-bit number for each row of the columns; rows that differ hardly ever share one."""
    total = np.full(len(columns[0]), len(columns), np.uint64)
    for number, column in enumerate(columns):
        total += np.uint64(number * 0x632BE59BD9B4E019 % (1 << 64))
        total = (total ^ column.astype(np.int64).view(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        total ^= total >> np.uint64(29)
        total *= np.uint64(0xBF58476D1CE4E5B9)
        total ^= total >> np.uint64(32)
    return total


def by_sum(key: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """Sums of 64-bit numbers by key, modulo 2**64; key ascending."""
    total = np.zeros(count, np.uint64)
    opens = np.flatnonzero(np.diff(key, prepend=-1))
    if len(key):
        total[key[opens]] = np.add.reduceat(values, opens)
    return total


def find_groups(segments: np.ndarray, grid: tuple[int, int]) -> Groups:
    """Groups of two or more nodes that read exactly the same, each a product of rows and columns.

    Nodes whose needs only look alike by their hash are left out, so a hash cannot make a mistake.
    """
    nodes = grid[0] * grid[1]
    mix = mixed([segments[name] for name in WANTED])
    order = np.lexsort((mix, segments["dst_node"]))
    reader, mix = segments["dst_node"][order].astype(np.int64), mix[order]
    count = np.bincount(reader, minlength=nodes)
    begin = np.cumsum(count) - count
    need = mixed([by_sum(reader, mix, nodes).view(np.int64), count])
    member = np.flatnonzero(count)
    _, one, kind = np.unique(need[member], return_index=True, return_inverse=True)
    same = np.zeros(nodes, np.int64) - 1
    same[member] = kind.reshape(-1)
    stands = np.zeros(nodes, np.int64)
    stands[member] = member[one][kind.reshape(-1)]
    same[differing(segments[order], reader, begin, stands)] = -1
    return products(same, grid)


def differing(
    rows: np.ndarray, reader: np.ndarray, begin: np.ndarray, stands: np.ndarray
) -> np.ndarray:
    """Nodes whose segments are not those of the node that stands for them, both in one order."""
    rank = np.arange(len(rows)) - begin[reader]
    other = np.minimum(begin[stands[reader]] + rank, max(len(rows) - 1, 0))
    wrong = np.zeros(len(rows), bool)
    for name in WANTED:
        wrong |= rows[name] != rows[name][other]
    return np.unique(reader[wrong])


def products(same: np.ndarray, grid: tuple[int, int]) -> Groups:
    """Nodes of one number (negative: none) parted so that each part is rows times columns."""
    node = np.flatnonzero(same >= 0)
    row, col = np.divmod(node, grid[1])
    line = same[node] * grid[0] + row
    order = np.argsort(line, kind="stable")
    lines, first, member = np.unique(line[order], return_index=True, return_inverse=True)
    columns = by_sum(member.reshape(-1), mixed([col[order]]), len(lines))
    width = np.diff(np.append(first, len(node)))
    key = mixed([lines // grid[0], columns.view(np.int64), width])[member.reshape(-1)]
    node, row, col = node[order], row[order], col[order]
    order = np.lexsort((col, row, key))
    node, row, col, key = node[order], row[order], col[order], key[order]
    _, first, group = np.unique(key, return_index=True, return_inverse=True)
    group = group.reshape(-1)
    size = np.diff(np.append(first, len(node)))
    place = np.arange(len(node)) - first[group]
    cols = np.maximum(by_first(row == row[first][group], group, len(first)), 1)
    rows = size // cols
    proper = (col == col[first[group] + place % cols[group]]) & (size == rows * cols)[group]
    proper &= row == row[first[group] + place // cols[group] * cols[group]]
    proper &= same[node] == same[node[first]][group]
    kept = (by_first(~proper, group, len(first)) == 0) & (size > 1)
    inside = kept[group]
    gaps = np.ones((len(first), 2), np.int64)
    for side, line in enumerate((col, row)):
        step = np.diff(line, append=0)
        there = np.append(group[1:] == group[:-1], False) & (step > 0)
        np.maximum.at(gaps[:, side], group[there], step[there])
    begin = np.cumsum(size[kept]) - size[kept]
    return Groups(node[inside], begin, rows[kept], cols[kept], gaps[kept])


def by_first(flags: np.ndarray, group: np.ndarray, count: int) -> np.ndarray:
    return np.bincount(group, flags, count).astype(np.int64)


def shared_segments(segments: np.ndarray, groups: Groups) -> tuple[np.ndarray, np.ndarray]:
    """(segments of each group's reader, the group of each), by group and where they come from."""
    group = np.full(int(segments["dst_node"].max(initial=0)) + 1, -1, np.int64)
    group[groups.reader] = np.arange(len(groups.first))
    chosen = np.flatnonzero(group[segments["dst_node"]] >= 0)
    rows = picked(segments, chosen)
    of = group[rows["dst_node"]]
    order = np.lexsort((rows["dst"], rows["operand"], rows["src_node"], of))
    return picked(rows, order), of[order]


def share_out(segments: np.ndarray, groups: Groups, by_place: bool = False) -> Pieces:
    """Which member takes which bytes from their holders.

    Where the members hold everything themselves, in about equal parts, each takes its own. Else the
    bytes of a group are cut into as many even parts as it has members: in the order of their
    holders, so that parts go to members about where they come from, or `by_place` in the order of
    the destination, so that what is passed on is in few runs.
    """
    rows, of = shared_segments(segments, groups)
    count = len(groups.first)
    holder, held = holders(rows, of, groups)
    size = moved_bytes(rows)
    whole = np.bincount(of, size, count)
    most = np.zeros(count)
    load = np.bincount(holder, np.where(held, size, 0), len(groups.node))
    np.maximum.at(most, groups.of, load)
    everything = np.bincount(of, ~held, count) == 0
    kept = (everything & (most * groups.size <= EVEN * whole))[of]
    rest, of = picked(rows, ~kept), of[~kept]
    if by_place:
        rest, of = in_place(rest, of)
    parts, member = cut(rest, of, groups.size, groups.first)
    if by_place:
        nodes = int(rows["src_node"].max(initial=0)) + 1
        parts, key = fold(parts, member * nodes + parts["src_node"], True)
        member, parts["src_node"] = np.divmod(key, nodes)
    rows = joined(rows.dtype, [picked(rows, kept), parts])
    member = np.concatenate([holder[kept], member])
    order = np.argsort(member, kind="stable")
    rows, member = picked(rows, order), member[order]
    rows["dst_node"] = groups.node[member]
    return Pieces(rows, member, bool((rows["src_node"] == rows["dst_node"]).all()))


def in_place(rows: np.ndarray, of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Single runs by group and place in the destination, and the group of each."""
    rows, owner = runs_of(rows)
    of = of[owner]
    order = np.lexsort((rows["dst"], of))
    return picked(rows, order), of[order]


def holders(rows: np.ndarray, of: np.ndarray, groups: Groups) -> tuple[np.ndarray, np.ndarray]:
    """(the member that holds each segment, whether there is one)."""
    nodes = int(max(rows["src_node"].max(initial=0), groups.node.max(initial=0))) + 1
    keys = groups.of * nodes + groups.node
    order = np.argsort(keys, kind="stable")
    wanted = of * nodes + rows["src_node"]
    place = np.minimum(np.searchsorted(keys[order], wanted), max(len(keys) - 1, 0))
    found = order[place]
    return found, keys[found] == wanted


def cut(
    rows: np.ndarray, of: np.ndarray, shares: np.ndarray, first: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(segments cut so that the bytes of group g are parted into shares[g] even parts, the part of
    each: numbers from first[g] on). `of`: the group of each segment, ascending."""
    whole = np.bincount(of, moved_bytes(rows), len(shares))
    share = np.maximum(whole / np.maximum(shares, 1), 1.0)
    rows, of = opened(rows, of, share)
    outer, inner = rows["count1"] > 1, rows["count0"] > 1
    unit = rows["bytes"].astype(np.int64) * np.where(outer, rows["count0"], 1)
    lines = ~outer & ~inner
    unit[lines] = LINE
    units = np.where(outer, rows["count1"], rows["count0"]).astype(np.int64)
    units[lines] = -(-rows["bytes"][lines].astype(np.int64) // LINE)
    size = moved_bytes(rows)
    before = np.cumsum(size) - size
    opens = np.searchsorted(of, np.arange(len(share)))
    start = before - np.append(before, 0)[np.minimum(opens, len(before))][of]
    part, last = share[of], shares[of] - 1
    low = np.minimum(((start + 0.5 * unit) / part).astype(np.int64), last)
    high = np.minimum(((start + (units - 0.5) * unit) / part).astype(np.int64), last)
    owner, turn = spread(high - low + 1)
    number = low[owner] + turn
    edges = [
        np.clip(np.ceil((each * part[owner] - start[owner]) / unit[owner] - 0.5), 0, units[owner])
        for each in (number, number + 1)
    ]
    begin = np.where(turn == 0, 0, edges[0]).astype(np.int64)
    end = np.where(number == high[owner], units[owner], edges[1]).astype(np.int64)
    filled = end > begin
    owner, begin, end, number = owner[filled], begin[filled], end[filled], number[filled]
    return taken(picked(rows, owner), begin, end), first[of[owner]] + number


def opened(rows: np.ndarray, of: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Segments whose outer loop turns in too large steps become one segment a turn."""
    for level, unit in (("1", rows["bytes"].astype(np.int64) * rows["count0"]), ("0", None)):
        unit = rows["bytes"].astype(np.int64) if unit is None else unit
        coarse = (rows[f"count{level}"] > 1) & (unit * FINE > share[of]) & (unit > LINE)
        coarse &= (level == "1") | (rows["count1"] == 1)
        owner, turn = spread(np.where(coarse, rows[f"count{level}"], 1).astype(np.int64))
        rows, of = picked(rows, owner), of[owner]
        for side in ("src", "dst"):
            rows[side] += turn * rows[f"{side}_stride{level}"]
        rows[f"count{level}"][coarse[owner]] = 1
    return rows, of


def taken(rows: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Turns [begin, end) of the outermost loop of each segment; of one without loops, lines."""
    outer, inner = rows["count1"] > 1, rows["count0"] > 1
    lines = ~outer & ~inner
    for side in ("src", "dst"):
        step = np.where(outer, rows[f"{side}_stride1"], rows[f"{side}_stride0"])
        rows[side] += begin * np.where(lines, LINE, step)
    rows["count1"] = np.where(outer, end - begin, 1)
    rows["count0"] = np.where(outer, rows["count0"], np.where(inner, end - begin, 1))
    last = np.minimum(end * LINE, rows["bytes"]) - begin * LINE
    rows["bytes"] = np.where(lines, last, rows["bytes"])
    return rows


def runs_of(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(the runs of segments, one a row, the segment of each)."""
    owner, number = spread(rows["count0"].astype(np.int64) * rows["count1"])
    each = picked(rows, owner)
    outer, inner = np.divmod(number, each["count0"])
    for side in ("src", "dst"):
        each[side] += inner * each[f"{side}_stride0"] + outer * each[f"{side}_stride1"]
    each["count0"] = each["count1"] = 1
    return each, owner


def fold(rows: np.ndarray, block: np.ndarray, sent: bool) -> tuple[np.ndarray, np.ndarray]:
    """(fewer segments that write the same bytes of each block, the block of each). `sent`: they
    read where these do; else they are made as if they read where they write."""
    count = rows["count0"].astype(np.int64) * rows["count1"]
    if count.sum() > LARGEST_FOLD:
        return rows, block
    each, owner = runs_of(rows)
    key = block[owner] * (int(rows["operand"].max(initial=0)) + 1) + each["operand"] * sent
    order = np.lexsort((each["dst"], key))
    each, owner = each[order], owner[order]
    dst = each["dst"]
    size = each["bytes"].astype(np.int64)
    folded = fold_runs(key[order], each["src"] if sent else dst, dst, size)
    owner = owner[folded["dst_node"]]
    folded["operand"] = rows["operand"][owner]
    return folded, block[owner]
