"""Collectives in stages: one chain from die to die, several inside dies before or after it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from collective_cases import at_every_level, module_text, tensor

from dojocc.passes import collective
from dojocc.passes.collective_steps import Table, _steps
from dojocc.passes.solve.collective_axes import Axis
from dojocc.passes.solve.collective_choice import Shards, staged_candidates
from dojocc.passes.solve.collective_schedule import schedule
from dojocc.passes.solve.collectives import LINE, Chain
from dojocc.runtime.target import Target
from dojocc.runtime.targets import load_target

TINY = load_target(Path(__file__).parents[1] / "targets" / "tiny.toml")
AXES = [Axis(2, 24), Axis(3, 4), Axis(2, 12, 2, 100), Axis(4, 1, 3, 100)]
"""Inner rows and columns, then outer ones, of 4 x 12 nodes on 2 x 4 dies of 2 x 3."""


def several_dies(rows: int, cols: int) -> Target:
    system = replace(TINY.system, die_rows=rows, die_cols=cols)
    return replace(TINY, system=system)


def staged_only(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Only schedules in stages are taken; gives how many there were to choose from."""
    found: list[int] = []

    def choose(candidates: list, *rest: object) -> tuple[list[Chain], float]:
        staged = [each for each in candidates if any(chain.done for chain in each)]
        found.append(len(staged))
        return staged[0], 0.0

    monkeypatch.setattr(collective, "cheapest", choose)
    return found


@pytest.mark.parametrize("dies", [(2, 2), (2, 3)])
@pytest.mark.parametrize("op", ["all_gather", "reduce_scatter", "all_reduce"])
@pytest.mark.parametrize("algorithm", ["ring", "both", "direct"])
def test_values_at_every_level(
    dies: tuple[int, int], op: str, algorithm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = staged_only(monkeypatch)
    target = several_dies(*dies)
    grid = (target.rows, target.cols)
    nodes, split = grid[0] * grid[1], f" split {dies[0]} x {dies[1]}"
    axes = "inner_row inner_col outer_row outer_col"
    size = nodes * 16
    shard = tensor(grid, "FP32", [f"{size} by {axes} step 16"], split)
    full = tensor(grid, "FP32", [str(size)], split)
    terms = tensor(grid, "FP32", [f"{nodes} by {axes} step 1", str(size)], split)
    before = shard if op == "all_gather" else terms
    after = shard if op == "reduce_scatter" else full
    shape = (size,) if op == "all_gather" else (nodes, size)
    given = np.random.default_rng(3).integers(-99, 99, shape).astype(np.float32)
    properties = {"algorithm": algorithm} | ({} if op == "all_gather" else {"kind": "sum"})
    want = given if op == "all_gather" else given.sum(0)
    for level, got in at_every_level(
        module_text(op, before, after, **properties), target, given
    ).items():
        assert np.array_equal(got, want), level
    assert found and found[0] > 0


def test_chains_of_the_second_stage_wait_for_all_of_the_first() -> None:
    for chains in staged_candidates(AXES, Shards(LINE, 48 * LINE), "ring"):
        near = len(chains) - 1
        found = schedule(chains, 48, True, False)
        steps = _steps(Table(found.moves), Table(found.adds), 48)
        assert steps.after == {near: tuple(range(near))} and set(steps.begin) == {near}
        found = schedule(chains, 48, False, True)
        steps = _steps(Table(found.moves), Table(found.adds), 48)
        assert steps.after == {number: (0,) for number in range(1, near + 1)} and not steps.begin


def test_a_node_receives_what_it_must_and_no_more() -> None:
    for chains in staged_candidates(AXES, Shards(LINE, 48 * LINE), "ring"):
        for kind in ((True, False), (False, True)):
            moves = schedule(chains, 48, *kind).moves
            moves = moves[moves["src_node"] != moves["dst_node"]]
            size = moves["bytes"].astype(np.int64) * moves["count0"] * moves["count1"]
            received = np.bincount(moves["dst_node"], size, 48)
            assert (received == 47 * LINE).all()


def test_stages_need_whole_lines_near_axes_first_and_no_ragged_end() -> None:
    assert staged_candidates(AXES, Shards(LINE, 48 * LINE), "auto")
    assert not staged_candidates(AXES[::-1], Shards(LINE, 48 * LINE), "auto")
    assert not staged_candidates(AXES[:2], Shards(LINE, 6 * LINE), "auto")
    assert not staged_candidates(AXES, Shards(LINE, 47 * LINE), "auto")
    assert not staged_candidates(AXES, Shards(32, 48 * 32), "auto")


def test_an_all_reduce_goes_through_the_stages_there_and_back() -> None:
    for chains in staged_candidates(AXES, Shards(LINE, 48 * LINE), "ring"):
        near = len(chains) - 1
        found = schedule(chains, 48, True, True)
        steps = _steps(Table(found.moves), Table(found.adds), 48)
        back = {near + 1 + number: tuple(range(near + 1)) for number in range(near)}
        assert steps.after == {near: tuple(range(near))} | back and set(steps.begin) == {near}
        assert not np.isin(found.adds["chain"], list(back)).any()
        moves = found.moves[found.moves["src_node"] != found.moves["dst_node"]]
        size = moves["bytes"].astype(np.int64) * moves["count0"] * moves["count1"]
        assert (np.bincount(moves["dst_node"], size, 48) == 2 * 47 * LINE).all()
