"""Phases of collectives: the steps of a reduction or a gather along one axis, written as tables.

Every node does the same at its place of the line (solve/collectives.py says what lies where).

- One way round (`ring`): in step t the node at place i of the ring pushes the piece of place
  i - 1 - t (reduction) or i - t (gather) to place i + 1.
- Both ways round (`both`): half of the pieces come from either side, so that a line of L nodes
  takes L // 2 steps. A gather passes on what came from behind to the next place, and the other
  way round. A reduction lets the terms of a piece grow from both sides towards its place.
- Direct: every node pushes to all others of its line at once.
"""

from __future__ import annotations

import numpy as np

from dojocc.passes.solve.collectives import (
    LINE,
    OPERAND,
    SHARD,
    STAGING,
    WORK,
    Chain,
    Positions,
    Writer,
    padded,
)

FORTH, BACK = 0, 1
"""Lanes of a ring that is gone round both ways."""
FUSED_LINES = 16
"""Lines of a piece up to which all that arrives for it is added at once; longer ones are added one
after another, which does not wait for the end of a line's sum."""


def staging_bytes(chain: Chain) -> int:
    """Bytes of STAGING that a chain's reduction takes."""
    return sum(phase_staging(chain, number) for number in chain.own_phases)


def phase_staging(chain: Chain, number: int) -> int:
    """Bytes that a phase of a reduction stages: in a ring's first phase only what comes for a
    node's own piece from ahead, since elsewhere WORK has room."""
    phase = chain.phases[number]
    still = dict.fromkeys(range(number + 1), np.zeros((), np.int64))
    pieces = phase.axis.size - 1
    if phase.ring and number == 0:
        pieces = int(phase.both and phase.halves[1] > 0)
    return pieces * padded(chain.region(still).packed)


def reduce_steps(w: Writer, scattered: bool) -> None:
    """The phases of a reduce-scatter; its last additions go to SHARD where that is the result."""
    chain, nodes = w.chain, w.nodes
    fixed: Positions = {n: chain.phases[n].axis.at(nodes) for n in range(chain.done)}
    staged = 0
    for number in chain.own_phases:
        phase = chain.phases[number]
        last = scattered and number == len(chain.phases) - 1
        walk = reduce_direct
        if phase.ring:
            walk = reduce_both if phase.both else reduce_ring
        walk(w, number, fixed, staged, last)
        staged += phase_staging(chain, number)
        fixed[number] = phase.axis.at(nodes)


def reduce_ring(w: Writer, number: int, fixed: Positions, staged: int, last: bool) -> None:
    """The sum of the piece of place p is (...((x[p+1] + x[p+2]) + x[p+3]) ...) + x[p], places
    modulo L, the same on every engine."""
    chain, axis = w.chain, w.chain.phases[number].axis
    place_on_ring, ring, size = axis.place(w.nodes), axis.ring(), axis.size
    first = number == 0
    for turn in range(size - 1):
        sent = chain.region({**fixed, number: ring[(place_on_ring - 1 - turn) % size]})
        got = chain.region({**fixed, number: ring[(place_on_ring - 2 - turn) % size]})
        source = OPERAND if first and turn == 0 else WORK
        place = (WORK, got) if first else (STAGING, chain.staged(got, turn, staged))
        there = sent if first else chain.staged(sent, turn, staged)
        to = axis.moved(w.nodes, ring[(place_on_ring + 1) % size])
        w.move(source, sent, place[0], there, to)
        done = last and turn == size - 2
        into = (SHARD, chain.own({**fixed, number: axis.at(w.nodes)})) if done else (WORK, got)
        w.add(into, place, (OPERAND if first else WORK, got))
        w.step += 1


