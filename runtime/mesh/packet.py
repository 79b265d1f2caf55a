"""Packet mode: a mesh of input-queued routers with virtual channels, simulated cycle by cycle.

The yardstick for the flow model, and the way to look at one exchange closely. Takes packets (one
flit each) with their routes and release times; gives when each arrived. All routers advance
together in NumPy.
"""

from __future__ import annotations

import numpy as np

from dojocc.runtime.errors import MachineStop, TargetError
from dojocc.runtime.mesh.packet_data import LOCAL, Delivery, Packets, Router
from dojocc.runtime.mesh.packet_router import Allocators
from dojocc.runtime.mesh.packet_state import Routers, Sources

__all__ = ["Delivery", "Packets", "Router", "simulate"]

PATIENCE = 1000  # cycles in which nothing moves or is under way that count as a deadlock


def simulate(packets: Packets, router: Router, until: int | None = None) -> Delivery:
    """Run until every packet has arrived, or for `until` cycles.

    Raises MachineStop when packets wait for each other in a ring, TargetError when the router's
    channels cannot be shared out to the layers.
    """
    if router.channels % packets.layers:
        raise TargetError(
            f"{router.channels} virtual channels do not divide into {packets.layers} layers"
        )
    sources, routers = Sources(packets, router), Routers(packets.routes.target, router)
    allocators = Allocators(routers.nodes, router.channels)
    arrived = np.full(len(packets.flow), -1, np.int64)
    position = packets.routes.start[packets.flow]
    last = packets.routes.start[packets.flow + 1]
    left, quiet, now = len(arrived), 0, 0
    while left and (until is None or now < until):
        routers.receive(now)
        sources.inject(now, routers)
        gone = _cycle(now, packets, position, last, routers, allocators)
        out = gone[gone >= 0]
        arrived[out] = now + router.traversal
        left -= len(out)
        moves = len(gone) or not routers.still() or sources.waiting(now)
        quiet = 0 if moves else quiet + 1
        if quiet > PATIENCE:
            raise MachineStop(
                "deadlock: packets wait for each other in a ring",
                numbers=f"{left} of {len(arrived)} packets are under way at cycle {now}",
                help="give detoured flows a layer of virtual channels of their own",
            )
        now += 1
    return Delivery(arrived, np.asarray(packets.release), now)


def _cycle(
    now: int,
    packets: Packets,
    position: np.ndarray,
    last: np.ndarray,
    routers: Routers,
    allocators: Allocators,
) -> np.ndarray:
    """One cycle of all routers: the packets that moved, -1 for those not yet at their end."""
    queue = routers.heads()
    if not len(queue):
        return queue
    routers.look(queue, packets, position, last)
    won, channel = allocators.cycle(queue, routers, now)
    moved = routers.send(won, channel, now)
    at_end = routers.wanted[won] == LOCAL
    position[moved[~at_end]] += 1
    return np.where(at_end, moved, -1)
