"""Iteration domains mean what the references compute: each is run point by point and compared."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from nn_cases import CASES, Case

from dojocc.dialects.domain import Affine, Dim, IterationDomain, Map, dim, identity
from dojocc.dialects.nn import NN_OPS, NNOp
from dojocc.dialects.numerics import PLAIN, start_of

WITHOUT_DOMAIN = ("concatenate",)
ROWS = ("softmax", "log_softmax", "layer_norm")  # the whole row stands in the result's map


def with_domain() -> list[Case]:
    return [c for c in CASES if c.op not in (*WITHOUT_DOMAIN, *ROWS)]


def gather(array: np.ndarray, reads: Map, points: np.ndarray, outside: np.generic) -> np.ndarray:
    """What a map reads at every point; `outside` where it falls out of the tensor."""
    result = np.full(len(points), outside, array.dtype)
    for number, point in enumerate(points.tolist()):
        place = tuple(affine.at(point) for affine in reads)
        if all(0 <= p < size for p, size in zip(place, array.shape, strict=True)):
            result[number] = array[place]
    return result


def outside_value(op: NNOp, arrays: list[np.ndarray], number: int) -> np.generic:
    array = arrays[number]
    if op.short_name == "pad":
        return array.dtype.type(arrays[1])
    if op.short_name == "reduce_window":
        return start_of(op.p.kind, array.dtype)
    return array.dtype.type(0)


FOLDS: dict[str, Callable[..., np.ndarray]] = {
    "sum": np.sum,
    "mean": np.mean,
    "max": np.max,
    "min": np.min,
    "prod": np.prod,
}


def combine(op: NNOp, values: list[np.ndarray]) -> np.ndarray:
    """One result value for each row of operand values [results, reduction points]."""
    name = op.short_name
    if name in ("dot_general", "convolution"):
        return (values[0] * values[1]).sum(1)
    if name in ("reduce", "reduce_window"):
        return FOLDS[op.p.kind](values[0], axis=1)
    if name == "arg_reduce":
        return (np.argmax if op.p.kind == "max" else np.argmin)(values[0], axis=1)
    if name == "take":
        size = values[0].shape[1]
        hot = np.clip(values[1], 0, size - 1) == np.arange(size)
        return (values[0] * hot).sum(1)
    if op.FUSIBLE == "movement":
        return values[0][:, 0]
    vector = [value[:, 0] for value in values]
    if name == "batch_norm_inference":
        x, scale, offset, mean, variance = vector
        return (x - mean) / np.sqrt(variance + op.p.epsilon) * scale + offset
    return pointwise(op, vector)


def pointwise(op: NNOp, vector: list[np.ndarray]) -> np.ndarray:
    """An element-wise op on vectors of operand values."""
    case = Case(op.short_name, tuple(_text(v) for v in vector), np.asarray, dict(op.properties))
    _, flat = case.build()
    return flat.reference(vector, PLAIN)[0]


def _text(vector: np.ndarray) -> str:
    names = {"float32": "f32", "int32": "i32", "bool": "i1"}
    return f"{len(vector)}x{names[vector.dtype.name]}"


def run_by_points(op: NNOp, domain: IterationDomain, arrays: list[np.ndarray]) -> np.ndarray:
    """The result, from nothing but the domain and the op's one-point meaning."""
    outer = [domain.dims[d].size for d in domain.parallel]
    inner = [domain.dims[d].size for d in domain.reduction]
    grid = np.zeros((int(np.prod(outer)), int(np.prod(inner)), len(domain.dims)), np.int64)
    for column, d in enumerate(domain.parallel):
        grid[:, :, d] = np.indices(outer).reshape(len(outer), -1)[column][:, None]
    for column, d in enumerate(domain.reduction):
        grid[:, :, d] = np.indices(inner).reshape(len(inner), -1)[column][None, :]
    flat = grid.reshape(grid.shape[0] * grid.shape[1], len(domain.dims))
    values = [
        gather(array, reads, flat, outside_value(op, arrays, number)).reshape(grid.shape[:2])
        for number, (array, reads) in enumerate(zip(arrays, domain.operands, strict=True))
    ]
    result = np.zeros(op.result_type.get_shape(), np.float64)
    written = np.zeros(result.shape, np.int64)
    combined = combine(op, values)
    for number, point in enumerate(grid[:, 0].tolist()):
        place = tuple(affine.at(point) for affine in domain.results[0])
        result[place] = combined[number]
        written[place] += 1
    assert (written == 1).all(), "the result's map must write every element once"
    return result


