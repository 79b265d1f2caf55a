"""The certificate that no route exists: a smallest set of dead nodes and links that stands between
two nodes. Whoever doubts it can check that reviving any one of them joins the two.
"""

from __future__ import annotations

import networkx as nx

from dojocc.runtime.errors import InputError
from dojocc.runtime.mesh.routes import components
from dojocc.runtime.target import Link, Position, Target

SHOWN = 12  # parts of a cut that a message names


def unroutable(target: Target, src: int, dst: int) -> InputError:
    """The error for a flow that nothing can carry, with the cut that makes it impossible."""
    label = components(target)
    nodes, links = smallest_cut(target, src, dst)
    parts = [f"node {place}" for place in nodes] + [f"link {a}-{b}" for a, b in links]
    more = f" and {len(parts) - SHOWN} more" if len(parts) > SHOWN else ""
    sides = [int((label == label[node]).sum()) if label[node] >= 0 else 0 for node in (src, dst)]
    return InputError(
        f"no route from node {target.position(src)} to node {target.position(dst)}",
        where=f"target {target.name}, cut by dead {', '.join(parts[:SHOWN])}{more}",
        numbers=f"{len(nodes)} nodes and {len(links)} links cut {sides[0]} nodes from {sides[1]}",
        help="use only one side of the cut, or revive one of these",
    )


def smallest_cut(target: Target, src: int, dst: int) -> tuple[list[Position], list[Link]]:
    """(dead nodes, dead links), as few as possible, that separate two nodes.

    A minimum cut of the whole grid in which only what is dead may be cut.
    """
    graph = grid_with_capacities(target)
    _, (near, _) = nx.minimum_cut(graph, (src, 0), (dst, 1))
    crossing = [(a[0], b[0]) for a, b in graph.edges if a in near and b not in near]
    places = [(target.position(a), target.position(b)) for a, b in crossing]
    nodes = sorted({a for a, b in places if a == b})
    return nodes, sorted({(min(a, b), max(a, b)) for a, b in places if a != b})


def grid_with_capacities(target: Target) -> nx.DiGraph:
    """(node, 0) is where links enter a node, (node, 1) where they leave; what is dead costs 1."""
    graph = nx.DiGraph()
    dead, broken = set(target.dead), set(target.defect_links)
    whole = target.positions * 8.0
    for node in range(target.positions):
        graph.add_edge((node, 0), (node, 1), capacity=1.0 if node in dead else whole)
        row, col = target.position(node)
        for place in ((row, col + 1), (row + 1, col)):
            if place[0] < target.rows and place[1] < target.cols:
                capacity = 1.0 if ((row, col), place) in broken else whole
                other = target.node_id(*place)
                graph.add_edge((node, 1), (other, 0), capacity=capacity)
                graph.add_edge((other, 1), (node, 0), capacity=capacity)
    return graph
