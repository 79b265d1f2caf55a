"""Contractions on both units: irregular rows and channels, strides, padding, dilation, groups,
epilogues."""

from __future__ import annotations

import numpy as np
import pytest
from kernel_cases import Outcome, close, exact, fused, layout, random, run_op
from xdsl.dialects.builtin import bf16, f32

from dojocc.dialects.types import tensor
from dojocc.passes.solve.physical import round_up
from dojocc.runtime.errors import UnsupportedError

FORMATS = {bf16: "BF16", f32: "FP32"}
UNITS = pytest.mark.parametrize("element", (bf16, f32), ids=("matrix", "lanes"))


def check(outcome: Outcome) -> None:
    exact(outcome)
    close(outcome, 1e-2)


def matmul(
    element: object,
    sizes: tuple[int, int, int],
    rows: tuple[tuple[str, ...], int] = ((), 0),
    columns: tuple[tuple[str, ...], int] = ((), 0),
    transposed: bool = False,
    constant: bool = True,
    bias: bool = True,
) -> Outcome:
    """relu(x w + b) with rows and columns of the result shared out."""
    m, k, n = sizes
    weight = (n, k) if transposed else (k, n)
    types = [tensor((m, k), element), tensor(weight, element), tensor((n,), f32)]

    def build(b, x, w, c):
        contract = (1,) if transposed else (0,)
        y = b(
            "dot_general",
            x,
            w,
            lhs_batch=(),
            rhs_batch=(),
            lhs_contract=(1,),
            rhs_contract=contract,
        )
        if bias:
            y = b("add", y, b("broadcast_in_dim", c, dims=(1,), shape=(m, n)))
        return b("maximum", y, b.splat(0.0, y))

    name = FORMATS[element]
    tall = round_up(rows[1] or m, 8)
    row_shard = {0: rows} if rows[0] else {}
    layouts = [
        layout((m, k), name, row_shard),
        layout(weight, name, {0 if transposed else 1: columns} if columns[0] else {}),
        layout((n,), "FP32", {0: columns} if columns[0] else {}),
    ]
    result = layout((m, n), name, row_shard | ({1: columns} if columns[0] else {}), {0: tall})
    arrays = [random(1, m, k), random(2, *weight), random(3, n)]
    return run_op(
        fused(types, element, build), arrays, layouts, [result], [False, constant, constant]
    )


@UNITS
@pytest.mark.parametrize("sizes", [(16, 16, 16), (7, 24, 40), (1, 33, 10), (14, 5, 3), (9, 3, 24)])
@pytest.mark.parametrize("transposed", (False, True))
def test_matmul_of_irregular_sizes(element, sizes, transposed) -> None:
    check(matmul(element, sizes, transposed=transposed))


@UNITS
@pytest.mark.parametrize("transposed", (False, True))
def test_matmul_with_rows_and_columns_shared_out(element, transposed) -> None:
    step = 8 if element == bf16 else 16
    check(matmul(element, (27, 20, 40), (("row",), 16), (("col",), 16), transposed))
    check(matmul(element, (5, 20, 20), (("row", "col"), 8), transposed=transposed))
    check(matmul(element, (9, 8, 3 * step - 1), columns=(("col",), step), transposed=transposed))


@UNITS
def test_activations_on_both_sides_read_no_unwritten_rows(element) -> None:
    for transposed in (False, True):
        check(matmul(element, (10, 13, 21), transposed=transposed, constant=False))


def test_rows_without_room_for_whole_blocks_are_masked() -> None:
    x, w = tensor((2, 7, 16), bf16), tensor((16, 24), bf16)
    op = fused(
        [x, w],
        bf16,
        lambda b, x, w: b(
            "dot_general", x, w, lhs_batch=(), rhs_batch=(), lhs_contract=(2,), rhs_contract=(0,)
        ),
    )
    layouts = [layout((2, 7, 16), "BF16"), layout((16, 24), "BF16")]
    result = layout((2, 7, 24), "BF16")
    check(run_op(op, [random(1, 2, 7, 16), random(2, 16, 24)], layouts, [result], [False, True]))


