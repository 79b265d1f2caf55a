"""A collective's tables as steps for streams: lists, what arrives, additions, semaphores.

Thread 1 starts the lists of a step when the step before of that chain has ended: it waits for the
arrivals itself, or for thread 0 or 2, which waits for arrivals that are to be added and adds them.

Arrivals are counted, so one semaphore serves steps in a row as long as each node always hears from
the same node: transfers from one node to another end in the order in which they were started.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from dojocc.dialects.location import describe
from dojocc.dialects.tile import CollectiveOp, ExchangeOp
from dojocc.passes.collective_greetings import Greetings, greetings
from dojocc.runtime.errors import InputError

SENT = 0
"""The first of a collective's semaphores counts transfers that this node has sent."""
DONE = 1
"""On the second thread 1 tells thread 0 that the last arrivals have been awaited."""
ENDED = 2
"""On the third the other threads that add tell thread 0 that they have added all."""
START = 3
"""On the next ones thread 0 starts these threads, each on its own."""
ADDERS = (0, 2, 3)
"""Threads that add, each for as many chains."""
SEMAPHORES = START + len(ADDERS) - 1
LINE = 64


PAIRED = ("into_other", "left_other", "right_other")
"""Columns of an addition that is two: the places of the second."""
MOST_UNROLLED = 4
OVERHEAD = 30
"""Cycles of an addition besides its lines."""


@dataclass(frozen=True, eq=False)
class Addition:
    """One addition on all nodes: offsets and sizes [nodes] by the name of their column.

    A `pair` is two alike at once: columns `into_other` and so on are where the second lies.
    """

    into_buffer: int
    left_buffer: int
    right_buffer: int
    columns: dict[str, np.ndarray]
    pair: bool = False

    @property
    def terms(self) -> int:
        """How many of what has arrived are added at once."""
        return int(self.columns["terms"][0])

    @property
    def cycles(self) -> float:
        """About how long it takes: lines, and what goes before and after."""
        lines = self.columns["lines"] * np.maximum(self.columns["count"], 1)
        return float(lines.max() * self.terms * (1 + self.pair)) + OVERHEAD

    @property
    def in_place(self) -> bool:
        """True where the sum replaces what has arrived."""
        ends = ("", "_stride", "_other")[: 3 if self.pair else 2]
        pairs = [(self.columns[f"into{end}"], self.columns[f"left{end}"]) for end in ends]
        same = all(np.array_equal(*pair) for pair in pairs)
        return same and self.into_buffer == self.left_buffer and self.terms == 1

    @property
    def unrolled(self) -> int:
        """Lines of every run where these are few and the same on all nodes that add, else 0: the
        subroutine then has an instruction for each, and loops over runs alone."""
        lines = self.columns["lines"]
        most = int(lines.max())
        return most if most <= MOST_UNROLLED and ((lines == most) | (lines == 0)).all() else 0

    @property
    def in_rows(self) -> bool:
        """True where a node has several runs, or runs are what it loops over."""
        return bool(self.unrolled or (self.columns["count"] > 1).any())

    @property
    def by_columns(self) -> bool:
        """True where runs are shorter than many: the loop over runs is then the inner one."""
        return bool(self.columns["count"].max() > self.columns["lines"].max())

    def tables(self) -> list[np.ndarray]:
        names = ("into", "left", "right", "lines")
        if self.in_rows:
            names += ("count", "into_stride", "left_stride", "right_stride")
        if self.pair:
            names += PAIRED
        return [self.columns[name] for name in names]


@dataclass(frozen=True, eq=False)
class Step:
    """One step of one chain: `far` are the places of the semaphores that its arrivals raise, by
    lane, and `arrivals` how many on each."""

    chain: int
    step: int
    moves: np.ndarray
    arrivals: tuple[np.ndarray, ...]
    additions: tuple[Addition, ...]
    far: dict[int, int]
    last: bool

    @property
    def awaited(self) -> list[tuple[int, np.ndarray]]:
        """(place of a semaphore, posts to it [nodes]) that end the step."""
        return list(zip(self.far.values(), self.arrivals, strict=True))

    @property
    def raised(self) -> np.ndarray:
        """[moves] the place of the semaphore that each raises where it arrives."""
        found = np.zeros(len(self.moves), np.int64)
        for lane, place in self.far.items():
            found[self.moves["lane"] == lane] = place
        return found


@dataclass(frozen=True, eq=False)
class Steps:
    """All steps in the order in which both threads go through them.

    `go`: by chain, the place of the semaphore on which a thread that adds lets thread 1 go on;
    `adder`: that thread.
    `after`: by chain that does not start at once, the chains that end before it; `begin`: by such
    a chain that adds, the place of the semaphore on which thread 1 lets the thread that adds begin.
    `semaphores`: how many are used. `sent`: transfers each node starts.
    """

    steps: tuple[Step, ...]
    go: dict[int, int]
    adder: dict[int, int]
    after: dict[int, tuple[int, ...]]
    begin: dict[int, int]
    semaphores: int
    sent: np.ndarray
    greetings: Greetings | None = None

    def followed(self, step: Step) -> bool:
        """True where thread 1 waits for the end of a step before it starts another list."""
        return not step.last or any(step.chain in before for before in self.after.values())

    @property
    def adders(self) -> list[int]:
        """All threads that add."""
        return sorted(set(self.adder.values()), key=ADDERS.index)

    def tables(self) -> list[np.ndarray]:
        """Everything that may differ from node to node."""
        found = [table for each in self.steps for table in each.arrivals]
        found += [table for each in self.steps for add in each.additions for table in add.tables()]
        found += [] if self.greetings is None else self.greetings.tables()
        return [*found, self.sent]


