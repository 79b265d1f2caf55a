"""The stages of a collective: which chains run side by side, and what each does in its stage.

A chain that leaves its first phases to others is in a later stage of a reduction than these, and in
an earlier one of a gather. An all-reduce goes through the stages there and back: the last one
reduces and gathers at once, the others come twice, the second time as chains of other numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dojocc.passes.solve.collectives import Chain


@dataclass(frozen=True)
class Part:
    """What chain number `number` of a collective does. `opens`: it is the first of its stage;
    `last`: no stage reduces after this one."""

    number: int
    chain: Chain
    reduces: bool
    gathers: bool
    opens: bool
    last: bool


def parts_of(chains: Iterable[Chain], reduces: bool, gathers: bool) -> list[Part]:
    """All parts, stage after stage."""
    every = list(chains)
    depths = sorted({chain.done for chain in every})
    deepest = depths[-1]
    if reduces and gathers:
        turns = [(done, True, done == deepest) for done in depths]
        turns += [(done, False, True) for done in depths[-2::-1]]
    else:
        turns = [(done, reduces, gathers) for done in (depths if reduces else depths[::-1])]
    found: list[Part] = []
    for done, adds, spreads in turns:
        mine = [chain for chain in every if chain.done == done]
        for place, chain in enumerate(mine):
            part = Part(len(found), chain, adds, spreads, place == 0, done == deepest)
            found.append(part)
    return found
