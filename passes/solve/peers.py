"""One list entry for many peers: equal transfers to nodes in arithmetic progression become one.

Takes and gives transfer-list rows (runtime/program.py), of which only `peer` and `peers` change.
"""

from __future__ import annotations

import numpy as np

from dojocc.runtime.folds import openings, packed, strided


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
    first, count, (step,) = strided(openings([key[order] for key in keys] or [node]), [peer[order]])
    result = rows[order[first]]
    result["peers"], result["peer_stride"] = count, np.where(count > 1, step, 1)
    return result[np.lexsort((order[first], result["node"]))]
