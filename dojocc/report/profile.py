"""Predicted cycles as plain data and as a page."""

from __future__ import annotations

import html
from typing import Any

from dojocc.runtime.program import Program
from dojocc.runtime.timing import TimingResult

STYLE = (
    "body{font:15px sans-serif;margin:2em}td,th{padding:.2em .8em;text-align:right}"
    "td:first-child,th:first-child{text-align:left}"
)


def facts(result: TimingResult) -> dict[str, Any]:
    """What `profile --json` says."""
    return {
        "cycles": result.cycles,
        "seconds_modelled": result.seconds_modelled,
        "utilization": result.utilization,
        "lower_bound_cycles": result.lower_bound_cycles,
        "error_band": result.error_band,
        "bytes_moved": result.bytes_moved,
        "by_op": result.by_op,
    }


def page(program: Program, result: TimingResult) -> str:
    """One HTML page, complete in itself."""
    rows = [
        ("target", program.target.name),
        ("cycles", f"{result.cycles:,} (+-{result.error_band:.0%})"),
        ("lower bound, cycles", f"{result.lower_bound_cycles:,}"),
        ("modelled time", f"{result.seconds_modelled * 1e6:,.1f} us"),
        ("bytes moved over the mesh", f"{result.bytes_moved:,}"),
        *((f"{unit}, share of peak", f"{share:.1%}") for unit, share in result.utilization.items()),
    ]
    total = max(sum(result.by_op.values()), 1)
    ops = sorted(result.by_op.items(), key=lambda row: -row[1])
    parts = [(name, f"{cycles:,}", f"{cycles / total:.1%}") for name, cycles in ops]
    return (
        f"<!doctype html><meta charset=utf-8><title>dojocc profile</title><style>{STYLE}</style>"
        "<h1>Predicted cycles</h1><p>A model of an assumed machine: see the error band.</p>"
        f"{html_table(rows)}<h2>By op, cycles of the latest node</h2>"
        f"{html_table([('op', 'cycles', 'share'), *parts])}\n"
    )


def html_table(rows: list[Any]) -> str:
    lines = ["".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) for row in rows]
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"
