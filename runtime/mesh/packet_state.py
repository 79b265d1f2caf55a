"""State of all routers and sources of a mesh in packet mode: queues, credits, links under way.

Ports of a node: 0 to 3 as `routes.DIRECTIONS` (an input port bears the direction its packets came
in), 4 the node itself. Queue (node, port, channel) has number (node * 5 + port) * V + channel; so
has the output channel it stands for on the way out. Sources come after the outputs in `credit`.
"""

from __future__ import annotations

import numpy as np

from dojocc.runtime.mesh.packet_data import LOCAL, PORTS, Packets, Router
from dojocc.runtime.mesh.routes import DIRECTIONS, link_properties
from dojocc.runtime.target import Target

Timed = dict[int, list[np.ndarray]]


def first_from(mask: np.ndarray, pointer: np.ndarray) -> np.ndarray:
    """Lowest set bit of each mask at or above the pointer, else the lowest of all."""
    above = mask >> pointer << pointer
    chosen = np.where(above > 0, above, mask)
    return np.frexp((chosen & -chosen).astype(np.float64))[1].astype(np.int64) - 1


class Routers:
    """Queues of every input channel, and what each output channel knows of the next router."""

    def __init__(self, target: Target, router: Router) -> None:
        self.router, self.nodes = router, target.positions
        channels, count = router.channels, target.positions * PORTS
        width, delay = link_properties(target)
        links = np.arange(count) // PORTS * 4 + np.minimum(np.arange(count) % PORTS, 3)
        local = np.arange(count) % PORTS == LOCAL
        extra = np.where(local, 0, delay[links] - target.mesh.hop_cycles)
        self.extra = np.rint(extra).astype(np.int64)
        self.period = np.where(local, 1.0, target.mesh.packet_bytes / width[links])
        self.uneven = bool((self.period > 1).any())
        self.free = np.zeros(count)
        # A link that is longer by some cycles has as many more places at its end.
        places = router.depth + int(self.extra.max())
        self.slot = np.zeros((count * channels, places), np.int64)
        self.head = np.zeros(count * channels, np.int64)
        self.held_back = np.zeros(count * channels, np.int64)  # packets in each queue
        self.channel = np.full(count * channels, -1)
        self.ready = np.zeros(count * channels, np.int64)
        self.wanted = np.zeros(count * channels, np.int64)
        self.layer = np.zeros(count * channels, np.int64)
        self.layers = 1
        self.busy = np.zeros(count * channels, bool)
        self.credit = np.full((count + self.nodes) * channels, router.depth)
        self.credit[: count * channels] += np.repeat(self.extra, channels)
        self.downstream, self.upstream = _neighbours(target, channels)
        self.arrivals: Timed = {}
        self.credits: Timed = {}

    def receive(self, now: int) -> None:
        """Packets and credits whose time has come."""
        for number in self.credits.pop(now, ()):
            self.credit[number] += 1
        arrivals = self.arrivals.pop(now, ())
        for queue, packet in zip(arrivals[::2], arrivals[1::2], strict=True):
            empty = queue[self.held_back[queue] == 0]
            self.ready[empty] = now + self.router.routing
            places = self.slot.shape[1]
            self.slot[queue, (self.head[queue] + self.held_back[queue]) % places] = packet
            self.held_back[queue] += 1

    def heads(self) -> np.ndarray:
        """Queues that hold a packet."""
        return np.flatnonzero(self.held_back)

    def look(
        self, queue: np.ndarray, packets: Packets, position: np.ndarray, last: np.ndarray
    ) -> None:
        """Output port and layer that the first packet of each queue wants."""
        packet = self.slot[queue, self.head[queue]]
        place = position[packet]
        going = place < last[packet]
        links = packets.routes.links
        next_link = links[np.where(going, place, 0)] if len(links) else place
        self.wanted[queue] = np.where(going, next_link % 4, LOCAL)
        if packets.layers > 1:
            self.layers = packets.layers
            self.layer[queue] = packets.layer[packets.flow[packet]]

    def send(self, queue: np.ndarray, channel: np.ndarray, now: int) -> np.ndarray:
        """The first packets of `queue` leave through output channels; gives the packets."""
        router = self.router
        packet = self.slot[queue, self.head[queue]]
        self.head[queue] = (self.head[queue] + 1) % self.slot.shape[1]
        self.held_back[queue] -= 1
        self.channel[queue] = -1
        self.ready[queue] = now + 1 + router.routing
        self.busy[channel] = False
        self.credit[channel] -= 1
        port = channel // router.channels
        if self.uneven:
            self.free[port] = np.maximum(self.free[port], now) + self.period[port]
        ends = port % PORTS == LOCAL
        if ends.any():
            later = now + router.traversal + router.credit
            self.credits.setdefault(later, []).append(channel[ends])
        onward = channel[~ends]
        for extra, chosen in _by_value(self.extra[onward // router.channels]):
            moved = [self.downstream[onward[chosen]], packet[~ends][chosen]]
            self.arrivals.setdefault(now + router.traversal + extra, []).extend(moved)
        back = self.upstream[queue]
        outputs = len(self.extra) * router.channels
        length = np.where(
            back < outputs, self.extra[np.minimum(back, outputs - 1) // router.channels], 0
        )
        for extra, chosen in _by_value(length):
            self.credits.setdefault(now + router.credit + extra, []).append(back[chosen])
        return packet

    def still(self) -> bool:
        """Nothing is on its way between routers."""
        return not self.arrivals and not self.credits


class Sources:
    """Each node's packets in order, and the channel it used last."""

    def __init__(self, packets: Packets, router: Router) -> None:
        self.packets, self.router = packets, router
        nodes = packets.routes.target.positions
        source = packets.src
        self.order = np.argsort(source, kind="stable")
        self.cursor = np.searchsorted(source[self.order], np.arange(nodes))
        self.stop = np.searchsorted(source[self.order], np.arange(nodes), side="right")
        self.release = np.asarray(packets.release, np.float64)[self.order]
        self.turn = np.zeros(nodes, np.int64)

    def inject(self, now: int, routers: Routers) -> None:
        """Every source with a packet due and a free place in its router sends one."""
        node = np.flatnonzero(self.cursor < self.stop)
        node = node[self.release[self.cursor[node]] <= now]
        if not len(node):
            return
        channels = self.router.channels
        packet = self.order[self.cursor[node]]
        first = routers.nodes * PORTS * channels
        free = routers.credit[first:].reshape(-1, channels)[node] > 0
        if self.packets.layers > 1:
            layer = self.packets.layer[self.packets.flow[packet]]
            group = np.arange(channels) * self.packets.layers // channels
            free &= group == layer[:, None]
        mask = free @ (1 << np.arange(channels))
        sends = mask > 0
        if not sends.any():
            return
        node, packet = node[sends], packet[sends]
        channel = first_from(mask[sends], self.turn[node])
        self.turn[node] = (channel + 1) % channels
        self.cursor[node] += 1
        routers.credit[first + node * channels + channel] -= 1
        queue = (node * PORTS + LOCAL) * channels + channel
        routers.arrivals.setdefault(now + self.router.injection, []).extend([queue, packet])

    def waiting(self, now: int) -> bool:
        """Some packet's release is still to come."""
        left = self.cursor < self.stop
        return bool((self.release[self.cursor[left]] > now).any())


def _by_value(values: np.ndarray) -> list[tuple[int, np.ndarray | slice]]:
    """(value, where) for each value that occurs."""
    if not len(values):
        return []
    if (values == values[0]).all():
        return [(int(values[0]), slice(None))]
    return [(int(value), np.flatnonzero(values == value)) for value in np.unique(values)]


def _neighbours(target: Target, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """(queue at the other end of each output channel, output channel or source of each queue)."""
    node, port, channel = np.indices((target.positions, PORTS, channels)).reshape(3, -1)
    moves = np.array([*(down * target.cols + right for down, right in DIRECTIONS), 0])
    there = (node + moves[port]) % target.positions
    back = (node - moves[port]) % target.positions
    outputs = target.positions * PORTS * channels
    upstream = np.where(
        port == LOCAL,
        outputs + node * channels + channel,
        (back * PORTS + port) * channels + channel,
    )
    return (there * PORTS + port) * channels + channel, upstream
