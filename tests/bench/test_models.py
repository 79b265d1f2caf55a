"""Whole models as shares of the peak."""

from __future__ import annotations

import pytest

from bench.models import Case, as_markdown, main, measured
from dojocc.runtime.targets import load_target


def test_a_case_is_read_with_sizes_and_target() -> None:
    case = Case.of("bert,batch=64,length=512:d1-training-tile")
    assert case == Case("bert", (("batch", 64), ("length", 512)), "d1-training-tile")
    assert str(case) == "bert,batch=64,length=512"
    assert Case.of("mlp").target == "d1-die"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("brt:d1-die", "no model is called 'brt'"),
        ("bert,batch", "'batch' is not SIZE=NUMBER"),
        ("bert,batch=many", "'batch=many' is not SIZE=NUMBER"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, says: str, capsys) -> None:
    with pytest.raises(SystemExit):
        main([text])
    assert says in capsys.readouterr().err


def test_shares_are_of_the_model_without_padding() -> None:
    """An MLP of 4 x 20 x 24 x 16 x 10 on a die: its products are counted, not what is issued."""
    row = measured(Case.of("mlp:d1-die"), "tiny")
    assert row.macs == 4 * (20 * 24 + 24 * 16 + 16 * 10)
    assert row.nodes == len(load_target("d1-die").live_nodes())
    assert row.share == row.macs / (256 * row.nodes * row.cycles)
    assert 0 < row.share < row.matrix < 1
    assert f"| {row.cycles:,} | {row.share:.1%} |" in as_markdown(row)


def test_the_ops_that_take_most_are_named(capsys) -> None:
    assert main(["mlp:d1-die", "--size", "tiny"]) == 0
    header, _, line, title, first, *_ = capsys.readouterr().out.splitlines()
    assert header.count("|") == line.count("|")
    assert title == "mlp, the ops that take most:"
    row = measured(Case.of("mlp:d1-die"), "tiny")
    name, cycles, waits = row.heaviest[0]
    assert first == (
        f"  {name}: {cycles:,} cycles ({cycles / row.cycles:.1%}), {waits:,} of them waiting"
    )
    spent = [cycles for _, cycles, _ in row.heaviest]
    assert spent == sorted(spent, reverse=True) and sum(spent) <= row.cycles
