"""Whether flows can stop each other for good: rings among the channels they hold and wait for."""

from __future__ import annotations

import networkx as nx
import numpy as np

from dojocc.runtime.mesh.routes import Routes


def channel_cycle(routes: Routes) -> list[int]:
    """Links whose buffers wait for each other in a ring; empty if none do.

    A channel is the buffer of one virtual layer on one link. A flow that holds a channel waits for
    the next one of its route, so flows can only stop each other for good along a ring of channels.
    """
    same_flow = np.ones(max(len(routes.links) - 1, 0), bool)
    borders = routes.start[1:-1]  # between the last link of a flow and the first of the next
    same_flow[borders[(borders > 0) & (borders < len(routes.links))] - 1] = False
    layers = int(routes.layers.max(initial=0)) + 1
    channels = routes.links * layers + routes.layers
    count = routes.target.positions * 4 * layers
    pairs = np.unique(channels[:-1][same_flow] * count + channels[1:][same_flow])
    graph = nx.DiGraph(np.stack(np.divmod(pairs, count), 1).tolist())
    try:
        return [int(edge[0]) // layers for edge in nx.find_cycle(graph)]
    except nx.NetworkXNoCycle:
        return []
