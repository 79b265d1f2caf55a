"""Tables written short: neighbours at equal steps become one row with a count and its steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LARGEST_KEY = 1 << 62
SHORT_RUNS = 1 << 12
"""Mean length of ascending runs below which merging them is the slower way to sort."""


def packed(columns: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Few integer keys that order and tell apart rows as the columns do, the first before all."""
    keys: list[np.ndarray] = []
    room = 0
    for column in columns:
        offset = column.astype(np.int64)
        low, high = int(offset.min()), int(offset.max())
        span = high - low + 1
        if span == 1:
            continue
        if span <= LARGEST_KEY:
            offset -= low
        if keys and span <= room:
            keys[-1] = keys[-1] * span + offset
            room //= span
        else:
            keys.append(offset)
            room = LARGEST_KEY // span
    return keys


def sorting(columns: Sequence[np.ndarray]) -> np.ndarray:
    """The order that sorts rows by these columns, the first before all; equal rows keep theirs."""
    rows = len(columns[0])
    return by_keys(packed(columns), rows) if rows else np.zeros(0, np.int64)


def by_keys(keys: list[np.ndarray], rows: int) -> np.ndarray:
    """The order that sorts rows by their keys (`packed`)."""
    if not keys:
        return np.arange(rows)
    if len(keys) == 1:
        return stable_order(keys[0])
    return np.lexsort(tuple(reversed(keys)))


def numbered(columns: Sequence[np.ndarray]) -> np.ndarray:
    """One number for several columns: equal exactly where all of them are, in their order."""
    keys, rows = packed(columns), len(columns[0])
    order = by_keys(keys, rows)
    number = np.zeros(rows, np.int64)
    if keys:
        number[order] = np.cumsum(openings([key[order] for key in keys]))
    return number


def spread(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For counts c: (i repeated c[i] times, 0..c[i]-1 within each)."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)


def stable_order(key: np.ndarray) -> np.ndarray:
    """np.argsort(key, kind="stable") of int64 keys; those in no order are sorted with their numbers
    in their low bits, which is five times as fast."""
    rows = len(key)
    falls = int(np.count_nonzero(key[1:] < key[:-1]))
    bits = max(rows - 1, 1).bit_length()
    if falls * SHORT_RUNS > rows and int(key.min()) >= 0 and int(key.max()) < 1 << (62 - bits):
        mixed = (key << bits) | np.arange(rows)
        mixed.sort()
        return mixed & ((1 << bits) - 1)
    return np.argsort(key, kind="stable")


def openings(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Boolean: which rows differ from the row before them in one of the columns."""
    opens = np.zeros(len(columns[0]), bool)
    for column in columns:
        opens[1:] |= column[1:] != column[:-1]
    return opens


def strided(
    opens: np.ndarray, columns: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Fold neighbours at equal steps in all columns: (first, count, steps by column), in order.

    opens: the rows that may not be folded with the row before. Greedy from the left: a stretch of
    one step is used unless the stretch before it took its first row, so single steps alternate;
    that is what the parity below computes without a loop. Rows that stand alone have steps of 0.
    """
    rows = len(opens)
    if rows < 2:
        zero = np.zeros(rows, np.int64)
        return np.arange(rows), zero + 1, [zero for _ in columns]
    steps = [np.diff(column) for column in columns]
    blocked = opens[1:]
    changes = openings([blocked, *steps]) | blocked
    changes[0] = True
    first = np.flatnonzero(changes)
    length, blocked = np.diff(np.append(first, rows - 1)), blocked[first]
    number = np.arange(len(first))
    long = (length >= 2) & ~blocked
    anchor = np.maximum.accumulate(np.where(long, number, np.where(blocked, number + 1, 0)))
    used = long | (~blocked & ((number - anchor) % 2 == 0))
    taken = np.zeros(len(used), bool)
    taken[1:] = used[:-1]
    start, count = (first + taken)[used], (length + 1 - taken)[used]
    alone = np.ones(rows, np.int64)
    alone[start] = count
    covered = np.zeros(rows + 1, np.int64)
    covered[start] += 1
    covered[start + count] -= 1
    head = np.cumsum(covered[:-1]) == 0
    head[start] = True
    start = np.flatnonzero(head)
    count = alone[start]
    many = count > 1
    at = np.minimum(start, rows - 2)
    return start, count, [np.where(many, step[at], 0) for step in steps]


def ranges(values: np.ndarray) -> np.ndarray:
    """int64 [ranges, 5]: (first, count, step, times, stride); each stands for `count` values `step`
    apart, `times` times over, `stride` apart: all together for the values, in order."""
    start, count, (step,) = strided(np.zeros(len(values), bool), [values])
    first = values[start]
    start, times, (stride,) = strided(openings([count, step]), [first])
    return np.stack([first[start], count[start], step[start], times, stride], 1).astype(np.int64)


def values_of(rows: np.ndarray, most: int) -> np.ndarray:
    """The values that `ranges` gave these rows for; ValueError if rows are none, or if they stand
    for more than `most`, before anything of that size is made."""
    if rows.dtype != np.int64 or rows.ndim != 2 or rows.shape[1] != 5:
        raise ValueError(f"ranges of {rows.dtype} {rows.shape}")
    first, count, step, times, stride = rows.T
    if (count < 1).any() or (times < 1).any():
        raise ValueError("a range of nothing")
    total = float((count.astype(np.float64) * times).sum())
    if total > most:
        raise ValueError(f"ranges of {total:.0f} values, at most {most}")
    size = count * times
    owner, number = spread(size)
    time, place = np.divmod(number, count[owner])
    return first[owner] + time * stride[owner] + place * step[owner]