@UNITS
def test_attention_products_with_two_batch_dims(element) -> None:
    shape, name = (2, 3, 10, 12), FORMATS[element]

    def scores(b, q, k):
        s = b(
            "dot_general",
            q,
            k,
            lhs_batch=(0, 1),
            rhs_batch=(0, 1),
            lhs_contract=(3,),
            rhs_contract=(3,),
        )
        return b("multiply", s, b.splat(0.25, s))

    def mixed(b, s, v):
        return b(
            "dot_general",
            s,
            v,
            lhs_batch=(0, 1),
            rhs_batch=(0, 1),
            lhs_contract=(3,),
            rhs_contract=(2,),
        )

    heads = {1: (("col",), 1)}
    kind, held = tensor(shape, element), layout(shape, name, heads, {2: 16})
    square = (2, 3, 10, 10)
    out = layout(square, name, heads, {2: 16})
    check(
        run_op(
            fused([kind, kind], element, scores),
            [random(1, *shape), random(2, *shape)],
            [held, held],
            [out],
        )
    )
    check(
        run_op(
            fused([tensor(square, element), kind], element, mixed),
            [random(1, *square), random(2, *shape)],
            [out, held],
            [held],
        )
    )


@UNITS
@pytest.mark.parametrize(
    "left, right, contract",
    [
        ((6, 20), (20,), (1, 0)),
        ((20,), (20, 24), (0, 0)),
        ((20,), (20,), (0, 0)),
        ((20, 6), (20, 24), (0, 0)),
    ],
)
def test_vectors_and_transposed_left_operands(element, left, right, contract) -> None:
    def build(b, x, y):
        return b(
            "dot_general",
            x,
            y,
            lhs_batch=(),
            rhs_batch=(),
            lhs_contract=contract[:1],
            rhs_contract=contract[1:],
        )

    op = fused([tensor(left, element), tensor(right, element)], element, build)
    shape = op.results[0].type.get_shape()
    name = FORMATS[element]
    layouts = [layout(left, name), layout(right, name)]
    physical = {0: round_up(shape[0], 8)} if len(shape) > 1 else None
    check(
        run_op(
            op,
            [random(1, *left), random(2, *right)],
            layouts,
            [layout(shape, name, None, physical)],
        )
    )


def convolution_body(shape, stride, pad, dilation, groups):
    """Builds convolution, bias, residual (where given) and a maximum."""

    def build(b, x, k, bias, *rest):
        y = b(
            "convolution",
            x,
            k,
            strides=(stride, stride),
            padding=(pad,) * 4,
            lhs_dilation=(1, 1),
            rhs_dilation=(dilation, dilation),
            groups=groups,
            layout="nhwc",
        )
        y = b("add", y, b("broadcast_in_dim", bias, dims=(3,), shape=shape))
        for other in rest:
            y = b("add", y, other)
        return b("maximum", y, b.splat(-0.25, y))

    return build


