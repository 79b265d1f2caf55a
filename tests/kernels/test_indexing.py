"""take kernels: embedding rows and the other axes, indices out of range, shared-out columns and
indices."""

from __future__ import annotations

import numpy as np
import pytest
from kernel_cases import exact, fused, layout, random, run_op
from xdsl.dialects.builtin import bf16, f32, i32

from dojocc.dialects.types import tensor
from dojocc.runtime.errors import UnsupportedError


@pytest.mark.parametrize("axis", (0, 1, 2))
@pytest.mark.parametrize("indices", [(6,), (), (2, 3)])
def test_take_along_every_axis(axis, indices) -> None:
    data = (7, 5, 20)
    op = fused(
        [tensor(data), tensor(indices, i32)], f32, lambda b, x, i: b("take", x, i, axis=axis)
    )
    picks = np.random.default_rng(1).integers(-2, 9, indices)
    shape = op.results[0].type.get_shape()
    layouts = [layout(data), layout(indices, "INT32")]
    exact(run_op(op, [random(1, *data), picks], layouts, [layout(shape)]))


def test_embedding_rows_shared_out_both_ways() -> None:
    data, count = (50, 40), (1, 11)
    op = fused(
        [tensor(data, bf16), tensor(count, i32), tensor((11, 40), bf16)],
        bf16,
        lambda b, x, i, p: b(
            "add",
            b("take", x, i, axis=0),
            b("broadcast_in_dim", p, dims=(1, 2), shape=(1, 11, 40)),
        ),
    )
    picks = np.random.default_rng(2).integers(0, 50, count)
    layouts = [
        layout(data, "BF16", {1: (("col",), 16)}),
        layout(count, "INT32", {1: (("row",), 6)}),
        layout((11, 40), "BF16", {0: (("row",), 6), 1: (("col",), 16)}),
    ]
    result = layout((1, 11, 40), "BF16", {1: (("row",), 6), 2: (("col",), 16)})
    exact(run_op(op, [random(1, *data), picks, random(3, 11, 40)], layouts, [result]))


def test_data_shared_out_along_the_axis_is_refused() -> None:
    op = fused([tensor((8, 16)), tensor((3,), i32)], f32, lambda b, x, i: b("take", x, i, axis=0))
    layouts = [layout((8, 16), shards={0: (("row",), 4)}), layout((3,), "INT32")]
    with pytest.raises(UnsupportedError, match="axis taken from is shared out"):
        run_op(op, [random(1, 8, 16), np.zeros(3)], layouts, [layout((3, 16))])
