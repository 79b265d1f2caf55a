"""A collective's tables as steps for streams: lists, what arrives, additions, semaphores.

Thread 1 starts the lists of a step when the step before of that chain has ended: it waits for the
arrivals itself, or for thread 0 or 2, which waits for arrivals that are to be added and adds them.

Arrivals are counted, so one semaphore serves steps in a row as long as each node always hears from
the same node: transfers from one node to another end in the order in which they were started.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from dojocc.dialects.location import describe
from dojocc.dialects.tile import CollectiveOp, ExchangeOp
from dojocc.runtime.errors import InputError

SENT = 0
"""The first of a collective's semaphores counts transfers that this node has sent."""
DONE = 1
"""On the second thread 1 tells thread 0 that the last arrivals have been awaited."""
START = 2
"""On the third thread 0 starts thread 2, which adds for every other chain."""
ENDED = 3
"""On the fourth thread 2 tells thread 0 that it has added all."""
SEMAPHORES = 4
LINE = 64


@dataclass(frozen=True, eq=False)
class Addition:
    """One addition on all nodes: offsets and sizes [nodes] by the name of their column."""

    into_buffer: int
    left_buffer: int
    right_buffer: int
    columns: dict[str, np.ndarray]

    @property
    def in_rows(self) -> bool:
        """True where a node has several runs."""
        return bool((self.columns["count"] > 1).any())

    @property
    def by_columns(self) -> bool:
        """True where runs are shorter than many: the loop over runs is then the inner one."""
        return bool(self.columns["count"].max() > self.columns["lines"].max())

    def tables(self) -> list[np.ndarray]:
        names = ("into", "left", "right", "lines")
        if self.in_rows:
            names += ("count", "into_stride", "left_stride", "right_stride")
        return [self.columns[name] for name in names]


@dataclass(frozen=True, eq=False)
class Step:
    """One step of one chain: `far` is the place of the semaphore that its arrivals raise."""

    chain: int
    step: int
    moves: np.ndarray
    arrivals: np.ndarray
    additions: tuple[Addition, ...]
    far: int
    last: bool


@dataclass(frozen=True, eq=False)
class Steps:
    """All steps in the order in which both threads go through them.

    `go`: by chain, the place of the semaphore on which a thread that adds lets thread 1 go on.
    `after`: by chain that does not start at once, the chains that end before it; `begin`: by such
    a chain that adds, the place of the semaphore on which thread 1 lets the thread that adds begin.
    `semaphores`: how many are used. `sent`: transfers each node starts.
    """

    steps: tuple[Step, ...]
    go: dict[int, int]
    after: dict[int, tuple[int, ...]]
    begin: dict[int, int]
    semaphores: int
    sent: np.ndarray

    def followed(self, step: Step) -> bool:
        """True where thread 1 waits for the end of a step before it starts another list."""
        return not step.last or any(step.chain in before for before in self.after.values())

    def second_adder(self, chain: int) -> bool:
        """True where thread 2 adds for a chain: every other one of those that add."""
        return list(self.go).index(chain) % 2 == 1

    def tables(self) -> list[np.ndarray]:
        """Everything that may differ from node to node."""
        found = [each.arrivals for each in self.steps]
        found += [table for each in self.steps for add in each.additions for table in add.tables()]
        return [*found, self.sent]


@dataclass(eq=False)
class Numbers:
    """Semaphores given out so far; per chain the one in use, whom each node hears on it, and
    whether thread 0 waits for it."""

    used: int
    far: dict[int, int] = field(default_factory=dict)
    heard: dict[int, np.ndarray] = field(default_factory=dict)
    added: dict[int, bool] = field(default_factory=dict)

    def next(self) -> int:
        self.used += 1
        return self.used - 1

    def of(self, chain: int, moves: np.ndarray, adds: bool, nodes: int) -> int:
        """The semaphore of a step: that of the step before unless it could be confused with it."""
        heard = self.heard.get(chain)
        here = np.full(nodes, -1, np.int64)
        here[moves["dst_node"]] = moves["src_node"]
        single = len(np.unique(moves["dst_node"])) == len(moves)
        both = heard is not None and (heard >= 0) & (here >= 0)
        same = heard is not None and single and bool((heard == here)[both].all())
        if not same or self.added[chain] != adds:
            self.far[chain] = self.next()
            heard = None
        if not single:
            here = np.full(nodes, nodes, np.int64)  # no node: the next step takes another one
        self.heard[chain] = here if heard is None else np.where(here >= 0, here, heard)
        self.added[chain] = adds
        return self.far[chain]


