"""Values of a lifted nest that are still to be computed: lane by lane from loads and products.

A nest writes such a value down and goes on. When it is stored, fused.py computes it piece by piece,
in cache, and for several registers at once; anything else that wants it gets it whole (`whole`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from dojocc.runtime.engines.contraction import Operand, contract
from dojocc.runtime.engines.evaluate import descriptor_format
from dojocc.runtime.engines.loads import Load, load_values
from dojocc.runtime.engines.tree import Op
from dojocc.runtime.isa.instr import LANE_VIEWS, TABLE

if TYPE_CHECKING:
    from dojocc.runtime.engines.lift import Nest

ACROSS = frozenset(("vshuf", "vtrn8", "vrsum", "vrmax", "vrmin", "viota"))
"""Vector rows in which a lane of the result depends on other lanes, or on its own number."""


@cache
def lanewise() -> frozenset[str]:
    """Rows whose result in a lane depends on registers' same lane alone."""
    found = set()
    for row in TABLE.values():
        kinds = [operand.kind for operand in row.inputs]
        registers = [kind for kind in kinds if kind in ("v", "p")]
        plain = not row.implicit and row.unit == "vector" and row.access is None
        if plain and registers and "x" not in kinds and row.mnemonic not in ACROSS:
            found.add(row.mnemonic)
    return frozenset(found)


@dataclass(eq=False)
class Product:
    """A sum of products (contraction.py), with axes for `depth` open loops.

    `lanes`: which outer axis holds a vector register's lanes (-2 or -1); None: an accumulator.
    """

    a: Operand
    b: Operand
    counts: tuple[int, ...]
    reduced: tuple[int, ...]
    depth: int
    lanes: int | None = None
    value: np.ndarray | None = None

    def last(self) -> Product:
        """In the last iteration of the innermost open loop, that loop's axis taken away."""
        loop = self.depth - 1
        index = (*(slice(None),) * (1 + loop), -1)

        def end(operand: Operand) -> Operand:
            mask = None if operand.mask is None else operand.mask[index]
            return Operand(operand.values[index], operand.group, mask, None, operand.fmt)

        counts = self.counts[:loop] + self.counts[loop + 1 :]
        reduced = tuple(each - 1 for each in self.reduced)
        return Product(end(self.a), end(self.b), counts, reduced, loop, self.lanes)

    def whole(self) -> np.ndarray:
        """[nodes, open loops, lanes or 8 x 8]."""
        if self.value is None:
            zero = np.zeros((1,) * (self.depth + 3), np.float32)
            result = contract(self.a, self.b, self.counts, self.reduced, zero, False)
            self.value = self.in_lanes(result)
        return self.value

    def in_lanes(self, result: np.ndarray) -> np.ndarray:
        """A product's last two axes as the register has them."""
        if self.lanes is None:
            return result
        return result[..., :, 0] if self.lanes == -2 else result[..., 0, :]


@dataclass(frozen=True, eq=False)
class LiveIn:
    """A register that the nest has not set."""

    kind: str
    number: int

    def whole(self, nest: Nest) -> np.ndarray:
        """What it holds: [nodes or 1, ...]."""
        thread = nest.thread
        read = {"v": thread.vector, "p": thread.predicate, "m": thread.accumulator}
        return read[self.kind](self.number)


@dataclass(frozen=True, eq=False)
class Ref:
    """What a register held when it was read: `value` has axes for `depth` open loops, and
    `tail` axes behind them.
    """

    value: np.ndarray | Load | Lazy | Product | Last | LiveIn
    depth: int
    tail: int = 1


@dataclass(frozen=True, eq=False)
class Last:
    """What a deferred value (`depth` open loops) is in the last iteration of the innermost one."""

    value: np.ndarray | Load | Lazy | Product | Last | LiveIn
    depth: int


@dataclass(eq=False)
class Lazy:
    """The result of a lanewise row (or `mread`) on `args`: a Ref for each register, and what the
    body takes besides. With `mask` (a Ref), lanes where it is false have those of `old`.
    """

    op: Op
    args: tuple[Any, ...]
    depth: int
    mask: Ref | None = None
    old: Ref | None = None
    value: np.ndarray | None = None

    def refs(self) -> list[Ref]:
        found = [each for each in self.args if isinstance(each, Ref)]
        return found + [each for each in (self.mask, self.old) if each is not None]


