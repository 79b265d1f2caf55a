"""Large products are cut in two pieces, in the same place for any number of cores."""

from __future__ import annotations

import numpy as np
import pytest

from dojocc.runtime.engines import workers
from dojocc.runtime.engines.contraction import PRODUCTS_A_BYTE, _product

SHAPES = [
    ((400, 300), (300, 200)),
    ((3, 700), (700, 9000)),
    ((5, 1, 40, 60, 70), (1, 3, 40, 70, 20)),
    ((1, 1, 300, 40, 70), (1, 6, 300, 70, 8)),
    ((1, 1, 2, 4000, 70), (1, 1, 2, 70, 64)),
    ((2, 3), (3, 4)),
]


@pytest.mark.parametrize(("left", "right"), SHAPES)
def test_pieces_make_up_the_product_on_one_core_and_on_two(left, right, monkeypatch) -> None:
    rng = np.random.default_rng(0)
    a = rng.standard_normal(left).astype(np.float32)
    b = rng.standard_normal(right).astype(np.float32)
    found = []
    for cores in (1, 2):
        monkeypatch.setattr(workers, "workers", lambda cores=cores: cores)
        found.append(_product(a, b))
    assert found[0].tobytes() == found[1].tobytes()
    wanted = np.matmul(a.astype(np.float64), b.astype(np.float64))
    np.testing.assert_allclose(found[0], wanted, rtol=0, atol=1e-3)


def test_the_shapes_above_are_cut() -> None:
    sizes = [np.prod(a[:-2]) * np.prod(b[:-2]) * a[-2] * a[-1] * b[-1] for a, b in SHAPES[:2]]
    assert min(sizes) / PRODUCTS_A_BYTE > workers.LEAST
