"""The compile benchmark: seconds by target and their ratios; what does not fit is a cell."""

from __future__ import annotations

import json

import pytest
from cli_run import TINY

from bench import compiling
from bench.compiling import as_json, as_markdown, main, measured
from dojocc.runtime.errors import DoesNotFit

SMALL = ("lenet", "mlp")


def test_ratios_are_to_the_first_target() -> None:
    row = measured("mlp", "tiny", (TINY, "d1-die"), repeats=2)
    assert list(row.seconds) == [TINY, "d1-die"] and row.ratio(TINY) == 1
    first, second = row.seconds.values()
    assert first and second and row.ratio("d1-die") == second / first
    for target, seconds in row.seconds.items():
        assert seconds is not None
        passes = row.passes[target]
        assert {"import", "shard", "route", "emit", "write"} <= set(passes)
        assert seconds >= sum(passes.values()) > 0.5 * seconds


def test_a_target_that_does_not_hold_the_model_is_a_cell_that_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(content: bytes, target: str) -> tuple[float, dict[str, float]]:
        if target == TINY:
            raise DoesNotFit("too large")
        return 2.0, {"shard": 1.5, "write": 0.5}

    monkeypatch.setattr(compiling, "compiled", refuse)
    row = measured("mlp", "tiny", ("d1-die", TINY))
    assert row.seconds == {"d1-die": 2.0, TINY: None} and row.ratio(TINY) is None
    line = as_markdown([row], ("d1-die", TINY)).splitlines()[-1]
    assert line == "| mlp (tiny) | 2.00 | does not fit | - | shard, 1.50 s on d1-die |"
    assert json.loads(as_json([row]))["rows"][0]["ratios"] == {"d1-die": 1.0, TINY: None}


def test_table_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    words = [*SMALL, "--size", "tiny", "--targets", TINY, "d1-die"]
    assert main(words) == 0
    table = capsys.readouterr().out.splitlines()
    assert [line.split(" ")[1] for line in table[2:]] == list(SMALL)
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "dojocc.bench.compile/1"
    for row in found["rows"]:
        assert row["ratios"][TINY] == 1 and set(row["seconds"]) == {TINY, "d1-die"}


def test_a_model_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["resnet5"])
    assert stop.value.code == 2 and "no model is called resnet5" in capsys.readouterr().err


def test_a_tile_takes_hardly_longer_than_a_die() -> None:
    """25 times the nodes. The bound leaves room for a busy machine."""
    row = measured("bert", "tiny", ("d1-die", "d1-training-tile"), repeats=2)
    ratio = row.ratio("d1-training-tile")
    assert ratio is not None and ratio < 4
