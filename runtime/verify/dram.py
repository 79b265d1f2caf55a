"""Transfers in the memories of DIPs: loads read what is there, stores have an order.

Content at the start is never in anybody's way. A list that stores has to be over before another one
that touches the same bytes starts, or the other way round; bytes are taken as whole spans.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dojocc.runtime.program import DRAM_LOAD, DRAM_STORE, Program
from dojocc.runtime.verify.clocks import Started
from dojocc.runtime.verify.findings import Finding, Report, code_place
from dojocc.runtime.verify.lists import entries_of, spans
from dojocc.runtime.verify.order import Order


@dataclass(frozen=True, eq=False)
class Touched:
    """The spans [low, high) on each DIP of the loads or the stores of a list that was started."""

    started: Started
    stores: bool
    dip: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def meets(self, other: Touched) -> bool:
        for dip in np.unique(self.dip).tolist():
            mine, theirs = self.dip == dip, other.dip == dip
            first = self.low[mine, None] < other.high[theirs]
            if (first & (other.low[theirs] < self.high[mine, None])).any():
                return True
        return False


def check_dram(program: Program, order: Order, report: Report) -> None:
    """All lists of a walk that touch DRAM."""
    touched = [
        each
        for started in order.walk.started.values()
        for each in touched_by(program, started)
        if len(each.dip)
    ]
    stores = [each for each in touched if each.stores]
    for number, one in enumerate(stores):
        for other in [*stores[number + 1 :], *(each for each in touched if not each.stores)]:
            if one.meets(other) and not ordered(order, one.started, other.started):
                complain(program, order, report, one, other)
    for each in touched:
        report.count("lists in DRAM")
        if not each.stores and not any(each.meets(store) for store in stores):
            check_content(program, order, report, each)


def touched_by(program: Program, started: Started) -> list[Touched]:
    entries = entries_of(program, started.number, started.place[0])
    found = []
    for kind, side in ((DRAM_LOAD, "src"), (DRAM_STORE, "dst")):
        ends = spans(entries[entries["kind"] == kind], side)
        found.append(Touched(started, kind == DRAM_STORE, ends.far, ends.low, ends.high))
    return found


def ordered(order: Order, one: Started, other: Started) -> bool:
    """True when either is surely over on all nodes before the other starts on any."""
    return one is not other and (comes_first(order, one, other) or comes_first(order, other, one))


def comes_first(order: Order, one: Started, other: Started) -> bool:
    end = order.end(one, one.place[0], False)
    if end is None:
        return False
    cls, thread, position = other.place
    return bool(order.all[cls][thread][position, one.place[0], end[0]] >= end[1])


def complain(program: Program, order: Order, report: Report, one: Touched, other: Touched) -> None:
    verb = "stores to" if other.stores else "loads from"
    report.add(
        Finding(
            "race",
            f"list {other.started.number} {verb} bytes of DRAM that list {one.started.number} may"
            " store to at the same time",
            place(program, order, other.started),
        )
    )


def check_content(program: Program, order: Order, report: Report, loads: Touched) -> None:
    """Every load lies within one image of its DIP."""
    good = np.zeros(len(loads.dip), bool)
    for image in program.dram:
        end = image.address + program.tensors[image.tensor].nbytes
        inside = (loads.low >= image.address) & (loads.high <= end)
        good |= inside & (loads.dip == image.dip)
    if not good.all():
        worst = int(np.argmin(good))
        span = f"bytes [{loads.low[worst]}, {loads.high[worst]}) of DIP {loads.dip[worst]}"
        where = place(program, order, loads.started)
        report.add(Finding("undefined", "loads bytes of DRAM that no image fills", where, span))


def place(program: Program, order: Order, started: Started) -> str:
    cls, thread, position = started.place
    step = order.walk.traces[cls][thread][position]
    return f"list {started.number}, " + code_place(program, cls, thread, step.word, step.call)
