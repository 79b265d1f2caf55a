"""Many short chains: rings gone round both ways, shards shared by position, last phases apart; how
they are estimated; who tells whom that it is ready."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from collective_cases import at_every_level, module_text, tensor

from dojocc.dialects.interpret_collective import run_collective
from dojocc.passes import collective
from dojocc.passes.collective import costs_of
from dojocc.passes.collective_greetings import FEW, greetings
from dojocc.passes.collective_steps import ADDERS, Table, _steps
from dojocc.passes.solve.collective_axes import Axis, Phase
from dojocc.passes.solve.collective_blocks import block_candidates
from dojocc.passes.solve.collective_choice import Shards, flat_candidates, sharded_candidates
from dojocc.passes.solve.collective_estimate import estimate, middle
from dojocc.passes.solve.collective_schedule import schedule
from dojocc.passes.solve.collectives import LINE, OPERAND, SHARD, STAGING, WORK, Chain, flat_chains
from dojocc.runtime.target import Target
from dojocc.runtime.targets import load_target

TINY = load_target(Path(__file__).parents[1] / "targets" / "tiny.toml")
KINDS = {"all_reduce": (True, True), "reduce_scatter": (True, False), "all_gather": (False, True)}
F32 = np.dtype(np.float32)


def line(size: int) -> list[Phase]:
    return [Phase(Axis(size, 1), True, True)]


@pytest.mark.parametrize("size", range(2, 10))
def test_both_ways_round_halves_the_steps_and_sends_no_more(size: int) -> None:
    for kind in KINDS.values():
        found = schedule(flat_chains([line(size)], size * LINE), size, *kind)
        away = found.moves[found.moves["src_node"] != found.moves["dst_node"]]
        received = np.bincount(away["dst_node"], away["bytes"], size)
        assert (received == sum(kind) * (size - 1) * LINE).all()
        assert found.steps == sum(kind) * (size // 2)


def test_the_order_of_additions_from_both_sides_is_the_documented_one() -> None:
    size, item = 7, 16
    data = np.random.default_rng(5).standard_normal((size, size * item)).astype(np.float32)
    found = schedule(flat_chains([line(size)], size * LINE), size, True, True)
    held = buffers(data.view(np.uint8), size * LINE, found.staging)
    run_collective(found.moves, found.adds, held, "sum", F32)
    ring, forth = [0, 2, 4, 6, 5, 3, 1], size // 2
    for piece in range(size):
        at = ring.index(piece)
        part = data[:, piece * item : (piece + 1) * item]

        def term(shift: int, at: int = at, part: np.ndarray = part) -> np.ndarray:
            return part[ring[(at + shift) % size]]

        ahead, behind = term(size - 1 - forth), term(-forth)
        for shift in range(size - 2 - forth, 0, -1):
            ahead = ahead + term(shift)
        for shift in range(1 - forth, 0):
            behind = behind + term(shift)
        total = (ahead + term(0)) + behind
        assert np.array_equal(held[WORK].view(F32)[0, piece * item : (piece + 1) * item], total)


def buffers(operand: np.ndarray, whole: int, staging: int) -> list[np.ndarray]:
    """All but the operand full of NaN, so that what is not written shows."""
    rest = [np.full((len(operand), size // 4), np.nan, F32) for size in (whole, staging or 4, 4096)]
    return [np.ascontiguousarray(operand), *(each.view(np.uint8) for each in rest)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("rows", "cols"), [(4, 5), (3, 4), (5, 3)])
def test_every_candidate_gives_the_sums_and_the_shards(kind: str, rows: int, cols: int) -> None:
    nodes, slot = rows * cols, 3 * LINE
    rng = np.random.default_rng(0)
    whole = rng.integers(-99, 99, (nodes, nodes * slot // 4)).astype(np.float32)
    candidates = block_candidates((Axis(rows, cols), Axis(cols, 1)), slot, *KINDS[kind])
    shapes = {tuple(len(chain.phases) for chain in chains) for chains in candidates}
    assert len(candidates) > 10 and len(shapes) > 1
    own = whole[0].reshape(nodes, slot // 4)
    for chains in candidates[::2]:
        found = schedule(chains, nodes, *KINDS[kind])
        operand = own if kind == "all_gather" else whole
        held = buffers(operand.view(np.uint8), nodes * slot, found.staging)
        run_collective(found.moves, found.adds, held, "sum", F32)
        if kind == "reduce_scatter":
            got = held[SHARD].view(F32)[:, : slot // 4].reshape(-1)
            assert np.array_equal(got, whole.sum(0))
            continue
        want = whole[0] if kind == "all_gather" else whole.sum(0)
        assert (held[WORK].view(F32) == want).all()
    assert {OPERAND, WORK, STAGING, SHARD} == set(range(4))


@pytest.mark.parametrize("kind", KINDS)
def test_short_chains_at_every_level(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams with greetings, additions of pairs and of several terms, on a grid of 4 x 4."""
    chosen: list[list[Chain]] = []

    def choose(
        candidates: list, blocks: list[list[Chain]], *rest: object
    ) -> tuple[list[Chain], float]:
        chosen.append(max(blocks, key=len))
        return chosen[-1], 0.0

    monkeypatch.setattr(collective, "cheapest", choose)
    target = replace(TINY, die=replace(TINY.die, rows=4, cols=4))
    assert grid_values(kind, target)
    assert len(chosen[0]) >= 6


