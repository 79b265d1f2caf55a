"""Kernels of a contraction on the matrix unit: blocks of the result summed side by side.

An operand block that is loaded once serves several products, and the sums of a group of blocks are
finished together, so that neither load ports nor latencies hold up the matrix unit. Which blocks
stand side by side is solve/blocking.py's choice; what it cuts off is a call of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from xdsl.ir import Operation, SSAValue

from dojocc.passes.kernel_generators import GENERATORS
from dojocc.passes.kernels.builder import KernelBuilder, KernelCall
from dojocc.passes.kernels.contraction_matrix import (
    EDGE,
    Matrix,
    add_columns,
    add_leaf,
    covered,
    reduction_loops,
    result_view,
    row_mask,
)
from dojocc.passes.kernels.contraction_plan import Contraction
from dojocc.passes.kernels.frame import Frame, clear_tail
from dojocc.passes.kernels.nest import Shift
from dojocc.passes.kernels.overlap import overlapped
from dojocc.passes.kernels.region import Evaluator, Leaf
from dojocc.passes.kernels.space import Loop, Space, merge
from dojocc.passes.solve import blocking
from dojocc.runtime.layout import LANES

PORTS = {"load": blocking.Ports().loads}


def on_matrix(plan: Contraction, matrix: Matrix) -> list[KernelCall]:
    """Clears of what no block stores, then the kernels of every piece."""
    assert plan.lane is not None
    whole = -(-plan.space.most(plan.lane) // EDGE)
    calls = clear_tail(plan.request, 0, covered(plan, whole))
    for space, factors in pieces(plan, matrix):
        calls += piece_calls(replace(plan, space=space), matrix, factors)
    return calls


def unit(plan: Contraction, matrix: Matrix, dim: int) -> int:
    """Elements of a parallel dim that one block spans."""
    return EDGE if dim in (plan.lane, matrix.row) else 1


def pieces(plan: Contraction, matrix: Matrix) -> Iterator[tuple[Space, dict[int, int]]]:
    """Parts of the loops that cover all of them, with the blocks side by side along each dim.

    What nodes with fewer blocks than the others have left over of a group comes block by block.
    """
    work = local_work(plan, matrix)
    dims = plan.parallel
    for piece in blocking.best_pieces(work, feasible(plan, matrix), plan.request.accumulators):
        factors = dict(zip(dims, piece.factors, strict=True))
        boxes = [plan.space]
        for dim, start, count in zip(dims, piece.start, piece.count, strict=True):
            boxes = [
                part
                for box in boxes
                for part in cut(plan, matrix, box, dim, (start, count, factors[dim]))
            ]
        for number, box in enumerate(boxes):
            if box.active.any():
                yield box, factors if not number else even(plan, matrix, box, factors)


def local_work(plan: Contraction, matrix: Matrix) -> blocking.Contraction:
    """What the busiest node does, in blocks."""
    space = plan.space
    sides = (matrix.rows, matrix.columns)
    directions = tuple(
        blocking.Direction(
            max(-(-space.most(d) // unit(plan, matrix, d)), 1),
            *(plan.has(side, d) for side in sides),
        )
        for d in plan.parallel
    )
    views = [plan.view(side) for side in sides]
    taps = merge(reduction_loops(plan, matrix), views)
    trips = taps[-1].most if taps else 1
    starts = int(np.prod([each.most for each in taps[:-1]], dtype=np.int64))
    (value,) = plan.region.values
    leaves = len(plan.region.leaves(value, plan.given))
    steps = plan.region.steps(value, plan.given)
    return blocking.Contraction(directions, trips, starts, leaves, steps)


def feasible(plan: Contraction, matrix: Matrix) -> blocking.Feasible:
    """Whether address generators suffice: blocks along the granules share one, others do not."""
    (value,) = plan.region.values
    ends = 1 + len(plan.region.leaves(value, plan.given))
    along_granules = {matrix.rows: matrix.row, matrix.columns: None}
    if matrix.transposed:
        along_granules[matrix.columns] = plan.lane

    def check(factors: tuple[int, ...]) -> bool:
        by_dim = dict(zip(plan.parallel, factors, strict=True))
        shared = 1
        for dim, factor in by_dim.items():
            shared *= 1 if dim == matrix.row else factor
        wanted = ends * shared + 1
        for side, free in along_granules.items():
            ways = [f for d, f in by_dim.items() if d != free and plan.has(side, d)]
            wanted += int(np.prod(ways, dtype=np.int64))
        return wanted <= len(GENERATORS)

    return check


def cut(
    plan: Contraction, matrix: Matrix, space: Space, dim: int, part: tuple[int, int, int]
) -> list[Space]:
    """Blocks [start, start + count) of a dim: whole groups of `factor`, and what is left over.

    Columns are the same on all nodes: past the last held one, blocks store zeros.
    """
    (start, count, factor), size = part, unit(plan, matrix, dim)
    held = space.counts[:, dim]
    if dim == plan.lane:
        mine = np.where(held > 0, count * size, 0)
        return [along(space, dim, np.full(space.nodes, start * size), mine)]
    blocks = np.clip(-(-held // size) - start, 0, count)
    even = blocks // factor * factor
    found = []
    for first, number in ((start + 0 * even, even), (start + even, blocks - even)):
        mine = np.clip(held - first * size, 0, number * size)
        if mine.any() or not len(found):
            found.append(along(space, dim, first * size, mine))
    return found


def along(space: Space, dim: int, first: np.ndarray, count: np.ndarray) -> Space:
    """The space from `first` on, along one dim."""
    starts, counts = space.starts.copy(), space.counts.copy()
    starts[:, dim] += first
    counts[:, dim] = count
    return Space(space.sizes, starts, counts)


def even(
    plan: Contraction, matrix: Matrix, space: Space, factors: dict[int, int]
) -> dict[int, int]:
    """Of the factors, those that divide every node's blocks."""
    kept = {}
    for dim, factor in factors.items():
        blocks = -(-space.counts[space.active, dim] // unit(plan, matrix, dim))
        kept[dim] = factor if not (blocks % factor).any() else 1
    return kept


@dataclass(frozen=True)
class Piece:
    """One kernel's buffers: numbers in the frame, and the dims that decide what is loaded twice."""

    plan: Contraction
    matrix: Matrix
    frame: Frame
    store: int
    rows: int
    columns: int
    mask: int | None
    factors: dict[int, int]

    @property
    def shifts(self) -> list[Shift]:
        """Where each block of a group lies."""
        steps = [
            range(0, factor * unit(self.plan, self.matrix, dim), unit(self.plan, self.matrix, dim))
            for dim, factor in self.factors.items()
        ]
        return [dict(zip(self.factors, place, strict=True)) for place in product(*steps)]


def piece_calls(plan: Contraction, matrix: Matrix, factors: dict[int, int]) -> list[KernelCall]:
    """Loops over groups of blocks, around the reduction; then the epilogue on their parts."""
    space, lane = plan.space, plan.lane
    assert lane is not None
    frame = Frame(plan.request, plan.dims, space)
    column_blocks = -(-space.most(lane) // EDGE)
    row_blocks = 1 if matrix.row is None else -(-space.most(matrix.row) // EDGE)
    reach = (row_blocks * EDGE, column_blocks * EDGE)
    store = frame.add(plan.target, result_view(plan, column_blocks))
    rows = plan.add_operand(frame, matrix.rows, matrix.row, reach[0], held=True)
    columns = add_columns(plan, matrix, frame, reach[1])
    (value,) = plan.region.values
    for leaf in plan.region.leaves(value, plan.given):
        add_leaf(plan, matrix, frame, leaf, reach)
    limit = row_mask(plan, matrix, reach[0])
    mask = None if limit is None else frame.mask(limit)
    piece = Piece(plan, matrix, frame, store, rows, columns, mask, factors)
    taps = frame.merged(reduction_loops(plan, matrix))
    loops = []
    for d in plan.parallel:
        turn = unit(plan, matrix, d) * factors[d]
        loops.append(Loop(-(-space.count(d) // turn), ((d, turn),)))
    return frame.calls(loops, len(taps), lambda b: group(piece, taps, b))


def group(piece: Piece, taps: list[Loop], b: KernelBuilder) -> None:
    """The blocks of one group: products of all of them in every turn, then their parts."""
    matrix = piece.matrix
    totals = [b.accumulator() for _ in piece.shifts]
    with b.nest(taps):
        loaded: dict[tuple, SSAValue] = {}
        pairs = []
        for shift in piece.shifts:
            left = once(loaded, b, piece, matrix.rows, shift)
            pairs.append((left, once(loaded, b, piece, matrix.columns, shift)))
        for total, (left, right) in zip(totals, pairs, strict=True):
            b.mma(total, left, right, matrix.transposed)
    parts = range(4 if matrix.row is not None else 1)
    ends: list[list[Operation]] = []
    shared: dict[tuple, SSAValue] = {}
    for total, shift in zip(totals, piece.shifts, strict=True):
        for part in parts:
            with b.apart() as ops:
                finish(piece, b, total, part, shift, shared)
            ends.append(ops)
    for op in overlapped(ends, PORTS):
        b.add(op)


def once(
    loaded: dict[tuple, SSAValue], b: KernelBuilder, piece: Piece, side: int, shift: Shift
) -> SSAValue:
    """The block of one operand for the block of the result at `shift`, loaded the first time."""
    plan, matrix = piece.plan, piece.matrix
    mine = {dim: units for dim, units in shift.items() if plan.has(side, dim)}
    key = (side, *mine.items())
    if key not in loaded:
        if side == matrix.rows:
            loaded[key] = b.load_raw(piece.rows, matrix.row, 8, mine)
        elif matrix.transposed:
            loaded[key] = b.load_raw(piece.columns, plan.lane, 8, mine)
        else:
            loaded[key] = b.load_raw(piece.columns, matrix.depth, 16, mine)
    return loaded[key]


def finish(
    piece: Piece,
    b: KernelBuilder,
    total: SSAValue,
    part: int,
    shift: Shift,
    shared: dict[tuple, SSAValue],
) -> None:
    """What follows the root, on two rows of the sums; then store them."""
    plan, matrix, frame = piece.plan, piece.matrix, piece.frame
    lane = plan.lane
    assert lane is not None

    def load(leaf: Leaf) -> SSAValue:
        number = frame.leaf(leaf)
        moving = {dim: units for dim, units in shift.items() if frame.views[number].moves(dim)}
        if matrix.row is not None and frame.views[number].moves(matrix.row):
            return b.load_rows(number, part, matrix.row, lane, moving)
        key = (number, *moving.items())
        if key not in shared:
            shared[key] = b.load_rows(number, 0, matrix.row, lane, moving)
        return shared[key]

    evaluator = Evaluator(plan.region, b, load, b.read(total, part), plan.given)
    value = evaluator.lanes(plan.region.values[0], plan.given)
    if matrix.row is None:
        stored = b.low_lanes()
    elif piece.mask is None:
        stored = None
    else:
        stored = b.in_bounds(piece.store, piece.mask, part, LANES, shift=shift)
    b.store_rows(value, piece.store, part, matrix.row, lane, stored, shift)
