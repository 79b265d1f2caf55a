"""Shape rules refuse what does not fit, with the op, the numbers, and where."""

from __future__ import annotations

from typing import Any

import pytest
from nn_cases import Case

from dojocc.dialects.op import TypeRuleError

CONVOLUTION: dict[str, Any] = {
    "strides": [1, 1],
    "padding": [0, 0, 0, 0],
    "lhs_dilation": [1, 1],
    "rhs_dilation": [1, 1],
    "groups": 1,
    "layout": "nhwc",
}
WINDOW: dict[str, Any] = {
    "kind": "max",
    "window": [2, 2],
    "strides": [1, 1],
    "padding": [0] * 4,
    "dilation": [1, 1],
}
DOT: dict[str, Any] = {
    "lhs_batch": [],
    "rhs_batch": [],
    "lhs_contract": [1],
    "rhs_contract": [0],
}

REFUSED: tuple[tuple[str, tuple[str, ...], dict[str, Any], str], ...] = (
    ("add", ("2x3xf32", "3xf32"), {}, "operands must have equal shapes"),
    ("add", ("3xf32", "3xi32"), {}, "operands must have equal element types"),
    ("add", ("3xi1", "3xi1"), {}, "needs a numeric tensor, not i1"),
    ("and", ("3xf32", "3xf32"), {}, "needs integers"),
    ("tanh", ("3xi32",), {}, "needs a float tensor"),
    ("not", ("3xf32",), {}, "needs integers"),
    ("compare", ("3xf32", "3xf32"), {"direction": "LQ"}, "direction is 'LQ'"),
    ("select", ("3xf32", "3xf32", "3xf32"), {}, "the predicate must be i1"),
    ("select", ("2xi1", "3xf32", "3xf32"), {}, "the predicate must have the operands' shape"),
    ("clamp", ("2xf32", "3xf32", "f32"), {}, "bounds must have rank 0 or the operand's shape"),
    ("constant", (), {}, "needs either a value or a resource"),
    ("constant", (), {"resource": "w"}, "resource 'w' needs a shape and an element type"),
    ("iota", (), {"dim": 1, "shape": [3], "element_type": None}, "required"),
    ("reshape", ("2x3xf32",), {"shape": [4]}, "cannot give 2x3xf32 the shape [4]"),
    ("transpose", ("2x3xf32",), {"permutation": [0, 0]}, "[0, 0] does not permute the dims"),
    (
        "slice",
        ("4xf32",),
        {"start": [1], "limit": [5], "strides": [1]},
        "cannot take 1:5:1 along dim 0",
    ),
    (
        "slice",
        ("4xf32",),
        {"start": [1, 2], "limit": [5], "strides": [1]},
        "start has 2 entries",
    ),
    ("concatenate", ("2x3xf32", "3x3xf32"), {"dim": 1}, "operands must agree but along dim 1"),
    ("concatenate", (), {"dim": 1}, "needs at least one operand"),
    (
        "pad",
        ("2xf32", "1xf32"),
        {"low": [0], "high": [0], "interior": [0]},
        "the padding value must have rank 0",
    ),
    (
        "pad",
        ("2xf32", "f32"),
        {"low": [0], "high": [0], "interior": [-1]},
        "interior padding is negative",
    ),
    (
        "pad",
        ("2xf32", "f32"),
        {"low": [-2], "high": [-1], "interior": [0]},
        "crops more than there is",
    ),
    ("reverse", ("2x3xf32",), {"dims": [2]}, "has no dim 2"),
    ("reverse", ("2x3xf32",), {"dims": [1, 1]}, "names a dim twice"),
    (
        "broadcast_in_dim",
        ("3xf32",),
        {"dims": [0], "shape": [4]},
        "cannot repeat 3 elements to 4 along dim 0",
    ),
    (
        "broadcast_in_dim",
        ("3x2xf32",),
        {"dims": [1, 0], "shape": [2, 3]},
        "dims must ascend",
    ),
    ("take", ("3xf32", "2xf32"), {"axis": 0}, "indices must be i32"),
    ("take", ("0xf32", "2xi32"), {"axis": 0}, "takes from no elements"),
    ("dot_general", ("2x3xf32", "4x5xf32"), DOT, "contracting dims of the operands must have"),
    ("dot_general", ("2x3xf32", "3x5xi32"), DOT, "operands must have equal element types"),
    ("convolution", ("4x4xf32", "4x4xf32"), CONVOLUTION, "need equal ranks of 3 to 5"),
    ("convolution", ("1x4x4x3xf32", "3x3x4x8xf32"), CONVOLUTION, "channels, weights and groups"),
    (
        "convolution",
        ("1x2x2x3xf32", "3x3x3x8xf32"),
        CONVOLUTION,
        "the kernel is larger than the padded input along h",
    ),
    (
        "convolution",
        ("1x4x4x3xf32", "3x3x3x8xf32"),
        {**CONVOLUTION, "layout": "nchwc"},
        "layout is 'nchwc'",
    ),
    (
        "convolution",
        ("1x4x4x3xf32", "3x3x3x8xf32"),
        {**CONVOLUTION, "strides": [0, 1]},
        "strides must be at least 1",
    ),
    ("reduce", ("3xf32",), {"kind": "median", "dims": [0]}, "kind is 'median'"),
    ("reduce", ("3xi32",), {"kind": "mean", "dims": [0]}, "needs a float tensor"),
    ("reduce", ("3xi1",), {"kind": "sum", "dims": [0]}, "sum of i1 values"),
    ("reduce", ("0xf32",), {"kind": "max", "dims": [0]}, "max of no elements"),
    ("arg_reduce", ("0xf32",), {"kind": "max", "axis": 0}, "max of no elements"),
    ("reduce_window", ("1x5xf32",), WINDOW, "the window is larger than the padded input"),
    (
        "reduce_window",
        ("5x5xf32",),
        {**WINDOW, "padding": [-1, 0, 0, 0]},
        "padding is negative",
    ),
    ("softmax", ("3xf32",), {"axis": 1}, "has no dim 1"),
    ("softmax", ("3xf32",), {"axis": -1}, "has no dim -1"),
    (
        "layer_norm",
        ("2x3xf32", "2xf32", "3xf32"),
        {"axis": 1, "epsilon": 1e-5},
        "scale and bias must have the shape of the dims from 1 on",
    ),
    (
        "batch_norm_inference",
        ("2x3xf32", "2xf32", "2xf32", "2xf32", "2xf32"),
        {"epsilon": 1e-5, "feature": 1},
        "must be vectors along dim 1",
    ),
    ("gelu", ("3xf32",), {"approximate": "fast"}, "approximate is 'fast'"),
    ("softmax", ("3xf32",), {}, "required property 'axis' is missing"),
)


@pytest.mark.parametrize(("op", "types", "props", "words"), REFUSED, ids=lambda v: str(v)[:40])
def test_refused_with_words(
    op: str, types: tuple[str, ...], props: dict[str, Any], words: str
) -> None:
    with pytest.raises(TypeRuleError) as caught:
        Case(op, types, abs, props).build(location="node 'bad' (Node)")
    assert words in caught.value.what
    assert caught.value.what.startswith(f"nn.{op}: ")
    assert caught.value.where == "node 'bad' (Node)"


def test_an_unknown_property_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(TypeError, match="nn.softmax has no property 'dim' \\(it has: axis\\)"):
        Case("softmax", ("3xf32",), abs, {"dim": 0}).build()
