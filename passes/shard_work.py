"""From ops to `Work`: the loops of one nn op, what may be shared out, and in which granules.

`uses_matrix_unit` is the one place that says which kernels run on the matrix unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xdsl.dialects.builtin import TensorType, bf16
from xdsl.ir import Attribute, BlockArgument, SSAValue

from dojocc.dialects.domain import Affine, Dim, Map
from dojocc.dialects.footprint import Uses, uses
from dojocc.dialects.mesh import STORAGE
from dojocc.dialects.nn.constant import ConstantOp
from dojocc.dialects.nn.fused import FusedOp
from dojocc.dialects.op import NNOp
from dojocc.passes.solve.physical import LANES, MATRIX_EDGE
from dojocc.passes.solve.work import Access, Index, Kernel, Loop, Work, tensor_granule

HEAVY = {
    "exponential": 4,
    "exponential_minus_one": 5,
    "log": 4,
    "log_plus_one": 5,
    "tanh": 4,
    "logistic": 6,
    "erf": 4,
    "gelu": 8,
    "softmax": 8,
    "log_softmax": 9,
    "layer_norm": 8,
    "sine": 4,
    "cosine": 4,
    "divide": 2,
    "power": 9,
    "sqrt": 3,
    "rsqrt": 3,
}
"""Vector instructions for 16 elements, where it is not about one."""

SIMD_ROOT = {"contraction": 1.5, "window": 1.5, "indexing": 0.0}
"""Vector instructions for 16 points of a root's loops: operands are loaded at each. A take does not
run over what it takes from."""

Formats = dict[Attribute, str]


def root_of(op: NNOp) -> NNOp | None:
    """The structured op of a kernel: a fused region's root, or the op itself."""
    return op.root() if isinstance(op, FusedOp) else op


def root_operand(op: NNOp, number: int) -> int | None:
    """Which operand of the kernel is operand `number` of its root; None where it is made inside."""
    root = root_of(op)
    if root is op:
        return number
    if root is None or number >= len(root.operands) or not isinstance(op, FusedOp):
        return None
    value = root.operands[number]
    if isinstance(value, BlockArgument) and value.block is op.block:
        return value.index
    return None


def uses_matrix_unit(op: NNOp) -> bool:
    """An ungrouped contraction of two bf16 tensors; everything else runs on the SIMD unit."""
    root = root_of(op)
    if root is None or root.FUSIBLE != "contraction" or len(root.operands) < 2:
        return False
    if getattr(root.p, "groups", 1) != 1 or root.iteration_domain() is None:
        return False
    numbers = [root_operand(op, number) for number in (0, 1)]
    return all(number is not None and op.types[number].element_type == bf16 for number in numbers)


def make_work(op: NNOp, formats: Formats = STORAGE) -> Work:
    """The op as loops with accesses; `formats` gives the storage format by element type."""
    found = uses(op)
    matrix = uses_matrix_unit(op)
    results = found.results if found.results is not None else (None,) * len(op.results)
    loops = _loops(found, root_operand(op, 1) if matrix else None, results)
    operands = [
        _access(f"operand {number}", kind, maps, found.dims, formats)
        for number, (kind, maps) in enumerate(zip(op.types, found.operands, strict=True))
    ]
    outputs = [
        _access(f"result {number}", kind, None if each is None else (each,), found.dims, formats)
        for number, (kind, each) in enumerate(zip(op.result_tensors, results, strict=True))
    ]
    kernel = _kernel(op, found, matrix, results[0] if results else None)
    if matrix:
        outputs = [replace(each, matrix_result=True) for each in outputs]
        _mark_right_operand(op, operands, kernel)
    return Work(tuple(loops), tuple(operands), tuple(outputs), kernel)


def _significant(affine: Affine, dims: Sequence[Dim]) -> tuple[tuple[int, int], ...]:
    """The terms over loops that run more than once."""
    return tuple((loop, scale) for loop, scale in affine.terms if dims[loop].size != 1)


def _outer_term(affine: Affine, dims: Sequence[Dim]) -> tuple[int, int] | None:
    """The (loop, coefficient) that steps over all the other terms span; None if none does."""
    terms = sorted(_significant(affine, dims), key=lambda term: -term[1])
    if not terms or terms[0][1] < 1:
        return None
    span = sum(abs(scale) * (dims[loop].size - 1) for loop, scale in terms[1:]) + 1
    return terms[0] if span <= terms[0][1] else None


