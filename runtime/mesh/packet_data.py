"""What packet mode takes and gives: the router, the packets with their routes, their arrivals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dojocc.runtime.errors import TargetError
from dojocc.runtime.mesh.routes import Routes

PORTS = 5  # of a node: the four links, and the node itself
LOCAL = 4


@dataclass(frozen=True)
class Router:
    """A router and its link.

    channels: virtual channels a port; depth: packets a channel holds. traversal: cycles from the
    switch's grant until the packet may bid at the next router (switch and link); with speculation
    and no routing stage that is a whole hop. routing: cycles before a new head may bid for a
    channel. speculative: channel and switch are bid for in the same cycle. credit: cycles from a
    packet's leave until its place is known to be free upstream. injection: cycles from a source to
    its router.
    """

    channels: int = 4
    depth: int = 8
    traversal: int = 3
    routing: int = 0
    speculative: bool = True
    credit: int = 3
    injection: int = 2

    def __post_init__(self) -> None:
        low = min(self.channels, self.depth, self.traversal, self.credit, self.injection)
        if low < 1 or self.routing < 0 or self.channels * PORTS > 50:
            raise TargetError(
                "a router needs at least one channel, place and cycle of each kind",
                numbers=f"{self}",
                help="at most ten virtual channels, no negative delay",
            )

    @property
    def hop(self) -> int:
        """Cycles a hop without load."""
        return self.traversal + self.routing + (not self.speculative)

    def latency(self, hops: int) -> int:
        """Cycles from release to arrival without load."""
        return self.injection + (hops + 1) * self.hop


@dataclass(frozen=True, eq=False)
class Packets:
    """What is sent: packet i takes route `flow[i]` and may leave its source from `release[i]` on.

    A source sends its packets in the order given. layer[flow]: which of `layers` equal groups of
    virtual channels a flow uses on every link.
    """

    routes: Routes
    flow: np.ndarray
    release: np.ndarray
    layer: np.ndarray
    layers: int = 1

    @property
    def src(self) -> np.ndarray:
        return self.routes.src[self.flow]


@dataclass(frozen=True, eq=False)
class Delivery:
    """Cycle at which each packet arrived (-1: still under way when the simulation was stopped)."""

    arrived: np.ndarray
    release: np.ndarray
    cycles: int

    @property
    def makespan(self) -> int:
        """Cycles up to and with that of the last arrival."""
        return int(self.arrived.max(initial=-1)) + 1

    def latency(self, first: float = 0.0, last: float = np.inf) -> float:
        """Mean cycles from release to arrival, of the arrived packets released in [first, last)."""
        counted = (self.arrived >= 0) & (self.release >= first) & (self.release < last)
        return float((self.arrived - self.release)[counted].mean())

    def accepted(self, nodes: int, first: int, last: int) -> float:
        """Packets arrived per node and cycle in [first, last)."""
        counted = (self.arrived >= first) & (self.arrived < last)
        return float(counted.sum()) / nodes / (last - first)
