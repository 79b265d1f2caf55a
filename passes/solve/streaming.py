"""When loads from DRAM should start, so that kernels hide them: plain data in and out.

Time is that of the kernels alone, one after another. DRAM serves one load at a time; every load
ends as late as its reader and the loads after it let it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True)
class Load:
    """For kernel `reader`: DRAM is busy for `load` cycles, then the mesh for `move` more."""

    reader: int
    load: float
    move: float = 0.0


@dataclass(frozen=True)
class Start:
    """The load starts before kernel `load`, what forwards it before kernel `move`."""

    load: int
    move: int


def latest_starts(loads: Sequence[Load], kernels: Sequence[float]) -> tuple[list[Start], float]:
    """The start of every load, and the cycles that no kernel hides. `kernels`: cycles of each."""
    begins = [0.0, *accumulate(kernels)]

    def before(time: float) -> int:
        """The last kernel that begins no later; the first where none does."""
        return max(bisect_right(begins, time) - 1, 0)

    result: dict[int, Start] = {}
    free = begins[-1]
    late = 0.0
    for number in sorted(range(len(loads)), key=lambda each: (-loads[each].reader, each)):
        each = loads[number]
        needed = begins[each.reader] - each.move
        free = min(free, needed) - each.load
        late = max(late, -free)
        move = min(before(needed), each.reader)
        result[number] = Start(min(before(free), move), move)
    return [result[number] for number in range(len(loads))], late


def starts_at_reader(loads: Sequence[Load]) -> tuple[list[Start], float]:
    """The same where there is no room to load ahead: all of it is waited for."""
    starts = [Start(each.reader, each.reader) for each in loads]
    return starts, sum(each.load + each.move for each in loads)
