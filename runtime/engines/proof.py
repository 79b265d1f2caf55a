"""The proof that a loop nest may run at once: registers (carried.py), then memory
(hazards.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dojocc.runtime.engines.access import Access
from dojocc.runtime.engines.carried import all_loops, of_loop
from dojocc.runtime.engines.exchange import spans
from dojocc.runtime.engines.hazards import Touch, apart, conflict, meeting, narrowed
from dojocc.runtime.engines.loads import affine
from dojocc.runtime.engines.thread import Thread
from dojocc.runtime.engines.tree import Call, Loop, Op

Counts = dict[Loop, int]


class NotLiftable(Exception):
    """Why a nest must run step by step."""


@dataclass(frozen=True, eq=False)
class Proof:
    """What lifting a nest has to mind.

    aliased: words of loads that meet stores: their values are copied when loaded; stepped: inner
    loops to run in the machine's order; stored: [low, high) of every store; spans: these in whole
    spans, as far as they lie in memory, where several make up one.
    """

    aliased: frozenset[int] = frozenset()
    stepped: frozenset[Loop] = frozenset()
    stored: tuple[tuple[int, int], ...] = ()
    spans: tuple[tuple[int, int], ...] = ()


def prove(loop: Loop, thread: Thread, counts: Counts, exact: bool, size: int) -> Proof:
    """Raise NotLiftable unless both halves of the proof hold; `size`: bytes of memory."""
    uses, stepped = of_loop(loop), []
    reason = uses.why_not(exact)
    if reason is None:
        for inner in all_loops(loop):
            if inner.register is not None and ("x", inner.register) in uses.writes:
                reason = "a trip count changes inside the nest"
            elif inner is not loop and of_loop(inner).why_not(exact):
                stepped.append(inner)
    if reason is None and any(kind == "a" for kind, _ in uses.writes):
        reason = "an address generator changes inside the nest"
    if reason is not None:
        raise NotLiftable(reason)
    touches = memory_touches(loop, thread, counts)
    aliased = without_conflict(loop, touches)
    stored = [t.access.where() for t in touches if t.stores and t.access is not None]
    inside = [(low, high) for low, high in stored if low >= 0 and high <= size]
    whole = shared_spans(np.array(inside)) if inside else []
    return Proof(aliased, frozenset(stepped), tuple(stored), tuple(whole))


def shared_spans(stored: np.ndarray) -> list[tuple[int, int]]:
    """Spans of [low, high) that several stores make up; any other store finds its bytes itself."""
    number, found = spans(*stored.T)
    times = np.bincount(number)
    return [span for span, count in zip(found, times, strict=True) if count > 1]


def without_conflict(loop: Loop, touches: list[Touch]) -> frozenset[int]:
    """Words of loads that meet stores, if that is all that meets: remembered by the addresses."""
    key = tuple((fingerprint(t.access), fingerprint(t.lanes)) for t in touches)
    known = loop.cache.setdefault("hazards", {})
    if key not in known:
        known[key] = (conflict(touches), loads_met(touches))
    reason, aliased = known[key]
    if reason is not None:
        raise NotLiftable(reason)
    return aliased


def loads_met(touches: list[Touch]) -> frozenset[int]:
    """Words of loads that read bytes the nest stores."""
    stores = [t.access for t in touches if t.stores and t.access is not None]
    loads = [t for t in touches if not t.stores and t.access is not None]
    near = meeting([t.place for t in loads], stores)
    return frozenset(
        load.op.word
        for number, load in enumerate(loads)
        if not all(apart(stores[i], load.place) for i in np.flatnonzero(near[number]).tolist())
    )


def memory_touches(loop: Loop, thread: Thread, counts: Counts) -> list[Touch]:
    """Every memory instruction that will run, in program order.

    `limits` are the predicates as a `pinb` earlier in the same iteration left them.
    """
    found: list[Touch] = []
    limits: dict[int, Access] = {}

    def visit(item: Op | Loop | Call, path: tuple[Loop, ...]) -> None:
        match item:
            case Op() if item.row.access is not None:
                found.append(touch(item, path))
            case Op():
                for target in item.row.outputs:
                    if target.kind == "p":
                        limits.pop(int(item.fields[target.name]), None)
                if item.name == "pinb" and item.fields["d"]:
                    limits[int(item.fields["d"])] = access_of(item, thread, path, counts)
            case Loop() if counts[item]:
                limits.clear()
                for part in item.body.items:
                    visit(part, (*path, item))
                limits.clear()
            case Call():
                for part in item.body.items:
                    visit(part, path)
            case _:
                pass

    def touch(op: Op, path: tuple[Loop, ...]) -> Touch:
        stores = op.access.kind == "store"
        if op.access.indexed and stores:
            raise NotLiftable(f"`{op.name}` stores to addresses from data")
        access = None if op.access.indexed else access_of(op, thread, path, counts)
        lanes, mask = None, op.row.mask
        if mask is not None and stores:
            lanes = limits.get(int(op.fields[mask.name]))
        if lanes is not None and access is not None:
            access = narrowed(access, lanes)
        return Touch(op, path, access, lanes)

    visit(loop, ())
    return found


def access_of(op: Op, thread: Thread, path: tuple[Loop, ...], counts: Counts) -> Access:
    """The access of an instruction under the open loops `path`."""
    levels = tuple(loop.level for loop in path)
    found = affine(op, thread, levels, tuple(counts[loop] for loop in path))
    if found is None:
        raise NotLiftable(f"`{op.name}` at word {op.word}: strides differ by node")
    return found


def fingerprint(access: Access | None) -> tuple:
    """What the hazard test depends on, hashable."""
    if access is None:
        return ()
    bounds = access.bounds
    parts = [
        access.base,
        access.counts,
        access.strides,
        access.granules,
        access.pitch,
        access.elements,
        access.item,
    ]
    if bounds is not None:
        parts += [
            bounds.y0,
            bounds.x0,
            bounds.y_limit,
            bounds.x_limit,
            bounds.y_strides,
            bounds.x_strides,
        ]
        parts += [bounds.granule_step, bounds.lane_step, bounds.first]
    return tuple(p.tobytes() if isinstance(p, np.ndarray) else p for p in parts)