@dataclass(eq=False)
class Numbers:
    """Semaphores given out so far; by chain and lane the one in use, whom each node hears on it,
    and whether a thread that adds waits for it."""

    used: int
    far: dict[tuple[int, int], int] = field(default_factory=dict)
    heard: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    added: dict[tuple[int, int], bool] = field(default_factory=dict)

    def next(self) -> int:
        self.used += 1
        return self.used - 1

    def of(self, lane: tuple[int, int], moves: np.ndarray, adds: bool, nodes: int) -> int:
        """The semaphore of a step's lane: that of the step before unless it could be confused with
        it."""
        heard = self.heard.get(lane)
        here = np.full(nodes, -1, np.int64)
        here[moves["dst_node"]] = moves["src_node"]
        single = len(np.unique(moves["dst_node"])) == len(moves)
        both = heard is not None and (heard >= 0) & (here >= 0)
        same = heard is not None and single and bool((heard == here)[both].all())
        if not same or self.added[lane] != adds:
            self.far[lane] = self.next()
            heard = None
        if not single:
            here = np.full(nodes, nodes, np.int64)  # no node: the next step takes another one
        self.heard[lane] = here if heard is None else np.where(here >= 0, here, heard)
        self.added[lane] = adds
        return self.far[lane]


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
    parts, all_sums = by_step(moves.rows), by_step(adds.rows)
    for step in range(max(last.values(), default=-1) + 1):
        for chain in chains:
            if (step, chain) not in parts:
                continue
            part, sums = parts[step, chain], all_sums.get((step, chain), adds.rows[:0])
            lanes = [(int(n), part[part["lane"] == n]) for n in np.unique(part["lane"])]
            adds_here = bool(len(sums))
            far = {n: numbers.of((chain, n), lane, adds_here, nodes) for n, lane in lanes}
            arrivals = tuple(np.bincount(lane["dst_node"], minlength=nodes) for _, lane in lanes)
            ends = last[chain] == step
            found.append(Step(chain, step, part, arrivals, additions(sums, nodes), far, ends))
    sent = np.bincount(moves.rows["src_node"], minlength=nodes)
    started = [each.step == first[each.chain] and not after.get(each.chain) for each in found]
    greeted = greetings([each.moves for each in found], started, nodes) if found else None
    return Steps(tuple(found), go, shared_out(found), after, begin, numbers.used, sent, greeted)


def by_step(rows: np.ndarray) -> dict[tuple[int, int], np.ndarray]:
    """Rows of moves or additions, in their order, by step and chain."""
    if not len(rows):
        return {}
    key = rows["step"].astype(np.int64) << 32 | rows["chain"]
    order = np.argsort(key, kind="stable")
    rows, key = rows[order], key[order]
    found = np.split(rows, np.flatnonzero(np.diff(key)) + 1)
    return {(int(part["step"][0]), int(part["chain"][0])): part for part in found}


def shared_out(steps: list[Step]) -> dict[int, int]:
    """By chain that adds, the thread that adds for it: the one with the least to do so far."""
    work: dict[int, float] = {}
    for step in steps:
        for addition in step.additions:
            work[step.chain] = work.get(step.chain, 0.0) + addition.cycles
    found, load = {}, dict.fromkeys(ADDERS, 0.0)
    for chain in sorted(work):
        thread = min(ADDERS, key=lambda thread: load[thread])
        load[thread] += work[chain]
        found[chain] = thread
    return found


def step_spans(moves: np.ndarray) -> tuple[list[int], dict[int, int], dict[int, int]]:
    """The chains, and the first and the last step of each."""
    chains = np.unique(moves["chain"]).tolist()
    steps = {chain: moves["step"][moves["chain"] == chain] for chain in chains}
    first = {chain: int(each.min()) for chain, each in steps.items()}
    return chains, first, {chain: int(each.max()) for chain, each in steps.items()}


PLACES = ("into", "left", "right")
COLUMNS = (
    *(*PLACES, "count", "into_stride", "left_stride", "right_stride"),
    *("terms", "term_stride"),
)


def additions(rows: np.ndarray, nodes: int) -> tuple[Addition, ...]:
    """The additions of one step by turns; a node that has none adds no lines."""
    found = []
    for turn in np.unique(rows["turn"]).tolist():
        part = rows[rows["turn"] == turn]
        columns = {}
        for name in COLUMNS:
            columns[name] = spread_out(part, part[name], nodes)
        lines = np.zeros(nodes, np.int64)
        lines[part["node"]] = -(-part["bytes"].astype(np.int64) // LINE)
        columns["lines"] = lines
        columns["count"][lines == 0] = 0
        into, left, right = (int(part[f"{name}_buffer"][0]) for name in ("into", "left", "right"))
        found.append(Addition(into, left, right, columns))
    return paired(found)


def paired(found: list[Addition]) -> tuple[Addition, ...]:
    """Two additions of one step that are alike, and neither reads what the other writes, as one."""
    if len(found) != 2:
        return tuple(found)
    one, two = found
    buffers = [(each.into_buffer, each.left_buffer, each.right_buffer) for each in found]
    alike = (name for name in one.columns if name not in PLACES)
    same = all(np.array_equal(one.columns[name], two.columns[name]) for name in alike)
    apart = all((one.columns[name] != two.columns[name]).all() for name in PLACES)
    if buffers[0] != buffers[1] or not same or not apart:
        return tuple(found)
    columns = one.columns | {f"{name}_other": two.columns[name] for name in PLACES}
    return (replace(one, columns=columns, pair=True),)


def spread_out(part: np.ndarray, values: np.ndarray, nodes: int) -> np.ndarray:
    """Values by node; nodes without one get that of the first, which keeps equal tables equal."""
    table = np.full(nodes, int(values[0]), np.int64)
    table[part["node"]] = values
    return table
