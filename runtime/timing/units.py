"""Units of a node that its threads share: how long a nest takes beside other threads' nests.

A nest that runs by itself uses each unit at a steady rate. Beside nests that other threads have
begun it gets what these leave of every unit, so no unit ever does more than it can: who begins
first keeps its rate (assumed: an older nest goes first). Decoding is not shared: each thread has
`decode_width / decode_threads` of it; nor are instructions outside nests.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dojocc.runtime.engines.tree import Block, Call, Loop, Op, Tree

UNITS = ("load", "store", "vector", "matrix")
KEPT = 64
"""Pieces remembered of a thread: one that is further behind than that shares nothing with them."""


@dataclass(frozen=True, eq=False)
class Piece:
    """From start to end [nodes] a thread uses units at rates [UNITS] times speed [nodes]."""

    start: np.ndarray
    end: np.ndarray
    speed: np.ndarray
    rates: np.ndarray


@dataclass(eq=False)
class SharedUnits:
    """What the threads of each class have taken of their nodes' units."""

    users: list[list[int]]
    pieces: dict[tuple[int, int], list[Piece]] = field(default_factory=dict)

    def shared(self, cls: int) -> bool:
        """True where several threads of a class have nests."""
        return len(self.users[cls]) > 1

    def run(
        self, cls: int, thread: int, nodes: np.ndarray, clock: np.ndarray, nest: tuple[int, dict]
    ) -> np.ndarray:
        """Take the units for a nest of (cycles by itself, {unit: share of it used}) on `nodes`.

        clock: [all nodes, threads] where threads stand. Gives the time at which it ends [nodes].
        """
        cycles, shares = nest
        rates = np.array([shares.get(unit, 0.0) for unit in UNITS])
        others = self._others(cls, thread, nodes, clock)
        now, left = clock[nodes, thread].copy(), np.full(len(nodes), float(cycles))
        own = self.pieces.setdefault((cls, thread), [])
        for until, speed in _segments(others, nodes, now, rates):
            room = np.maximum(until - now, 0.0)
            takes = np.divide(left, speed, out=np.full(len(nodes), np.inf), where=speed > 0)
            span = np.where(left > 0, np.minimum(room, takes), 0.0)
            own += _piece(len(clock), nodes, now, now + span, speed, rates)
            left = np.maximum(left - span * speed, 0.0)
            left[left < 1e-9] = 0.0
            now = now + span
        own += _piece(len(clock), nodes, now, now + left, np.ones(len(nodes)), rates)
        del own[:-KEPT]
        return now + left

    def _others(self, cls: int, thread: int, nodes: np.ndarray, clock: np.ndarray) -> list[Piece]:
        """Pieces of other threads that are not over; what nobody can meet any more is dropped."""
        found = []
        for other in self.users[cls]:
            pieces = self.pieces.get((cls, other), [])
            behind = min(clock[:, user].min() for user in self.users[cls] if user != other)
            pieces[:] = [piece for piece in pieces if piece.end.max() > behind]
            if other != thread:
                begin = clock[nodes, thread]
                found += [each for each in pieces if (each.end[nodes] > begin).any()]
        return found


def _piece(
    count: int,
    nodes: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    speed: np.ndarray,
    rates: np.ndarray,
) -> list[Piece]:
    """A piece on some of `count` nodes; none where nothing is used."""
    if not ((end > start) & (speed > 0)).any():
        return []
    columns = np.zeros((3, count))
    columns[:, nodes] = start, end, speed
    return [Piece(columns[0], columns[1], columns[2], rates)]


def _segments(
    others: list[Piece], nodes: np.ndarray, begin: np.ndarray, rates: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """(end, speed) [nodes] of stretches from `begin` on in which others' use does not change."""
    if not others:
        return []
    start, end, speed = (
        np.stack([getattr(piece, name)[nodes] for piece in others])
        for name in ("start", "end", "speed")
    )
    used = np.stack([piece.rates for piece in others])
    edges = np.sort(np.maximum(np.concatenate([start, end]), begin), 0)
    found = []
    before = begin
    for edge in edges:
        there = (start <= before) & (end >= edge) & (edge > before)
        taken = np.einsum("kn,ku->un", np.where(there, speed, 0.0), used)
        room = np.maximum(1.0 - taken, 0.0)[rates > 0] / rates[rates > 0][:, None]
        found.append((edge, np.minimum(room.min(0, initial=1.0), 1.0)))
        before = edge
    return found


def unit_users(trees: list[Tree]) -> list[list[int]]:
    """By class, the threads that have loads, stores or arithmetic in loops."""
    found = []
    for tree in trees:
        blocks = enumerate(tree.threads)
        found.append([number for number, block in blocks if block is not None and _uses(block)])
    return found


def _uses(block: Block, inside: bool = False) -> bool:
    for item in block.items:
        match item:
            case Op():
                if inside and item.row.unit in UNITS:
                    return True
            case Call():
                if _uses(item.body, inside):
                    return True
            case Loop():
                if _uses(item.body, inside=True):
                    return True
    return False
