"""PyTorch's own samples of its operators (OpInfo), forward in FP32: none is wrong, none crashes."""

from __future__ import annotations

from collections import Counter

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'dojocc[torch]'")
pytest.importorskip("expecttest", reason="PyTorch's test tables need expecttest")

from torch_run import Call, check  # noqa: E402

from bench.opinfo import Outcome, matrix, operators, outcomes  # noqa: E402
from dojocc.dialects.context import DojoContext  # noqa: E402
from dojocc.frontends.torch import import_torch  # noqa: E402
from dojocc.frontends.torch.export import export_module  # noqa: E402
from dojocc.runtime.errors import UnsupportedError  # noqa: E402

ROWS = list(operators())
EVERY = 40  # of the operators in the quick test
SLICE = 60
LEAST = 300


def judged(rows, samples: int) -> list[Outcome]:
    found = list(outcomes(rows, samples))
    bad = [row for row in found if row.status in ("wrong", "crashed")]
    assert not bad, "\n".join(map(str, bad))
    return found


def test_some_operators_of_every_kind() -> None:
    counts = Counter(row.status for row in judged(ROWS[::EVERY], 1))
    assert counts["agrees"] > len(ROWS) // EVERY // 3


@pytest.mark.slow
def test_three_hundred_samples_agree() -> None:
    total = Counter()
    for first in range(0, len(ROWS), SLICE):
        total += Counter(row.status for row in judged(ROWS[first : first + SLICE], 2))
    assert total["agrees"] >= LEAST, total


def test_the_page_counts_by_operator() -> None:
    rows = [Outcome("abs", 0, "agrees"), Outcome("abs", 1, "refused", "a | reason")]
    text = matrix([*rows, Outcome("relu", 0, "agrees")])
    assert "| 3 | 2 | 1 | 0 | 0 | 0 |" in text
    assert "All samples agree of 1 of 2 operators" in text
    assert "| abs | 1 of 2 | refused: a / reason |" in text


def test_outputs_without_elements_are_refused() -> None:
    graph = export_module(Call(lambda x: torch.linspace(0, 1, 0)), [torch.zeros(2)])
    with pytest.raises(UnsupportedError, match="is a tensor without elements"):
        import_torch(graph, DojoContext())


def test_rows_of_a_scalar() -> None:
    """PyTorch takes a scalar for one row."""
    index = torch.tensor([0])
    check(lambda x, y: x.index_add(0, index, y), [torch.tensor(2.0), torch.tensor(3.0)])
    check(lambda x, y: x.index_copy(0, index, y), [torch.tensor(2.0), torch.tensor(3.0)])
    check(lambda x: x.index_fill(0, index, 7.0), [torch.tensor(2.0)])


def test_further_results_that_are_not_computed_are_refused() -> None:
    ones, none = torch.ones(3), torch.zeros(3)
    rest = (ones, none, none, ones, False, 0.1, 1e-5)
    graph = export_module(Call(lambda x: torch.native_batch_norm(x, *rest)), [torch.randn(2, 3, 4)])
    with pytest.raises(UnsupportedError, match="a further result .* that is not computed"):
        import_torch(graph, DojoContext())
