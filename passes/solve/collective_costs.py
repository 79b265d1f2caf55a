"""What the choice of a collective's algorithm needs of a target, in cycles."""

from __future__ import annotations

from dataclasses import dataclass

from dojocc.passes.solve.collective_axes import Phase

POST = 6
"""Cycles of a post, the wait it ends and the instructions between."""


@dataclass(frozen=True)
class Costs:
    """Numbers of a target: bytes a cycle and port, cycles to start a transfer, for one more entry,
    a hop, a semaphore and the barrier; share of a link that can be used; how much longer a link
    next to a dead node is held, on the way from row to row and along a row; nodes of the grid;
    cycles until nodes of first steps have told each other that they are ready; what a hop to the
    next die takes more, and rows and columns of a die."""

    link_bytes: int
    message: int
    entry: int
    hop: int
    semaphore: int
    barrier: int
    share: float
    detours: tuple[float, float] = (1.0, 1.0)
    nodes: int = 0
    greeting: int = 28
    crossing: int = 0
    die: tuple[int, int] = (1, 1)


def way(phase: Phase, costs: Costs) -> int:
    """Cycles of a step's longest way: two places of a ring, or from end to end of a line."""
    axis = phase.axis
    places = min(2, axis.size - 1) if phase.ring else axis.size - 1
    return places * (axis.hops * costs.hop + axis.crossing)
