"""Products and convolutions of integers: exact, wrapped to narrow types; powers."""

from __future__ import annotations

import numpy as np
import pytest
from program_levels import TARGETS
from xdsl.dialects.builtin import ModuleOp, i8, i16, i32
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Block, Region

from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import make_function
from dojocc.dialects.op import OpList
from dojocc.dialects.types import dtype_of, tensor
from dojocc.options import Options
from dojocc.reducing_checks import failure_of

OPTIONS = Options(TARGETS / "tiny.toml", "fp32")
KINDS = pytest.mark.parametrize("kind", (i32, i16, i8), ids=str)


def check(op: str, arrays: list[np.ndarray], element, /, **props: object) -> None:
    """The streams' numbers are the reference's."""
    block = Block(arg_types=[tensor(array.shape, element) for array in arrays])
    b = OpList("case")
    value = b(op, *block.args, **props)
    block.add_ops(b.ops)
    block.add_op(ReturnOp(value))
    names = [f"x{number}" for number in range(len(arrays))]
    module = ModuleOp([make_function(Region(block), names, ["y"], [value])])
    rows = zip(names, arrays, strict=True)
    inputs = {name: array.astype(dtype_of(element)) for name, array in rows}
    found = failure_of(module, DojoContext(), OPTIONS, inputs=inputs)
    assert found is None, found


def whole(*shape: int, high: int = 100) -> np.ndarray:
    return np.random.default_rng(4).integers(-high, high, shape)


@KINDS
def test_products_of_integers_are_exact_and_wrap(kind) -> None:
    """Sums beyond 2 ** 24, which FP32 could not hold, and beyond what narrow types hold."""
    props = {"lhs_batch": [], "rhs_batch": [], "lhs_contract": [1], "rhs_contract": [0]}
    check("dot_general", [whole(5, 40, high=30000), whole(40, 19, high=30000)], kind, **props)


@KINDS
@pytest.mark.parametrize("groups, outputs", [(1, 5), (6, 6), (3, 3)])
def test_convolutions_of_integers(kind, groups: int, outputs: int) -> None:
    """Plain, depthwise, and one output a group of two channels; padding on both dims."""
    arrays = [whole(2, 6, 5, 7), whole(outputs, 6 // groups, 3, 3)]
    check(
        "convolution",
        arrays,
        kind,
        strides=[1, 2],
        padding=[1, 1, 2, 1],
        lhs_dilation=[1, 1],
        rhs_dilation=[1, 2],
        groups=groups,
        layout="nchw",
    )


@KINDS
def test_powers_of_integers(kind) -> None:
    """Zero and negative exponents, negative bases, results that wrap."""
    x = np.array([0, 0, 1, -1, -1, 2, -2, 3, 7, -5, 5, 2, 2, 10, 3, -3, 11], np.int64)
    y = np.array([0, 5, 9, 3, 4, 10, 3, 4, 2, 3, 0, -1, 31, 12, 77, 78, 127], np.int64)
    check("power", [x, y], kind)


@pytest.mark.parametrize("kind", ("max", "sum"))
@pytest.mark.parametrize(
    "padding, window",
    [
        ((1, 1, 0, 1, 1, 0, 1, 1), (2, 2, 2, 2)),
        ((0, 0, 2, 2, 2, 1, 0, 0), (3, 1, 2, 2)),
    ],
    ids=("every dim padded", "two outer dims padded, windows along the last"),
)
def test_windows_of_more_bounds_than_an_access_has(kind: str, padding, window) -> None:
    props = {"strides": [1] * 4, "dilation": [1, 1, 1, 2], "padding": padding, "window": window}
    check("reduce_window", [whole(3, 3, 3, 3)], i32, kind=kind, **props)
