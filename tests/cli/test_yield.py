"""`dojocc yield`: the curve, refused maps with their reasons, wrong options; fault maps by seed."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from cli_run import dojocc
from mesh_maps import grid_target

from dojocc import zoo
from dojocc.compiler import Options
from dojocc.report import yield_curve
from dojocc.report.yield_curve import Trial, curve, healthy, largest_error, trial
from dojocc.runtime.errors import UsageError
from dojocc.runtime.mesh.faults import FaultMap, FaultModel, random_map
from dojocc.runtime.targets import load_target
from dojocc.runtime.verify.findings import Finding, Report


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("yield") / "mlp.onnx"
    path.write_bytes(zoo.build("mlp", "tiny").SerializeToString())
    return path


def test_the_curve_and_its_json(model: Path) -> None:
    small = model.parent / "small.toml"
    small.write_text('name = "small"\ninherits = "d1-die"\n[die]\nrows = 6\ncols = 7\ndead = []\n')
    words = ("yield", model, "--target", small, "--trials", 3, "--nodes", "1..9", "--seed", 5)
    values = dojocc(*words, "--json").json()
    assert values["schema"] == "dojocc.yield/1" and values["yield"] == 1
    assert [each["outcome"] for each in values["trials"]] == ["same"] * 3
    assert all(1 <= each["dead_nodes"] <= 9 for each in values["trials"])
    assert sum(each["trials"] for each in values["curve"]) == 3
    assert values["defect_model"]["nodes"] == [1, 9]


def test_the_text_says_what_was_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = [
        Trial(0, 2, 1, "same", 100, 1.5, 0.0),
        Trial(1, 9, 0, "refused", reason="no way; cut by node (1, 2)"),
    ]
    text = import_module("dojocc.cli.yield").text(trials, curve(trials), 1000)
    assert "1 of 2 maps fine, 1 of them with every bit the same" in text
    assert "fault-free 1,000 cycles" in text
    assert "map 1: 9 nodes, 0 links: no way; cut by node (1, 2)" in text
    assert "1.500 x" in text and "0%" in text and "100%" in text


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--trials", 0), "--trials must be at least 1"),
        (("--nodes", "3.."), ""),
        (("--nodes", "few"), "--nodes few is not understood"),
        (("--links", "9..2"), "no range of dead links: 9 to 2"),
        (("--clustering", 2), "clustering is a probability"),
        (("--density", 1.5), "density is a share of all nodes"),
    ],
)
def test_wrong_options(model: Path, words: tuple, text: str) -> None:
    if not text:
        assert import_module("dojocc.cli.yield").bounds("--nodes", words[1]) == (3, 3)
        return
    answer = dojocc("yield", model, *words)
    assert answer.code == 2 and text in answer.err


def test_maps_depend_on_seed_and_number_only() -> None:
    target = load_target("d1-die")
    model = FaultModel(nodes=(1, 20), links=(0, 10))
    maps = [random_map(target, model, 3, number) for number in range(60)]
    assert maps[7] == random_map(target, model, 3, 7) != random_map(target, model, 4, 7)
    assert {len(each.nodes) for each in maps} > {1, 20}
    for each in maps:
        assert len(set(each.nodes)) == len(each.nodes) and len(set(each.links)) == len(each.links)
        assert len(each.applied(target).dead) == len(target.dead) + len(each.nodes)


def test_clustered_faults_touch_and_density_is_a_mean() -> None:
    target = grid_target(18, 20)
    lone = FaultModel(nodes=(12, 12), links=(0, 0), clustering=0.0)
    close = FaultModel(nodes=(12, 12), links=(0, 0), clustering=1.0)

    def touching(model: FaultModel) -> float:
        maps = [random_map(target, model, 0, number).nodes for number in range(20)]
        return float(np.mean([beside(nodes) for nodes in maps]))

    assert touching(close) == 1 and touching(lone) < 0.6
    dense = FaultModel(density=0.05, links=(0, 0))
    counts = [len(random_map(target, dense, 0, number).nodes) for number in range(100)]
    assert 15 < np.mean(counts) < 21
    assert len(random_map(grid_target(1, 2), close, 0, 0).nodes) == 1


def beside(nodes) -> float:
    """The share of nodes with another one next to them."""
    places = set(nodes)
    touch = [places & {(r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)} for r, c in nodes]
    return sum(map(bool, touch)) / len(nodes)


def test_a_map_without_room_is_refused_with_the_reason(model: Path) -> None:
    options = Options(target="tests/targets/tiny.toml")
    whole = healthy(model, options, None)
    rest = tuple((r, c) for r in range(2) for c in range(3))
    made = trial(model, options, FaultMap(rest, ()), 4, whole)
    assert made.outcome == "refused" and "has no live node" in made.reason


def test_an_unsound_program_is_told_with_its_first_finding(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = Report([Finding("race", "reads bytes that may still be written", "word 7", "64 B")])
    monkeypatch.setattr(yield_curve, "verify", lambda program: report)
    words = ("yield", model, "--target", "tests/targets/tiny.toml", "--trials", 1, "--nodes", 0)
    answer = dojocc(*words, "--links", 0)
    assert answer.code == 1 and "the verifier finds faults in a program" in answer.err
    assert "race: reads bytes that may still be written where: word 7" in answer.out + answer.err
    assert dojocc(*words, "--links", 0, "--no-verify").code == 0


def test_errors_are_relative_and_zero_only_for_equal_bits() -> None:
    one = {"y": np.array([3.0, 4.0], np.float32)}
    assert largest_error(one, one) == 0
    assert largest_error({"y": np.array([3.0, 4.5], np.float32)}, one) == pytest.approx(0.1)
    assert largest_error({"y": np.array([3.0, np.nan], np.float32)}, one) == np.inf


def test_a_range_of_dead_nodes() -> None:
    with pytest.raises(UsageError, match="no range of dead nodes: 5 to 1"):
        FaultModel(nodes=(5, 1))