@pytest.mark.parametrize("case", [c for c in with_domain() if c.types], ids=lambda case: case.id)
def test_domain_computes_the_reference(case: Case) -> None:
    _, op = case.build()
    domain = op.iteration_domain()
    arrays = case.arrays()
    if domain is None:
        assert not_affine(op)
        return
    (expected,) = op.reference(arrays, PLAIN)
    found = run_by_points(op, domain, arrays)
    np.testing.assert_allclose(found, expected.astype(np.float64), rtol=2e-6, atol=2e-6)


def not_affine(op: NNOp) -> bool:
    """The forms for which an op documents that it has no domain."""
    match op.short_name:
        case "convolution":
            return set(op.p.lhs_dilation) != {1}
        case "pad":
            return any(op.p.interior)
        case "reshape":
            wide = [[n for n in t.get_shape() if n != 1] for t in (op.types[0], op.result_type)]
            return wide[0] != wide[1]
        case _:
            return False


@pytest.mark.parametrize("case", [c for c in CASES if c.op in ROWS], ids=lambda case: case.id)
def test_row_ops_need_their_whole_row(case: Case) -> None:
    """A result element changes with every element of its row, and with no other."""
    _, op = case.build()
    domain = op.iteration_domain()
    assert domain is not None
    arrays = case.arrays()
    (before,) = op.reference(arrays, PLAIN)
    x = arrays[0].copy()
    x[(0,) * x.ndim] += 1.5
    (after,) = op.reference([x, *arrays[1:]], PLAIN)
    changed = np.argwhere(after != before)
    expected = np.ones(before.shape, bool)
    for number in domain.parallel:
        keep = np.zeros(before.shape[number], bool)
        keep[0] = True
        shape = [-1 if axis == number else 1 for axis in range(before.ndim)]
        expected &= keep.reshape(shape)
    np.testing.assert_array_equal(changed, np.argwhere(expected))
    assert domain.results[0] == identity(before.ndim)


def test_every_computing_op_has_a_domain() -> None:
    """Only ops that say so lack one."""
    without = {c.op for c in CASES if c.build()[1].iteration_domain() is None}
    assert without <= {"concatenate", "convolution", "pad", "reshape"}
    assert set(WITHOUT_DOMAIN) <= set(NN_OPS)


def test_affine_reads_and_says_what_it_is() -> None:
    index = Affine(((0, 2), (3, 1)), -1)
    assert index.at((4, 9, 9, 2)) == 9
    assert (index.coefficient(0), index.coefficient(1)) == (2, 0)
    assert index.dims == (0, 3)
    assert index.plain_dim() is None
    assert dim(2).plain_dim() == 2
    assert dim(2, 1, 1).plain_dim() is None


def test_a_wrong_domain_is_refused() -> None:
    with pytest.raises(ValueError, match="names dim 1 of a domain of 1 dims"):
        IterationDomain((Dim("d0", 4, "parallel"),), ((dim(1),),), ((dim(0),),))
    with pytest.raises(ValueError, match="a dim needs a size and a kind"):
        IterationDomain((Dim("d0", 4, "window"),), (), ())


def test_a_planted_fault_in_a_map_is_seen() -> None:
    """The comparison above can fail: shift one operand's map by one."""
    case = next(c for c in CASES if c.op == "convolution")
    _, op = case.build()
    domain = op.iteration_domain()
    assert domain is not None
    reads = list(domain.operands[0])
    reads[2] = Affine(reads[2].terms, reads[2].offset + 1)
    wrong = IterationDomain(domain.dims, (tuple(reads), domain.operands[1]), domain.results)
    arrays = case.arrays()
    (expected,) = op.reference(arrays, PLAIN)
    assert not np.allclose(run_by_points(op, wrong, arrays), expected)