def deferred(nest: Nest, op: Op) -> Lazy | None:
    """The instruction's result, to be computed later; None where that is not possible or not
    worth it.
    """
    if op.name != "mread" and op.name not in lanewise():
        return None
    args = []
    for operand in op.row.inputs:
        number = op.fields[operand.name]
        if operand.kind in ("v", "p", "m"):
            args.append(nest.ref(operand.kind, int(number)))
        elif operand.kind == "d":
            args.append(descriptor_format(nest.thread.formats[int(number)]))
        else:
            args.append(number)
    mask = old = None
    if op.row.mask is not None and int(op.fields[op.row.mask.name]):
        mask = nest.ref("p", int(op.fields[op.row.mask.name]))
        target = op.row.outputs[0]
        old = nest.ref(target.kind, int(op.fields[target.name]))
    made = Lazy(op, tuple(args), nest.depth, mask, old)
    if all(isinstance(ref.value, (np.ndarray, LiveIn)) for ref in made.refs()):
        return None
    return made


def lanes_seen(value: np.ndarray, view: str) -> np.ndarray:
    """Four-byte lanes as another type of that size."""
    wanted = np.dtype(LANE_VIEWS[view])
    return value if value.dtype == wanted else value.view(wanted)


def apply(lazy: Lazy, args: list[Any], mask: np.ndarray | None, old: np.ndarray | None) -> Any:
    """The body on values of `lazy.args`."""
    row = lazy.op.row
    given = [
        lanes_seen(value, row.lanes) if operand.kind == "v" else value
        for operand, value in zip(row.inputs, args, strict=True)
    ]
    result = np.asarray(row.body(*given))
    if mask is None or old is None:
        return result
    if row.outputs[0].kind == "p":
        return np.where(mask, result, old)
    return np.where(mask, lanes_seen(result, "raw"), lanes_seen(old, "raw"))


def expand(value: np.ndarray, depth: int, wanted: int, tail: int) -> np.ndarray:
    """`value` with axes of length 1 for the loops opened since it was made."""
    if depth == wanted:
        return value
    cut = value.ndim - tail
    return value.reshape(*value.shape[:cut], *(1,) * (wanted - depth), *value.shape[cut:])


def whole(nest: Nest, ref: Ref, known: dict[int, np.ndarray] | None = None) -> np.ndarray:
    """The value itself: [nodes or 1, open loops, ...]. `known`: where to remember values of Lazy
    nodes (in these themselves without it).
    """
    value = ref.value
    match value:
        case np.ndarray():
            return value
        case LiveIn():
            return value.whole(nest)
        case Load():
            return load_values(nest, value)
        case Product():
            return value.whole()
        case Last():
            return whole(nest, Ref(in_last(value, {}), value.depth - 1, ref.tail), known)
        case Lazy():
            return lazy_whole(nest, value, known)


def lazy_whole(nest: Nest, lazy: Lazy, known: dict[int, np.ndarray] | None) -> np.ndarray:
    """All of a deferred result."""
    if lazy.value is not None:
        return lazy.value
    if known is not None and id(lazy) in known:
        return known[id(lazy)]

    def read(each: Any) -> Any:
        if not isinstance(each, Ref):
            return each
        return expand(whole(nest, each, known), each.depth, lazy.depth, each.tail)

    mask, old = (None if ref is None else read(ref) for ref in (lazy.mask, lazy.old))
    result = apply(lazy, [read(each) for each in lazy.args], mask, old)
    if known is None:
        lazy.value = result
    else:
        known[id(lazy)] = result
    return result


def in_last(last: Last, known: dict[int, Any]) -> Any:
    """The value that `last` stands for, made of what is left of loads and products."""
    inner = last.value
    if isinstance(inner, Last):
        inner = in_last(inner, {})
    if isinstance(inner, np.ndarray):
        return inner[(*(slice(None),) * last.depth, -1)]
    if isinstance(inner, Load):
        return replace(inner, access=inner.access.last())
    if isinstance(inner, Product):
        return inner.last()
    if isinstance(inner, LiveIn):
        return inner
    if id(inner) not in known:
        known[id(inner)] = lazy_in_last(inner, last.depth, known)
    return known[id(inner)]


def lazy_in_last(lazy: Lazy, depth: int, known: dict[int, Any]) -> Lazy:
    """A deferred result in the last iteration of loop number `depth` - 1, its innermost."""

    def end(each: Any) -> Any:
        if not isinstance(each, Ref) or each.depth < depth:
            return each
        return Ref(in_last(Last(each.value, depth), known), depth - 1, each.tail)

    mask, old = end(lazy.mask), end(lazy.old)
    return Lazy(lazy.op, tuple(end(each) for each in lazy.args), depth - 1, mask, old)
