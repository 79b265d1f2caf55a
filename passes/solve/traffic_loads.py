"""Loads on ports and links of readers that take along rows, then along columns.

Takes, for each side of the grid, who takes how much from where (`Side`), and which readers are
alike (`Classes`). Sums over readers are matrix products, as what a reader takes is a product of a
function of its place along the side and one of its class across it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

TINY = 1e-9  # below any share


@dataclass(frozen=True)
class Traffic:
    """Bytes over the mesh in all, the most through one port and one link, the most that stay on one
    node, the most transfers that one node sends, the bytes of a typical transfer, and the rows and
    columns it passes at most.
    """

    bytes: int
    port: float
    link: float
    kept: float
    sent: float
    piece: float
    hops: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Classes:
    """`first`: one place of each class along a side of the grid; `number`: every place's class."""

    first: np.ndarray
    number: np.ndarray

    @property
    def count(self) -> int:
        return len(self.first)


def classes(parts: Sequence[np.ndarray], axis: int, size: int) -> Classes:
    """Places along an axis of the grid at which all of `parts`, [R or 1, C or 1], are the same."""
    lines = [np.moveaxis(part, axis, 0) for part in parts if part.shape[axis] > 1]
    if not lines:
        return Classes(np.zeros(1, np.int64), np.zeros(size, np.int64))
    known: dict[tuple, int] = {}
    rows = [
        line[:, 0].tolist() if line.shape[1] == 1 else [each.tobytes() for each in line]
        for line in lines
    ]
    number = [known.setdefault(row, len(known)) for row in zip(*rows, strict=True)]
    first = np.full(len(known), size)
    np.minimum.at(first, number, np.arange(size))
    return Classes(first, np.array(number, np.int64))


@dataclass(frozen=True, eq=False)
class Side:
    """What readers take along one side of the grid: P places, each with Q classes of the other
    side.

    `weight` [P, Q] bytes are taken from the side's P givers in proportion to near [P, givers] *
    far [Q, givers] * joint [P, Q, givers].
    """

    weight: np.ndarray
    near: np.ndarray
    far: np.ndarray
    joint: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Amounts:
    """What the readers of one side take: `own` from themselves, `total` in all, [P, Q].

    Sums over each class of places along this side, [classes, Q, givers]: `given` by giver, `flows`
    how many readers take anything, `forth` and `back` over the border behind each place. `hops` is
    the farthest that any takes from.
    """

    own: np.ndarray
    total: np.ndarray
    given: np.ndarray
    flows: np.ndarray
    forth: np.ndarray
    back: np.ndarray
    hops: int


def amounts(side: Side, own: Classes) -> Amounts:
    """The sums for a side whose own places are of classes `own`."""
    sums = _separable(side, own) if side.joint is None else _joint(side, own)
    above = np.cumsum(sums.given_above - _at_place(sums.from_above, own), 2)
    # The rest comes from places after the reader's.
    from_below = sums.total - sums.own - sums.from_above
    given_below = sums.given - sums.given_above - _at_place(sums.own, own)
    below = np.cumsum(_at_place(from_below, own) - given_below, 2)
    reader, giver = np.nonzero(sums.reached)
    hops = int(np.abs(reader - giver).max(initial=0))
    return Amounts(sums.own, sums.total, sums.given, sums.flows, above, below, hops)


@dataclass(frozen=True, eq=False)
class Sums:
    """As in `Amounts`; `above`: of givers before the reader. `reached`: by any, [P, givers]."""

    own: np.ndarray
    total: np.ndarray
    from_above: np.ndarray
    given: np.ndarray
    given_above: np.ndarray
    flows: np.ndarray
    reached: np.ndarray


def _separable(side: Side, own: Classes) -> Sums:
    near, far = side.near, side.far
    norm = near @ far.T
    rate = side.weight * (norm > TINY) / np.maximum(norm, TINY)
    above = np.tril(near, -1)
    takes, near_some, far_some = (part > 0 for part in (rate, near, far))
    some = near_some.astype(float), far_some.astype(float)
    return Sums(
        own=rate * np.diag(near)[:, None] * far.T,
        total=rate * norm,
        from_above=rate * (above @ far.T),
        given=_summed(rate, near, own) * far,
        given_above=_summed(rate, above, own) * far,
        flows=_summed(takes.astype(float), some[0], own) * some[1],
        reached=(takes.astype(float) @ some[1]) * some[0],
    )


