"""Registers that a loop carries from one iteration to the next, as its inner loops really run."""

from __future__ import annotations

import numpy as np
import pytest
from build import NODES, program

from dojocc.runtime.engines import run


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_a_loop_that_never_runs_hides_no_reads(mode: str) -> None:
    """Its load would set v0 afresh in every iteration; as it does not run, v0 is carried."""
    lines = ["vli 0 1.0 0", "aclr 1", "abasei 1 2048", "loop 0 3", "loop 1 0", "vld 0 1 0 0 0"]
    lines += ["end", "vfma 0 0 0 0", "end", "aclr 0", "vst 0 0 0 0 0"]
    result = run(program([lines], outputs={"y": (0, 16, "FP32")}), {}, "vector", mode)
    assert any("carries a value" in reason for reason in result.counters.reasons)
    np.testing.assert_array_equal(result.outputs["y"], np.full((NODES, 16), 42.0, np.float32))