def steps_of(resources: dict[str, np.ndarray], op: CollectiveOp, nodes: int) -> Steps:
    """The steps of an op's tables."""
    tables = []
    for key in (op.moves.data, op.adds.data):
        if key not in resources:
            raise InputError(f"there is no table '{key}'", where=describe(op))
        tables.append(resources[key])
    return _steps(*map(Table, tables), nodes)


def lists_numbered(op: ExchangeOp | CollectiveOp) -> range:
    """Numbers of the transfer lists of an op."""
    first = op.number.value.data
    return range(first, first + (1 if op.lists is None else op.lists.value.data))


class Table:
    """A table that is one key as long as it lives."""

    def __init__(self, rows: np.ndarray) -> None:
        self.rows = rows

    def __hash__(self) -> int:
        return hash(id(self.rows))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Table) and other.rows is self.rows


@lru_cache(maxsize=8)
def _steps(moves: Table, adds: Table, nodes: int) -> Steps:
    chains, first, last = step_spans(moves.rows)
    numbers = Numbers(SEMAPHORES)
    go = {chain: numbers.next() for chain in chains if chain in set(adds.rows["chain"].tolist())}
    after = {c: tuple(b for b in chains if last[b] < first[c]) for c in chains if first[c]}
    begin = {chain: numbers.next() for chain in after if chain in go}
    found = []
    for step in range(max(last.values(), default=-1) + 1):
        here, there = moves.rows[moves.rows["step"] == step], adds.rows[adds.rows["step"] == step]
        for chain in chains:
            part, sums = here[here["chain"] == chain], there[there["chain"] == chain]
            if not len(part):
                continue
            found.append(
                Step(
                    chain,
                    step,
                    part,
                    np.bincount(part["dst_node"], minlength=nodes),
                    additions(sums, nodes),
                    numbers.of(chain, part, bool(len(sums)), nodes),
                    last[chain] == step,
                )
            )
    sent = np.bincount(moves.rows["src_node"], minlength=nodes)
    return Steps(tuple(found), go, after, begin, numbers.used, sent)


def step_spans(moves: np.ndarray) -> tuple[list[int], dict[int, int], dict[int, int]]:
    """The chains, and the first and the last step of each."""
    chains = np.unique(moves["chain"]).tolist()
    steps = {chain: moves["step"][moves["chain"] == chain] for chain in chains}
    first = {chain: int(each.min()) for chain, each in steps.items()}
    return chains, first, {chain: int(each.max()) for chain, each in steps.items()}


def additions(rows: np.ndarray, nodes: int) -> tuple[Addition, ...]:
    """The additions of one step by turns; a node that has none adds no lines."""
    found = []
    for turn in np.unique(rows["turn"]).tolist():
        part = rows[rows["turn"] == turn]
        columns = {}
        for name in ("into", "left", "right", "count", "into_stride", "left_stride"):
            columns[name] = spread_out(part, part[name], nodes)
        columns["right_stride"] = spread_out(part, part["right_stride"], nodes)
        lines = np.zeros(nodes, np.int64)
        lines[part["node"]] = -(-part["bytes"].astype(np.int64) // LINE)
        columns["lines"] = lines
        into, left, right = (int(part[f"{name}_buffer"][0]) for name in ("into", "left", "right"))
        found.append(Addition(into, left, right, columns))
    return tuple(found)


def spread_out(part: np.ndarray, values: np.ndarray, nodes: int) -> np.ndarray:
    """Values by node; nodes without one get that of the first, which keeps equal tables equal."""
    table = np.full(nodes, int(values[0]), np.int64)
    table[part["node"]] = values
    return table