def convolve(
    element: object,
    image: tuple[int, int, int, int],
    kernel: tuple[int, int, int],
    stride: int = 1,
    pad: int = 0,
    dilation: int = 1,
    groups: int = 1,
    rows: tuple[tuple[str, ...], int] = ((), 0),
    channels: tuple[tuple[str, ...], int] = ((), 0),
    residual: bool = False,
) -> Outcome:
    """relu(conv(x, w) + b [+ r]) in nhwc, output rows and channels shared out."""
    n, h, w, c = image
    taps, _, outputs = kernel
    weight = (taps, taps, c // groups, outputs)
    span = (taps - 1) * dilation + 1
    high, wide = ((size + 2 * pad - span) // stride + 1 for size in (h, w))
    shape = (n, high, wide, outputs)
    types = [tensor(image, element), tensor(weight, element), tensor((outputs,), f32)]
    types += [tensor(shape, element)] if residual else []

    build = convolution_body(shape, stride, pad, dilation, groups)

    name = FORMATS[element]
    if rows[0]:
        extent = (rows[1] - 1) * stride + span
        source = layout(
            image,
            name,
            {1: (rows[0], rows[1] * stride)},
            halo={1: (-pad, max(extent, rows[1] * stride))},
        )
    else:
        source = layout(image, name)
    out_shards = ({1: rows} if rows[0] else {}) | ({3: channels} if channels[0] else {})
    columns = {0: channels} if channels[0] else {}
    result = layout(shape, name, out_shards, {2: round_up(wide, 8)})
    layouts = [
        source,
        layout(weight, name, {3: channels} if channels[0] else {}, {2: round_up(c // groups, 4)}),
        layout((outputs,), "FP32", columns),
    ]
    arrays = [random(1, *image), random(2, *weight), random(3, outputs)]
    if residual:
        layouts.append(layout(shape, name, out_shards))
        arrays.append(random(4, *shape))
    constant = [False, True, True, False][: len(layouts)]
    return run_op(fused(types, element, build), arrays, layouts, [result], constant)


@UNITS
@pytest.mark.parametrize("channels, outputs", [(3, 8), (5, 24), (24, 5), (16, 16)])
def test_convolution_with_padding(element, channels, outputs) -> None:
    check(convolve(element, (1, 3, 7, channels), (3, 0, outputs), pad=1))


@pytest.mark.parametrize("size, channels", [(14, 24), (56, 3)])
def test_wide_images_on_the_matrix_unit(size, channels) -> None:
    check(convolve(bf16, (1, 4, size, channels), (3, 0, 24), pad=1, rows=(("row",), 2)))


@UNITS
@pytest.mark.parametrize(
    "stride, pad, dilation, taps",
    [(2, 3, 1, 7), (2, 1, 1, 3), (1, 2, 2, 3), (2, 0, 1, 1), (3, 0, 2, 2)],
)
def test_strides_and_dilation(element, stride, pad, dilation, taps) -> None:
    check(convolve(element, (1, 7, 9, 4), (taps, 0, 8), stride, pad, dilation))


@UNITS
def test_convolution_with_rows_and_channels_shared_out(element) -> None:
    check(convolve(element, (1, 5, 6, 8), (3, 0, 40), 1, 1, 1, 1, (("row",), 4), (("col",), 16)))
    check(convolve(element, (1, 10, 6, 8), (3, 0, 16), 2, 1, 1, 1, (("row", "col"), 2)))
    check(convolve(element, (1, 9, 7, 3), (5, 0, 8), 2, 2, 1, 1, (("col",), 2), residual=True))


@UNITS
def test_pointwise_convolution_and_residual(element) -> None:
    check(convolve(element, (2, 5, 7, 24), (1, 0, 24), residual=True))


@UNITS
def test_a_batch_deeper_than_the_loops_becomes_repeated_calls(element) -> None:
    outcome = convolve(element, (2, 3, 5, 3), (3, 0, 24), pad=1, residual=True)
    check(outcome)


@UNITS
@pytest.mark.parametrize("rows", [((), 0), (("row",), 4)])
def test_depthwise_convolution(element, rows) -> None:
    check(convolve(element, (1, 8, 7, 24), (3, 0, 24), 1, 1, 1, 24, rows))
    check(convolve(element, (1, 8, 8, 40), (3, 0, 40), 2, 1, 1, 40, (rows[0], rows[1] // 2)))


@UNITS
@pytest.mark.parametrize(
    "channels, outputs, groups",
    [(32, 32, 2), (8, 8, 2), (6, 30, 3), (16, 48, 2), (12, 24, 12), (10, 50, 2)],
)
def test_grouped_convolution(element, channels, outputs, groups) -> None:
    check(convolve(element, (1, 3, 5, channels), (3, 0, outputs), 1, 1, 1, groups))


def test_grouped_channels_shared_out_by_groups() -> None:
    check(convolve(bf16, (1, 5, 6, 12), (3, 0, 48), 1, 1, 1, 3, channels=(("col",), 16)))


def test_shards_that_cut_groups_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="cut through the groups"):
        convolve(bf16, (1, 5, 6, 12), (3, 0, 48), 1, 1, 1, 2, channels=(("col",), 16))


def test_one_and_three_spatial_dims() -> None:
    for spatial in (1, 3):
        image, taps = (2, *(4,) * spatial, 4), (3,) * spatial
        weight = (*taps, 4, 8)

        def build(b, x, w, spatial=spatial):
            return b(
                "convolution",
                x,
                w,
                strides=(1,) * spatial,
                padding=(0,) * (2 * spatial),
                lhs_dilation=(1,) * spatial,
                rhs_dilation=(1,) * spatial,
                groups=1,
                layout="nhwc",
            )

        for element, name in FORMATS.items():
            op = fused([tensor(image, element), tensor(weight, element)], element, build)
            shape = (2, *(2,) * spatial, 8)
            check(
                run_op(
                    op,
                    [random(1, *image), random(2, *weight)],
                    [layout(image, name), layout(weight, name)],
                    [layout(shape, name, None, {spatial: 8})],
                    [False, True],
                )
            )


def test_the_matrix_unit_does_bfloat16() -> None:
    """At 512 operations a step the whole product takes about m n k / 256 of them."""
    wide = matmul(bf16, (32, 32, 32), bias=False)
    narrow = matmul(f32, (32, 32, 32), bias=False)
    assert wide.steps < narrow.steps / 3
    assert np.isfinite(wide.results[0]).all()


def test_one_input_channel_still_goes_to_the_matrix_unit() -> None:
    wide = convolve(bf16, (1, 6, 8, 1), (5, 0, 16), pad=2)
    check(wide)
    narrow = convolve(f32, (1, 6, 8, 1), (5, 0, 16), pad=2)
    assert wide.steps < narrow.steps
