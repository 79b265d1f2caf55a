"""One list entry for many peers: equal transfers to nodes in arithmetic progression become one.

Takes and gives transfer-list rows (runtime/program.py), of which only `peer` and `peers` change.
"""

from __future__ import annotations

import numpy as np

from dojocc.passes.solve.segments import strided

LARGEST_KEY = 1 << 62


def merged(rows: np.ndarray) -> np.ndarray:
    """The rows by node, those equal in all but `peer` folded into progressions of peers.

    Progressions are taken greedily from the lowest peer up. A node's entries keep the order in
    which their lowest peers came.
    """
    if not len(rows):
        return rows
    node, peer = rows["node"].astype(np.int64), rows["peer"].astype(np.int64)
    others = [rows[name] for name in rows.dtype.names or () if name not in ("node", "peer")]
    keys = packed([node, *others])
    order = np.lexsort((peer, *reversed(keys)))
    opens = np.zeros(len(rows), bool)
    for key in keys:
        opens[1:] |= key[order][1:] != key[order][:-1]
    line = peer[order]
    first, count, step, _ = strided(np.cumsum(opens), line, np.zeros(len(line), np.int64))
    result = rows[order[first]]
    result["peers"], result["peer_stride"] = count, np.where(count > 1, step, 1)
    return result[np.lexsort((order[first], result["node"]))]


def packed(columns: list[np.ndarray]) -> list[np.ndarray]:
    """Few integer keys that order and tell apart rows as the columns do, the first before all."""
    keys: list[np.ndarray] = []
    room = 0
    for column in columns:
        low, high = int(column.min()), int(column.max())
        span = high - low + 1
        if span == 1:
            continue
        offset = column.astype(np.int64) - low
        if keys and span <= room:
            keys[-1] = keys[-1] * span + offset
            room //= span
        else:
            keys.append(offset)
            room = LARGEST_KEY // span
    return keys
