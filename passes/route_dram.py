"""Loads from DRAM as transfer lists: which DIP serves which node, and the entries."""

from __future__ import annotations

import numpy as np

from dojocc.dialects.location import describe
from dojocc.dialects.tile import ExchangeOp
from dojocc.runtime.errors import InputError
from dojocc.runtime.lists import DRAM_LOAD, ENTRY_DTYPE, NO_SEMAPHORE
from dojocc.runtime.mesh.ends import nearest_dips
from dojocc.runtime.segments import STRIDED
from dojocc.runtime.target import Target


def load_entries(
    exchange: ExchangeOp, segments: np.ndarray, target: Target, nodes: np.ndarray, address: int
) -> np.ndarray:
    """The list entries of a load, one a segment, by node: each node starts its own, from the DIP
    nearest to it, and its semaphore rises when the entry is done.

    nodes: physical ids in class order; address: of the destination in SRAM.
    """
    if exchange.dram is None or exchange.semaphore is None:
        raise InputError(
            "what a load brings has no place in DRAM",
            where=describe(exchange),
            help="run the allocate pass first",
        )
    segments = segments[np.argsort(segments["dst_node"], kind="stable")]
    rows = np.zeros(len(segments), ENTRY_DTYPE)
    rows["list"] = exchange.number.value.data
    rows["kind"] = DRAM_LOAD
    rows["node"] = segments["dst_node"]
    rows["peer"] = nearest_dips(target, nodes)[segments["dst_node"]]
    rows["peers"] = rows["peer_stride"] = 1
    rows["src"] = segments["src"] + exchange.dram.value.data
    rows["dst"] = segments["dst"] + address
    for name, _ in STRIDED:
        rows[name] = segments[name]
    rows["far_sem"], rows["home_sem"] = NO_SEMAPHORE, exchange.semaphore.value.data
    return rows
