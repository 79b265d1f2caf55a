"""When the entries of a transfer list arrive: links, ports and DRAM shared by all flows of the
list.

Each flow is as late as its busiest link (or port) needs to carry everything that the list sends
over it: an upper estimate of max-min fair sharing, exact where flows share one bottleneck. Flows of
different lists do not meet: lists have the mesh one after another (schedule.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from dojocc.runtime.engines.transfers import each_peer
from dojocc.runtime.mesh.routes import flow_set
from dojocc.runtime.mesh.tables import program_routes, usable_share
from dojocc.runtime.program import DRAM_LOAD, DRAM_STORE, PULL, Program
from dojocc.runtime.target import Target


@dataclass(frozen=True, eq=False)
class ListTime:
    """Cycles of each entry after its list started, and after the mesh delivered it."""

    entries: np.ndarray
    cycles: np.ndarray
    bytes: int
    bound: float


def entry_bytes(entries: np.ndarray) -> np.ndarray:
    return entries["bytes"].astype(np.int64) * entries["count0"] * entries["count1"]


def list_time(program: Program, target: Target, entries: np.ndarray, cls: int) -> ListTime:
    """Time of every transfer of one list (an entry with several peers is several transfers)."""
    entries, peers = each_peer(entries)
    entries["peer"] = peers
    size = entry_bytes(entries)
    cycles = np.zeros(len(entries))
    dram = np.isin(entries["kind"], (DRAM_LOAD, DRAM_STORE))
    bound = 0.0
    if dram.any():
        cycles[dram] = dram_cycles(target, entries[dram], size[dram])
        bound = float(cycles[dram].max())
    if (~dram).any():
        cycles[~dram], mesh_bound = mesh_cycles(program, target, entries[~dram], size[~dram], cls)
        bound = max(bound, mesh_bound)
    order = np.zeros(len(entries))
    _, first = np.unique(entries["node"], return_index=True)
    order = np.arange(len(entries)) - np.repeat(first, np.diff([*first, len(entries)]))
    start = (order + 1) * target.mesh.entry_cycles
    return ListTime(
        entries, np.maximum(cycles, start) + target.mesh.message_cycles, int(size.sum()), bound
    )


def mesh_cycles(
    program: Program, target: Target, entries: np.ndarray, size: np.ndarray, cls: int
) -> tuple[np.ndarray, float]:
    """Cycles of pushes and pulls, and the bound of the whole list."""
    here = program.classes[cls].nodes[entries["node"]]
    peers = np.empty(len(entries), np.int64)
    for other in np.unique(entries["peer_cls"]):
        chosen = entries["peer_cls"] == other
        peers[chosen] = program.classes[int(other)].nodes[entries["peer"][chosen]]
    pull = entries["kind"] == PULL
    src, dst = np.where(pull, peers, here), np.where(pull, here, peers)
    packets = -(-size // target.mesh.packet_bytes)
    number = int(entries["list"][0])
    flows = flow_set(target, src, dst, packets, partial(program_routes, program, number=number))
    port = np.maximum(
        flows.sent[flows.src] / target.node.mesh_read_ports,
        flows.received[flows.dst] / target.node.mesh_write_ports,
    )
    load = np.maximum(flows.bottleneck / usable_share(program, number), port)
    own = flows.src == flows.dst
    load = np.where(own, flows.packets, load) + flows.latency
    pairs = flows.src * target.positions + flows.dst
    place = np.searchsorted(pairs, src * target.positions + dst)
    return load[place], flows.lower_bound


def dram_cycles(target: Target, entries: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Every entry of a DIP ends when that DIP has served all of the list, HBM latency included."""
    dips = target.dips
    rate = min(dips.hbm_bytes_per_s, dips.mesh_bytes_per_s) / target.node.clock_hz
    total = np.bincount(entries["peer"], size)
    latency = dips.hbm_ns * 1e-9 * target.node.clock_hz
    return total[entries["peer"]] / rate + latency