def _joint(side: Side, own: Classes) -> Sums:
    assert side.joint is not None
    part = side.joint * side.far
    part *= side.near[:, None, :]
    norm = part.sum(2)
    rate = side.weight * (norm > TINY) / np.maximum(norm, TINY)
    part *= rate[:, :, None]
    places = np.arange(len(part))
    above = part * (places[:, None] > places)[:, None, :]
    some = part > 0
    return Sums(
        own=part[places, :, places],
        total=rate * norm,
        from_above=above.sum(2),
        given=_by_class(part, own),
        given_above=_by_class(above, own),
        flows=_by_class(some.astype(float), own),
        reached=some.any(1),
    )


def _summed(rate: np.ndarray, near: np.ndarray, own: Classes) -> np.ndarray:
    """Sums of rate [P, Q] * near [P, givers] over each class of places: [classes, Q, givers]."""
    if own.count == len(near):
        return rate[:, :, None] * near[:, None, :]
    if own.count == 1:
        return (rate.T @ near)[None]
    weights = (_chosen(own)[:, None, :] * rate.T).reshape(-1, len(near))
    return (weights @ near).reshape(own.count, -1, near.shape[1])


def _by_class(part: np.ndarray, own: Classes) -> np.ndarray:
    """Sums of [P, Q, givers] over each class of places."""
    if own.count == len(part):
        return part
    if own.count == 1:
        return part.sum(0, keepdims=True)
    flat = part.reshape(len(part), -1)
    return (_chosen(own) @ flat).reshape(own.count, *part.shape[1:])


def _chosen(own: Classes) -> np.ndarray:
    """1 where a place is of a class, [classes, places]."""
    return (own.number == np.arange(own.count)[:, None]).astype(float)


def _at_place(values: np.ndarray, own: Classes) -> np.ndarray:
    """Values [P, Q] of readers at their own places, in their classes: [classes, Q, places]."""
    places, others = values.shape
    result = np.zeros((own.count, others, places))
    result[own.number, :, np.arange(places)] = values
    return result


def _joined(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Sum over readers of sums by row [row classes, column classes, R] and by column [column
    classes, row classes, C]: [R, C]."""
    left = rows.reshape(-1, rows.shape[2])
    return left.T @ columns.swapaxes(0, 1).reshape(len(left), -1)


def _along_columns(border: np.ndarray, total: np.ndarray, across: Classes) -> float:
    """The most over any border [row classes, column classes, R] of a column, whose readers take
    `total` [C, row classes]."""
    most = [0.0]
    for number in range(across.count):
        mine = total[across.number == number] if across.count > 1 else total
        most.append(float((mine @ border[:, number]).max(initial=0.0)))
    return max(most)


def loads(by_row: Side, by_column: Side, down: Classes, across: Classes) -> Traffic:
    """Ports, links and transfers. `by_row` holds bytes, `by_column` shares of them.

    `down` are the classes of rows that `by_column` tells apart, `across` those of columns.
    """
    rows, columns = amounts(by_row, down), amounts(by_column, across)
    own = rows.own[:, across.number] * columns.own[:, down.number].T
    received = rows.total[:, across.number] * columns.total[:, down.number].T - own
    sent = _joined(rows.given, columns.given) - own
    links = [0.0]
    for border in (columns.forth, columns.back):
        links.append(float(_joined(rows.given, border).max(initial=0.0)))
    for border in (rows.forth, rows.back):
        links.append(_along_columns(border, columns.total, across))
    flows = _joined(rows.flows, columns.flows) - (own > 0)
    moved, transfers = float(received.sum()), max(float(flows.sum()), 1.0)
    return Traffic(
        round(moved),
        float(max(received.max(initial=0.0), sent.max(initial=0.0))),
        max(links) if moved else 0.0,
        float(own.max(initial=0.0)),
        float(flows.max(initial=0.0)),
        moved / transfers,
        (rows.hops, columns.hops),
    )
