"""How long a collective takes: its steps played on one node for all, as all nodes do alike.

Takes chains and the numbers of a target; gives cycles. Lists under way share the node's port and
the links along rows and along columns; thread 1 starts lists and other threads add in the order in
which the streams do it (passes/collective_steps.py), each step behind the end of the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dojocc.passes.solve.collective_axes import Axis
from dojocc.passes.solve.collective_costs import Costs, way
from dojocc.passes.solve.collective_phases import FUSED_LINES
from dojocc.passes.solve.collective_stages import parts_of
from dojocc.passes.solve.collectives import LINE, Chain

START = 5
"""Cycles of thread 1 to end a wait and start a list."""
PREPARE, ADD = 9, 17
"""Cycles of an addition in front of the wait for what arrives, for each piece, and behind it
besides its lines."""
FINISHED = 1e-6
WAITING = 1.08
"""How much longer links are busy for both ways round a ring where ways round dead nodes share them:
each step waits for the slower way. From d1-die with 256 and 512 KiB a node."""
RESOURCES = 5
"""A port, and links of four directions."""


@dataclass(frozen=True)
class Play:
    """One step of one chain: flows into a node, lines through its port and over the busiest link
    down and up a column, and forth and back along a row; cycles of the way, lines to add (each of
    so many additions)."""

    chain: int
    flows: int
    port: float
    links: tuple[float, ...]
    way: float
    adds: tuple[float, ...]
    lanes: int = 1


@dataclass(eq=False)
class Sharing:
    """Lists under way: what is left of each, as a share of it."""

    costs: Costs
    now: float = 0.0
    left: dict[int, float] = field(default_factory=dict)
    plays: dict[int, Play] = field(default_factory=dict)

    def rates(self) -> dict[int, float]:
        """Shares a cycle: flows get the same packets a cycle where a resource is full."""
        plays = {number: self.plays[number] for number in self.left}
        room = [1.0] * RESOURCES
        found: dict[int, float] = {}
        while plays:
            level = []
            for place in range(RESOURCES):
                wanted = sum(load(play, place) / pace(play) for play in plays.values())
                level.append(max(room[place], 0.0) / wanted if wanted else float("inf"))
            tight = min(range(RESOURCES), key=level.__getitem__)
            fixed = [n for n, play in plays.items() if load(play, tight)] or list(plays)
            for number in fixed:
                play = plays.pop(number)
                found[number] = min(level[tight], 1e9) / pace(play)
                for place in range(RESOURCES):
                    room[place] -= load(play, place) * found[number]
        return found

    def start(self, number: int, play: Play, when: float) -> None:
        self.left[number] = 1.0
        self.plays[number] = play
        self.now = max(self.now, when)

    def advance(self, until: float) -> list[tuple[int, float]]:
        """Go on to the next end, or to `until`; gives what ended, and when."""
        if not self.left:
            self.now = until
            return []
        rates = self.rates()
        soon = min(self.left[n] / max(rates[n], 1e-12) for n in self.left)
        span = min(soon, until - self.now)
        self.now += span
        for number in list(self.left):
            self.left[number] -= rates[number] * span
        ended = [n for n, left in self.left.items() if left <= FINISHED]
        for number in ended:
            del self.left[number]
        return [(number, self.now) for number in ended]


def load(play: Play, place: int) -> float:
    return (play.port, *play.links)[place]


def pace(play: Play) -> float:
    """Lines of one of its flows."""
    return max(play.port / play.flows, FINISHED)


@dataclass(eq=False)
class Node:
    """The threads of one node: the plays in the order of the streams, and what has happened."""

    plays: list[Play]
    costs: Costs
    adders: int
    before: list[list[int]]
    arrived: dict[int, float] = field(default_factory=dict)
    ended: dict[int, float] = field(default_factory=dict)
    clock: float = 0.0
    vector: float = 0.0

    def __post_init__(self) -> None:
        self.threads = [0.0] * self.adders
        adding = sorted({play.chain for play in self.plays if play.adds})
        self.mine = [
            [
                n
                for n, play in enumerate(self.plays)
                if play.adds and play.chain in adding[t :: self.adders]
            ]
            for t in range(self.adders)
        ]

    def add(self) -> None:
        """Additions of what has arrived, in the order in which they can begin."""
        while True:
            ready = [
                (self.begin(thread, queue[0]), thread)
                for thread, queue in enumerate(self.mine)
                if queue and queue[0] in self.arrived
            ]
            if not ready:
                return
            begin, thread = min(ready)
            number = self.mine[thread].pop(0)
            for lines in self.plays[number].adds:
                self.vector = max(self.vector, begin) + lines
                begin = max(begin + lines, self.vector) + ADD
            self.threads[thread] = self.ended[number] = begin

    def begin(self, thread: int, number: int) -> float:
        """When a thread can begin to add what a play has brought."""
        prepared = self.threads[thread] + PREPARE * self.plays[number].lanes
        return max(prepared, self.arrived[number])

    def end_of(self, number: int) -> float | None:
        """When a step is over, if that is known."""
        return (self.ended if self.plays[number].adds else self.arrived).get(number)


def estimate(
    chains: Sequence[Chain], costs: Costs, reduces: bool, gathers: bool, adders: int
) -> float:
    """Modelled cycles of a collective."""
    plays, before = in_order(chains, costs, reduces, gathers)
    node, sharing = Node(plays, costs, adders, before), Sharing(costs)
    node.clock = costs.greeting if greets(chains, costs, reduces) else costs.barrier
    place = 0
    while place < len(plays) or sharing.left or any(node.mine):
        node.add()
        moved = False
        while place < len(plays):
            ready = [node.end_of(gate) for gate in before[place]]
            known = [end for end in ready if end is not None]
            if len(known) < len(ready):
                break
            begin = max([node.clock, *known])
            if begin > sharing.now and sharing.left:
                ends = sharing.advance(begin)
                note(node, ends)
                if ends:
                    moved = True
                    break
                if sharing.now < begin:
                    continue
            sharing.start(place, plays[place], begin)
            node.clock = begin + START
            place += 1
            moved = True
        if moved:
            continue
        note(node, sharing.advance(float("inf")))
    return max([node.clock, *node.arrived.values(), *node.ended.values()])


def note(node: Node, ends: list[tuple[int, float]]) -> None:
    for number, when in ends:
        node.arrived[number] = when + node.plays[number].way


def in_order(
    chains: Sequence[Chain], costs: Costs, reduces: bool, gathers: bool
) -> tuple[list[Play], list[list[int]]]:
    """The plays in the order of the streams, and before each the plays whose end it waits for."""
    timed: list[tuple[int, int, Play]] = []
    begin = end = 0
    for part in parts_of(chains, reduces, gathers):
        if part.opens:
            begin = end
        step = begin + part.chain.begin
        for play in plays_of(part.number, part.chain, costs, part.reduces, part.gathers):
            timed.append((step, part.number, play))
            step += 1
        end = max(end, step)
    timed.sort(key=lambda item: item[:2])
    plays = [play for _, _, play in timed]
    last: dict[int, int] = {}
    before: list[list[int]] = []
    single = len({chain.done for chain in chains}) == 1
    for place, (step, _, play) in enumerate(timed):
        if play.chain in last or single:
            before.append([last[play.chain]] if play.chain in last else [])
        else:
            before.append([n for n in last.values() if timed[n][0] < step])
        last[play.chain] = place
    return plays, before


def greets(chains: Sequence[Chain], costs: Costs, reduces: bool) -> bool:
    """True where nodes tell those of their first steps that they are ready, and meet at no
    barrier (passes/collective_greetings.py)."""
    firsts = [chain for chain in chains if chain.done == 0 or not reduces]
    kinds = [chain.phases[0 if reduces else len(chain.phases) - 1].ring for chain in firsts]
    return all(kinds) and all(chain.nodes == costs.nodes for chain in chains)


def plays_of(number: int, chain: Chain, costs: Costs, reduces: bool, gathers: bool) -> list[Play]:
    """The steps of one chain."""
    found: list[Play] = []
    if reduces:
        for phase in chain.own_phases:
            found += phase_plays(number, chain, phase, costs, True)
    if gathers:
        for phase in reversed(chain.own_phases):
            found += phase_plays(number, chain, phase, costs, False)
    return found


def phase_plays(number: int, chain: Chain, place: int, costs: Costs, adds: bool) -> list[Play]:
    phase, lines = chain.phases[place], piece_lines(chain, place)
    axis = phase.axis
    late = costs.message + costs.semaphore + costs.entry + way(phase, costs)
    if not phase.ring:
        first, end = chain.positions(place)
        part = (end - first) / axis.size
        forth, back = middle(axis.size, first, end)
        if not adds:
            forth, back = back, forth
        mixed = axis.hops * lines / costs.share
        busiest = mixed * forth, mixed * back
        port = (axis.size - 1) * lines * (part if not adds else 1.0)
        sums = ((axis.size - 1) * lines,) if adds else ()
        if adds and lines > FUSED_LINES:
            sums = (lines,) * (axis.size - 1)
        flows = max(round((axis.size - 1) * part), 1)
        return [Play(number, flows, port, along(axis, busiest, costs), late, sums)]
    found = []
    for turn in range(phase.steps):
        lanes = 1 if not phase.both else sum(turn < half for half in phase.halves)
        # Sources with one destination fill a link, those with several a share of it.
        load = axis.hops * lines * lanes / (costs.share if phase.both else 1.0)
        if phase.both and max(costs.detours) > 1:
            load *= WAITING
        loads = along(axis, (load, load), costs)
        sums = (lanes * lines,) if adds else ()
        found.append(Play(number, lanes, lanes * lines, loads, late, sums, lanes))
    return found


def middle(size: int, first: int, end: int) -> tuple[int, int]:
    """Pieces over the busiest link forth and back along a line where all push to the positions
    first..end - 1."""
    cuts = range(1, size)
    forth = max(cut * max(end - max(cut, first), 0) for cut in cuts)
    return forth, max((size - cut) * max(min(cut, end) - first, 0) for cut in cuts)


def along(axis: Axis, loads: tuple[float, float], costs: Costs) -> tuple[float, ...]:
    """Loads of links down, up, forth and back, of an axis's two directions."""
    row = axis.stride == axis.hops
    longer = tuple(each * costs.detours[row] for each in loads)
    return (0.0, 0.0, *longer) if row else (*longer, 0.0, 0.0)


def piece_lines(chain: Chain, place: int) -> float:
    """Lines of a piece that a phase passes on."""
    size = 1
    for number in range(place + 1, len(chain.phases)):
        first, end = chain.positions(number)
        size *= end - first
    return -(-size * (chain.end - chain.low) * chain.outer // LINE)
