"""Beam search for the layouts of a whole graph: one candidate a kernel, in program order.

Pure: takes kernels as `Node`s whose operands name values by number, candidates and cost functions.
A state is where the values that are still to be read lie, with the copies that were made of them;
of states that agree in that, the cheapest is kept, and of all, the `width` cheapest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from heapq import nsmallest

from dojocc.passes.solve.candidates import Placed
from dojocc.passes.solve.sharding import Source, Weights, fits, needs_zero_rows
from dojocc.passes.solve.traffic import Reading
from dojocc.passes.solve.work import Work
from dojocc.runtime.layout import Layout

BRANCHES = 3  # candidates that each state goes on with


@dataclass(frozen=True)
class Operand:
    """What a kernel reads: a constant, or a value; through movement, some elements of a value.

    `value` is the number of the value that holds the elements, None where there is none that is
    known; `host` says that the host writes it.
    """

    kind: str  # "constant", "value" or "moved"
    value: int | None = None
    key: int = 0  # equal for the same moved tensor, or the same constant
    reading: Reading | None = None
    host: bool = False


@dataclass(frozen=True)
class Node:
    """One kernel: its work, what it reads and makes, and the values that nothing reads after it."""

    work: Work
    operands: tuple[Operand, ...]
    results: tuple[int, ...]
    last: frozenset[int]


@dataclass(frozen=True)
class State:
    """`homes`: layout by value; `copies`: layouts by what was brought; `taken`: newest first."""

    cost: float
    homes: dict[int, Layout]
    copies: dict[int, tuple[Layout, ...]]
    taken: tuple | None = None

    def key(self) -> tuple:
        return (
            tuple(sorted((value, id(layout)) for value, layout in self.homes.items())),
            tuple(sorted((key, *map(id, layouts)) for key, layouts in self.copies.items())),
        )


KnownSteps = dict[tuple, tuple[Sequence[tuple[float, Placed]], "list[Step]"]]
"""The steps of kernels that are alike in all that they are chosen by (`alike`), with the candidates
that these were offered: as long as they are kept, no others have their id."""


@dataclass(frozen=True)
class Costs:
    """Everything the search asks: all in cycles.

    `offered` gives a node's candidates for its operands' present layouts, in the order of
    `least_cost`, and that; `constant` the cost of
    operand number n as a constant in a layout, and whether it is brought; `moved` an exchange, and
    `least` something quick that is never more.
    """

    offered: Callable[[Node, tuple[Layout | None, ...]], Sequence[tuple[float, Placed]]]
    constant: Callable[[Node, int, Layout], tuple[float, bool]]
    moved: Callable[[Layout | None, Layout, Reading | None], float]
    least: Callable[[Layout | None, Layout], float]
    weights: Weights
    room: int
    known: KnownSteps = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """A candidate for the next kernel of a state: what it adds, and which operands it brings."""

    cost: float
    placed: Placed
    brought: tuple[int, ...]


def search(nodes: Sequence[Node], costs: Costs, width: int) -> list[Placed]:
    """The candidate of every node in the cheapest line of choices that the beam keeps."""
    states = [State(0.0, {}, {})]
    for node in nodes:
        grown: dict[tuple, State] = {}
        for state in states:
            for step in steps(node, state, costs):
                after = follow(node, state, step)
                key = after.key()
                if key not in grown or after.cost < grown[key].cost:
                    grown[key] = after
        states = nsmallest(width, grown.values(), key=lambda state: state.cost)
    taken, line = states[0].taken, []
    while taken is not None:
        placed, taken = taken
        line.append(placed)
    return line[::-1]


def steps(node: Node, state: State, costs: Costs) -> list[Step]:
    """The cheapest candidates whose activations fit; the smallest one where none does.

    Candidates come in the order of what they cost at least, so the rest is not looked at as soon as
    that is more than what was found.
    """
    layouts = tuple(None if o.value is None else state.homes.get(o.value) for o in node.operands)
    offered = costs.offered(node, layouts)
    key = alike(node, layouts, state, offered, costs)
    if key not in costs.known:
        costs.known[key] = offered, cheapest(node, state, offered, costs)
    return costs.known[key][1]


def alike(
    node: Node,
    layouts: tuple[Layout | None, ...],
    state: State,
    offered: Sequence[tuple[float, Placed]],
    costs: Costs,
) -> tuple:
    """All that the steps of a kernel follow from: layers of a model repeat themselves."""
    read = tuple(
        (o.kind, o.host, id(o.reading), id(held), tuple(map(id, state.copies.get(o.key, ()))))
        for o, held in zip(node.operands, layouts, strict=True)
    )
    return id(offered), read, costs.weights, costs.room


def cheapest(
    node: Node, state: State, offered: Sequence[tuple[float, Placed]], costs: Costs
) -> list[Step]:
    """The steps, where they are not known yet."""
    copied = any(operand.key in state.copies for operand in node.operands)
    best: list[Step] = []
    for least, placed in offered:
        worst = best[-1].cost if len(best) == BRANCHES else float("inf")
        if least >= worst and not copied:
            break
        step = priced(node, state, placed, costs, worst)
        if step is not None:
            best = sorted([*best, step], key=lambda each: each.cost)[:BRANCHES]
    if best:
        return best
    smallest = min((each for _, each in offered), key=all_bytes)
    endless = replace(costs, room=1 << 62)
    step = priced(node, state, smallest, endless, float("inf"))
    assert step is not None
    return [step]


def all_bytes(placed: Placed) -> int:
    """What a node holds of all its operands and results."""
    return sum(part.bytes for part in (*placed.operands, *placed.results))


def least_cost(
    node: Node, layouts: tuple[Layout | None, ...], placed: Placed, costs: Costs
) -> float:
    """What a candidate costs at least where no operand was brought before."""
    cost = floor(placed, costs.weights)
    for operand, held, wanted in zip(node.operands, layouts, placed.operands, strict=True):
        if operand.kind == "constant":
            cost += min(wanted.bytes * costs.weights.resident, costs.least(None, wanted) / 2)
        elif operand.kind == "moved" or held is not None and not fits(held, wanted):
            cost += costs.least(held, wanted) + wanted.bytes * costs.weights.activation
    return cost


def floor(placed: Placed, weights: Weights) -> float:
    """What a candidate costs when all its operands are there."""
    return placed.cycles + sum(part.bytes for part in placed.results) * weights.activation


def priced(node: Node, state: State, placed: Placed, costs: Costs, worst: float) -> Step | None:
    """The candidate with what its operands cost; None over the room, or from `worst` on."""
    cost = floor(placed, costs.weights)
    room = costs.room - sum(part.bytes for part in placed.results)
    brought = []
    for number, (operand, wanted) in enumerate(zip(node.operands, placed.operands, strict=True)):
        if operand.kind == "constant":
            price, moves = costs.constant(node, number, wanted)
            room -= wanted.bytes if moves else 0
        else:
            price, moves = _reading_cost(node, number, state, wanted, costs, worst - cost)
            room -= wanted.bytes
        cost += price
        if moves:
            brought.append(number)
        if cost >= worst or room < 0:
            return None
    return Step(cost, placed, tuple(brought))


def _reading_cost(
    node: Node, number: int, state: State, wanted: Layout, costs: Costs, worst: float
) -> tuple[float, bool]:
    """Cost of an operand that is no constant, and whether an exchange brings it.

    Where it cannot be below `worst`, something that is no less than that.
    """
    operand = node.operands[number]
    held = None if operand.value is None else state.homes.get(operand.value)
    kept = wanted.bytes * costs.weights.activation
    if operand.kind == "value":
        if held is None:
            return kept, False
        in_order = operand.host or not needs_zero_rows(node.work.operands[number])
        if in_order and (held is wanted or fits(held, wanted)):
            return 0.0, False
    if any(copy is wanted or fits(copy, wanted) for copy in state.copies.get(operand.key, ())):
        return 0.0, False
    least = costs.least(held, wanted) + kept
    if least >= worst:
        return least, True
    return costs.moved(held, wanted, operand.reading) + kept, True


def follow(node: Node, state: State, step: Step) -> State:
    """The state after a step."""
    homes, copies = dict(state.homes), dict(state.copies)
    for number, (operand, wanted) in enumerate(
        zip(node.operands, step.placed.operands, strict=True)
    ):
        if operand.kind == "constant":
            continue
        if number in step.brought:
            copies[operand.key] = (*copies.get(operand.key, ()), wanted)
        elif operand.kind == "value" and operand.value is not None:
            homes.setdefault(operand.value, wanted)
    homes.update(zip(node.results, step.placed.results, strict=True))
    for value in node.last:
        homes.pop(value, None)
        copies.pop(value, None)
    taken = (step.placed, state.taken)
    return State(state.cost + step.cost, homes, copies, taken)


def source_of(operand: Operand, layout: Layout | None) -> Source:
    """The operand as the prices of one kernel see it."""
    kind = {"value": "held" if layout is not None else "free"}.get(operand.kind, operand.kind)
    return Source(kind, layout, reading=operand.reading)
