"""One list entry for many peers: equal transfers to nodes in arithmetic progression become one.

Takes and gives transfer-list rows (runtime/program.py), of which only `peer` and `peers` change.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dojocc.runtime.folds import openings, packed, sorting, strided
from dojocc.runtime.whole_rows import picked


def merged(rows: np.ndarray) -> np.ndarray:
    """The rows by node, those equal in all but `peer` folded into progressions of peers.

    Progressions are taken greedily from the lowest peer up. A node's entries keep the order in
    which their lowest peers came.
    """
    if not len(rows):
        return rows
    others = [rows[name] for name in rows.dtype.names or () if name not in ("node", "peer")]
    first, count, step = progressions(rows["node"], rows["peer"], packed(others))
    result = picked(rows, first)
    result["peers"], result["peer_stride"] = count, step
    return result


def progressions(
    node: np.ndarray, peer: np.ndarray, alike: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(first row, peers, step between them) of each progression of `merged`, in its order; `alike`
    tells apart what may not be folded into one."""
    node, peer = node.astype(np.int64), peer.astype(np.int64)
    order = sorting([node, *alike, peer])
    opens = openings([column[order] for column in (node, *alike)])
    first, count, (step,) = strided(opens, [peer[order]])
    found = order[first]
    by_node = sorting([node[found], found])
    return found[by_node], count[by_node], np.where(count > 1, step, 1)[by_node]