def reduce_both(w: Writer, number: int, fixed: Positions, staged: int, last: bool) -> None:
    """The sum of piece p of L is x[p] + (x[p+g] ... + x[p+1]), then + (x[p-f] ... + x[p-1]), where
    f = L // 2 terms come from behind and g = L - 1 - f from ahead, the farthest first."""
    chain, phase = w.chain, w.chain.phases[number]
    axis, (forth, back) = phase.axis, phase.halves
    place, ring, size, first = axis.place(w.nodes), axis.ring(), axis.size, number == 0
    own = OPERAND if first else WORK
    for turn in range(forth):
        for lane, count, way in ((BACK, back, -1), (FORTH, forth, 1)):
            if turn >= count:
                continue
            ends = turn == count - 1
            ahead = place + way * (count - turn)  # the place of the piece that is pushed on
            sent, got = (
                chain.region({**fixed, number: ring[(ahead - shift) % size]}) for shift in (0, way)
            )
            # Two partial sums end at a node's own piece: the one from ahead is kept aside.
            aside = not first or (ends and lane == BACK)
            slot = 0 if first else turn + (lane == BACK) * forth
            here = (STAGING, chain.staged(got, slot, staged)) if aside else (WORK, got)
            there = chain.staged(sent, slot, staged) if aside else sent
            to = axis.moved(w.nodes, ring[(place + way) % size])
            w.move(own if turn == 0 else WORK, sent, here[0], there, to, lane)
            right = (own, got)
            into = here if aside and first else (WORK, got)
            if ends and lane == FORTH:
                if first and back:
                    right = (STAGING, chain.staged(got, 0, staged))
                if last:
                    into = (SHARD, chain.own({**fixed, number: axis.at(w.nodes)}))
            w.add(into, here, right, turn=lane == FORTH)
        w.step += 1


def reduce_direct(w: Writer, number: int, fixed: Positions, staged: int, last: bool) -> None:
    """The sum of piece p is ((x[p] + x[p-1]) + x[p-2]) ... + x[p+1]."""
    chain, axis = w.chain, w.chain.phases[number].axis
    at, size = axis.at(w.nodes), axis.size
    source = OPERAND if number == 0 else WORK
    mine = chain.region({**fixed, number: at})
    result = (SHARD, chain.own({**fixed, number: at})) if last else (WORK, mine)
    for turn in range(size - 1):
        other = (at + turn + 1) % size
        sent = chain.region({**fixed, number: other})
        place = chain.staged(sent, turn, staged)
        w.move(source, sent, STAGING, place, axis.moved(w.nodes, other))
    if mine.packed <= FUSED_LINES * LINE:
        terms = (size - 1, padded(mine.packed))
        w.add(result, (STAGING, chain.staged(mine, 0, staged)), (source, mine), 0, terms)
    else:
        for turn in range(size - 1):
            right = (source if turn == 0 else WORK, mine)
            into = result if turn == size - 2 else (WORK, mine)
            w.add(into, (STAGING, chain.staged(mine, turn, staged)), right, turn)
    w.step += 1


def gather_steps(w: Writer, from_shards: bool) -> None:
    """The phases of an all-gather; the first step takes the shards from OPERAND if they are there,
    and copies each node's own."""
    chain = w.chain
    fixed: Positions = {n: phase.axis.at(w.nodes) for n, phase in enumerate(chain.phases)}
    begin = w.step
    for number in reversed(chain.own_phases):
        phase = chain.phases[number]
        gather = gather_ring if phase.ring else gather_direct
        gather(w, number, fixed, begin if from_shards else -1)
        del fixed[number]


def gather_ring(w: Writer, number: int, fixed: Positions, fresh: int) -> None:
    """`fresh`: the step in which shards are in OPERAND."""
    chain, phase = w.chain, w.chain.phases[number]
    axis, ring = phase.axis, phase.axis.ring()
    place, size = axis.place(w.nodes), axis.size
    forth, back = phase.halves if phase.both else (size - 1, 0)
    for turn in range(forth):
        for lane, count, way in ((FORTH, forth, 1), (BACK, back, -1)):
            if turn >= count:
                continue
            held = {**fixed, number: ring[(place - way * turn) % size]}
            sent = chain.region(held)
            source = (OPERAND, chain.own(held)) if w.step == fresh else (WORK, sent)
            if w.step == fresh and lane == FORTH:
                w.move(*source, WORK, sent, w.nodes)
            to = axis.moved(w.nodes, ring[(place + way) % size])
            w.move(*source, WORK, sent, to, lane)
        w.step += 1


def gather_direct(w: Writer, number: int, fixed: Positions, fresh: int) -> None:
    chain, axis = w.chain, w.chain.phases[number].axis
    at, size = axis.at(w.nodes), axis.size
    held = {**fixed, number: at}
    sent = chain.region(held)
    source = (OPERAND, chain.own(held)) if w.step == fresh else (WORK, sent)
    if w.step == fresh:
        w.move(*source, WORK, sent, w.nodes)
    for turn in range(size - 1):
        w.move(*source, WORK, sent, axis.moved(w.nodes, (at + 1 + turn) % size))
    w.step += 1
