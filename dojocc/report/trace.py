"""The predicted time line in Chrome's trace format (chrome://tracing, ui.perfetto.dev)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from dojocc.runtime.program import Program
from dojocc.runtime.timing import TimingResult
from dojocc.runtime.timing.record import Exchange
from dojocc.runtime.timing.report import mark_name

NOTE = "Each class's threads as on their latest node; transfer lists from first start to last end."


def trace_bytes(program: Program, result: TimingResult) -> bytes:
    """A trace file: a process a class and one for the mesh. Times are modelled microseconds."""
    microseconds = 1e6 / program.target.node.clock_hz
    mesh = len(program.classes)
    events: list[dict[str, Any]] = []
    for number, cls in enumerate(program.classes):
        events.append(named("process_name", number, 0, f"class {cls.name}, {len(cls.nodes)} nodes"))
    events.append(named("process_name", mesh, 0, "mesh"))
    for (cls, thread), spans in sorted(result.record.spans.items()):
        events.append(named("thread_name", cls, thread, f"thread {thread}"))
        for span in spans:
            name = mark_name(program, span.mark)
            args = {"op": name, "cycles": round(span.end - span.start)}
            title = name if span.kind == "run" else f"wait: {name}"
            events.append(
                event(title, span.kind, cls, thread, span.start, span.end, microseconds, args)
            )
    for item, lane in zip(result.record.exchanges, lanes(result.record.exchanges), strict=True):
        args = {
            "list": item.number,
            "bytes": item.bytes,
            "flows": item.flows,
            "cycles": round(item.cycles),
            "lower_bound_cycles": round(item.bound),
        }
        title = f"{item.kind}: {mark_name(program, item.mark)}"
        events.append(
            event(title, "exchange", mesh, lane, item.start, item.end, microseconds, args)
        )
    about = {"schema": "dojocc.trace/2", "note": NOTE, "error_band": result.error_band}
    return json.dumps({"traceEvents": events, "otherData": about}, indent=1).encode()


def event(
    name: str,
    category: str,
    process: int,
    thread: int,
    start: float,
    end: float,
    microseconds: float,
    args: dict[str, Any],
) -> dict[str, Any]:
    """A complete event; start and end in cycles."""
    return {
        "name": name,
        "cat": category,
        "ph": "X",
        "pid": process,
        "tid": thread,
        "ts": start * microseconds,
        "dur": (end - start) * microseconds,
        "args": args,
    }


def named(kind: str, process: int, thread: int, name: str) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "pid": process, "tid": thread, "args": {"name": name}}


def lanes(exchanges: Sequence[Exchange]) -> list[int]:
    """For each exchange the first lane that is free at its start, so that none overlap in one."""
    free: list[float] = []
    found = [0] * len(exchanges)
    order = sorted(range(len(exchanges)), key=lambda number: exchanges[number].start)
    for number in order:
        item = exchanges[number]
        lane = next((at for at, time in enumerate(free) if time <= item.start), len(free))
        free[lane : lane + 1] = [item.end]
        found[number] = lane
    return found
