"""Rows of equal length from a block with dead nodes, each row borrowing from the rows next to it.

How many nodes each row hands to its neighbours is found by dynamic programming from the top row
down: the fewest that let `height` rows have `width` nodes each; the other rows only give. Which
nodes: those in the columns where the row that receives them has gaps, so that columns stay columns.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

LARGEST_LOAN = 8  # nodes that a row takes from one neighbour
NEVER = 1 << 30


def borrowed_rows(usable: np.ndarray, height: int, width: int) -> np.ndarray | None:
    """Flat positions [height, width] of usable nodes, or None if rows cannot be made like that."""
    counts = usable.sum(1)
    plan = loans(counts, height, width)
    if plan is None:
        return None
    kept, passed = plan
    members = hand_over(usable, passed)
    cols = usable.shape[1]
    rows = [sorted(members[row], key=lambda place: (place[1], place[0])) for row in kept]
    ids = [[r * cols + c for r, c in row] for row in rows]
    # What a row has too much is left out at even distances, so that columns lean little.
    return np.array([[row[j * len(row) // width] for j in range(width)] for row in ids], np.int64)


def loans(counts: np.ndarray, height: int, width: int) -> tuple[list[int], list[int]] | None:
    """(rows that stay rows, nodes that each row passes to the next one; negative: takes from it).

    A row may keep nodes that it does not need. Only nodes of its own are passed on.
    """
    rows = len(counts)
    loan = np.arange(-LARGEST_LOAN, LARGEST_LOAN + 1)
    cost = np.full((height + 1, len(loan)), NEVER)
    cost[0, LARGEST_LOAN] = 0
    steps: list[dict[tuple[int, int], tuple[int, int, bool]]] = []
    for row, count in enumerate(counts.tolist()):
        after = np.full_like(cost, NEVER)
        came: dict[tuple[int, int], tuple[int, int, bool]] = {}
        lowest = height - (rows - row - 1)  # logical rows that must be there after this one
        for made, into in zip(*np.nonzero(cost < NEVER), strict=True):
            received = int(loan[into])
            if count + received < 0:
                continue  # it would give what is not its own
            for stays in (True, False):
                done = int(made) + stays
                if not max(lowest, 0) <= done <= height:
                    continue
                most = count + received - (width if stays else 0)
                most = min(most, count + min(received, 0), LARGEST_LOAN if row < rows - 1 else 0)
                for out in range(-LARGEST_LOAN if row < rows - 1 else 0, most + 1):
                    total = int(cost[made, into]) + abs(out)
                    place = (done, out + LARGEST_LOAN)
                    if total < after[place]:
                        after[place] = total
                        came[place] = (int(made), int(into), stays)
        cost = after
        steps.append(came)
    place = (height, LARGEST_LOAN)
    if cost[place] >= NEVER:
        return None
    kept, passed = [], [0] * rows
    for row in range(rows - 1, -1, -1):
        passed[row] = place[1] - LARGEST_LOAN
        made, into, stays = steps[row][place]
        if stays:
            kept.append(row)
        place = (made, into)
    return kept[::-1], passed


@dataclass(eq=False)
class Loans:
    """Rows while they hand nodes over: which of their columns are left, and what they got."""

    own: list[set[int]]
    received: list[list[tuple[int, int]]] = field(default_factory=list)

    def hand(self, giver: int, taker: int, count: int, cols: int) -> None:
        """Give `count` own nodes of one row to another, where that one has gaps."""
        filled = {col for _, col in self.received[taker]} | self.own[taker]
        gaps = [col for col in range(cols) if col not in filled]

        def far(col: int) -> tuple[int, int]:
            return min((abs(col - gap) for gap in gaps), default=0), col

        for col in sorted(self.own[giver], key=far)[:count]:
            self.own[giver].remove(col)
            self.received[taker].append((giver, col))


def hand_over(usable: np.ndarray, passed: list[int]) -> list[list[tuple[int, int]]]:
    """The (row, col) of the nodes of every row after what is passed on has been.

    A row that both gets and gives gives first, so that what it then gets may stand in those gaps.
    """
    rows, cols = usable.shape
    state = Loans([set(np.flatnonzero(row).tolist()) for row in usable], [[] for _ in range(rows)])
    for row in range(rows - 1):
        if passed[row] < 0:
            state.hand(row + 1, row, -passed[row], cols)
    for row in range(rows - 2, -1, -1):
        if passed[row] > 0:
            state.hand(row, row + 1, passed[row], cols)
    own = [[(row, col) for col in columns] for row, columns in enumerate(state.own)]
    return [mine + more for mine, more in zip(own, state.received, strict=True)]
