"""Indexed loads: the same on every engine, also where a stride differs from node to node."""

from __future__ import annotations

import numpy as np
import pytest
from build import NODES, program

from dojocc.runtime.engines import run
from dojocc.runtime.formats import FORMATS

ENGINES = [("reference", "exact"), ("vector", "exact"), ("vector", "fast")]
X = np.arange(NODES * 64, dtype=np.float32).reshape(NODES, 64)
INDEX = np.random.default_rng(0).integers(0, 16, (NODES, 16)).astype(np.int32)
INDEX_AT, RESULT_AT = 256, 512
INDEX_FORMAT = list(FORMATS).index("INT32")


@pytest.mark.parametrize(("engine", "mode"), ENGINES)
@pytest.mark.parametrize("differs", [False, True], ids=["one stride", "stride of the node"])
def test_lanes_come_from_their_indexes(engine: str, mode: str, differs: bool) -> None:
    """Two iterations, a stride apart: 64 bytes everywhere, or 64 times the node's grid column."""
    stride = ["rdid 2 5", "li 3 64", "mul 2 2 3"] if differs else ["li 2 64"]
    stream = [*stride, f"dset 1 {INDEX_FORMAT} 0", "aclr 0", "astrx 0 0 2", "aclr 1"]
    stream += [f"abasei 1 {INDEX_AT}", "aclr 2", f"abasei 2 {RESULT_AT}", "astr 2 0 64"]
    stream += ["vld 1 1 1 0 0", "loop 0 2", "vgat 0 0 0 1 0", "vst 0 2 0 0 0", "end"]
    built = program(
        [stream],
        inputs={"x": (0, 64, "FP32")},
        images={"index": (INDEX_AT, INDEX, "INT32")},
        outputs={"y": (RESULT_AT, 32, "FP32")},
    )
    y = run(built, {"x": X}, engine, mode).outputs["y"]
    for node in range(NODES):
        step = 16 * (node % 3 if differs else 1)
        expected = np.concatenate([X[node, INDEX[node]], X[node, INDEX[node] + step]])
        np.testing.assert_array_equal(y[node], expected)
