"""May all iterations of a loop nest touch memory at once? The second half of the proof for lifting.

Lifting runs every iteration of the first instruction, then every iteration of the next. That is the
same as the machine's order if no store of one iteration meets a load or store of another one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import gcd

import numpy as np

from dojocc.runtime.engines.access import Access, addresses, injective, inside, lanes_inside
from dojocc.runtime.engines.tree import Loop, Op

ENUMERATED = 1 << 22  # granules; beyond that the exact test is not tried


@dataclass(frozen=True, eq=False)
class Touch:
    """One memory instruction of the nest: its open loops and its access (None: addresses from
    data).

    `lanes` is the `pinb` that set the instruction's predicate in the same iteration, if one did.
    """

    op: Op
    path: tuple[Loop, ...]
    access: Access | None
    lanes: Access | None = None

    @property
    def stores(self) -> bool:
        return self.op.row.access is not None and self.op.access.kind == "store"

    @property
    def place(self) -> Access:
        """The access of an instruction whose addresses are known."""
        assert self.access is not None, f"`{self.op.name}` takes its addresses from data"
        return self.access


def conflict(touches: list[Touch]) -> str | None:
    """Why the nest's accesses may not run at once, or None."""
    stored = False
    for touch in touches:
        stored |= touch.stores
        if touch.access is None and stored:
            return f"`{touch.op.name}` takes addresses from data beside stores"
    stores = [t for t in touches if t.stores]
    for store in stores:
        if not stores_once(store):
            return f"`{store.op.name}` at word {store.op.word} stores twice to one place"
    placed = [t for t in touches if not t.stores and t.access is not None] + stores
    near = meeting([t.place for t in stores], [t.place for t in placed])
    loads = len(placed) - len(stores)
    for number, store in enumerate(stores):
        for other in np.flatnonzero(near[number]).tolist():
            if not loads <= other <= loads + number and not compatible(store, placed[other]):
                words = f"words {store.op.word} and {placed[other].op.word}"
                return f"{words} meet in memory across iterations"
    return None


def meeting(these: list[Access], those: list[Access]) -> np.ndarray:
    """bool [these, those]: the spans over all nodes have common bytes."""
    a, b = (np.array([x.where() for x in xs], np.int64).reshape(-1, 2) for xs in (these, those))
    return (a[:, None, 0] < b[:, 1]) & (b[:, 0] < a[:, None, 1])


def stores_once(store: Touch) -> bool:
    """True when no two iterations store to a common byte; a lane out of bounds is not stored."""
    if injective(store.place):
        return True
    return store.lanes is not None and kept_apart(store.place, store.lanes)


def narrowed(access: Access, lanes: Access) -> Access:
    """The access without the last lanes that are out of bounds everywhere: they are not touched."""
    if access.granules > 1:
        return access
    used = lanes_inside(lanes).reshape(-1, access.elements).any(axis=0)
    return replace(access, elements=max(int(np.flatnonzero(used).max(initial=0)) + 1, 1))


def kept_apart(access: Access, lanes: Access) -> bool:
    """Enumerate the bytes of the lanes that are in bounds on some node: all are different."""
    low, high = access.span()
    moving = zip(access.counts, access.strides, strict=True)
    if any(count > 1 and stride == 0 for count, stride in moving) or too_many(access):
        return False
    every = kept_bytes(access, lanes)
    taken = np.zeros(high - low, bool)
    taken[every - low] = True
    return np.count_nonzero(taken) == every.size


def kept_disjoint(store: Access, lanes: Access, other: Access) -> bool:
    """Enumerate the bytes of the lanes in bounds, and those of `other`: none is common."""
    if isinstance(store.base, np.ndarray) or isinstance(other.base, np.ndarray):
        return False
    moving = zip(store.counts, store.strides, strict=True)
    if any(count > 1 and stride == 0 for count, stride in moving):
        return False
    low = min(x.base + x.span()[0] for x in (store, other))
    high = max(x.base + x.span()[1] for x in (store, other))
    if too_many(store) or too_many(other) or high - low > ENUMERATED:
        return False
    taken = np.zeros(high - low, bool)
    taken[kept_bytes(store, lanes) + store.base - low] = True
    return not taken[bytes_of(other, keep_outside=other.bounds is None) + other.base - low].any()


def too_many(access: Access) -> bool:
    """More elements, or a longer span, than are worth enumerating."""
    low, high = access.span()
    return max(int(np.prod(access.shape, dtype=np.int64)), high - low) > ENUMERATED


def kept_bytes(access: Access, lanes: Access) -> np.ndarray:
    """Every byte offset of the lanes in bounds on some node; no open loop may stand still."""
    kept = lanes_inside(lanes).any(axis=0)
    kept = kept.reshape(*kept.shape[:-1], access.granules, -1)[..., : access.elements]
    starts = addresses(access).reshape(*access.shape[:-1], 1)
    elements = starts + np.arange(access.elements) * access.item
    used = elements[np.broadcast_to(kept, access.shape)]
    return used[:, None] + np.arange(access.item)


