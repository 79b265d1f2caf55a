"""Whole collectives from their chains: tables of moves and additions (solve/collectives.py)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from dojocc.passes.solve.collective_phases import gather_steps, reduce_steps, staging_bytes
from dojocc.passes.solve.collective_stages import parts_of
from dojocc.passes.solve.collectives import Chain, Schedule, Writer
from dojocc.runtime.segments import ADD_DTYPE, MOVE_DTYPE


def schedule(chains: Iterable[Chain], nodes: int, reduces: bool, gathers: bool) -> Schedule:
    """An all-reduce (both), a reduce-scatter or an all-gather over every line of nodes 0..nodes-1.

    A phase over an axis of one node is left out; so is a chain that has nothing to move. A stage
    starts when the one before has ended.
    """
    moves, adds, staging = [np.zeros(0, MOVE_DTYPE)], [np.zeros(0, ADD_DTYPE)], 0
    begin = end = 0
    for part in parts_of(chains, reduces, gathers):
        if part.opens:
            begin = end
        chain = replace(without_single_nodes(part.chain), staging=staging)
        writer = Writer(chain, part.number, np.arange(nodes), begin + chain.begin)
        if part.reduces:
            reduce_steps(writer, scattered=part.last and not gathers)
            staging += staging_bytes(chain)
        if part.gathers:
            gather_steps(writer, from_shards=not reduces and begin == 0)
        end = max(end, writer.step)
        moves += writer.moves
        adds += writer.adds
    return Schedule(np.concatenate(moves), np.concatenate(adds), staging)


def without_single_nodes(chain: Chain) -> Chain:
    """The chain without phases over axes of one node; ValueError where nothing is left."""
    kept = [n for n, phase in enumerate(chain.phases) if phase.axis.size > 1]
    if not kept:
        raise ValueError("a collective needs an axis of more than one node")
    return replace(
        chain,
        phases=tuple(chain.phases[n] for n in kept),
        weights=tuple(chain.weights[n] for n in kept),
        done=sum(n < chain.done for n in kept),
    )
