"""The machine's order of additions, written out lane by lane, and rounding to bf16."""

from __future__ import annotations

import numpy as np
import pytest
from nn_cases import CASES
from xdsl.dialects.builtin import bf16

from dojocc.dialects.numerics import MACHINE, PLAIN
from dojocc.dialects.types import as_element

ONE = np.float32(1)


def lanes_by_hand(row: np.ndarray) -> np.float32:
    """16 partial sums over the blocks in order, then lanes i and i + 8, 4, 2, 1."""
    partial = [np.float32(0)] * 16
    for index, value in enumerate(row):
        partial[index % 16] = np.float32(partial[index % 16] + value)
    for half in (8, 4, 2, 1):
        partial = [np.float32(partial[i] + partial[i + half]) for i in range(half)]
    return partial[0]


def column_by_hand(values: np.ndarray) -> np.float32:
    total = np.float32(0)
    for value in values:
        total = np.float32(total + value)
    return total


@pytest.mark.parametrize("size", [1, 7, 16, 17, 100])
def test_row_sums_go_by_lanes(size: int) -> None:
    x = np.random.default_rng(size).standard_normal((3, size)).astype(np.float32) * 100
    found = MACHINE.sum(x, 1)
    assert found.shape == (3, 1)
    assert found[:, 0].tolist() == [lanes_by_hand(row) for row in x]


def test_sums_over_leading_dims_go_one_after_another() -> None:
    x = np.random.default_rng(1).standard_normal((40, 5)).astype(np.float32) * 100
    assert MACHINE.sum(x, 0)[0].tolist() == [column_by_hand(x[:, c]) for c in range(5)]


def test_sums_over_inner_and_outer_dims_fold_blocks_in_row_major_order() -> None:
    x = np.random.default_rng(2).standard_normal((3, 2, 20)).astype(np.float32) * 100
    found = MACHINE.reduce("sum", x, (0, 2))
    for middle in range(2):
        padded = np.zeros((3, 32), np.float32)
        padded[:, :20] = x[:, middle]
        assert found[0, middle, 0] == lanes_by_hand(padded.reshape(-1))


def test_dot_products_go_one_k_after_another() -> None:
    random = np.random.default_rng(3)
    left = random.standard_normal((2, 3, 50)).astype(np.float32)
    right = random.standard_normal((2, 50, 4)).astype(np.float32)
    found = MACHINE.dot(left, right)
    for b, m, n in np.ndindex(2, 3, 4):
        assert found[b, m, n] == column_by_hand(left[b, m] * right[b, :, n])


def test_the_orders_differ() -> None:
    """Otherwise the tests above could not fail."""
    x = np.random.default_rng(4).standard_normal((1, 1000)).astype(np.float32) * 1000
    assert MACHINE.sum(x, 1)[0, 0] != column_by_hand(x[0])
    assert PLAIN.sum(x, 1)[0, 0] == pytest.approx(lanes_by_hand(x[0]), rel=1e-4)


def test_convolution_sums_kernel_rows_then_columns_then_channels() -> None:
    case = next(c for c in CASES if c.op == "convolution" and c.props["layout"] == "nhwc")
    _, op = case.build()
    x, w = case.arrays()
    (found,) = op.reference([x, w], MACHINE)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    terms = padded[0, 2:5, 1:4, :] * w[:, :, :, 2]
    assert found[0, 2, 1, 2] == column_by_hand(terms.reshape(-1))


@pytest.mark.parametrize("kind", ["max", "min", "prod"])
@pytest.mark.parametrize("axes", [(1,), (0,), (0, 1)])
def test_other_reductions_agree_with_numpy(kind: str, axes: tuple[int, ...]) -> None:
    x = np.random.default_rng(5).uniform(0.5, 1.5, (5, 19)).astype(np.float32)
    expected = getattr(np, kind)(x, axis=axes, keepdims=True)
    np.testing.assert_allclose(MACHINE.reduce(kind, x, axes), expected, rtol=1e-5)


@pytest.mark.parametrize("numerics", [PLAIN, MACHINE], ids=lambda n: n.name)
def test_reductions_of_integers_keep_their_type(numerics) -> None:
    x = np.arange(-20, 20, dtype=np.int32).reshape(2, 20)
    for kind in ("sum", "max", "min"):
        found = numerics.reduce(kind, x, (1,))
        assert found.dtype == np.int32
        assert found[:, 0].tolist() == getattr(np, kind)(x, axis=1).tolist()


def test_mean_is_the_sum_times_a_reciprocal() -> None:
    x = np.random.default_rng(6).standard_normal((2, 49)).astype(np.float32)
    expected = MACHINE.sum(x, 1) * (ONE / np.float32(49))
    assert MACHINE.mean(x, (1,)).tolist() == expected.tolist()


def test_bf16_rounds_to_nearest_even() -> None:
    ulp = 2.0**-7
    x = np.array([1 + ulp / 2, 1 + 3 * ulp / 2, 1 + ulp / 4, -1 - 0.9 * ulp], np.float32)
    assert as_element(x, bf16).tolist() == [1.0, 1 + 2 * ulp, 1.0, -1 - ulp]
