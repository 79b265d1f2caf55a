"""The benchmark of collectives: its bound, its values, its rows."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from cli_run import TINY

from bench import collectives
from bench.collective_moves import MOVES, moves_text
from bench.collectives import KINDS, bound, check, machines, measure, rounded, with_holes
from dojocc.runtime.targets import load_target

TARGET = load_target(TINY)


def test_the_bound_is_the_port_and_the_way() -> None:
    size, nodes, hops = 6 * 64 * 100, 6, 3
    port = size * (nodes - 1) / nodes / 64
    assert bound("all_gather", TARGET, size) == port + hops
    assert bound("all_reduce", TARGET, size) == 2 * port + hops


def test_the_bound_of_a_tile_counts_crossings_between_dies() -> None:
    tile = load_target("d1-training-tile")
    assert bound("all_gather", tile, 64) > 8 * tile.die.edge_ns * 1e-9 * tile.node.clock_hz


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_never_below_the_bound(kind: str) -> None:
    check(TARGET, kind)
    row = measure("tiny", TARGET, kind, 4096)
    assert row.bytes == rounded(4096, 6) >= 4096 and row.bytes % (6 * 64) == 0
    assert row.ratio >= 1 and row.nodes == row.live == 6
    assert set(row.busiest) == {"port", "link", "vector unit"}
    assert all(0 <= share <= 1 for share in row.busiest.values())
    adds = kind in ("all_reduce", "reduce_scatter", "reduce")
    assert (row.busiest["vector unit"] > 0) == adds


@pytest.mark.parametrize("kind", MOVES)
@pytest.mark.parametrize("size", [64, 5000])
def test_broadcast_reduce_all_to_all_and_transpose_with_holes_and_odd_sizes(
    kind: str, size: int
) -> None:
    check(load_target(TINY.replace("tiny", "tiny-holes")), kind, size)


def test_an_unknown_collective_is_refused() -> None:
    with pytest.raises(ValueError, match="no collective is called scan"):
        moves_text("scan", (2, 3), 64)


def test_a_row_says_what_bounds_it() -> None:
    row = measure("tiny", TARGET, "all_gather", 4096)
    busy = replace(row, busiest={"port": 0.9, "link": 0.4, "vector unit": 0.1})
    assert busy.limit == "port 90%" and busy.facts()["limit"] == busy.limit
    slow = replace(row, lists=12, busiest={"port": 0.3, "link": 0.4, "vector unit": 0.1})
    assert slow.limit == "12 steps (link 40%)"


def test_wrong_numbers_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong:
        outputs = {"result0": np.zeros(2048, np.float32)}  # noqa: RUF012

    monkeypatch.setattr(collectives, "run", lambda program, given: Wrong)
    with pytest.raises(ValueError, match="all_reduce on tiny gives wrong numbers"):
        check(TARGET, "all_reduce")


def test_holes_are_random_and_repeat() -> None:
    die = load_target("d1-die")
    first, again, other = (with_holes(die, 6, seed) for seed in (1, 1, 2))
    assert first.defect_nodes == again.defect_nodes != other.defect_nodes
    assert len(first.dead) == 6 and first.die.dead == ()


def test_the_table_and_its_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(collectives, "machines", lambda: {"tiny": (TARGET, True)})
    assert collectives.main(["--kib", "1", "--kind", "all_gather"]) == 0
    said = capsys.readouterr().out
    assert "| tiny | all_gather | 6 (6) | 1 |" in said
    assert len({line.count("|") for line in said.splitlines()}) == 1
    assert collectives.main(["--kib", "1", "--json"]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert found["schema"] == collectives.SCHEMA and len(found["rows"]) == len(KINDS)
    assert all(row["compiling"] > 0 and row["timing"] > 0 for row in found["rows"])
    assert said.err.count("| tiny |") == len(KINDS)
    assert set(machines()) >= {"full die", "d1-die", "2 x 2 dies", "d1-training-tile"}


def test_rows_measured_before_a_failure_are_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(collectives, "machines", lambda: {"tiny": (TARGET, False)})
    assert collectives.main(["--kib", "1", "2000", "--kind", "all_gather"]) == 1
    said = capsys.readouterr()
    assert "| tiny | all_gather | 6 (6) | 1 |" in said.out
    assert "bench: all_gather on tiny: " in said.err


def test_a_size_that_does_not_fit_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(collectives, "machines", lambda: {"tiny": (TARGET, False)})
    assert collectives.main(["--kib", "2000", "--kind", "all_gather"]) == 1
    assert "does not fit" in capsys.readouterr().err
