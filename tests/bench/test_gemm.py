"""The GEMM benchmark: factors multiply to the share of peak, values are compared, failures are
rows."""

from __future__ import annotations

import pytest
from cli_run import TINY

from bench.gemm import BOUND, FACTORS, main, measured, relative_error


def test_the_share_is_the_product_of_its_factors() -> None:
    row = measured(96, TINY)
    assert row.share == pytest.approx(96**3 / 256 / 6 / row.cycles)
    assert all(0 < getattr(row, name) <= 1 for name in FACTORS)
    assert getattr(row, row.bound) == min(getattr(row, name) for name in FACTORS)


def test_values_are_those_of_numpy() -> None:
    assert relative_error(64, TINY) < BOUND


def test_a_product_that_does_not_fit_is_a_row_that_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [f"4096:{TINY}", f"64:{TINY}", "--check", "32", "--check-target", TINY]
    assert main(words) == 1
    printed = capsys.readouterr().out
    assert "failed: the model does not fit" in printed and "| 64 |" in printed
    assert "relative error" in printed


def test_large_products_on_the_matrix_unit_come_near_its_peak() -> None:
    """A kernel by itself, its operands in place."""
    assert measured(512, TINY).kernel > 0.93
