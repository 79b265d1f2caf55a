"""The traffic patterns of the BookSim2 tables (tests/data/booksim), as packets with routes.

X = columns and Y = rows of the mesh; node = y * X + x.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from dojocc.runtime.mesh.packet import Packets
from dojocc.runtime.mesh.routes import Routes, route_flows
from dojocc.runtime.target import Target
from dojocc.runtime.targets import load_target


@lru_cache(maxsize=16)
def plain_mesh(mesh: str, hop_cycles: int = 3) -> Target:
    """A whole grid named as in the tables ("18x20": 18 columns, 20 rows), full-rate links."""
    cols, rows = (int(part) for part in mesh.split("x"))
    base = load_target("d1-die")
    die = replace(base.die, rows=rows, cols=cols, dead=(), edge_ns=0.0, uniform_border=True)
    system = replace(base.system, training_tile_edge_bytes_per_s=1e15)
    return replace(
        base,
        name=f"mesh-{mesh}",
        die=die,
        system=system,
        mesh=replace(base.mesh, hop_cycles=hop_cycles),
    )


def destinations(target: Target, pattern: str, packets: int, seed: int = 1) -> np.ndarray:
    """[nodes, packets]: where each node's packets go, in order; a node that sends none has -1."""
    rows, cols = target.rows, target.cols
    node = np.arange(target.positions)
    y, x = np.divmod(node, cols)
    step = np.arange(packets)
    if pattern == "uniform":
        return np.random.default_rng(seed).integers(0, len(node), (len(node), packets))
    if pattern == "transpose":
        return np.tile((x * rows + y)[:, None], packets)
    if pattern == "neighborwrap":
        return np.tile(((y + 1) % rows * cols + (x + 1) % cols)[:, None], packets)
    if pattern == "gather0":
        return np.where(node[:, None] > 0, 0, -1) + 0 * step
    if pattern == "a2a":
        return (node[:, None] + 1 + step % (len(node) - 1)) % len(node)
    if pattern == "cola2a":
        return (y[:, None] + 1 + step % (rows - 1)) % rows * cols + x[:, None]
    if pattern == "halo":
        return _halo(rows, cols, packets)
    raise ValueError(f"no pattern is called {pattern}")


def _halo(rows: int, cols: int, packets: int) -> np.ndarray:
    """Round robin over the neighbours that exist."""
    result = np.empty((rows * cols, packets), np.int64)
    for node in range(rows * cols):
        y, x = divmod(node, cols)
        near = [(y, x + 1), (y, x - 1), (y + 1, x), (y - 1, x)]
        inside = [a * cols + b for a, b in near if 0 <= a < rows and 0 <= b < cols]
        result[node] = np.resize(inside, packets)
    return result


def batch(target: Target, pattern: str, packets: int, gap: float = 0.0, seed: int = 1) -> Packets:
    """Every node's packets, ready at cycle 0 or one each `gap` cycles."""
    to = destinations(target, pattern, packets, seed)
    release = np.broadcast_to(np.arange(packets) * gap, to.shape)
    return as_packets(target, to, release)


def open_loop(
    target: Target, pattern: str, rate: float, cycles: int, seed: int = 1, both_ways: bool = False
) -> Packets:
    """Every node draws each cycle, with probability `rate`, whether it sends a packet.

    both_ways: each packet also draws whether it goes along x or along y first, in a layer of its
    own.
    """
    draw = np.random.default_rng(seed)
    sends = draw.random((target.positions, cycles)) < rate
    most = int(sends.sum(1).max())
    to = destinations(target, pattern, most, seed)
    release = np.full(to.shape, -1.0)
    node, cycle = np.nonzero(sends)
    release[node, np.cumsum(sends, 1)[sends] - 1] = cycle
    packets = as_packets(target, np.where(release < 0, -1, to), release)
    return along_either(packets, draw.random(len(packets.flow)) < 0.5) if both_ways else packets


def along_either(packets: Packets, down_first: np.ndarray) -> Packets:
    """The same packets, those chosen going along y first, in the second of two layers."""
    routes = packets.routes
    target = routes.target
    swapped = plain_mesh(f"{target.rows}x{target.cols}", target.mesh.hop_cycles)

    def turned(node: np.ndarray, cols: int, rows: int) -> np.ndarray:
        y, x = np.divmod(node, cols)
        return x * rows + y

    ends = [turned(end, target.cols, target.rows) for end in (routes.src, routes.dst)]
    other = route_flows(swapped, *ends)
    node, direction = np.divmod(other.links, 4)
    links = turned(node, target.rows, target.cols) * 4 + (direction + 2) % 4
    both = Routes(
        target,
        np.tile(routes.src, 2),
        np.tile(routes.dst, 2),
        np.concatenate([routes.start, routes.start[-1] + other.start[1:]]),
        np.concatenate([routes.links, links]),
        np.repeat(np.array([0, 1], np.uint8), len(links)),
    )
    flows = len(routes.src)
    layer = np.repeat([0, 1], flows)
    return Packets(both, packets.flow + flows * down_first, packets.release, layer, 2)


def as_packets(target: Target, to: np.ndarray, release: np.ndarray) -> Packets:
    """Packets of all nodes, node after node; those that go to -1 are left out."""
    node, number = np.nonzero(to >= 0)
    pairs, flow = np.unique(node * target.positions + to[node, number], return_inverse=True)
    routes = route_flows(target, *np.divmod(pairs, target.positions))
    return Packets(routes, flow.reshape(-1), release[node, number], np.zeros(len(pairs), np.int64))
