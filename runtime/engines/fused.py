"""Stores of deferred values, carried out together: registers that a kernel treats alike are one
array again, and values are computed piece by piece (chunks.py), in cache, and written at once.

Kernels are unrolled over registers, as an accumulator is read in four parts. Stores whose values
are made alike, of parts or loads at even distances, are one store with one more axis.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dojocc.runtime.engines.access import Access, injective
from dojocc.runtime.engines.blocks import distance
from dojocc.runtime.engines.chunks import Apply, Array, FromMemory, Multiplied, Node, Store
from dojocc.runtime.engines.grids import grids
from dojocc.runtime.engines.lazy import Last, Lazy, LiveIn, Product, Ref, in_last, whole
from dojocc.runtime.engines.loads import Load, descriptor
from dojocc.runtime.engines.multiplied import groups
from dojocc.runtime.engines.thread import Descriptor
from dojocc.runtime.engines.tree import Op

if TYPE_CHECKING:
    from dojocc.runtime.engines.lift import Nest


@dataclass(frozen=True, eq=False)
class Pending:
    """A store still to be carried out."""

    op: Op
    access: Access
    value: Ref
    keep: Ref | None
    fmt: Descriptor
    pad: float
    depth: int


class Unlike(Exception):
    """Values that are not made alike."""


def carry_out_all(nest: Nest, queue: list[Pending]) -> None:
    """All stores of a queue: each with those it can be one with, where no two of the others
    meet.
    """
    groups = list(grouped(queue).values())
    if len(groups) > 1 and not apart([store.access for store in queue], groups):
        groups = [[store] for store in queue]
    shared = used_often(groups)
    for group in groups:
        group.sort(key=lambda store: store.access.where())
        if not together(nest, group, shared):
            shared |= used_often([[store] for store in group])
            for store in group:
                together(nest, [store], shared)


def grouped(queue: list[Pending]) -> dict[Hashable, list[Pending]]:
    """Stores by the form of what they do."""
    found: dict[Hashable, list[Pending]] = {}
    forms = Forms()
    for store in queue:
        access = store.access
        shape = (access.counts, access.strides, access.granules, access.pitch, access.elements)
        keep = None if store.keep is None else forms.number(store.keep)
        key = (store.op.name, store.fmt, store.pad, shape, forms.number(store.value), keep)
        found.setdefault(key, []).append(store)
    return found


def apart(accesses: Sequence[Access], groups: list[list[Pending]]) -> bool:
    """No two groups' spans have common bytes."""
    spans = []
    for group in groups:
        ends = [store.access.where() for store in group]
        spans.append((min(low for low, _ in ends), max(high for _, high in ends)))
    spans.sort()
    return all(a[1] <= b[0] for a, b in zip(spans, spans[1:], strict=False))


class Forms:
    """Numbers for the forms of values: how a value is made, but for what may differ between stores
    that are carried out as one.

    A form names those it is made of by number: spelled out, a value used twice at every step (a
    square of a square) would double its form each time.
    """

    def __init__(self) -> None:
        self.of_values: dict[int, int] = {}
        self.numbers: dict[Hashable, int] = {}

    def number(self, ref: Ref) -> int:
        value = ref.value
        if id(value) not in self.of_values:
            found = (ref.depth, self.form(ref))
            self.of_values[id(value)] = self.numbers.setdefault(found, len(self.numbers))
        return self.of_values[id(value)]

    def form(self, ref: Ref) -> Hashable:
        match ref.value:
            case Lazy() as value:
                parts = [
                    self.number(e) if isinstance(e, Ref) else ("as it is", e) for e in value.args
                ]
                if value.op.name == "mread":
                    parts = parts[:1]
                others = [None if e is None else self.number(e) for e in (value.mask, value.old)]
                return (value.op.name, tuple(parts), *others)
            case Product() as value:
                return "product", value.lanes
            case value:
                return type(value).__name__


def used_often(groups: list[list[Pending]]) -> set[int]:
    """Products (by id) that several groups want: these are computed once, as a whole."""
    seen: dict[int, int] = {}
    for group in groups:
        found: set[int] = set()
        visited: set[int] = set()
        stack = [ref for s in group for ref in (s.value, s.keep) if ref is not None]
        while stack:
            value = stack.pop().value
            if id(value) in visited:
                continue
            visited.add(id(value))
            if isinstance(value, Product):
                found.add(id(value))
            elif isinstance(value, Lazy):
                stack += value.refs()
        for each in found:
            seen[each] = seen.get(each, 0) + 1
    return {each for each, times in seen.items() if times > 1}


def together(nest: Nest, group: list[Pending], shared: set[int]) -> bool:
    """Carry out stores as one; False if they cannot be."""
    first = group[0]
    access = spread(first.access, first.depth, 1, 0)
    if len(group) > 1:
        steps = {distance(a.access, b.access) for a, b in zip(group, group[1:], strict=False)}
        step = steps.pop() if len(steps) == 1 else None
        if step is None:
            return False
        access = nest.once(merged, first.access, first.depth, len(group), step)
        if access is None:
            return False
    packer = Packer(nest, len(group), first.depth, shared)
    try:
        value = packer.pack([store.value for store in group])
        keep = None if first.keep is None else packer.pack([s.keep for s in group if s.keep])
    except Unlike:
        return False
    store = Store(access, value, keep, first.fmt, first.pad, packer.leaves)
    store.carry_out(nest)
    nest.repeat.stores.append(store)
    return True


