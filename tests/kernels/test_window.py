"""Pooling kernels: windows, strides, padding on every side, shared-out rows, epilogues."""

from __future__ import annotations

import pytest
from kernel_cases import close, exact, fused, layout, random, run_op
from xdsl.dialects.builtin import bf16, f32, i32

from dojocc.dialects.types import tensor

NAMES = {bf16: "BF16", f32: "FP32", i32: "INT32"}


def pool(element, kind, image, taps, stride, pad, dilation=1, rows=((), 0), after=None):
    def build(b, x):
        y = b(
            "reduce_window",
            x,
            kind=kind,
            window=(1, taps, taps, 1),
            strides=(1, stride, stride, 1),
            padding=(0, 0, pad, pad, pad, pad, 0, 0),
            dilation=(1, dilation, dilation, 1),
        )
        return y if after is None else after(b, y)

    op = fused([tensor(image, element)], element, build)
    shape = op.results[0].type.get_shape()
    name = NAMES[element]
    span = (taps - 1) * dilation + 1
    source = layout(image, name)
    if rows[0]:
        extent = max((rows[1] - 1) * stride + span, rows[1] * stride)
        source = layout(image, name, {1: (rows[0], rows[1] * stride)}, halo={1: (-pad, extent)})
    result = layout(shape, name, {1: rows} if rows[0] else {})
    array = 4 * random(1, *image)
    outcome = run_op(op, [array], [source], [result])
    exact(outcome)
    return outcome


@pytest.mark.parametrize("element", (bf16, f32, i32))
@pytest.mark.parametrize("kind", ("max", "sum"))
@pytest.mark.parametrize("taps, stride, pad, dilation", [(3, 2, 1, 1), (2, 2, 0, 1), (3, 1, 2, 2)])
def test_pooling(element, kind, taps, stride, pad, dilation) -> None:
    close(pool(element, kind, (2, 9, 7, 24), taps, stride, pad, dilation), 1e-2)


@pytest.mark.parametrize("rows", [(("row",), 4), (("row", "col"), 2)])
def test_pooling_with_rows_shared_out(rows) -> None:
    pool(bf16, "max", (1, 14, 10, 5), 3, 2, 1, rows=rows)


def test_what_follows_a_pool_leaves_zero_tails() -> None:
    def after(b, y):
        return b("add", b("exponential", y), b.splat(1.0, y))

    pool(f32, "sum", (1, 6, 6, 5), 2, 2, 0, after=after)


def test_a_window_over_the_last_dim() -> None:
    def build(b, x):
        return b(
            "reduce_window",
            x,
            kind="max",
            window=(1, 3),
            strides=(1, 2),
            padding=(0, 0, 1, 1),
            dilation=(1, 1),
        )

    op = fused([tensor((4, 41))], f32, build)
    shape = op.results[0].type.get_shape()
    exact(run_op(op, [random(1, 4, 41)], [layout((4, 41))], [layout(shape)]))
