"""Product reductions (mmac, mmact, vfma) of a lifted nest: their operands straight from memory,
deduplicated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dojocc.runtime.engines.access import Access, inside, region, trap
from dojocc.runtime.engines.contraction import Operand, contract
from dojocc.runtime.engines.dedupe import Spans, group_spans
from dojocc.runtime.engines.evaluate import A_BLOCK, B_BLOCK, block, lanes_as
from dojocc.runtime.engines.footprint import at_nodes, bound_classes
from dojocc.runtime.engines.grouping import label
from dojocc.runtime.engines.loads import Load, decoded_view, descriptor
from dojocc.runtime.engines.thread import Descriptor
from dojocc.runtime.engines.tree import Op
from dojocc.runtime.formats import FORMATS

if TYPE_CHECKING:
    from dojocc.runtime.engines.lift import Nest


def product_reduction(
    nest: Nest, op: Op, counts: tuple[int, ...], carried: int, start: np.ndarray
) -> np.ndarray | None:
    """start + sum of products over the carried loops, or None where it is no matrix product."""
    if op.row.mask is not None and int(op.fields[op.row.mask.name]):
        return None
    a = nest.load_of(int(op.fields["a"]))
    b = nest.load_of(int(op.fields["b"]))
    reduced = tuple(range(len(counts) - carried, len(counts)))
    if op.row.unit == "matrix":
        left, right = matrix_operand(nest, op, "a", a), matrix_operand(nest, op, "b", b)
        return contract(left, right, counts, reduced, start, nest.engine.exact)
    left, right = lane_operand(nest, op, "a", a), lane_operand(nest, op, "b", b)
    if left.values.shape[-2] > 1 and right.values.shape[-2] > 1:
        return None
    wide_left = left.values.shape[-2] > 1
    first = start[..., :, None] if wide_left else start[..., None, :]
    if start.shape[-1] > 1 and left.values.shape[-2] == right.values.shape[-2] == 1:
        return None
    result = contract(left, right, counts, reduced, first, nest.engine.exact)
    return result[..., :, 0] if wide_left else result[..., 0, :]


def matrix_operand(nest: Nest, op: Op, name: str, load: Load | None) -> Operand:
    """Operand a as [.., 8 rows, depth], operand b as [.., 8 columns, depth]."""
    fmt = nest.thread.matrix_formats[name != "a"]
    turned = name == "b" and op.name == "mmac"
    if load is not None:
        access = block_access(load.access, FORMATS[fmt.fmt].bytes, turned)
        if access is not None:
            operand = from_memory(nest, access, fmt)
            return _swap(operand) if turned else operand
    raw = lanes_as(nest.vector(int(op.fields[name])), "raw")
    values = block(raw, fmt, B_BLOCK if turned else A_BLOCK)
    return _from_values(nest, np.swapaxes(values, -1, -2) if turned else values)


def block_access(access: Access, item: int, turned: bool) -> Access | None:
    """The raw load as granules of whole block rows; None when granules are other pieces of the
    block.
    """
    rows, columns = (4, 8) if turned else (8, 4)
    if access.elements != columns * item or access.granules < rows:
        return None
    return replace(access, granules=rows, elements=columns, item=item)


def lane_operand(nest: Nest, op: Op, name: str, load: Load | None) -> Operand:
    """A vector operand as [.., lanes or 1, depth 1]."""
    if load is not None and not load.op.access.raw:
        fmt = descriptor(load.op, nest.thread)
        pad = nest.thread.a[int(load.op.fields["a"])].pad
        if FORMATS[fmt.fmt].kind != "int" and (load.access.bounds is None or pad == 0):
            operand = from_memory(nest, load.access, fmt)
            mask = None if operand.mask is None else _column(operand.mask)
            return Operand(_column(operand.values), operand.group, mask)
    return _from_values(nest, lanes_as(nest.vector(int(op.fields[name])), "f32")[..., None])


def _column(array: np.ndarray) -> np.ndarray:
    """[.., granules, elements] to [.., lanes, 1]."""
    return array.reshape(*array.shape[:-2], -1, 1)


def _swap(operand: Operand) -> Operand:
    mask = None if operand.mask is None else np.swapaxes(operand.mask, -1, -2)
    return Operand(np.swapaxes(operand.values, -1, -2), operand.group, mask)


def _from_values(nest: Nest, values: np.ndarray) -> Operand:
    count = len(nest.thread.nodes)
    group = np.zeros(count, np.int64) if values.shape[0] == 1 else np.arange(count)
    return Operand(values, group)


def from_memory(nest: Nest, access: Access, fmt: Descriptor) -> Operand:
    """Operand from the bytes of the nodes.

    Nodes whose bytes agree wherever padding does not hide them share one row: those that memory
    holds alike, and what a comparison of its rows finds.
    """
    low, high = access.span()
    if isinstance(access.base, np.ndarray):
        memory, _ = region(nest.memory, nest.nodes, access)
        rows = np.arange(len(nest.nodes)) if len(memory) > 1 else np.zeros_like(nest.nodes)
        return found_alike(nest, access, fmt, rows, lambda sample, _: memory[rows[sample]])
    start, stop = int(access.base) + low, int(access.base) + high
    if access.bounds is None:
        if start < 0 or stop > nest.memory.size:
            raise trap(access, start, stop, nest.memory.size)
        fixed = nest.memory.fixed(start, stop)
        if fixed is not None:
            return remembered(nest, access, fmt, (start, stop, fixed))
    return held_alike(nest, access, fmt, start, stop)


def held_alike(nest: Nest, access: Access, fmt: Descriptor, start: int, stop: int) -> Operand:
    """Operand from bytes [start, stop) of the nodes; what is hidden on all of them is left out."""
    memory, nodes = nest.memory, nest.nodes

    def content(sample: np.ndarray, span: tuple[int, int]) -> np.ndarray:
        rows = np.zeros((len(sample), stop - start), np.uint8)
        low, high = start + span[0], start + span[1]
        memory.gather(nodes[sample], low, high, rows[:, span[0] : span[1]])
        return rows

    seen = nest.engine.footprints.seen(access, len(nodes))
    grouping = memory.grouping(start + seen[0], start + seen[1])
    return found_alike(nest, access, fmt, grouping.of[nodes], content)


def remembered(nest: Nest, access: Access, fmt: Descriptor, place: tuple) -> Operand:
    """An operand that is the same in every run: found and decoded once a machine."""
    shape = (access.counts, access.strides, access.granules, access.pitch, access.elements)
    key = (nest.thread.cls, nest.nodes.tobytes(), place, shape, access.item, fmt)
    known = nest.engine.machine.operands
    if key not in known:
        known[key] = held_alike(nest, access, fmt, *place[:2])
    return known[key]


def found_alike(
    nest: Nest,
    access: Access,
    fmt: Descriptor,
    rows: np.ndarray,
    content: Callable[[np.ndarray, tuple[int, int]], np.ndarray],
) -> Operand:
    """Operand of nodes, of which those with equal `rows` hold the same; `content` gives the span of
    some nodes, of which a part counts.
    """
    low, high = access.span()
    if access.bounds is None:
        pairs, sample = label([rows])
        spans = Spans(content(sample, (0, high - low)))
        first, group = group_spans(spans)
        values = decoded_view(spans.visible(first), -low, access, fmt)
        return Operand(values, group[pairs])
    classes, kind = bound_classes(access, len(rows))
    used = nest.engine.footprints.get(access, classes)
    pairs, sample = label([rows, kind])
    spans = Spans(content(sample, used.seen), used, kind[sample])
    first, group = group_spans(spans)
    values = decoded_view(spans.visible(first), -low, access, fmt)
    return Operand(values, group[pairs], inside(at_nodes(access, sample[first])))
