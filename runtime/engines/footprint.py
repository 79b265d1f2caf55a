"""Which bytes of an access's span count: those that some in-bounds granule reads.

Two nodes whose spans differ only in bytes that padding hides, or that no granule reads, hold the
same operand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dojocc.runtime.engines.access import Access, Bounds, inside

LIMITS = ("y0", "x0", "y_limit", "x_limit")


def bounds_of(access: Access) -> Bounds:
    """The bounds of an access that has some."""
    assert access.bounds is not None
    return access.bounds


def bound_classes(access: Access, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """(representative nodes, class of every node) by the values of the access's bounds."""
    if access.bounds is None:
        return np.zeros(1, np.int64), np.zeros(nodes, np.int64)
    columns = [getattr(bounds_of(access), name) for name in LIMITS]
    varying = [np.asarray(c) for c in columns if isinstance(c, np.ndarray)]
    if not varying:
        return np.zeros(1, np.int64), np.zeros(nodes, np.int64)
    _, first, group = np.unique(
        np.stack(varying, 1), axis=0, return_index=True, return_inverse=True
    )
    return first, group.reshape(-1)


def at_nodes(access: Access, nodes: np.ndarray) -> Access:
    """The access with the bounds of some of its nodes."""
    if access.bounds is None:
        return access
    bounds = bounds_of(access)
    values = {name: getattr(bounds, name) for name in LIMITS}
    chosen = {n: v[nodes] for n, v in values.items() if isinstance(v, np.ndarray)}
    return replace(access, bounds=replace(bounds, **chosen))


@dataclass(frozen=True, eq=False)
class Used:
    """`used_bytes` of an access, and what follows from it.

    runs[class]: [low, high) of the bytes used; always: offsets that every class uses; seen: [low,
    high) of the bytes that some class uses.
    """

    bytes: np.ndarray
    runs: tuple[tuple[tuple[int, int], ...], ...]
    always: np.ndarray
    seen: tuple[int, int]


def used_of(used: np.ndarray) -> Used:
    """Runs and common offsets of a table of used bytes."""
    runs = []
    for row in used:
        edges = np.flatnonzero(np.diff(row, prepend=False, append=False)).reshape(-1, 2)
        runs.append(tuple((int(low), int(high)) for low, high in edges))
    some = np.flatnonzero(used.any(axis=0))
    seen = (int(some[0]), int(some[-1]) + 1) if len(some) else (0, 0)
    return Used(used, tuple(runs), np.flatnonzero(used.all(axis=0)), seen)


class Footprints:
    """Remembers which bytes an access uses by everything that depends on."""

    def __init__(self) -> None:
        self.known: dict[tuple, Used] = {}

    def seen(self, access: Access, nodes: int) -> tuple[int, int]:
        """[low, high) of the span that some node of `nodes` reads; all of it without bounds."""
        if access.bounds is None:
            low, high = access.span()
            return 0, high - low
        return self.get(access, bound_classes(access, nodes)[0]).seen

    def get(self, access: Access, first: np.ndarray) -> Used:
        shape = (access.counts, access.strides, access.granules, access.pitch, access.elements)
        key: tuple = (*shape, access.item)
        if access.bounds is not None:
            bounds = bounds_of(at_nodes(access, first))
            limits = [getattr(bounds, name) for name in LIMITS]
            key += (bounds.y_strides, bounds.x_strides, bounds.granule_step, bounds.lane_step)
            key += (bounds.first,)
            key += tuple(v.tobytes() if isinstance(v, np.ndarray) else v for v in limits)
        if key not in self.known:
            self.known[key] = used_of(used_bytes(access, first))
        return self.known[key]


def used_bytes(access: Access, first: np.ndarray) -> np.ndarray:
    """bool [classes, span]: bytes that an in-bounds granule of that class of nodes touches."""
    low, high = access.span()
    used = np.zeros((len(first), high - low), bool)
    mask = inside(at_nodes(access, first))
    if mask is None:
        mask = np.ones((1,) * (1 + len(access.shape)), bool)
    start = np.zeros((1,) * len(access.shape), np.int64)
    for axis, (count, step) in enumerate(zip(access.shape, access.steps, strict=True)):
        if axis < len(access.shape) - 1:
            offset = np.arange(count, dtype=np.int64) * step
            start = start + offset.reshape((-1,) + (1,) * (len(access.shape) - axis - 1))
    width = access.elements * access.item
    for number in range(len(first)):
        own = mask[number if mask.shape[0] > 1 else 0].any(axis=-1, keepdims=True)
        shape = np.broadcast_shapes(own.shape, start.shape)
        every = np.broadcast_to(start, shape)[np.broadcast_to(own, shape)] - low
        every = np.unique(every)
        used[number][(every[:, None] + np.arange(width)).reshape(-1)] = True
    return used
