"""Every nn pass keeps the meaning of a module: random graphs, each op by itself, the model zoo."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nn_cases import CASES, Case
from random_graphs import KINDS, SHAPES, module_of
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Operation, Region
from zoo_models import zoo

from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import make_function
from dojocc.dialects.interpret_nn import run_nn
from dojocc.dialects.op import NN_OPS
from dojocc.frontends.onnx.importer import import_onnx
from dojocc.passes.base import Pass
from dojocc.passes.pipeline import NN_PIPELINE, default_passes, run_pipeline

FP32 = {"precision": {"to": "fp32"}}
TOLERANCE = 1e-5
Inputs = dict[str, np.ndarray]


def largest_value(ctx: DojoContext, module: ModuleOp, inputs: Inputs) -> float:
    """The largest finite number on the way: rounding errors are relative to it."""
    found = [1.0]

    def see(op: Operation, values: object) -> None:
        for value in values:  # type: ignore[attr-defined]
            array = np.asarray(value, np.float64)
            finite = array[np.isfinite(array)]
            found.append(float(np.abs(finite).max(initial=0)))

    run_nn(ctx, module, inputs, capture=see)
    return max(found)


def check_meaning(
    ctx: DojoContext, module: ModuleOp, inputs: Inputs, options: dict, tolerance: float
) -> None:
    """Compare the results after every pass with those before the first."""
    wanted = run_nn(ctx, module, inputs)
    room = tolerance * largest_value(ctx, module, inputs)

    def compare(each: Pass, changed: ModuleOp) -> None:
        found = run_nn(ctx, changed, inputs)
        for name, array in wanted.items():
            message = f"{name} after {each.name}"
            assert found[name].dtype == array.dtype, message
            np.testing.assert_allclose(
                found[name], array, rtol=tolerance, atol=room, err_msg=message
            )

    run_pipeline(ctx, module, default_passes(NN_PIPELINE, options), compare)


steps = st.lists(
    st.tuples(st.integers(0, len(KINDS) - 1), st.integers(0, 30), st.integers(0, 30)),
    min_size=1,
    max_size=12,
)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(steps, st.integers(0, len(SHAPES) - 1), st.integers(0, 3))
def test_random_graphs_keep_their_meaning(graph: list, shape: int, seed: int) -> None:
    ctx, module, array = module_of(graph, shape, seed)
    check_meaning(ctx, module, {"x": array}, FP32, TOLERANCE)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(steps, st.integers(0, len(SHAPES) - 1))
def test_bf16_graphs_keep_types_and_finite_values(graph: list, shape: int) -> None:
    ctx, module, array = module_of(graph, shape)
    wanted = run_nn(ctx, module, {"x": array})
    run_pipeline(ctx, module, default_passes(NN_PIPELINE))
    found = run_nn(ctx, module, {"x": array})
    for name, before in wanted.items():
        assert found[name].dtype == before.dtype and found[name].shape == before.shape
        assert np.isfinite(found[name]).all() == np.isfinite(before).all()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_each_op_keeps_its_meaning(case: Case) -> None:
    block, op = case.build()
    block.add_op(ReturnOp(*op.results))
    names = [f"x{number}" for number in range(len(op.operands))]
    outputs = [f"y{number}" for number in range(len(op.results))]
    function = make_function(Region(block), names, outputs, list(op.results))
    inputs = dict(zip(names, case.arrays(), strict=True))
    check_meaning(DojoContext(), ModuleOp([function]), inputs, FP32, TOLERANCE)


def test_the_cases_cover_every_op() -> None:
    assert {case.op for case in CASES} >= set(NN_OPS) - {"fused", "yield"}


def zoo_module(name: str) -> tuple[DojoContext, ModuleOp, Inputs]:
    model = zoo.build(name, "tiny")
    ctx = DojoContext()
    module = import_onnx(model, ctx)
    given_inputs = zoo.inputs(model)
    inputs = {k: v.astype(np.int32) if v.dtype == np.int64 else v for k, v in given_inputs.items()}
    return ctx, module, inputs


@pytest.mark.parametrize("name", sorted(zoo.MODELS))
def test_zoo_models_keep_their_meaning(name: str) -> None:
    ctx, module, inputs = zoo_module(name)
    check_meaning(ctx, module, inputs, FP32, TOLERANCE)


def test_a_wrong_pass_is_seen() -> None:
    ctx, module, inputs = zoo_module("mlp")
    wanted = run_nn(ctx, module, inputs)["output"]
    weight = next(iter(ctx.resources))
    ctx.resources[weight] = ctx.resources[weight] * np.float32(1.001)
    error = np.abs(run_nn(ctx, module, inputs)["output"] - wanted).max()
    assert error > TOLERANCE * max(1.0, float(np.abs(wanted).max()))
