"""Footprints: which part of each operand an op (or fused region) reads for a part of its result.

`uses(op)` follows the affine maps of the ops in a fused region from its operands to its results,
over one set of loops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.ir import SSAValue

from dojocc.dialects.domain import Affine, Dim, Map, identity, parallel_dims
from dojocc.dialects.nn.fused import FusedOp
from dojocc.dialects.op import NNOp


@dataclass(frozen=True)
class Uses:
    """Loops; for every operand the maps it is read through (None: read whole); the results' maps.

    `results` is None where the result cannot be followed to the loops: it is computed whole.
    """

    dims: tuple[Dim, ...]
    operands: tuple[tuple[Map, ...] | None, ...]
    results: tuple[Map, ...] | None


def compose(outer: Map, inner: Map) -> Map | None:
    """`inner` reads through loops that `outer` gives as functions of other loops."""
    rows = []
    for affine in inner:
        terms: dict[int, int] = {}
        offset = affine.offset
        for index, scale in affine.terms:
            offset += scale * outer[index].offset
            for loop, factor in outer[index].terms:
                terms[loop] = terms.get(loop, 0) + scale * factor
        rows.append(Affine(tuple(sorted(terms.items())), offset))
    return tuple(rows)


def uses(op: NNOp) -> Uses:
    """The loops of an op and how its operands and results are read and written over them."""
    if isinstance(op, FusedOp):
        return _fused_uses(op)
    domain = op.iteration_domain()
    if domain is None:
        return Uses((), (None,) * len(op.operands), None)
    return Uses(domain.dims, tuple((each,) for each in domain.operands), domain.results)


def _fused_uses(op: FusedOp) -> Uses:
    root = op.root()
    result: dict[SSAValue, Map] = {}
    read: dict[SSAValue, list[Map] | None] = {}
    if root is not None:
        domain = root.iteration_domain()
        if domain is None:
            return Uses((), (None,) * len(op.operands), None)
        dims = domain.dims
        result.update(zip(root.results, domain.results, strict=True))
        for value, each in zip(root.operands, domain.operands, strict=True):
            _note(read, value, each)
    else:
        shape = op.result_type.get_shape()
        dims = parallel_dims(shape)
        result.update((value, identity(len(shape))) for value in op.yielded)
    _forward(op, result)
    _backward(op, root, result, read)
    operands = []
    for argument in op.block.args:
        maps = read.get(argument, [])
        operands.append(None if maps is None else tuple(dict.fromkeys(maps)))
    results = [result.get(value) for value in op.yielded]
    known = tuple(each for each in results if each is not None)
    return Uses(dims, tuple(operands), known if len(known) == len(results) else None)


def _note(read: dict[SSAValue, list[Map] | None], value: SSAValue, each: Map | None) -> None:
    known = read.setdefault(value, [])
    if each is None:
        read[value] = None
    elif known is not None:
        known.append(each)


def _forward(op: FusedOp, result: dict[SSAValue, Map]) -> None:
    """Element-wise ops write what their operands' map says."""
    for inner in op.inner_ops:
        if not isinstance(inner, NNOp) or inner.FUSIBLE != "elementwise" or not inner.results:
            continue
        shape = inner.result_type.get_shape()
        for value in inner.operands:
            if value in result and len(result[value]) == len(shape):
                result.setdefault(inner.results[0], result[value])


def _backward(
    op: FusedOp,
    root: NNOp | None,
    result: dict[SSAValue, Map],
    read: dict[SSAValue, list[Map] | None],
) -> None:
    """What an op's result is needed for says what its operands are needed for."""
    for inner in reversed(op.inner_ops):
        if inner is root or not isinstance(inner, NNOp) or not inner.results:
            continue
        written = inner.results[0]
        maps = [result[written]] if written in result else read.get(written, [])
        domain = inner.iteration_domain()
        for number, value in enumerate(inner.operands):
            for each in maps if maps is not None else (None,):
                plain = domain is not None and _is_identity(domain.results[0], domain.dims)
                if each is None or domain is None or not plain:
                    _note(read, value, None)
                else:
                    _note(read, value, compose(each, domain.operands[number]))


def _is_identity(each: Map, dims: Sequence[Dim]) -> bool:
    """The result's dimensions are the first loops, in order; no other loop is there."""
    return each == identity(len(each)) and len(dims) == len(each)