def compatible(store: Touch, other: Touch) -> bool:
    """True when the two can meet only within one iteration of the loops they share (or never)."""
    return (
        same_iteration(store, other)
        or same_place(store, other)
        or apart(store.place, other.place)
        or (store.lanes is not None and kept_disjoint(store.place, store.lanes, other.place))
    )


def same_place(store: Touch, other: Touch) -> bool:
    """Both touch the same bytes in every iteration, and the store no byte twice: updates in
    place."""
    a, b = store.place, other.place
    if store.path != other.path or not np.array_equal(a.base, b.base):
        return False
    shape = (a.counts, a.strides, a.granules, a.pitch, a.elements * a.item)
    same = shape == (b.counts, b.strides, b.granules, b.pitch, b.elements * b.item)
    return same and injective(a)


def apart(a: Access, b: Access) -> bool:
    """True when the two never touch a common byte (b's hidden granules do not count)."""
    return disjoint(a, b) or exactly_disjoint(a, b)


def disjoint(a: Access, b: Access) -> bool:
    """The touched spans do not meet on any node."""
    (low_a, high_a), (low_b, high_b) = a.span(), b.span()
    if isinstance(a.base, int) and isinstance(b.base, int):
        return a.base + high_a <= b.base + low_b or b.base + high_b <= a.base + low_a
    first = np.asarray(a.base) + high_a <= np.asarray(b.base) + low_b
    second = np.asarray(b.base) + high_b <= np.asarray(a.base) + low_a
    return bool(np.all(first | second))


def same_iteration(store: Touch, other: Touch) -> bool:
    """All meeting bytes belong to the same iteration of the shared loops: equal strides, blocks
    apart.
    """
    shared = 0
    while (
        shared < min(len(store.path), len(other.path)) and store.path[shared] is other.path[shared]
    ):
        shared += 1
    a, b = store.place, other.place
    if isinstance(a.base, np.ndarray) or isinstance(b.base, np.ndarray):
        return False
    if a.strides[:shared] != b.strides[:shared]:
        return False
    low = min(a.base + a.spans[shared][0], b.base + b.spans[shared][0])
    reach = max(a.base + a.spans[shared][1], b.base + b.spans[shared][1]) - low
    for stride, count in sorted(
        (abs(s), c) for s, c in zip(a.strides[:shared], a.counts[:shared], strict=True) if c > 1
    ):
        if stride < reach:
            return False
        reach += stride * (count - 1)
    return True


def exactly_disjoint(a: Access, b: Access) -> bool:
    """Enumerate every byte of both (only where addresses are the same on all nodes)."""
    if isinstance(a.base, np.ndarray) or isinstance(b.base, np.ndarray):
        return False
    sizes = [int(np.prod(x.shape, dtype=np.int64)) for x in (a, b)]
    if max(sizes) > ENUMERATED:
        return False
    unit = gcd(a.base - b.base, *units(a), *units(b))
    low = min(x.base + x.span()[0] for x in (a, b))
    high = max(x.base + x.span()[1] for x in (a, b))
    taken = np.zeros((high - low) // unit, bool)
    taken[(bytes_of(a, True, unit) + (a.base - low)) // unit] = True
    return not taken[(bytes_of(b, b.bounds is None, unit) + (b.base - low)) // unit].any()


def units(access: Access) -> tuple[int, ...]:
    """Numbers of bytes whose common divisor divides all addresses (from the base) and lengths."""
    moving = zip(access.shape[:-1], access.steps[:-1], strict=True)
    return (access.elements * access.item, *(step for count, step in moving if count > 1))


def bytes_of(access: Access, keep_outside: bool, unit: int = 1) -> np.ndarray:
    """Every byte offset touched, in units of `unit` bytes their first one alone; granules that
    are out of bounds on every node only if `keep_outside`.
    """
    start = addresses(access)
    width = access.elements * access.item
    every = start[:, None] + np.arange(0, width, unit)
    mask = None if keep_outside else inside(access)
    if mask is not None:
        used = mask.any(axis=0)
        used = np.broadcast_to(used, access_shape(access, used.shape))
        keep = _fold(used, access)
        every = every[keep]
    return every.reshape(-1)


def access_shape(access: Access, mask_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Common shape of the access's axes and a mask's."""
    return np.broadcast_shapes(access.shape, mask_shape)


def _fold(used: np.ndarray, access: Access) -> np.ndarray:
    """`used` per granule, any over axes along which the address does not move."""
    for axis, size in enumerate(access.shape):
        if size == 1 and used.shape[axis] > 1:
            used = np.asarray(used.any(axis=axis, keepdims=True))
    return used.any(axis=-1).reshape(-1)