def grid_values(kind: str, target: Target) -> bool:
    """True where all levels agree with NumPy on a vector of three lines a node."""
    grid, size = (4, 4), 16 * 48
    shard, full = (tensor(grid, "FP32", [f"{size}{how}"]) for how in (" by row col step 48", ""))
    terms = tensor(grid, "FP32", ["16 by row col step 1", str(size)])
    before = shard if kind == "all_gather" else terms
    after = shard if kind == "reduce_scatter" else full
    shape = (size,) if kind == "all_gather" else (16, size)
    given = np.random.default_rng(3).integers(-99, 99, shape).astype(np.float32)
    want = given if kind == "all_gather" else given.sum(0)
    properties = {} if kind == "all_gather" else {"kind": "sum"}
    levels = at_every_level(module_text(kind, before, after, **properties), target, given)
    return all(np.array_equal(got, want) for got in levels.values())


def test_nodes_greet_those_of_a_ring_and_meet_where_all_push_to_all() -> None:
    axes = (Axis(12, 12), Axis(12, 1))
    for both, greets in ((True, True), (False, False)):
        phases = tuple(Phase(axis, both, both) for axis in axes)
        chain = Chain(phases, (12, 1), LINE, 144 * LINE)
        found = schedule([chain], 144, False, True)
        steps = _steps(Table(found.moves), Table(found.adds), 144)
        assert (steps.greetings is not None) == greets
    told = greetings([found.moves[found.moves["step"] == 0]], [True], 144)
    assert told is None and FEW < 11


def test_a_greeting_is_told_to_all_that_push_and_awaited_from_all_pushed_to() -> None:
    chain = Chain(
        (Phase(Axis(4, 4), True, True), Phase(Axis(4, 1), False)), (4, 1), LINE, 16 * LINE
    )
    found = schedule([chain], 16, True, False)
    steps = _steps(Table(found.moves), Table(found.adds), 16)
    assert steps.greetings is not None and steps.greetings.others is not None
    first = steps.steps[0].moves
    for node in range(16):
        hears = set(first["src_node"][first["dst_node"] == node].tolist())
        assert {int(peers[node]) for peers in steps.greetings.first.told} == hears
        pushes = set(first["dst_node"][first["src_node"] == node].tolist())
        assert steps.greetings.first.awaited[node] == len(pushes)
    every = np.concatenate(
        [np.stack(each.told) for each in (steps.greetings.first, steps.greetings.others)]
    )
    pairs = {(int(peer), node) for peers in every for node, peer in enumerate(peers)}
    assert pairs == {(int(row["src_node"]), int(row["dst_node"])) for row in found.moves}


def test_a_collective_of_some_axes_meets_at_the_barrier() -> None:
    found = schedule(flat_chains([line(4)], 4 * LINE), 16, True, True)
    assert _steps(Table(found.moves), Table(found.adds), 16).greetings is None


def test_threads_that_add_share_the_chains() -> None:
    chains = block_candidates((Axis(4, 4), Axis(4, 1)), 3 * LINE, True, False)[0]
    found = schedule(chains, 16, True, False)
    steps = _steps(Table(found.moves), Table(found.adds), 16)
    assert set(steps.adder.values()) == set(ADDERS[: len(chains)])


def test_an_estimate_is_never_below_the_ports_and_grows_with_the_bytes() -> None:
    target = load_target("d1-die")
    costs, axes = costs_of(target), (Axis(18, 19), Axis(19, 1))
    for kind in KINDS.values():
        before = 0.0
        for lines in (1, 3, 12):
            shards = Shards(lines * LINE, 342 * lines * LINE)
            ways = block_candidates(axes, lines * LINE, *kind)[::8]
            ways += sharded_candidates(axes, shards, "both", kind[0])[:2]
            ways += flat_candidates(axes, shards.limit, "both")[:2] if all(kind) else []
            found = min(estimate(each, costs, *kind, len(ADDERS)) for each in ways)
            assert found > max(sum(kind) * 341 * lines, before)
            before = found


def test_the_busiest_links_of_a_line() -> None:
    assert middle(20, 0, 20) == (100, 100)
    assert middle(4, 0, 2) == (1, 4)
    assert middle(4, 3, 4) == (3, 0)
