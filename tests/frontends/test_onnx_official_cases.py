"""ONNX's own node cases for the ops we import: each passes or is refused, none is wrong."""

from __future__ import annotations

import warnings
from collections import Counter

import numpy as np
import onnx
from onnx import numpy_helper
from onnx_cases import run_imported

from dojocc.frontends.onnx.node import HANDLERS
from dojocc.runtime.errors import InputError

LEAST_PASSED = 640  # of the cases below, with onnx 1.23; more is welcome
LOOSE = {"float16": (5e-3, 5e-3), "bfloat16": (2e-2, 1e-2)}
TIGHT = (1e-3, 1e-5)  # the relative one is ONNX's own: some expectations have four digits


def cases() -> list:
    """Cases of supported ops with plain tensors; the expanded forms repeat others."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases  # loads and runs every case

        rows = collect_testcases(None)
    return [row for row in rows if wanted(row)]


def wanted(case) -> bool:
    inputs, outputs = case.data_sets[0]
    plain = all(isinstance(a, np.ndarray) or np.isscalar(a) for a in (*inputs, *outputs))
    known = all(node.op_type in HANDLERS for node in case.model.graph.node)
    return plain and known and not case.name.endswith("_expanded")


def with_constants(model: onnx.ModelProto, feeds: dict) -> onnx.ModelProto:
    """Shapes, axes and the like, which the cases feed at run, as initialisers."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for value in list(model.graph.input)[1:]:
        array = feeds[value.name]
        if array.dtype.kind in "iub" and array.ndim <= 1:
            copy.graph.initializer.append(numpy_helper.from_array(array, value.name))
    return copy


def outcome(case) -> str:
    inputs, outputs = case.data_sets[0]
    feeds = {v.name: np.asarray(a) for v, a in zip(case.model.graph.input, inputs, strict=True)}
    model = with_constants(case.model, feeds)
    held = {tensor.name for tensor in model.graph.initializer}
    shapes = {name: array.shape for name, array in feeds.items() if name not in held}
    try:
        found = run_imported(model, feeds, shapes)
    except InputError:
        return "refused"
    for ours, theirs in zip(found, map(np.asarray, outputs), strict=True):
        relative, absolute = LOOSE.get(str(theirs.dtype), TIGHT)
        wide = theirs.astype(np.float64)
        same = ours.shape == theirs.shape and np.allclose(
            ours.astype(np.float64), wide, relative, absolute, equal_nan=True
        )
        if not same:
            return "wrong"
    return "passed"


def test_official_node_cases() -> None:
    results = {case.name: outcome(case) for case in cases()}
    counts = Counter(results.values())
    print(dict(counts))
    assert [name for name, result in results.items() if result == "wrong"] == []
    assert counts["passed"] >= LEAST_PASSED, counts
