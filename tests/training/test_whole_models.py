"""Gradients of whole models: along a direction, against differences of the loss itself."""

from __future__ import annotations

import numpy as np
import pytest

from dojocc import zoo
from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import input_names, main_function
from dojocc.dialects.interpret_nn import run_nn
from dojocc.frontends.read import read_model
from dojocc.passes.differentiate import Differentiate
from dojocc.passes.pipeline import parse_passes, run_pipeline

AHEAD = "infer-shapes,expose-parameters,batch-statistics,differentiate"
STEPS = {"mlp": 1e-3, "lenet": 3e-4, "squeezenet": 3e-4, "resnet50": 2e-3}
STEPS |= {"bert": 2e-3, "gpt2": 1e-2, "vit": 1e-2}
"""How far along the direction: ReLUs and pools of few samples bend within little; the others can be
followed far enough that FP32's rounding does not count."""


@pytest.mark.parametrize("name", STEPS)
def test_gradient_is_the_slope_of_the_loss(name: str) -> None:
    """Along the gradient itself the slope of the loss is the gradient's norm."""
    context = DojoContext(keep_weights=True)
    model = zoo.build(name, "tiny", seed=1)
    module = read_model(model, context)
    run_pipeline(context, module, parse_passes(AHEAD))
    function = main_function(module)
    random = np.random.default_rng(0)
    feeds = dict(context.parameters)
    for each, value in zip(input_names(function), function.body.block.args, strict=True):
        shape = value.type.get_shape()  # pyright: ignore[reportAttributeAccessIssue]
        if each == Differentiate().labels:
            feeds[each] = random.integers(0, 10, shape).astype(np.int32)
    feeds |= {
        each: array.astype(np.int32) if array.dtype == np.int64 else array
        for each, array in zoo.inputs(model, 2).items()
    }
    found = run_nn(context, module, feeds)
    gradients = {
        each: found[f"gradient of {each}"]
        for each in context.parameters
        if f"gradient of {each}" in found
    }
    assert len(gradients) >= 6 and all(np.isfinite(each).all() for each in gradients.values())
    norm = np.sqrt(sum(float((each.astype(np.float64) ** 2).sum()) for each in gradients.values()))
    losses = []
    for side in (1, -1):
        far = np.float32(side * STEPS[name] / norm)
        moved = {each: feeds[each] + far * part for each, part in gradients.items()}
        losses.append(float(run_nn(context, module, feeds | moved)["loss"]))
    assert (losses[0] - losses[1]) / (2 * STEPS[name]) == pytest.approx(norm, rel=5e-3)
