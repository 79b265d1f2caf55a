"""Max-min fair sharing of links, ports and memories by groups of flows that progress together.

A group is one flow, or many that are alike. `fair_progress` gives how fast each group gets on;
`Fluid` plays groups from their start to their end, sharing anew whenever one starts or ends.
Nothing that some group could use stays idle (work-conserving).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

LEVEL = 1 - 1e-9  # levels that differ by less count as equal
TOGETHER = 1.02  # ends within this factor of the next one's time are taken with it, from MANY on
MANY = 64


@dataclass(frozen=True, eq=False)
class Groups:
    """G groups of flows. Group g loads resource[start[g] : start[g + 1]] with as many units.

    load: packets (or what a resource counts in) through the resource until the group has ended.
    size: packets of one flow of the group; flows that meet get the same packets a cycle.
    cap: the most progress a cycle (1 = all of it), where a source is paced.
    """

    start: np.ndarray
    resource: np.ndarray
    load: np.ndarray
    size: np.ndarray
    cap: np.ndarray

    def __len__(self) -> int:
        return len(self.size)

    def take(self, chosen: np.ndarray) -> Groups:
        """The groups where `chosen` is true."""
        each = np.repeat(chosen, np.diff(self.start))
        start = np.concatenate([[0], np.cumsum(np.diff(self.start)[chosen])])
        return Groups(
            start, self.resource[each], self.load[each], self.size[chosen], self.cap[chosen]
        )

    def alone(self, capacity: np.ndarray) -> np.ndarray:
        """[G] cycles that each group takes if it has everything to itself."""
        need = self.load / capacity[self.resource]
        return np.maximum(_segments(np.maximum, need, self.start, 0.0), 1 / self.cap)


def join(parts: list[Groups]) -> Groups:
    """The groups of all parts, in order."""
    offsets = np.cumsum([0, *(part.start[-1] for part in parts)])
    starts = [part.start[:-1] + offset for part, offset in zip(parts, offsets, strict=False)]
    return Groups(
        np.concatenate([*starts, offsets[-1:]]).astype(np.int64),
        np.concatenate([part.resource for part in parts]),
        np.concatenate([part.load for part in parts]),
        np.concatenate([part.size for part in parts]),
        np.concatenate([part.cap for part in parts]),
    )


def fair_progress(groups: Groups, capacity: np.ndarray) -> np.ndarray:
    """[G] progress a cycle under max-min fair sharing, by progressive filling.

    In each round, a resource all of whose groups are held back by nothing tighter fixes them at its
    share; what they leave is shared by the rest. Rates only rise from round to round, so fixing
    several resources at once gives the same result as one after another.
    """
    open_ = np.ones(len(groups), bool)
    rate = groups.cap * groups.size
    each = np.repeat(np.arange(len(groups)), np.diff(groups.start))
    resource, demand = groups.resource, groups.load / groups.size[each]
    left = capacity.astype(np.float64)
    while open_.any():
        live = open_[each]
        each, resource, demand = each[live], resource[live], demand[live]
        wanted = np.bincount(resource, demand, len(left))
        level = np.full(len(left), np.inf)
        np.divide(np.maximum(left, 0), wanted, out=level, where=wanted > 0)
        held = groups.cap * groups.size
        np.minimum.at(held, each, level[resource])
        loose = np.bincount(resource, held[each] < level[resource] * LEVEL, len(left))
        tight = (loose == 0) & (wanted > 0)
        fixed = np.zeros(len(groups), bool)
        at_limit = tight[resource] & (held[each] >= level[resource] * LEVEL)
        fixed[each[at_limit]] = True
        fixed |= held >= groups.cap * groups.size * LEVEL
        fixed &= open_
        rate[fixed] = held[fixed]
        gone = fixed[each]
        left -= np.bincount(resource[gone], demand[gone] * rate[each[gone]], len(left))
        open_ &= ~fixed
    return rate / groups.size


class Fluid:
    """Groups under way. Each has a tag that `step` hands back as it ends."""

    def __init__(self, capacity: np.ndarray) -> None:
        self.capacity = capacity
        self.now = 0.0
        self.groups: Groups | None = None
        self.left = np.zeros(0)
        self.release = np.zeros(0)
        self.tag = np.zeros((0, 2), np.int64)
        self.rate = np.zeros(0)

    @property
    def busy(self) -> bool:
        return len(self.left) > 0

    def add(self, groups: Groups, release: float, tag: int) -> float:
        """Start groups at `release`, or now if that is past while others are under way.

        Gives the time they start at. With nothing under way the clock may go back.
        """
        if not self.busy:
            self.now = release
        release = max(release, self.now)
        count = len(groups)
        self.groups = join([self.groups, groups]) if self.groups and self.busy else groups
        self.left = np.concatenate([self.left, np.ones(count)])
        self.release = np.concatenate([self.release, np.full(count, release)])
        tags = np.stack([np.full(count, tag), np.arange(count)], 1)
        self.tag = np.concatenate([self.tag, tags])
        self.rate = np.zeros(0)
        return release

    def step(self) -> list[tuple[int, int, float]]:
        """Go on to the next start or end; gives (tag, number within its `add`, time) of ends."""
        assert self.groups is not None
        active = self.release <= self.now
        if not active.any():
            self.now = float(self.release.min())
            active = self.release <= self.now
        if not len(self.rate):
            self.rate = np.zeros(len(self.left))
            part = self.groups if active.all() else self.groups.take(active)
            self.rate[active] = fair_progress(part, self.capacity)
        ends = np.full(len(self.left), np.inf)
        np.divide(self.left, self.rate, out=ends, where=active & (self.rate > 0))
        soon = float(ends.min())
        later = self.release[~active] - self.now
        limit = min(
            soon * (TOGETHER if len(ends) > MANY else 1.0), float(later.min(initial=np.inf))
        )
        over = ends <= limit * (1 + 1e-12)
        ended = [
            (int(tag), int(number), self.now + float(end))
            for (tag, number), end in zip(self.tag[over], ends[over], strict=True)
        ]
        self.left = np.maximum(self.left - self.rate * limit, 0.0)
        self.now += limit
        self._keep(~over)
        return ended

    def _keep(self, kept: np.ndarray) -> None:
        self.rate = np.zeros(0)
        if kept.all():
            return
        assert self.groups is not None
        self.groups = self.groups.take(kept)
        self.left, self.release = self.left[kept], self.release[kept]
        self.tag = self.tag[kept]


def ends_alone(groups: Groups, capacity: np.ndarray) -> np.ndarray:
    """[G] cycles from a common start until each group has ended, nothing else being under way."""
    fluid = Fluid(capacity)
    fluid.add(groups, 0.0, 0)
    ends = np.zeros(len(groups))
    while fluid.busy:
        for _, number, time in fluid.step():
            ends[number] = time
    return ends


def paced(groups: Groups, cap: np.ndarray) -> Groups:
    """The same groups with another cap."""
    return replace(groups, cap=cap)


def _segments(
    function: np.ufunc, values: np.ndarray, start: np.ndarray, empty: float
) -> np.ndarray:
    """`function` over each values[start[i] : start[i + 1]]."""
    result = np.full(len(start) - 1, empty)
    filled = np.diff(start) > 0
    if filled.any():
        result[filled] = function.reduceat(values, start[:-1][filled])
    return result