def _shown(each: Map, dims: Sequence[Dim]) -> dict[int, list[tuple[int, int]]]:
    """By loop: the (tensor dimension, coefficient) that it is the outer term of."""
    found: dict[int, list[tuple[int, int]]] = {}
    for dim, affine in enumerate(each):
        term = _outer_term(affine, dims)
        if term is not None:
            found.setdefault(term[0], []).append((dim, term[1]))
    return found


def _loops(found: Uses, right: int | None, results: Sequence[Map | None]) -> list[Loop]:
    """`right`: the operand that is a matrix kernel's right one; None on the SIMD unit."""
    shown = [_shown(each, found.dims) for each in results if each is not None]
    known = len(shown) == len(results) and bool(shown)
    loops = []
    for number, dim in enumerate(found.dims):
        places = [each.get(number, []) for each in shown]
        shardable = known and dim.kind == "parallel" and all(len(place) == 1 for place in places)
        granule = 1
        for each, place in zip(results, places, strict=False):
            if shardable and each is not None:
                granule = max(granule, _granule(place[0], len(each), right, number, found))
        loops.append(Loop(dim.name, dim.size, shardable, granule, dim.kind == "reduction"))
    return loops


def _granule(place: tuple[int, int], rank: int, right: int | None, loop: int, found: Uses) -> int:
    """Blocks of the last dimension fill lanes (or matrix columns), those before it matrix rows."""
    dim, scale = place
    if dim == rank - 1:
        columns = right is not None and _reads_along(found, right, loop)
        return tensor_granule(scale, MATRIX_EDGE if columns else LANES)
    if right is not None and dim == rank - 2:
        return tensor_granule(scale, MATRIX_EDGE)
    return 1


def _reads_along(found: Uses, operand: int, loop: int) -> bool:
    maps = found.operands[operand]
    return bool(maps) and any(loop in affine.dims for affine in maps[0])


def _access(
    name: str,
    kind: TensorType,
    maps: Sequence[Map] | None,
    dims: Sequence[Dim],
    formats: Formats,
) -> Access:
    rows = None
    if maps is not None:
        rows = tuple(
            tuple(Index(_significant(affine, dims), affine.offset) for affine in each)
            for each in maps
        )
    return Access(name, tuple(kind.get_shape()), formats[kind.element_type], rows)


def _kernel(op: NNOp, found: Uses, matrix: bool, result: Map | None) -> Kernel:
    inner = op.inner_ops if isinstance(op, FusedOp) else [op]
    root = root_of(op)
    weight = float(
        sum(
            HEAVY.get(each.short_name, 1)
            for each in inner
            if isinstance(each, NNOp) and each.FUSIBLE == "elementwise"
        )
    )

    def loop_at(place: int) -> int | None:
        if result is None or len(result) < -place:
            return None
        term = _outer_term(result[place], found.dims)
        return None if term is None else term[0]

    reductions = [number for number, dim in enumerate(found.dims) if dim.kind == "reduction"]
    if not matrix:
        cost = 0.0 if root is None else SIMD_ROOT.get(root.FUSIBLE, HEAVY.get(root.short_name, 1))
        return Kernel("vector", lanes=loop_at(-1), root=cost, weight=weight + 1)
    depth = reductions[-1] if reductions else None
    return Kernel("matrix", loop_at(-2), loop_at(-1), depth, weight=weight)


def _mark_right_operand(op: NNOp, operands: list[Access], kernel: Kernel) -> None:
    """Rules 1 and 3 of passes/solve/physical.py for the right operand of a matrix kernel."""
    number = root_operand(op, 1)
    if number is None or not operands[number].maps:
        return
    access = operands[number]
    assert access.maps is not None
    depth = [
        dim
        for dim, index in enumerate(access.maps[0])
        if any(loop == kernel.depth for loop, _ in index.terms)
    ]
    last = {loop for loop, _ in access.maps[0][-1].terms}
    constant = is_constant(op.operands[number])
    operands[number] = replace(
        access,
        depth_dim=depth[0] if depth else None,
        narrow_last=constant and bool(last) and last == {kernel.columns},
    )


def is_constant(value: SSAValue) -> bool:
    return isinstance(value.owner, ConstantOp)
