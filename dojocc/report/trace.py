"""The predicted time line in Chrome's trace format (chrome://tracing, ui.perfetto.dev)."""

from __future__ import annotations

import json

from dojocc.runtime.program import Program
from dojocc.runtime.timing import TimingResult

NOTE = "Ops one after another in the program's order, each as long as on its latest node."


def trace_bytes(program: Program, result: TimingResult) -> bytes:
    """A trace file: one row, an event an op. Times are modelled, in microseconds."""
    order = dict.fromkeys(mark.op for mark in program.marks)
    names = [name for name in ("start", *order) if name in result.by_op]
    microseconds = 1e6 / program.target.node.clock_hz
    events, at = [], 0
    for name in dict.fromkeys(names):
        cycles = result.by_op[name]
        events.append(
            {
                "name": name,
                "ph": "X",
                "pid": 0,
                "tid": 0,
                "ts": at * microseconds,
                "dur": cycles * microseconds,
                "args": {"cycles": cycles},
            }
        )
        at += cycles
    about = {"schema": "dojocc.trace/1", "note": NOTE, "error_band": result.error_band}
    return json.dumps({"traceEvents": events, "otherData": about}, indent=1).encode()
