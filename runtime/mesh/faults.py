"""Random fault maps of a target, by a stated model of defects.

The number of further dead nodes is uniform in a range, or Poisson with a given density. Each is at
a uniformly drawn live position, or, with probability `clustering`, next to one that has died before
it: clusters then grow like those of a scratch or a particle. Dead links are drawn alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dojocc.runtime.errors import UsageError
from dojocc.runtime.mesh.routes import DIRECTIONS
from dojocc.runtime.target import Link, Position, Target


@dataclass(frozen=True)
class FaultModel:
    """nodes, links: least and most further dead ones of a map; density: mean share of all positions
    that are dead besides the target's own, in place of `nodes`; clustering: 0 to 1.
    """

    nodes: tuple[int, int] = (0, 20)
    links: tuple[int, int] = (0, 10)
    clustering: float = 0.3
    density: float | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in (("nodes", self.nodes), ("links", self.links)):
            if not 0 <= low <= high:
                raise UsageError(
                    f"no range of dead {name}: {low} to {high}", help="least..most, from 0 up"
                )
        if not 0 <= self.clustering <= 1:
            raise UsageError("clustering is a probability", numbers=f"have {self.clustering}")
        if self.density is not None and not 0 <= self.density < 1:
            raise UsageError("density is a share of all nodes", numbers=f"have {self.density}")


@dataclass(frozen=True)
class FaultMap:
    """Further dead nodes and links of a target, each sorted."""

    nodes: tuple[Position, ...]
    links: tuple[Link, ...]

    def applied(self, target: Target) -> Target:
        """The target with these defects."""
        return target.with_dead(self.nodes, self.links)


def random_map(target: Target, model: FaultModel, seed: int, number: int) -> FaultMap:
    """Map number `number` of a seed: the same whatever maps are drawn besides.

    At least one node stays alive.
    """
    draw = np.random.default_rng([seed, number])
    live = target.live()
    most = int(live.sum()) - 1
    if model.density is None:
        wanted = int(draw.integers(model.nodes[0], model.nodes[1] + 1))
    else:
        wanted = int(draw.poisson(model.density * target.positions))
    nodes: list[Position] = []
    for _ in range(min(wanted, most)):
        place = _near(draw, live, nodes, model.clustering)
        live[place] = False
        nodes.append(place)
    links: list[Link] = []
    ways = _links(target)
    for _ in range(min(int(draw.integers(model.links[0], model.links[1] + 1)), len(ways))):
        ends = [end for link in links for end in link]
        touching = [way for way in ways if way[0] in ends or way[1] in ends]
        some = touching if touching and draw.random() < model.clustering else ways
        chosen = some[int(draw.integers(len(some)))]
        ways.remove(chosen)
        links.append(chosen)
    return FaultMap(tuple(sorted(nodes)), tuple(sorted(links)))


def _near(
    draw: np.random.Generator, live: np.ndarray, nodes: list[Position], clustering: float
) -> Position:
    """A live position, with probability `clustering` beside one of `nodes` if any is there."""
    if nodes and draw.random() < clustering:
        beside = sorted(
            {
                (row + down, col + right)
                for row, col in nodes
                for down, right in DIRECTIONS
                if 0 <= row + down < live.shape[0] and 0 <= col + right < live.shape[1]
            }
        )
        beside = [place for place in beside if live[place]]
        if beside:
            return beside[int(draw.integers(len(beside)))]
    row, col = np.argwhere(live)[int(draw.integers(live.sum()))].tolist()
    return row, col


def _links(target: Target) -> list[Link]:
    """All links of the grid, row by row."""
    rows, cols = target.rows, target.cols
    along = [((r, c), (r, c + 1)) for r in range(rows) for c in range(cols - 1)]
    across = [((r, c), (r + 1, c)) for r in range(rows - 1) for c in range(cols)]
    known = set(target.defect_links)
    return [link for link in along + across if link not in known]
