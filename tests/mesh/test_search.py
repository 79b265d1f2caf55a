"""The beam over a graph: as good as every line of choices where it is wide, never worse for it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from dojocc.passes.cost import Rates, exchange_cost, kernel_cycles, least_exchange
from dojocc.passes.solve.candidates import Machine, Placed, aligned, owner_computes
from dojocc.passes.solve.search import Costs, Node, Operand, State, follow, least_cost, priced
from dojocc.passes.solve.search import search as beam
from dojocc.passes.solve.sharding import Weights
from dojocc.passes.solve.work import Access, Index, Kernel, Loop, Work
from dojocc.runtime.layout import Layout
from dojocc.runtime.targets import load_target

GRID = (4, 6)
MACHINE = Machine(GRID, (2, 3))
RATES = Rates.of(load_target("tests/targets/tiny.toml"))


def row_work(axis: int, size: int = 48) -> Work:
    """An op on size x size that needs dimension `axis` whole."""
    loops = tuple(Loop(f"d{n}", size, n != axis, 16 if n else 1, n == axis) for n in (0, 1))
    maps = (tuple(Index(((n, 1),)) for n in (0, 1)),)
    access = Access("x", (size, size), "FP32", maps)
    return Work(loops, (access,), (access,), Kernel("vector", lanes=1, root=9.0))


def added(size: int = 48) -> Work:
    loops = tuple(Loop(f"d{n}", size, True, 16 if n else 1) for n in (0, 1))
    access = Access("x", (size, size), "FP32", (tuple(Index(((n, 1),)) for n in (0, 1)),))
    return Work(loops, (access, access), (access,), Kernel("vector", lanes=1))


def residual() -> list[Node]:
    """x -> across -> down -> + x -> across."""
    value = [Operand("value", n, n) for n in range(4)]
    return [
        Node(row_work(1), (value[0],), (1,), frozenset()),
        Node(row_work(0), (value[1],), (2,), frozenset({1})),
        Node(added(), (value[2], value[0]), (3,), frozenset({0, 2})),
        Node(row_work(1), (value[3],), (4,), frozenset({3, 4})),
    ]


def cycles(work: Work, blocks: np.ndarray) -> np.ndarray:
    return kernel_cycles(work, blocks, RATES)


LAYOUTS: dict[Layout, Layout] = {}


def one(placed: Placed) -> Placed:
    operands, results = (
        tuple(LAYOUTS.setdefault(each, each) for each in part)
        for part in (placed.operands, placed.results)
    )
    return Placed(placed.choice, operands, results, placed.cycles)


def costs(room: int = 1 << 40) -> Costs:
    def offered(node: Node, layouts):
        found = [one(each) for each in owner_computes(node.work, MACHINE, cycles)]
        rows = [(least_cost(node, layouts, each, made), each) for each in found]
        return sorted(rows, key=lambda row: row[0])

    made = Costs(
        offered,
        lambda node, number, layout: (0.0, False),
        lambda src, dst, reading: exchange_cost(src, dst, RATES, reading).cycles,
        lambda src, dst: least_exchange(src, dst, RATES),
        Weights(),
        room,
    )
    return made


def price(nodes: list[Node], line: list[Placed], by: Costs) -> float:
    """What a line of choices costs."""
    state = State(0.0, {}, {})
    for node, placed in zip(nodes, line, strict=True):
        step = priced(node, state, placed, by, float("inf"))
        assert step is not None
        state = follow(node, state, step)
    return state.cost


def test_a_wide_beam_finds_a_line_that_none_of_all_lines_beats() -> None:
    nodes, by = residual(), costs()
    found = price(nodes, beam(nodes, by, 64), by)
    offers = [[placed for _, placed in by.offered(node, (None,))] for node in nodes[:2]]
    heads = [[*head] for head in product(*offers)]
    least = min(price(nodes[:2], head, by) for head in heads)
    assert price(nodes[:2], beam(nodes[:2], by, 64), by) == pytest.approx(least)
    assert found >= least


def test_wider_is_no_worse() -> None:
    nodes, by = residual(), costs()
    prices = [price(nodes, beam(nodes, by, width), by) for width in (1, 2, 64)]
    assert prices == sorted(prices, reverse=True)


def test_a_copy_that_was_made_is_not_paid_twice() -> None:
    value = Operand("value", 0, 0)
    nodes = [
        Node(row_work(1), (value,), (1,), frozenset()),
        Node(row_work(0), (value,), (2,), frozenset()),
        Node(row_work(0), (value,), (3,), frozenset({0, 1, 2, 3})),
    ]
    by = costs()
    across = by.offered(nodes[0], (None,))[0][1]
    down = by.offered(nodes[1], (None,))[0][1]
    assert across.operands[0] != down.operands[0]
    twice = price(nodes[:2], [across, down], by)
    assert price(nodes, [across, down, down], by) - twice < twice - price(nodes[:1], [across], by)


class Forgetful(dict):
    """Keeps what was put in last, and never says that it has anything."""

    def __contains__(self, key: object) -> bool:
        return False


def test_equal_layers_are_looked_at_once_and_chosen_as_if_each_were_new() -> None:
    """Six layers, each across, then down, then added to what it read; lists of candidates stay."""
    nodes, value = [], 0
    for _ in range(6):
        a, b, c, d = (Operand("value", value + n, value + n) for n in range(4))
        nodes += [
            Node(row_work(1), (a,), (value + 1,), frozenset()),
            Node(row_work(0), (b,), (value + 2,), frozenset({value + 1})),
            Node(added(), (c, a), (value + 3,), frozenset({value, value + 2})),
        ]
        value = d.value or 0
    kept: dict[tuple, list[tuple[float, Placed]]] = {}
    plain, prices = costs(), []

    def offered(node: Node, layouts):
        return kept.setdefault((node.work, *layouts), plain.offered(node, layouts))

    def moved(src, dst, reading) -> float:
        prices.append((src, dst))
        return plain.moved(src, dst, reading)

    by = replace(plain, offered=offered, moved=moved)
    taken = beam(nodes, by, 2)
    looked = len(prices)
    assert beam(nodes, by, 2) == taken and len(prices) == looked
    assert beam(nodes, replace(by, known=Forgetful()), 2) == taken
    assert len(prices) - looked > 2 * looked


def test_the_smallest_is_taken_where_nothing_fits() -> None:
    nodes = residual()[:1]
    (taken,) = beam(nodes, costs(room=1), 4)
    sizes = [
        sum(part.bytes for part in (*each.operands, *each.results))
        for _, each in costs().offered(nodes[0], (None,))
    ]
    assert sum(part.bytes for part in (*taken.operands, *taken.results)) == min(sizes)


def test_aligned_candidates_read_what_is_there() -> None:
    made = owner_computes(row_work(1), MACHINE, cycles)
    split = next(each for each in made if each.results[0].split != (1, 1))
    found = list(aligned(added(), 0, split.results[0], MACHINE, cycles))
    assert any(each.operands[0].dims[0].axes == split.results[0].dims[0].axes for each in found)
    assert all(each.operands[0].split == each.results[0].split for each in found)


def test_sides_are_seen_in_whole_dies_and_fair_parts() -> None:
    assert 5 in Machine((90, 95), (5, 5)).splits(0) and 5 in Machine((90, 95), (5, 5)).splits(1)
    assert 9 in Machine((18, 19)).splits(0) and 2 in Machine((18, 19)).splits(1)
    assert Machine((1, 3)).splits(0) == () == Machine((1, 3)).splits(1)
    for size in range(2, 40):
        assert all(size % parts <= 0.06 * size for parts in Machine((size, 1)).splits(0))
