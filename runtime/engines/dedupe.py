"""Nodes that hold the same bytes: found by sampling, proved by comparison.

Replicated operands (a weight held by every grid row, an activation gathered by every column) let
the vector engine do one product for many nodes. Bytes are compared where they lie.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dojocc.runtime.engines.footprint import Used
from dojocc.runtime.engines.workers import in_pieces
from dojocc.runtime.layout import evenly

SAMPLES = 64
MANY_RUNS = 8  # from which whole rows are compared under a mask


@dataclass(frozen=True, eq=False)
class Spans:
    """Rows of bytes: row i is `table[rows[i]]`.

    `used.bytes[kind[i]]` says which bytes of row i count (None: all do); rows of different kind are
    never the same.
    """

    table: np.ndarray
    rows: np.ndarray
    used: Used | None = None
    kind: np.ndarray | None = None

    def some(self, numbers: np.ndarray) -> np.ndarray:
        """Some of the rows: a view where it can be."""
        return self.table[evenly(self.rows[numbers])]

    def visible(self, number: int) -> bytes:
        """The bytes of a row that count."""
        row = self.table[self.rows[number]]
        if self.used is None or self.kind is None:
            return row.tobytes()
        return row[self.used.bytes[self.kind[number]]].tobytes()


def group_spans(spans: Spans) -> tuple[np.ndarray, np.ndarray]:
    """(representatives, group of every row): rows equal in all bytes that count are one group."""
    count = len(spans.rows)
    if count == 1:
        return np.zeros(1, np.int64), np.zeros(1, np.int64)
    _, first, group = np.unique(_sample(spans), return_index=True, return_inverse=True)
    if len(first) == count:
        return np.arange(count), np.arange(count)
    order = np.argsort(first, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return _prove(spans, first[order], rank[group])


@dataclass(frozen=True, eq=False)
class Found:
    """Rows found equal: representatives `first`, the group of every row, and of groups of more than
    one row the representative and the others.
    """

    first: np.ndarray
    group: np.ndarray
    shared: tuple[tuple[int, np.ndarray], ...]

    def holds(self, spans: Spans) -> bool:
        """True when the rows of every group are equal in all bytes that count."""
        same = np.zeros(len(self.shared), bool)

        def check(own: slice) -> None:
            same[own] = [bool(_same(spans, others, one).all()) for one, others in self.shared[own]]

        width = spans.table.shape[1]
        in_pieces(check, len(same), width * sum(len(others) for _, others in self.shared))
        return bool(same.all())


def found_equal(spans: Spans) -> Found:
    """The groups of rows that are equal in all bytes that count."""
    first, group = group_spans(spans)
    others = np.flatnonzero(first[group] != np.arange(len(group)))
    order = others[np.argsort(group[others], kind="stable")]
    cuts = np.flatnonzero(np.diff(group[order])) + 1
    parts = np.split(order, cuts) if len(order) else []
    return Found(first, group, tuple((int(first[group[p[0]]]), p) for p in parts))


def _sample(spans: Spans) -> np.ndarray:
    """A key of every row, equal for equal rows: made of some bytes that count in every row, and the
    row's kind.
    """
    places = np.arange(spans.table.shape[1])
    if spans.used is not None:
        places = spans.used.always
    places = places[:: max(1, len(places) // SAMPLES)]
    factors = np.uint64(2) * np.arange(1, len(places) + 2, dtype=np.uint64) + np.uint64(1)
    factors *= np.uint64(0x9E3779B97F4A7C15)
    key = spans.table[spans.rows[:, None], places] @ factors[:-1]
    return key if spans.kind is None else key + spans.kind.astype(np.uint64) * factors[-1]


def _prove(spans: Spans, first: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compare every row with its representative.

    Rows that differ (beyond the sample) get groups of their own.
    """
    representatives = list(first)
    proved = group.copy()
    late: dict[tuple[int, bytes], int] = {}
    for number, representative in enumerate(first):
        members = np.flatnonzero(group == number)
        if len(members) == 1:
            continue
        for row in members[~_same(spans, members, int(representative))]:
            key = (number, spans.visible(row))
            if key not in late:
                late[key] = len(representatives)
                representatives.append(row)
            proved[row] = late[key]
    return np.array(representatives, np.int64), proved


def _same(spans: Spans, members: np.ndarray, representative: int) -> np.ndarray:
    """Which of `members` agree with the representative in all bytes that count."""
    rows = evenly(spans.rows[members])
    expected = spans.table[spans.rows[representative]]
    runs = _runs(spans, representative)
    if len(runs) > MANY_RUNS and spans.used is not None and spans.kind is not None:
        counts = spans.used.bytes[int(spans.kind[representative])]
        return _same_where(spans.table, spans.rows[members], expected, counts)
    equal = np.ones(len(members), bool)
    for low, high in runs:
        wanted = _widest(expected[low:high])
        if isinstance(rows, slice):
            block = spans.table[rows, low:high].view(wanted.dtype)
            equal &= (block == wanted).all(axis=1)
            continue
        for number, row in enumerate(rows):
            found = spans.table[row, low:high].view(wanted.dtype)
            equal[number] &= bool((found == wanted).all())
    return equal


def _same_where(
    table: np.ndarray, members: np.ndarray, expected: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """Which rows `members` of a table agree with `expected` in the bytes that count."""
    width = table.shape[1] // 8 * 8
    mask = np.where(counts, np.uint8(255), np.uint8(0))
    wide, low = table[:, :width].view(np.uint64), mask[:width].view(np.uint64)
    wanted = expected[:width].view(np.uint64)
    equal = np.empty(len(members), bool)
    for number, member in enumerate(members):
        differs = ((wide[member] ^ wanted) & low).any()
        ends = table[member, width:] ^ expected[width:]
        equal[number] = not (differs or (ends & mask[width:]).any())
    return equal


def _runs(spans: Spans, row: int) -> tuple[tuple[int, int], ...]:
    """[low, high) of the runs of bytes that count."""
    if spans.used is None or spans.kind is None:
        return ((0, spans.table.shape[1]),)
    return spans.used.runs[int(spans.kind[row])]


def _widest(bytes_: np.ndarray) -> np.ndarray:
    """The bytes as the widest items that divide their length."""
    for width in (8, 4, 2):
        if len(bytes_) % width == 0:
            return bytes_.view(f"u{width}")
    return bytes_
