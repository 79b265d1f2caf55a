"""Random graphs mean the same at every level, as the programs written by hand do."""

from __future__ import annotations

import numpy as np
import pytest
from program_levels import TARGETS, assert_near, assert_same, lower_module
from random_graphs import SHAPES, module_of

from dojocc.runtime.targets import load_target

QUICK, ALL = 16, 250
LIFTED = 0.9  # very short loops may have a step or two that is not


def seeds() -> list[object]:
    return [
        pytest.param(seed, marks=[] if seed < QUICK else pytest.mark.slow) for seed in range(ALL)
    ]


@pytest.mark.parametrize("seed", seeds())
def test_random_graphs_give_the_same_at_every_level(seed: int) -> None:
    random = np.random.default_rng(seed)
    steps = [tuple(random.integers(0, 60, 3).tolist()) for _ in range(random.integers(1, 6))]
    context, module, array = module_of(steps, int(random.integers(len(SHAPES))), seed)
    context.target = load_target(TARGETS / ("tiny.toml" if seed % 3 else "tiny-holes.toml"))
    precision = "bf16" if seed % 2 else "fp32"
    # The copy has no users outside the module, which ops that were tried and dropped may be.
    lowered = lower_module(context, module.clone(), {"x": array}, precision)
    wanted = lowered.machine_order()
    if precision == "fp32":
        assert_near(wanted, lowered.plain(), 1e-4, "the fused module")
    assert_same(lowered.on_mesh(), wanted, "the mesh module")
    assert_same(lowered.on_tiles(), wanted, "the tile module")
    judged, _ = lowered.engine("reference", "exact")
    assert_same(judged, wanted, "the reference engine")
    exact, counters = lowered.engine("vector", "exact")
    assert_same(exact, judged, "the vector engine in exact mode")
    assert counters.lifted_share > LIFTED, counters.reasons
    if precision == "fp32":
        assert_near(lowered.engine("vector", "fast")[0], exact, 1e-4, "fast mode")
