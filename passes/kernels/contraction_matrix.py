"""How the matrix unit does a contraction: which operand gives rows, which columns, and where they
lie.

Rows come from the operand whose reduction dim is contiguous (8 granules of 8 bytes), columns from
the other: 4 granules of 16 bytes where its columns are contiguous, else 8 of 8 bytes and the
transposed product. contraction_blocks.py writes the kernels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dojocc.passes.kernels.contraction_plan import Contraction
from dojocc.passes.kernels.frame import Frame, guarded_view, starting, tail_bound
from dojocc.passes.kernels.region import Leaf
from dojocc.passes.kernels.space import Bound, Loop, View, axis_bound, loop, view_of

EDGE, DEPTH = 8, 4
BOUNDS = 2  # that a load has


@dataclass(frozen=True)
class Matrix:
    """Which operand gives rows and which columns, and the dims along rows and depth."""

    rows: int
    columns: int
    row: int | None
    depth: int
    transposed: bool


def matrix_plan(plan: Contraction) -> Matrix | None:
    """How the matrix unit does it, or None where it cannot."""
    formats = {plan.request.operands[number].fmt for number in plan.operands}
    lane = plan.lane
    if formats != {"BF16"} or lane is None or plan.has(0, lane) == plan.has(1, lane):
        return None
    columns = 0 if plan.has(0, lane) else 1
    rows = 1 - columns
    views = (plan.view(0), plan.view(1))
    left, right = views[rows], views[columns]
    if len(plan.result[-1].terms) > 1 and plan.dims[lane].size % EDGE:
        return None
    deep = [d for d in plan.all_reduction if left.steps[d] == left.item]
    if not deep:
        return None
    depth = deep[-1]
    plain = right.steps[lane] == right.item
    if not plain and right.steps[depth] != right.item:
        return None
    if any(bound.steps[depth] for bound in left.bounds):
        return None
    return Matrix(rows, columns, row_dim(plan, left, right), depth, not plain)


def row_dim(plan: Contraction, left: View, right: View) -> int | None:
    """The dim along rows: the result's last but one if it can be, else the longest that can."""
    able = [
        d
        for d in plan.parallel
        if d != plan.lane and plan.dims[d].size > 1 and left.steps[d] and not right.steps[d]
        if has_room_for_rows(plan, left, d)
    ]
    single = [d for d in able if any(each.terms == ((d, 1),) for each in plan.result)]
    if not single:
        return None
    if len(plan.result) > 1 and plan.result[-2].terms and plan.result[-2].terms[0][0] in single:
        return plan.result[-2].terms[0][0]
    return max(single, key=lambda d: plan.dims[d].size)


def has_room_for_rows(plan: Contraction, left: View, row: int) -> bool:
    """False where blocks of rows along a dim would need a third bound on the operand's loads."""
    if len(left.bounds) < BOUNDS or any(bound.steps[row] for bound in left.bounds):
        return True
    reach = -(-plan.space.most(row) // EDGE) * EDGE
    maps = next(amap for amap in plan.maps if any(each.coefficient(row) for each in amap))
    axis = next(i for i, each in enumerate(maps) if each.coefficient(row))
    return abs(maps[axis].coefficient(row)) * (reach - 1) < left.layout.physical[axis]


def covered(plan: Contraction, column_blocks: int) -> int:
    """Elements of the result's last dim from the first to the last that column blocks store."""
    groups = [(d, scale) for d, scale in plan.result[-1].terms if d != plan.lane]
    return column_blocks * EDGE + sum(scale * (plan.space.most(d) - 1) for d, scale in groups)


def reduction_loops(plan: Contraction, matrix: Matrix) -> list[Loop]:
    """The reduction in the order of the domain, the depth dim in steps of 4."""
    return [loop(plan.space, d, DEPTH if d == matrix.depth else 1) for d in plan.all_reduction]


def result_view(plan: Contraction, column_blocks: int) -> View:
    """The result's buffer; a limit where the last column block is not held in full by every
    node."""
    layout = plan.request.results[0]
    view = view_of(layout, plan.result, plan.space)
    tail = tail_bound(layout, plan.result[-1], plan.space)
    if tail is None:
        return view
    end = tail.start + covered(plan, column_blocks)
    return view if (end <= tail.limit)[plan.space.active].all() else view.bounded(tail)


def add_columns(plan: Contraction, matrix: Matrix, frame: Frame, reach: int) -> int:
    """The operand that gives columns. Rows past its depth count as zero."""
    assert plan.lane is not None
    if matrix.transposed:
        return plan.add_operand(frame, matrix.columns, plan.lane, reach)
    number = plan.operands[matrix.columns]
    layout, amap = plan.request.operands[number], plan.maps[matrix.columns]
    view = view_of(layout, amap, plan.space)
    depth = plan.dims[matrix.depth].size
    axis = next(i for i, each in enumerate(amap) if each.coefficient(matrix.depth))
    zero_rows = plan.request.is_constant(number) and layout.physical[axis] % DEPTH == 0
    if depth % DEPTH and not zero_rows:
        view = view.bounded(axis_bound(layout, amap[axis], axis, plan.space))
    return frame.add(number, view)


def add_leaf(
    plan: Contraction, matrix: Matrix, frame: Frame, leaf: Leaf, reach: tuple[int, int]
) -> None:
    """An operand of the epilogue, bounded where blocks run past its rows."""
    number = frame.leaf(leaf, plan.lane, reach[1])
    layout = plan.request.layouts[leaf[0]]
    view = frame.views[number]
    frame.views[number] = guarded_view(view, layout, leaf[1], plan.space, matrix.row, reach[0])


def row_mask(plan: Contraction, matrix: Matrix, reach: int) -> Bound | None:
    """The limit of the rows that may be stored, where the result has no room for whole blocks.

    Coordinates count lanes: 8 a row, so that lane l of part p is at 8 * row + 16 p + l.
    """
    if matrix.row is None:
        return None
    axis = next(i for i, each in enumerate(plan.result) if each.coefficient(matrix.row))
    layout = plan.request.results[0]
    end = starting(layout, plan.result[axis], axis, plan.space) + reach
    if end <= layout.physical[axis]:
        return None
    steps = tuple(EDGE * int(d == matrix.row) for d in range(len(plan.dims)))
    held = plan.space.counts[:, matrix.row]
    return Bound(steps, np.zeros(plan.space.nodes, np.int64), EDGE * held)
