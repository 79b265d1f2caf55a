"""What a transfer list sends: its transfers as flows over the mesh, and the posts they end with.

A push goes from the node that runs the list to the peer, a pull the other way after its request
has gone there; a DRAM transfer crosses the mesh between the node and the nearest node at the DIP's
edge. How they share links, ports and DIPs is the mesh's (fair_flows.py, fair.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from dojocc.runtime.engines.transfers import each_peer
from dojocc.runtime.mesh.ends import list_ends
from dojocc.runtime.mesh.fair_flows import NO_DIP, FlowGroups, capacities, flow_groups
from dojocc.runtime.mesh.tables import program_routes, usable_share
from dojocc.runtime.program import DRAM_LOAD, DRAM_STORE, NO_SEMAPHORE, PULL, PUSH, Program
from dojocc.runtime.timing.lock_step import in_lock_step

NAMES = {PUSH: "push", PULL: "pull", DRAM_LOAD: "DRAM load", DRAM_STORE: "DRAM store"}


@dataclass(frozen=True, eq=False)
class Post:
    """One semaphore of a class that rises as transfers end: `transfer[i]` posts at `node[i]`."""

    cls: int
    semaphore: int
    node: np.ndarray
    transfer: np.ndarray


@dataclass(frozen=True, eq=False)
class ListPlan:
    """T transfers of one list on some nodes of a class.

    node: index in the class of the node that runs it; after: cycles from the group's end until the
    transfer has arrived and posted; earliest: cycles after the list's start before which the
    parser has not got through it. posts: by group. lock_step: whether it has hot spots that move,
    which sharing does not see.
    """

    kind: str
    flows: FlowGroups
    node: np.ndarray
    after: np.ndarray
    earliest: np.ndarray
    posts: tuple[tuple[Post, ...], ...]
    bytes: int
    lock_step: bool

    @property
    def group(self) -> np.ndarray:
        """[T] group of each transfer."""
        return self.flows.group[self.flows.pair]


def list_plan(program: Program, number: int, entries: np.ndarray, cls: int) -> ListPlan:
    """The plan of entries of list `number` (an entry with several peers is several transfers)."""
    target, mesh = program.target, program.target.mesh
    _, src, dst = list_ends(target, [each.nodes for each in program.classes], entries)
    entries, peers = each_peer(entries)
    entries["peer"] = peers
    size = entry_bytes(entries)
    dip = dips(entries)
    share = usable_share(program, number)
    flows = flow_groups(
        target,
        src,
        dst,
        -(-size // mesh.packet_bytes),
        dip,
        mesh.pace,
        partial(program_routes, program, number=number),
        # Routes of its own need slack for every flow, others only where sources mix.
        (share, share if program.routes.set_of(number) else 1.0),
    )
    after = flows.latency[flows.pair] + mesh.message_cycles
    after = after + np.where(entries["kind"] == PULL, flows.latency[flows.pair], 0)
    hbm = target.dips.hbm_ns * 1e-9 * target.node.clock_hz
    after = after + np.where(dip == NO_DIP, 0, hbm)
    _, first = np.unique(entries["node"], return_index=True)
    place = np.arange(len(entries)) - np.repeat(first, np.diff([*first, len(entries)]))
    return ListPlan(
        kind=", ".join(NAMES[int(kind)] for kind in np.unique(entries["kind"])),
        flows=flows,
        node=entries["node"].astype(np.int64),
        after=after,
        earliest=(place + 1.0) * mesh.entry_cycles,
        posts=posts(entries, flows.group[flows.pair], len(flows.groups), cls),
        bytes=int(size.sum()),
        lock_step=in_lock_step(flows, entries[dip == NO_DIP], dip == NO_DIP, capacities(target)),
    )


def entry_bytes(entries: np.ndarray) -> np.ndarray:
    return entries["bytes"].astype(np.int64) * entries["count0"] * entries["count1"]


def dips(entries: np.ndarray) -> np.ndarray:
    """The DIP of every transfer, as `flow_groups` takes it."""
    load, store = entries["kind"] == DRAM_LOAD, entries["kind"] == DRAM_STORE
    return np.where(load | store, 2 * entries["peer"].astype(np.int64) + store, NO_DIP)


def posts(
    entries: np.ndarray, group: np.ndarray, groups: int, cls: int
) -> tuple[tuple[Post, ...], ...]:
    """Which semaphores rise where as each group ends."""
    found: list[list[Post]] = [[] for _ in range(groups)]
    dram = np.isin(entries["kind"], (DRAM_LOAD, DRAM_STORE))
    for name, far in (("far_sem", True), ("home_sem", False)):
        at_peer = (entries["kind"] == PULL) != far
        chosen = np.flatnonzero((entries[name] != NO_SEMAPHORE) & ~(at_peer & dram))
        owner = np.where(at_peer, entries["peer_cls"], cls)[chosen].astype(np.int64)
        node = np.where(at_peer, entries["peer"], entries["node"])[chosen].astype(np.int64)
        key = (owner * 256 + entries[name][chosen]) * max(groups, 1) + group[chosen]
        order = np.argsort(key, kind="stable")
        kinds, first = np.unique(key[order], return_index=True)
        for number, part in zip(kinds, np.split(order, first[1:]), strict=False):
            rest, which = divmod(int(number), max(groups, 1))
            post = Post(*divmod(rest, 256), node[part], chosen[part])
            found[which].append(post)
    return tuple(tuple(part) for part in found)
