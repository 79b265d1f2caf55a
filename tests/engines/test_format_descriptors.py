"""Every number format, loaded and stored by streams that name it with a descriptor."""

from __future__ import annotations

import numpy as np
import pytest
from build import NODES, program

from dojocc.runtime.engines import run
from dojocc.runtime.formats import FORMATS, round_to

ENGINES = [("reference", "exact"), ("vector", "exact"), ("vector", "fast")]
DRAW = np.random.default_rng(0)
VALUES = {
    "int": DRAW.integers(-100, 100, (NODES, 16)).astype(np.int32),
    "real": np.abs(DRAW.normal(0, 4, (NODES, 16))).astype(np.float32),
}


@pytest.mark.parametrize(("engine", "mode"), ENGINES)
@pytest.mark.parametrize("name", list(FORMATS))
def test_values_are_rounded_once_by_a_store(name: str, engine: str, mode: str) -> None:
    """y = x through the format; the host reads y's codes as that format's values."""
    row = FORMATS[name]
    values = VALUES["int" if row.kind == "int" else "real"]
    wide = "INT32" if row.kind == "int" else "FP32"
    stream = [f"dset 1 {list(FORMATS).index(name)} {row.bias if len(row.biases) > 1 else 0}"]
    stream += [f"dset 2 {list(FORMATS).index(wide)} 0", "aclr 0", "aclr 1", "abasei 1 256"]
    stream += ["vld 0 0 2 0 0", "vst 0 1 1 0 0", "aclr 2", "abasei 2 512"]
    stream += ["vld 1 1 1 0 0", "vst 1 2 2 0 0"]
    built = program(
        [stream],
        inputs={"x": (0, 16, wide)},
        outputs={"y": (256, 16, name), "z": (512, 16, wide)},
    )
    result = run(built, {"x": values}, engine, mode).outputs
    expected = round_to(values, name)
    np.testing.assert_array_equal(result["y"], expected)
    np.testing.assert_array_equal(result["z"], expected)
