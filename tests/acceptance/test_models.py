"""The models of the zoo on a D1 die give what ONNX Runtime gives, and what their own rounding
points and order of additions say to the last bit."""

from __future__ import annotations

import math

import pytest
from acceptance_cases import PRECISIONS, compiled, onnx_outputs
from onnx import shape_inference
from program_levels import assert_near, assert_same
from zoo_models import zoo

import dojocc
from dojocc.runtime.engines.counters import Counters
from dojocc.runtime.errors import DoesNotFit

BOUNDS = {"fp32": 1e-5, "bf16": 2e-2}
MATRIX_MACS = 256  # 8 x 8 x 4 of one mmac
TINY = "tests/targets/tiny.toml"
FULL_SIZE = [(n, p) for n in zoo.MODELS for p in PRECISIONS]
FROM_DRAM = (("gpt2", "bf16"), ("gpt2", "fp32"), ("bert", "fp32"), ("vit", "fp32"))
"""What a die's SRAM does not hold, with the words table in two layouts or with FP32 weights."""


def check_fast(name: str, size: str, precision: str) -> Counters:
    found, counters = compiled(name, size, precision).engine("vector", "fast")
    assert_near(found, onnx_outputs(name, size), BOUNDS[precision], f"{name} in {precision}")
    assert counters.lifted_share > 0.99, counters.reasons
    return counters


def check_exact(name: str, size: str, precision: str, target: str = "d1-die") -> None:
    """Bit for bit, which is stricter than the bound of 1e-5."""
    lowered = compiled(name, size, precision, target)
    found, counters = lowered.engine("vector", "exact")
    assert_same(found, lowered.machine_order(), f"{name} in {precision}")
    assert counters.lifted_share > 0.99, counters.reasons


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", zoo.MODELS)
def test_tiny_models(name: str, precision: str) -> None:
    check_fast(name, "tiny", precision)
    check_exact(name, "tiny", precision)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "precision"), FULL_SIZE)
def test_models_of_full_size(name: str, precision: str) -> None:
    check_fast(name, "paper", precision)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "precision"), FULL_SIZE)
def test_models_of_full_size_to_the_last_bit(name: str, precision: str) -> None:
    check_exact(name, "paper", precision)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "precision"), FROM_DRAM)
def test_without_dram_what_a_die_does_not_hold_is_refused(name: str, precision: str) -> None:
    with pytest.raises(DoesNotFit) as refusal:
        dojocc.compile(zoo.build(name), precision=precision, dram=False)
    assert "it fits with --dram" in str(refusal.value)
    assert "d1-training-tile" in str(refusal.value)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", zoo.MODELS)
def test_the_vector_engine_is_the_reference_engine_bit_for_bit(name: str, precision: str) -> None:
    lowered = compiled(name, "tiny", precision, TINY)
    judged, counted = lowered.engine("reference", "exact")
    exact, counters = lowered.engine("vector", "exact")
    assert_same(exact, judged, name)
    assert_same(judged, lowered.machine_order(), name)
    assert counters.instructions == counted.instructions


def convolution_macs(name: str, size: str) -> int:
    """Multiply-accumulates of the Conv and Gemm nodes, counted on the ONNX model."""
    model = shape_inference.infer_shapes(zoo.build(name, size))
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*model.graph.value_info, *model.graph.output)
    }
    weights = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    total = 0
    for node in model.graph.node:
        if node.op_type == "Conv":
            total += math.prod(shapes[node.output[0]]) * math.prod(weights[node.input[1]][1:])
        elif node.op_type == "Gemm":
            total += shapes[node.output[0]][0] * math.prod(weights[node.input[1]])
    return total


def test_resnet50_of_full_size_happens_on_the_matrix_unit() -> None:
    """No fewer matrix instructions than the model needs, and at most 1.6 times as many."""
    macs = convolution_macs("resnet50", "paper")
    assert 4.0e9 < macs < 4.2e9
    counters = check_fast("resnet50", "paper", "bf16")
    done = MATRIX_MACS * sum(counters.instructions.get(name, 0) for name in ("mmac", "mmact"))
    assert 1.0 <= done / macs <= 1.6, f"{done / macs:.3f} times the model's {macs}"
