"""Allocation in packet mode: which heads get an output channel, which get the switch, each cycle.

Both are separable round-robin matchings of one iteration (iSLIP): every output offers itself to the
first that bids from its pointer on, every input takes the first offer from its own; pointers move
past what was taken. Sets of bidders are bit masks.
"""

from __future__ import annotations

import numpy as np

from dojocc.runtime.mesh.packet_data import PORTS
from dojocc.runtime.mesh.packet_state import Routers, first_from


def masks(group: np.ndarray, bit: np.ndarray, count: int) -> np.ndarray:
    """For each of `count` groups the mask of its (distinct) bits."""
    return np.bincount(group, np.exp2(bit), count).astype(np.int64)


class Allocators:
    """Pointers of the two matchings, and of the choice between channels of one input port."""

    def __init__(self, nodes: int, channels: int) -> None:
        self.nodes, self.channels = nodes, channels
        self.channel_offer = np.zeros(nodes * PORTS * channels, np.int64)
        self.channel_take = np.zeros(nodes * PORTS * channels, np.int64)
        self.switch_offer = np.zeros(nodes * PORTS, np.int64)
        self.switch_take = np.zeros(nodes * PORTS, np.int64)
        self.turn = np.zeros(nodes * PORTS, np.int64)

    def cycle(self, queue: np.ndarray, routers: Routers, now: int) -> tuple[np.ndarray, np.ndarray]:
        """(queues that send, output channel of each) out of the `queue`s that hold a packet."""
        held = routers.channel[queue]
        bids = (held < 0) & (routers.ready[queue] <= now)
        bidding = queue[bids]
        taker, taken = self.output_channels(bidding, routers)
        sure = queue[held >= 0]
        sure = sure[routers.credit[routers.channel[sure]] > 0]
        hoping = bidding[:0]
        if routers.router.speculative:
            hoping = bidding[self.hopeful(bidding, routers)]
        won = self.switch(sure, hoping, routers, now)
        routers.channel[taker] = taken
        routers.busy[taken] = True
        channel = routers.channel[won]
        good = (channel >= 0) & (routers.credit[channel] > 0)
        return won[good], channel[good]

    def port(self, queue: np.ndarray, routers: Routers) -> np.ndarray:
        """Output port (node * 5 + port) that each queue wants."""
        return queue // (PORTS * self.channels) * PORTS + routers.wanted[queue]

    def group(self, queue: np.ndarray, routers: Routers) -> np.ndarray:
        """[queues, channels of a layer]: output channels that each queue may use."""
        size = self.channels // routers.layers
        first = self.port(queue, routers) * self.channels + routers.layer[queue] * size
        return first[:, None] + np.arange(size)

    def hopeful(self, bidding: np.ndarray, routers: Routers) -> np.ndarray:
        """Bidders whose port has an output channel that is free and not full."""
        group = self.group(bidding, routers)
        return np.asarray((~routers.busy[group] & (routers.credit[group] > 0)).any(1))

    def output_channels(
        self, bidding: np.ndarray, routers: Routers
    ) -> tuple[np.ndarray, np.ndarray]:
        """Match heads without an output channel with free ones: (queues, channels)."""
        each = PORTS * self.channels
        size = self.channels // routers.layers
        key = self.port(bidding, routers) * routers.layers + routers.layer[bidding]
        bidders = masks(key, bidding % each, self.nodes * PORTS * routers.layers)
        key = np.flatnonzero(bidders)
        offered = (key[:, None] * size + np.arange(size)).reshape(-1)
        bidders = np.repeat(bidders[key], size)
        free = ~routers.busy[offered]
        offered, bidders = offered[free], bidders[free]
        node = offered // each
        to = node * each + first_from(bidders, self.channel_offer[offered])
        offers = masks(to, offered % each, self.nodes * each)
        taker = np.flatnonzero(offers)
        choice = first_from(offers[taker], self.channel_take[taker])
        taken = taker // each * each + choice
        self.channel_offer[taken] = (taker % each + 1) % each
        self.channel_take[taker] = (choice + 1) % each
        return taker, taken

    def switch(
        self, sure: np.ndarray, hoping: np.ndarray, routers: Routers, now: int
    ) -> np.ndarray:
        """Match input ports with output ports; the queues that win.

        `sure` hold an output channel and go before `hoping` of the same input and output.
        """
        pairs = self.nodes * PORTS * PORTS
        certain = masks(self.pair(sure, routers), sure % self.channels, pairs)
        hopes = masks(self.pair(hoping, routers), hoping % self.channels, pairs)
        bidders = np.where(certain > 0, certain, hopes)
        pair = np.flatnonzero(bidders)
        if routers.uneven:
            pair = pair[routers.free[self.output(pair)] < now + 1]
        source = pair // PORTS
        channel = np.zeros(pairs, np.int64)
        channel[pair] = first_from(bidders[pair], self.turn[source])
        bids = masks(self.output(pair), source % PORTS, self.nodes * PORTS)
        out = np.flatnonzero(bids)
        to = out // PORTS * PORTS + first_from(bids[out], self.switch_offer[out])
        offers = masks(to, out % PORTS, self.nodes * PORTS)
        taker = np.flatnonzero(offers)
        choice = first_from(offers[taker], self.switch_take[taker])
        self.switch_offer[taker // PORTS * PORTS + choice] = (taker % PORTS + 1) % PORTS
        self.switch_take[taker] = (choice + 1) % PORTS
        winner = channel[taker * PORTS + choice]
        self.turn[taker] = (winner + 1) % self.channels
        return taker * self.channels + winner

    def pair(self, queue: np.ndarray, routers: Routers) -> np.ndarray:
        """(input port, output port) of each queue as one number."""
        return queue // self.channels * PORTS + routers.wanted[queue]

    def output(self, pair: np.ndarray) -> np.ndarray:
        """Output port of each pair."""
        return pair // (PORTS * PORTS) * PORTS + pair % PORTS