def merged(access: Access, depth: int, count: int, step: tuple[int, int, int]) -> Access | None:
    """`count` stores as one; None where they meet."""
    found = spread(access, depth, count, step[0], step[1], step[2])
    return found if injective(found) else None


def spread(access: Access, depth: int, count: int, step: int, y: int = 0, x: int = 0) -> Access:
    """The access with axes for `depth` open loops and one more, of `count` like it."""
    more = depth - len(access.counts)
    bounds = access.bounds
    if bounds is not None:
        bounds = replace(
            bounds,
            y_strides=(*bounds.y_strides, *(0,) * more, y),
            x_strides=(*bounds.x_strides, *(0,) * more, x),
        )
    counts = (*access.counts, *(1,) * more, count)
    return replace(
        access, counts=counts, strides=(*access.strides, *(0,) * more, step), bounds=bounds
    )


class Packer:
    """Makes one node of the values of `count` registers that are made alike."""

    def __init__(self, nest: Nest, count: int, depth: int, shared: set[int]) -> None:
        self.nest, self.count, self.depth = nest, count, depth
        self.shared = shared
        self.known: dict[tuple[int, ...], Node] = {}
        self.leaves: list[Array | FromMemory | Multiplied] = []
        self.product: Product | None = None

    def pack(self, refs: Sequence[Ref]) -> Node:
        """The node of these values; raises Unlike where there is none."""
        key = tuple(id(ref.value) for ref in refs)
        if len(set(key)) == 1:
            refs = refs[:1]
        if key not in self.known:
            self.known[key] = self.node([resolved(ref) for ref in refs])
        return self.known[key]

    def node(self, refs: list[Ref]) -> Node:
        values = [ref.value for ref in refs]
        first = values[0]
        if any(type(value) is not type(first) for value in values):
            raise Unlike
        match first:
            case Lazy() if first.op.name == "mread":
                return self.parts(refs)
            case Lazy():
                return self.apply([value for value in values if isinstance(value, Lazy)])
            case Load():
                return self.load(refs)
            case Product() if len(refs) == 1 and self.mine(first):
                return self.leaf(Multiplied(first, None, 1, self.depth))
            case _:
                return self.arrays(refs)

    def leaf(self, made: Array | FromMemory | Multiplied) -> Node:
        self.leaves.append(made)
        return made

    def mine(self, product: Product) -> bool:
        """True when the product may be computed piece by piece here: one in every group."""
        if id(product) in self.shared or product.value is not None:
            return False
        if grids(*groups(product)) is None:
            return False
        if self.product is None:
            self.product = product
        return self.product is product

    def arrays(self, refs: list[Ref]) -> Node:
        """Values that are computed as a whole."""
        if len({whole(self.nest, ref).dtype for ref in refs}) > 1:
            raise Unlike
        if not all(isinstance(ref.value, (np.ndarray, LiveIn)) for ref in refs):
            self.nest.repeat.able = False
        return self.leaf(Array(refs, refs[0].depth, self.depth))

    def apply(self, lazies: list[Lazy]) -> Node:
        """A lanewise row on several registers."""
        first = lazies[0]
        args: list[Any] = []
        for place, given in enumerate(first.args):
            every = [lazy.args[place] for lazy in lazies]
            if isinstance(given, Ref):
                args.append(self.pack(every))
            elif any(each != given for each in every):
                raise Unlike
            else:
                args.append(given)
        mask = old = None
        if first.mask is not None and first.old is not None:
            mask = self.pack([lazy.mask for lazy in lazies if lazy.mask is not None])
            old = self.pack([lazy.old for lazy in lazies if lazy.old is not None])
        return Apply(first, args, mask, old)

    def parts(self, refs: list[Ref]) -> Node:
        """Neighbouring parts of one accumulator; one of another as an array."""
        lazies = [ref.value for ref in refs if isinstance(ref.value, Lazy)]
        sources = [resolved(lazy.args[0]) for lazy in lazies]
        numbers = [int(lazy.args[1]) for lazy in lazies]
        product = sources[0].value
        if len({id(each.value) for each in sources}) > 1:
            raise Unlike
        if isinstance(product, Product) and self.mine(product):
            if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
                raise Unlike
            return self.leaf(Multiplied(product, numbers[0], len(numbers), self.depth))
        return self.arrays(refs)

    def load(self, refs: list[Ref]) -> Node:
        """One load that reads what several do."""
        loads = [ref.value for ref in refs if isinstance(ref.value, Load)]
        first = loads[0]
        if first.op.access.raw or isinstance(first.access.base, np.ndarray):
            return self.arrays(refs)
        step: tuple[int, int, int] | None = (0, 0, 0)
        if len(loads) > 1:
            pairs = zip(loads, loads[1:], strict=False)
            steps = {distance(a.access, b.access) for a, b in pairs}
            step = steps.pop() if len(steps) == 1 else None
        formats = {descriptor(load.op, self.nest.thread) for load in loads}
        pads = {self.nest.thread.a[int(load.op.fields["a"])].pad for load in loads}
        if step is None or len(formats) > 1 or len(pads) > 1:
            raise Unlike
        access = spread(first.access, self.depth, len(loads), *step)
        return self.leaf(FromMemory(access, formats.pop(), pads.pop()))


def resolved(ref: Ref) -> Ref:
    """The value in place of what is left of it after a loop."""
    if isinstance(ref.value, Last):
        return Ref(in_last(ref.value, {}), ref.depth, ref.tail)
    return ref
