"""The steps of a relayed exchange for lists and streams: moves, arrivals, semaphores.

Thread 1 starts the lists of a chain one after another, each when what the step before brings to its
node has come. What the last steps bring, everything a node sends and a post of thread 1 are counted
on one semaphore, END: thread 0 waits for that where it would wait for an exchange that is pushed.

Arrivals of other steps are counted too, so one semaphore serves steps in a row of a chain as long
as each node hears from one node only: transfers from one node to another end in the order in which
their lists were started.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dojocc.dialects.location import describe
from dojocc.dialects.tile import ExchangeOp
from dojocc.passes.collective_steps import Table
from dojocc.runtime.errors import InputError
from dojocc.runtime.whole_rows import picked

END = 0
"""The first of a relay's semaphores: what thread 0 waits for."""
NOBODY = -1


@dataclass(frozen=True, eq=False)
class RelayStep:
    """One list. `arrivals` [nodes]; `far`: the place of the semaphore that they raise."""

    chain: int
    moves: np.ndarray
    arrivals: np.ndarray
    far: int


@dataclass(frozen=True, eq=False)
class RelaySteps:
    """All lists in the order in which thread 1 starts them; `semaphores`: how many are used; `ends`
    [nodes]: posts to END."""

    steps: tuple[RelayStep, ...]
    semaphores: int
    ends: np.ndarray

    def tables(self) -> list[np.ndarray]:
        """What may differ from node to node."""
        return [step.arrivals for step in self.steps if step.far != END] + [self.ends]


def relay_of(resources: Mapping[str, np.ndarray], op: ExchangeOp, nodes: int) -> RelaySteps | None:
    """The steps of an exchange, None where it is pushed."""
    if op.relay is None:
        return None
    if op.relay.data not in resources:
        raise InputError(f"there is no table '{op.relay.data}'", where=describe(op))
    return _steps(Table(resources[op.relay.data]), nodes)


@lru_cache(maxsize=128)
def _steps(table: Table, nodes: int) -> RelaySteps:
    moves = table.rows
    ends = np.zeros(int(moves["chain"].max(initial=-1)) + 1, np.int64)
    np.maximum.at(ends, moves["chain"], moves["step"])
    last = ends.tolist()
    order = np.argsort(moves["step"].astype(np.int64) * len(last) + moves["chain"], kind="stable")
    moves = picked(moves, order)
    borders = np.flatnonzero(np.diff(moves["chain"]) | np.diff(moves["step"])) + 1
    used = END + 1
    heard: dict[int, np.ndarray | None] = {}
    far: dict[int, int] = {}
    found = []
    for part in np.split(moves, borders):
        chain, step = int(part["chain"][0]), int(part["step"][0])
        here = sources_heard(part, nodes)
        if step == last[chain]:
            number = END
        else:
            before = heard.get(chain)
            if before is None or here is None or not agree(before, here):
                far[chain], used = used, used + 1
                before = here
            number = far[chain]
            heard[chain] = None if here is None or before is None else np.maximum(before, here)
        arrivals = np.bincount(part["dst_node"], minlength=nodes)
        found.append(RelayStep(chain, part, arrivals, number))
    ends = np.bincount(moves["src_node"], minlength=nodes) + 1
    ends += sum(step.arrivals for step in found if step.far == END)
    return RelaySteps(tuple(found), used, ends)


def sources_heard(moves: np.ndarray, nodes: int) -> np.ndarray | None:
    """Whom each node hears in a step; None where one hears several."""
    heard = np.full(nodes, NOBODY, np.int64)
    heard[moves["dst_node"]] = moves["src_node"]
    return heard if (heard[moves["dst_node"]] == moves["src_node"]).all() else None


def agree(one: np.ndarray, other: np.ndarray) -> bool:
    """True where no node hears different ones."""
    return bool(((one == other) | (one == NOBODY) | (other == NOBODY)).all())
