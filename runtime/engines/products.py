"""Product reductions (mmac, mmact, vfma) of a lifted nest: their operands straight from memory,
deduplicated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from dojocc.runtime.engines.access import Access, inside, region, strided, trap
from dojocc.runtime.engines.contraction import Operand, contract
from dojocc.runtime.engines.dedupe import Found, Spans, found_equal
from dojocc.runtime.engines.evaluate import A_BLOCK, B_BLOCK, block, lanes_as
from dojocc.runtime.engines.footprint import Used, at_nodes, bound_classes
from dojocc.runtime.engines.grouping import label
from dojocc.runtime.engines.lazy import Product
from dojocc.runtime.engines.loads import Load, descriptor
from dojocc.runtime.engines.thread import Descriptor
from dojocc.runtime.engines.tree import Op
from dojocc.runtime.formats import FORMATS

if TYPE_CHECKING:
    from dojocc.runtime.engines.lift import Nest


def product_reduction(
    nest: Nest, op: Op, counts: tuple[int, ...], carried: int, start: np.ndarray
) -> np.ndarray | Product | None:
    """start + sum of products over the carried loops (still to be multiplied, where nothing speaks
    against that), or None where it is no matrix product.
    """
    if op.row.mask is not None and int(op.fields[op.row.mask.name]):
        return None
    a = nest.load_of(int(op.fields["a"]))
    b = nest.load_of(int(op.fields["b"]))
    reduced = tuple(range(len(counts) - carried, len(counts)))
    if op.row.unit == "matrix":
        left, right = matrix_operand(nest, op, "a", a), matrix_operand(nest, op, "b", b)
        if nest.defers and not nest.engine.exact and not np.any(start):
            return nest.repeat.of(Product(left, right, counts, reduced, len(counts) - carried))
        return contract(left, right, counts, reduced, start, nest.engine.exact)
    left, right = lane_operand(nest, op, "a", a), lane_operand(nest, op, "b", b)
    if left.values.shape[-2] > 1 and right.values.shape[-2] > 1:
        return None
    wide_left = left.values.shape[-2] > 1
    first = start[..., :, None] if wide_left else start[..., None, :]
    if start.shape[-1] > 1 and left.values.shape[-2] == right.values.shape[-2] == 1:
        return None
    if nest.defers and not nest.engine.exact and not np.any(start):
        lanes = -2 if wide_left else -1
        product = Product(left, right, counts, reduced, len(counts) - carried, lanes)
        return nest.repeat.of(product)
    result = contract(left, right, counts, reduced, first, nest.engine.exact)
    return result[..., :, 0] if wide_left else result[..., 0, :]


def matrix_operand(nest: Nest, op: Op, name: str, load: Load | None) -> Operand:
    """Operand a as [.., 8 rows, depth], operand b as [.., 8 columns, depth]."""
    fmt = nest.thread.matrix_formats[name != "a"]
    turned = name == "b" and op.name == "mmac"
    if load is not None:
        access = nest.once(block_access, load.access, FORMATS[fmt.fmt].bytes, turned)
        if access is not None:
            return from_memory(nest, access, fmt, _swap if turned else _as_it_is)
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
            return from_memory(nest, load.access, fmt, _in_columns)
    return _from_values(nest, lanes_as(nest.vector(int(op.fields[name])), "f32")[..., None])


def _as_it_is(operand: Operand) -> Operand:
    return operand


def _in_columns(operand: Operand) -> Operand:
    """[.., granules, elements] to [.., lanes, 1]."""

    def column(array: np.ndarray) -> np.ndarray:
        return array.reshape(*array.shape[:-2], -1, 1)

    mask = None if operand.mask is None else column(operand.mask)
    return replace(operand, values=column(operand.values), mask=mask)


def _swap(operand: Operand) -> Operand:
    mask = None if operand.mask is None else np.swapaxes(operand.mask, -1, -2)
    return replace(operand, values=np.swapaxes(operand.values, -1, -2), mask=mask)


def _from_values(nest: Nest, values: np.ndarray) -> Operand:
    count = len(nest.thread.nodes)
    group = np.zeros(count, np.int64) if values.shape[0] == 1 else np.arange(count)
    return Operand(values, group)


@dataclass(eq=False)
class Source:
    """Where an operand's bytes come from, as far as that does not depend on them.

    `sample`: a node of the nest for each content that may differ; `pairs`: which of these each node
    holds. `used`, `kind`: what padding hides of the samples' bytes. `fixed`: the operand itself,
    where it is the same in every run. `found`: the samples last found equal.
    """

    start: int
    seen: tuple[int, int]
    pairs: np.ndarray
    sample: np.ndarray
    used: Used | None = None
    kind: np.ndarray | None = None
    masks: dict[bytes, np.ndarray | None] = field(default_factory=dict)
    fixed: Operand | None = None
    found: Found | None = None


def from_memory(
    nest: Nest, access: Access, fmt: Descriptor, form: Callable[[Operand], Operand]
) -> Operand:
    """Operand from the bytes of the nodes, its axes put in `form`.

    Nodes whose bytes agree wherever padding does not hide them share one row: those that memory
    holds alike, and what a comparison of the others finds.
    """
    source = nest.once(source_of, nest, access, fmt, form)
    if source.fixed is not None:
        return source.fixed

    def again(nest: Nest) -> Operand:
        return replace(form(compared(nest, access, fmt, source)), again=again)

    return again(nest)


def source_of(
    nest: Nest, access: Access, fmt: Descriptor, form: Callable[[Operand], Operand]
) -> Source:
    """The source of an access of the nest."""
    low, high = access.span()
    lowest, highest = access.where()
    if access.bounds is None and (lowest < 0 or highest > nest.memory.size):
        raise trap(access, lowest, highest, nest.memory.size)
    start, count = int(np.min(access.base)) + low, len(nest.nodes)
    used, kind, seen = None, np.zeros(count, np.int64), (0, high - low)
    if access.bounds is not None or gaps(access):
        classes, kind = bound_classes(access, count)
        used = nest.engine.footprints.get(access, classes)
        seen = used.seen
    if isinstance(access.base, np.ndarray):
        every = np.arange(count)
        return Source(start, seen, every, every, used, kind)
    sure, contents = contents_of(nest, start, seen, used, kind)
    pairs, sample = label([*contents, kind])
    source = Source(start, seen, pairs, sample, used, kind[sample])
    if sure:
        source.found = Found(np.arange(len(sample)), np.arange(len(sample)), ())
    bounded = access.bounds is not None
    fixed = None if bounded else nest.memory.fixed(start, start + high - low)
    if fixed is None:
        return source
    shape = (access.counts, access.strides, access.granules, access.pitch, access.elements)
    key = (nest.thread.cls, nest.nodes.tobytes(), start, fixed, shape, access.item, fmt, form)
    known = nest.engine.machine.operands
    if key not in known:
        made = replace(form(compared(nest, access, fmt, source)), arranged={})
        made.again = lambda _: made
        known[key] = made
    return replace(source, fixed=known[key])


def contents_of(
    nest: Nest, start: int, seen: tuple[int, int], used: Used | None, kind: np.ndarray
) -> tuple[bool, list[np.ndarray]]:
    """(True when these need no comparison, columns that are equal for nodes that hold the same):
    by the rows memory has, and by what a list sent, where that is all that counts.
    """
    low, high = start + seen[0], start + seen[1]
    rows = nest.memory.grouping(low, high).of[nest.nodes]
    received = nest.memory.received(low, high)
    if received is None:
        return False, [rows]
    runs = ((seen,),) if used is None else used.runs
    there = tuple(tuple((start + a, start + b) for a, b in each) for each in runs)
    sure = received.sure(nest.nodes, kind, there)
    numbers = received.number[nest.nodes]
    return bool(sure.all()), [np.where(sure, 0, rows + 1), np.where(sure, numbers, 0)]


def gaps(access: Access) -> bool:
    """True when an access reads no byte twice and leaves some of its span out (a quick test; where
    it fails, bytes that do not count are compared as well).
    """
    low, high = access.span()
    return prod(access.shape) * access.item < high - low


def compared(nest: Nest, access: Access, fmt: Descriptor, source: Source) -> Operand:
    """The operand of a source: samples that prove to be equal are one row."""
    low = access.span()[0]
    sample, used = source.sample, source.used
    table, rows = bytes_of_samples(nest, access, source)
    spans = Spans(table, rows) if used is None else Spans(table, rows, used, source.kind)
    if source.found is None or not source.found.holds(spans):
        source.found = found_equal(spans)
    first, group = source.found.first, source.found.group
    values = strided(spans.some(first), -low, access, np.dtype(f"u{access.item}"))
    if FORMATS[fmt.fmt].name == "FP32":
        values = values.view(np.float32)
    key = first.tobytes()
    if access.bounds is not None and key not in source.masks:
        source.masks[key] = inside(at_nodes(access, sample[first]))
    return Operand(values, group[source.pairs], source.masks.get(key), fmt=fmt)


def bytes_of_samples(nest: Nest, access: Access, source: Source) -> tuple[np.ndarray, np.ndarray]:
    """(table, row of every sample): the access's span of bytes, a view where one part of memory
    holds it all.
    """
    low, high = access.span()
    sample, memory = source.sample, nest.memory
    if isinstance(access.base, np.ndarray):
        rows, _ = region(memory, nest.nodes, access)
        return np.broadcast_to(rows, (len(sample), high - low)), np.arange(len(sample))
    start, seen = source.start, source.seen
    whole = seen == (0, high - low)
    parts = memory.covering(start, start + high - low) if start >= 0 else []
    if len(parts) == 1 and start + high - low <= memory.size:
        part = parts[0]
        return part.bytes(start, start + high - low), part.grouping.of[nest.nodes[sample]]
    table = (np.empty if whole else np.zeros)((len(sample), high - low), np.uint8)
    columns = table[:, seen[0] : seen[1]]
    memory.gather(nest.nodes[sample], start + seen[0], start + seen[1], columns)
    return table, np.arange(len(sample))
