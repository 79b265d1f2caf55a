"""Small targets with dead nodes and links, their graphs, and random fault maps, for tests."""

from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np

from dojocc.runtime.targets import load_target

TINY = Path(__file__).parents[1] / "targets" / "tiny.toml"


def grid_target(rows, cols, dead=(), links=(), **mesh):
    """One die of rows x cols nodes; `mesh` overrides numbers of the network."""
    base = load_target(TINY)
    die = replace(base.die, rows=rows, cols=cols)
    return replace(base, die=die, mesh=replace(base.mesh, **mesh)).with_dead(dead, links)


def graph_of(target):
    """The live nodes and links as a graph over (row, column)."""
    graph = nx.grid_2d_graph(target.rows, target.cols)
    graph.remove_nodes_from([target.position(node) for node in target.dead])
    graph.remove_edges_from(target.defect_links)
    return graph


def all_pairs(nodes):
    src, dst = np.meshgrid(nodes, nodes, indexing="ij")
    return src.reshape(-1), dst.reshape(-1)


def walks_on(graph, routes):
    """Check that every route is a walk on the graph from its source to its destination."""
    target = routes.target
    for flow, (src, dst) in enumerate(zip(routes.src, routes.dst, strict=True)):
        walk = [target.position(node) for node in routes.nodes(flow)]
        assert walk[0] == target.position(src) and walk[-1] == target.position(dst)
        assert all(graph.has_edge(a, b) for a, b in zip(walk, walk[1:], strict=False))
        assert routes.hops[flow] == len(walk) - 1
