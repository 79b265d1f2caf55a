"""Pass `tile` on whole models: the tile run gives, bit for bit, what the fused module means in the
machine's order of additions."""

from __future__ import annotations

import numpy as np
import pytest
from zoo_models import zoo

from dojocc.dialects.context import DojoContext
from dojocc.dialects.interpret_nn import run_nn
from dojocc.dialects.interpret_tile import run_tile
from dojocc.dialects.numerics import MACHINE
from dojocc.dialects.printing import parse_module, print_module
from dojocc.dialects.tile import CallOp, KernelOp
from dojocc.frontends.onnx import import_onnx
from dojocc.passes.pipeline import NN_PIPELINE, default_passes, run_pipeline
from dojocc.passes.shard import Shard
from dojocc.passes.tile import Tile
from dojocc.runtime.targets import load_target

MODELS = ("mlp", "lenet", "transformer", "gpt", "resnet50", "squeezenet")


def lowered(name: str, precision: str, target: str = "tests/targets/tiny.toml"):
    """The context, the fused module, the tile module and inputs of a small model."""
    model = zoo.build(name, "tiny")
    ctx = DojoContext(target=load_target(target))
    module = import_onnx(model, ctx)
    run_pipeline(ctx, module, default_passes(NN_PIPELINE, {"precision": {"to": precision}}))
    fused = module.clone()
    run_pipeline(ctx, module, (Shard(), Tile()))
    inputs = {
        key: value.astype(np.int32) if value.dtype == np.int64 else value
        for key, value in zoo.inputs(model).items()
    }
    return ctx, fused, module, inputs


@pytest.mark.parametrize("precision", ("bf16", "fp32"))
@pytest.mark.parametrize("name", MODELS)
def test_models_give_the_reference_bit_for_bit(name: str, precision: str) -> None:
    ctx, fused, module, inputs = lowered(name, precision)
    found = run_tile(module, inputs, ctx.resources).outputs
    wanted = run_nn(ctx, fused, inputs, MACHINE)
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        np.testing.assert_array_equal(found[key], value)


def test_equal_layers_share_kernels_and_text_comes_back() -> None:
    _, _, module, _ = lowered("squeezenet", "bf16")
    kernels = [op for op in module.ops if isinstance(op, KernelOp)]
    calls = [op for op in module.walk() if isinstance(op, CallOp)]
    assert len({kernel.sym_name.data for kernel in kernels}) == len(kernels) < len(calls)
    text = print_module(module)
    assert print_module(parse_module(DojoContext(), text)) == text


def test_the_number_of_kernels_does_not_grow_with_the_nodes() -> None:
    few = lowered("resnet50", "bf16")[2]
    many = lowered("resnet50", "bf16", "d1-die")[2]
    count = [sum(isinstance(op, KernelOp) for op in module.ops) for module in (few, many)]
    assert count[1] <= 2 * count[0]
