"""Relays on plain data: whatever the layouts, the plan and the order of events, every node ends up
with what pushes from the holders would have brought, and receives no byte twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import numpy as np
import pytest
from exchange_cases import exchanges
from hypothesis import given, settings
from hypothesis import strategies as st

from dojocc.dialects.interpret_collective import move_bytes
from dojocc.passes.collective import costs_of
from dojocc.passes.collective_steps import Table
from dojocc.passes.relay_steps import END, RelaySteps, _steps
from dojocc.passes.solve.exchange import exchange_segments, identity
from dojocc.passes.solve.grid import logical_grid
from dojocc.passes.solve.relay import Plan, relay
from dojocc.passes.solve.relay_choice import Machine, all_plans, chosen_relay
from dojocc.passes.solve.relay_groups import EVEN, LINE, WANTED, Groups, find_groups, share_out
from dojocc.passes.solve.segments import apply_segments, moved_bytes
from dojocc.runtime.layout import DimShard, Layout, whole
from dojocc.runtime.targets import load_target

POISON = 0xA5
ORDERS = st.permutations([0, 1]).map(tuple)
PLANS = st.builds(
    Plan,
    st.lists(ORDERS, min_size=1, max_size=3).map(tuple),
    st.tuples(st.booleans(), st.booleans()),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.booleans(), st.booleans()),
)


@dataclass(eq=False)
class Nodes:
    """Thread 1 of every node, and transfers that end in any order but from one node to another in
    that of their lists."""

    steps: RelaySteps
    buffers: list[np.ndarray]
    wanted: np.ndarray
    random: Random
    under_way: dict[tuple[int, int], list[tuple[np.void, int, np.ndarray | None]]] = field(
        default_factory=dict
    )

    def run(self) -> None:
        nodes = len(self.wanted)
        self.at, self.raised = [0] * nodes, np.zeros((nodes, self.steps.semaphores), np.int64)
        code = self.code()
        finished = [False] * nodes
        while True:
            able = [n for n in range(nodes) if self.at[n] < len(code) and self.able(n, code)]
            events = len(able) + len(self.under_way)
            if not events:
                break
            turn = self.random.randrange(events)
            if turn < len(able):
                self.go_on(able[turn], code[self.at[able[turn]]])
            else:
                self.deliver(list(self.under_way)[turn - len(able)])
            for node in range(nodes):
                if not finished[node] and self.raised[node, END] == self.steps.ends[node]:
                    finished[node] = True
                    assert (self.buffers[0][node] == self.wanted[node]).all()
        assert all(finished), "some node waits for ever"

    def code(self) -> list[tuple[str, int]]:
        """What thread 1 does: ("wait" | "push" | "end", number of a step)."""
        found, before = [], {}
        for number, step in enumerate(self.steps.steps):
            if step.chain in before:
                found.append(("wait", before[step.chain]))
            found.append(("push", number))
            before[step.chain] = number
        return [*found, ("end", 0)]

    def able(self, node: int, code: list[tuple[str, int]]) -> bool:
        what, number = code[self.at[node]]
        step = self.steps.steps[number]
        return what != "wait" or self.raised[node, step.far] >= step.arrivals[node]

    def go_on(self, node: int, what: tuple[str, int]) -> None:
        self.at[node] += 1
        step = self.steps.steps[what[1]]
        if what[0] == "wait":
            self.raised[node, step.far] -= step.arrivals[node]
        elif what[0] == "end":
            self.raised[node, END] += 1
        else:
            for row in step.moves[step.moves["src_node"] == node]:
                content = self.read(row) if self.random.random() < 0.5 else None
                line = self.under_way.setdefault((node, int(row["dst_node"])), [])
                line.append((row, step.far, content))

    def read(self, row: np.void) -> np.ndarray:
        return self.buffers[row["source"]][row["src_node"], move_bytes(row, "src")].copy()

    def deliver(self, pair: tuple[int, int]) -> None:
        row, far, content = self.under_way[pair].pop(0)
        if not self.under_way[pair]:
            del self.under_way[pair]
        content = self.read(row) if content is None else content
        self.buffers[0][pair[1], move_bytes(row, "dst")] = content
        self.raised[pair[1], far] += 1
        self.raised[pair[0], END] += 1


@given(exchanges(), PLANS, st.booleans(), st.integers(0, 1 << 30))
@settings(max_examples=150, deadline=None)
def test_every_node_gets_what_pushes_bring(case, plan: Plan, by_place: bool, seed: int) -> None:
    dst, sources, index = case
    segments = exchange_segments(dst, sources, index)
    groups = find_groups(segments, dst.grid)
    if not len(groups.first):
        return
    moves = relay(segments, groups, share_out(segments, groups, by_place), plan)
    random = np.random.default_rng(seed)
    held = [random.integers(0, 256, (dst.nodes, each.bytes), np.uint8) for each in sources]
    wanted = np.full((dst.nodes, dst.bytes), POISON, np.uint8)
    result = wanted.copy()
    apply_segments(segments, tuple(held), wanted)
    Nodes(_steps(Table(moves), dst.nodes), [result, *held], wanted, Random(seed)).run()
    assert (result == wanted).all()
    received = [np.bincount(t["dst_node"], moved_bytes(t), dst.nodes) for t in (moves, segments)]
    assert (received[0] == received[1]).all()


@given(exchanges())
@settings(max_examples=100, deadline=None)
def test_groups_are_rows_and_columns_of_equal_readers(case) -> None:
    dst, sources, index = case
    segments = exchange_segments(dst, sources, index)
    groups = find_groups(segments, dst.grid)
    assert len(np.unique(groups.node)) == len(groups.node)
    for number, (rows, cols) in enumerate(zip(groups.rows, groups.cols, strict=True)):
        first = groups.first[number]
        members = groups.node[first : first + rows * cols].reshape(rows, cols)
        row, col = np.divmod(members, dst.grid[1])
        assert (row == row[:, :1]).all() and (col == col[:1]).all()
        read = [
            set(segments[list(WANTED)][segments["dst_node"] == n].tolist()) for n in members.flat
        ]
        assert all(each == read[0] for each in read)


@given(exchanges(), st.booleans())
@settings(max_examples=100, deadline=None)
def test_members_take_about_equal_parts(case, by_place: bool) -> None:
    dst, sources, index = case
    segments = exchange_segments(dst, sources, index)
    groups = find_groups(segments, dst.grid)
    if not len(groups.first):
        return
    pieces = share_out(segments, groups, by_place)
    load = np.bincount(pieces.member, moved_bytes(pieces.rows), len(groups.node))
    share = (np.bincount(groups.of, load) / groups.size)[groups.of]
    assert (load <= EVEN * share + 2 * LINE).all()


def machine(name: str = "d1-die") -> Machine:
    target = load_target(name)
    return Machine(target, costs_of(target), logical_grid(target).reshape(-1))


def layout(shape: tuple[int, ...], dims: tuple[DimShard, ...], grid: tuple[int, int]) -> Layout:
    return Layout(shape, dims, "BF16", grid)


def test_a_gather_along_rows_is_relayed_and_shifted_rows_are_pushed() -> None:
    """Every row of a die gathers 19 KiB; then every node takes the row above."""
    grid = logical_grid(load_target("d1-die")).shape
    rows, cols = grid
    shape = (rows, cols * 512)
    parts = layout(
        shape, (DimShard(("row",), 1, 0, 1, 1), DimShard(("col",), 512, 0, 512, 512)), grid
    )
    lines = layout(shape, (DimShard(("row",), 1, 0, 1, 1), whole(cols * 512)), grid)
    found = chosen_relay(exchange_segments(lines, (parts,), identity(lines)), grid, machine(), 0.8)
    assert found is not None and found.cycles < found.direct / 3
    assert len(np.unique(found.moves["step"])) == cols - 1
    shifted = np.roll(identity(parts), 1, 0)
    segments = exchange_segments(parts, (parts,), shifted)
    assert chosen_relay(segments, grid, machine(), 100.0) is None


def test_one_holder_of_everything_scatters_first() -> None:
    """What one node holds reaches all others without its port passing it once for each."""
    grid = logical_grid(load_target("d1-die")).shape
    nodes = grid[0] * grid[1]
    segments = exchange_segments(
        layout((64, 512), (whole(64), whole(512)), grid),
        (layout((64, 512), (DimShard(("row", "col"), 64, 0, 64, 64), whole(512)), grid),),
        np.arange(64 * 512).reshape(64, 512),
    )
    found = chosen_relay(segments, grid, machine(), 0.8)
    assert found is not None and found.cycles < found.direct / 20
    sent = np.bincount(found.moves["src_node"], moved_bytes(found.moves), nodes)
    assert sent.max() < 3 * 64 * 512 * 2


@pytest.mark.parametrize("rings", [(True, True), (False, False)])
def test_all_plans_stay_on_axes_with_several_members(rings: tuple[bool, bool]) -> None:
    line = Groups(np.arange(4), np.array([0]), np.array([1]), np.array([4]), np.ones((1, 2), int))
    plans = all_plans(line)
    assert {plan.rings[0] for plan in plans} == {True, False}
    assert {plan.orders[0] for plan in plans} == {(0, 1)}
    assert Plan(((0, 1),), (rings[0], True)) in plans
